"""Families of models: one block of the configuration with a list of widths stands for one model each.

The models of a family are named after it and their width, ``standard_32``; a grid may name the family.
"""

from collections.abc import Mapping
from typing import Any


def family_of(model: str, width: int) -> str:
    """Return the family of a model, by its name.

    Examples
    --------
    >>> family_of("standard_32", 32), family_of("lstm_768", 32), family_of("lstm", 32)
    ('standard', 'lstm_768', 'lstm')
    """
    return model.removesuffix(f"_{width}")


def expand_families(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a configuration with a model for every width, and what is wrong with its lists of widths.

    Parameters
    ----------
    raw : mapping
        The parsed YAML; what is no list of widths stays as it is.

    Examples
    --------
    >>> raw = {"models": {"wide": {"kind": "lstm", "width": [4, 8]}}, "grid": [{"models": ["wide"]}]}
    >>> expand_families(raw)[0]
    {'models': {'wide_4': {'kind': 'lstm', 'width': 4}, 'wide_8': {'kind': 'lstm', 'width': 8}}, \
'grid': [{'models': ['wide_4', 'wide_8']}]}
    """
    if not isinstance(raw.get("models"), Mapping):
        return dict(raw), []
    models: dict[str, Any] = {}
    members: dict[str, list[str]] = {}
    problems = []
    for name, options in raw["models"].items():
        widths = options.get("width") if isinstance(options, Mapping) else None
        if not isinstance(widths, list):
            models[name] = options
            continue
        distinct = {str(width): width for width in widths}
        if not distinct or len(distinct) < len(widths):
            problems.append(
                f"models.{name}.width: {widths}: must be a width, or a list of different widths"
            )
        members[name] = [f"{name}_{width}" for width in distinct]
        for member, width in zip(members[name], distinct.values(), strict=True):
            if member in raw["models"]:
                problems.append(
                    f"models.{name}.width: {width} makes a model {member}, and there is one of that "
                    "name; rename it"
                )
            models[member] = {**options, "width": width}
    expanded = {**raw, "models": models}
    if members and isinstance(raw.get("grid"), list):
        expanded["grid"] = [_with_members(entry, members) for entry in raw["grid"]]
    return expanded, problems


def _with_members(entry: Any, members: Mapping[str, list[str]]) -> Any:
    """Return an entry with the models of a family in place of its name."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("models"), list):
        return entry
    names = [
        member
        for name in entry["models"]
        for member in (members.get(name, [name]) if isinstance(name, str) else [name])
    ]
    return {**entry, "models": names}
