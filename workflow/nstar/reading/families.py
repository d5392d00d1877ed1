"""Families in a configuration: a list of widths or depths stands for one model per entry.

The models are named after the list and their entry, ``standard_32``. In the grid, the name of the list
stands for all of its models.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from nstar.kinds.families import FAMILY_OPTIONS, FamilyOption, differences
from nstar.options import LONGEST_NAME, Few, Name, Options, refuse_repeats
from nstar.reading.messages import describe_error, option_classes, show
from nstar.study import Study

_NAME = TypeAdapter(Name)


def expand_families(raw: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """Return a configuration in which lists of widths or depths are written out as models.

    Parameters
    ----------
    raw : mapping
        The parsed YAML.

    Returns
    -------
    expanded : dict
        The configuration with a model for every entry of a list. A list that is refused stays as it is,
        and so does everything else.
    origins : dict of str to str
        The name of the list that makes a model, by the name of the model.
    problems : list of str
        What is wrong with the lists.

    Examples
    --------
    >>> raw = {"models": {"wide": {"kind": "lstm", "width": [4, 8]}}, "grid": [{"models": ["wide"]}]}
    >>> expanded, origins, problems = expand_families(raw)
    >>> expanded["models"]["wide_8"], expanded["grid"]
    ({'kind': 'lstm', 'width': 8, 'family': 'wide'}, [{'models': ['wide_4', 'wide_8']}])
    >>> origins, problems
    ({'wide_4': 'wide', 'wide_8': 'wide'}, [])
    """
    models = raw.get("models")
    if not isinstance(models, Mapping) or len(models) > Few.bound:
        return dict(raw), {}, []
    lists = {name: listed for name, options in models.items() if (listed := _listed(name, options))}
    problems = list(_too_many(models, lists))
    members: dict[str, dict[str, Any]] = {}
    for name, listed in lists.items() if not problems else ():
        faults = list(_faults(raw, name, listed))
        problems += faults
        if not faults:
            members[name] = _members(name, models[name], listed[0])
    origins = {member: name for name, made in members.items() for member in made}
    expanded = dict(raw)
    expanded["models"] = {
        member: options
        for name, written in models.items()
        for member, options in members.get(name, {name: written}).items()
    }
    grid = raw.get("grid")
    if members and isinstance(grid, list) and len(grid) <= Few.bound:
        known = {*models, *origins}
        expanded["grid"] = [_with_members(entry, members, known) for entry in grid]
    return expanded, origins, problems


def as_written(
    raw: Mapping[str, Any], origins: Mapping[str, str], error: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a pydantic error of an expanded configuration with key and value as the user wrote them."""
    match error["loc"]:
        case ("models", name, *rest) if name in origins:
            return {**error, "loc": ("models", origins[name], *rest)}
        case ("grid", int(i), "models"):
            return {**error, "input": raw["grid"][i]["models"]}
    return dict(error)


def is_refused_list(error: Mapping[str, Any]) -> bool:
    """Return whether an error says that a list is not a number: `expand_families` says what is wrong."""
    match error["loc"]:
        case ("models", _, _, option) if (
            option in FAMILY_OPTIONS and error["type"] != "extra_forbidden"
        ):
            return isinstance(error["input"], list)
    return False


def family_mistakes(models: Mapping[str, Any], written: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with families that are written by hand.

    Parameters
    ----------
    models : mapping
        The options of all models by name.
    written : mapping
        The models as they stand in the configuration.
    """
    families: dict[str, dict[str, Any]] = {}
    for name, model in models.items():
        if model.family is not None:
            families.setdefault(model.family, {})[name] = model
    for family, members in families.items():
        by_hand = [name for name in members if name in written]
        if not by_hand:
            continue
        key = f"models.{by_hand[0]}.family: {show(family)}"
        if family in models:
            yield f"{key}: there is a model of that name; rename the family"
        differ = differences(members.values())
        if len(members) > 1 and not _is_family(differ):
            shown = ["kind"] if "kind" in differ else differ  # other kinds have other options
            found = ", ".join(f"{option} {show(differ[option])}" for option in shown)
            yield (
                f"{key}: its models {', '.join(members)} differ in {found or 'nothing'}; models of a "
                "family differ in width alone or in depth alone, each with a value of its own; change "
                "the options, or leave family out of one of them"
            )


def _is_family(differ: Mapping[str, list[Any]]) -> bool:
    """Return whether models differ in one option alone, each with a value of its own."""
    return any(
        list(differ) == [option] and len(set(differ[option])) == len(differ[option])
        for option in FAMILY_OPTIONS
    )


def _listed(name: Any, options: Any) -> list[FamilyOption]:
    """Return the options of a model with a list of widths or depths; other lists are for pydantic."""
    if not isinstance(options, Mapping) or not _is_name(name):
        return []
    fields = _kind(options).model_fields
    return [
        option
        for option in FAMILY_OPTIONS
        if option in fields and isinstance(options.get(option), list)
    ]


def _kind(options: Mapping[str, Any]) -> type[Options]:
    """Return the class of the options of a model; `Options`, which has none, if its kind is not legal."""
    classes = option_classes(Study.model_fields["models"].annotation, options)
    return classes[0] if len(classes) == 1 else Options


def _is_name(name: Any) -> bool:
    try:
        return bool(_NAME.validate_python(name))
    except ValidationError:
        return False


def _too_many(models: Mapping[str, Any], lists: Mapping[str, list[FamilyOption]]) -> Iterator[str]:
    """Yield that the lists make more models than a study may have, before any is made."""
    lengths = {
        f"models.{name}.{listed[0]}": len(models[name][listed[0]]) for name, listed in lists.items()
    }
    n_models = len(models) - len(lists) + sum(lengths.values())
    if lengths and n_models > Few.bound:
        longest = max(lengths, key=lengths.__getitem__)
        yield (
            f"{longest}: {lengths[longest]} entries, with which the study has {n_models} models; at most "
            f"{Few.bound}, because {Few.reason}; shorten the list, or divide the study"
        )


def _faults(raw: Mapping[str, Any], name: str, listed: list[FamilyOption]) -> Iterator[str]:
    """Yield what is wrong with the list of a model."""
    models, options = raw["models"], raw["models"][name]
    if len(listed) > 1:
        yield (
            f"models.{name}.{listed[1]}: {show(options[listed[1]])}: {listed[0]} is a list too, and "
            "models of a family differ in width alone or in depth alone; write one number for "
            f"{listed[0]} or for {listed[1]}"
        )
        return
    option = listed[0]
    key = f"models.{name}.{option}"
    if options.get("family") is not None:
        yield (
            f"models.{name}.family: {show(options['family'])}: the list {option} makes a family of the "
            f"name {name}; remove family, or write a model for each {option}"
        )
    try:
        _list_type(_kind(options), option).validate_python(options[option])
    except ValidationError as error:
        for entry in error.errors(include_url=False):
            if entry["type"] != "too_short" or not entry["input"]:
                yield describe_error(raw, {**entry, "loc": ("models", name, option, *entry["loc"])})
        return
    for i, (value, member) in enumerate(
        zip(options[option], _members(name, options, option), strict=True)
    ):
        if member in models:
            yield (
                f"{key}.{i}: {value}: makes a model {member}, and there is one of that name; rename one "
                "of them"
            )
        if len(member) > LONGEST_NAME:
            yield (
                f"{key}.{i}: {value}: makes a model {member}, whose name has {len(member)} characters; "
                f"at most {LONGEST_NAME} are allowed; shorten {name}"
            )


@cache
def _list_type(kind: type[Options], option: FamilyOption) -> TypeAdapter:
    """Return the type of a list of different values of an option."""
    field = kind.model_fields[option]
    value = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(
        Annotated[tuple[value, ...], Field(min_length=1), Few, AfterValidator(refuse_repeats)]
    )


def _members(
    name: str, options: Mapping[str, Any], option: FamilyOption
) -> dict[str, dict[str, Any]]:
    """Return the options of every model of a list by name."""
    return {
        f"{name}_{value}": {**options, option: value, "family": name} for value in options[option]
    }


def _with_members(entry: Any, members: Mapping[str, Mapping[str, Any]], known: set[str]) -> Any:
    """Return an entry of the grid with the models of a list in place of its name.

    An entry with an unknown or a repeated name stays as it is, so that its refusal quotes it.
    """
    names = entry.get("models") if isinstance(entry, Mapping) else None
    if not isinstance(names, list) or len(names) > Few.bound:
        return entry
    if not all(isinstance(name, str) and name in known for name in names):
        return entry
    if len(set(names)) < len(names):
        return entry
    return {**entry, "models": [member for name in names for member in members.get(name, [name])]}
