"""Options as rows of a table: key, value in words, and what the value means."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nstar.kinds.families import differences
from nstar.options import Options

BLANK = "\u2013"
"""In place of an option that a model of the table does not have."""

_NULL = re.compile(r"[,;] null(?: for|:) ([^;]+)")
"""What stands in a description for the value null."""


@dataclass(frozen=True)
class Row:
    """One option.

    Attributes
    ----------
    key : str
        Dotted key, as in the configuration.
    value : str
        The value; of null, what it stands for.
    meaning : str
        What this value means, or of a number what it counts or measures; of other values never.
    unit : str
        Plural of the unit, or nothing.
    """

    key: str
    value: str
    meaning: str
    unit: str = ""

    @property
    def shown(self) -> str:
        """The value with its unit."""
        return _with_unit([self.value], self.unit)


@dataclass(frozen=True)
class KindTable:
    """The models, or the tasks, of one kind: options as rows, names as columns.

    Attributes
    ----------
    kind, meaning : str
        Name of the kind, and the first line about it.
    names : list of str
        Heads of the columns: one name, or the models of a family.
    lines : list of (key, values, meaning)
        Per option its key, one value per column, and what these values mean.
    """

    kind: str
    meaning: str
    names: list[str]
    lines: list[tuple[str, list[str], str]]


def option_rows(options: Options, prefix: str = "", but: Collection[str] = ()) -> Iterator[Row]:
    """Yield a row for every option of a block and of the blocks inside it, in their order.

    Parameters
    ----------
    options : Options
    prefix : str
        What precedes the name of an option in its key, as ``training.``.
    but : collection of str
        Keys that are left out, with all below them.
    """
    for name, field in type(options).model_fields.items():
        key, value = f"{prefix}{name}", getattr(options, name)
        if key in but:
            continue
        if isinstance(value, Options):
            if hasattr(value, "kind"):
                yield Row(key, value.kind, value.meaning("kind", value.kind))
            yield from option_rows(value, f"{key}.", {f"{key}.kind", *but})
            continue
        meaning, unit = _described(field.description or "")
        if isinstance(value, bool | str):
            meaning = options.meaning(name, value)
        if value is None:
            yield Row(key, _NULL.search(field.description)[1], meaning)
        else:
            yield Row(key, show_value(value), meaning, "" if value == () else unit)


def kind_tables(blocks: Mapping[str, Any]) -> list[KindTable]:
    """Return the options of models or tasks by name, one table for each kind."""
    kinds: dict[str, dict[str, Any]] = {}
    for name, options in blocks.items():
        kinds.setdefault(options.kind, {})[name] = options
    return [_kind_table(kind, members) for kind, members in kinds.items()]


def show_value(value: Any) -> str:
    """Return a value in words.

    Examples
    --------
    >>> show_value((0.9, 1.0)), show_value(True), show_value(()), show_value(1e-3)
    ('0.9, 1', 'yes', 'none', '0.001')
    """
    if isinstance(value, tuple):
        return ", ".join(map(show_value, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _kind_table(kind: str, members: Mapping[str, Any]) -> KindTable:
    columns = _columns(members)
    rows: dict[str, list[list[Row]]] = {}
    for i, group in enumerate(columns.values()):
        for options in group:
            for row in option_rows(options, but=_idle(options)):
                rows.setdefault(row.key, [[] for _ in columns])[i].append(row)
    return KindTable(
        kind,
        (type(next(iter(members.values()))).__doc__ or "").splitlines()[0],
        list(columns),
        [
            (
                key,
                [
                    _with_unit([row.value for row in cell], cell[0].unit) if cell else BLANK
                    for cell in cells
                ],
                _meaning_of([row for cell in cells for row in cell]),
            )
            for key, cells in rows.items()
        ],
    )


def _meaning_of(rows: Iterable[Row]) -> str:
    """Return the meaning that rows share, or the meaning of each value."""
    meanings = {row.value: row.meaning for row in rows if row.meaning}
    if len(set(meanings.values())) == 1:
        return next(iter(meanings.values()))
    return "; ".join(f"{value}: {meaning}" for value, meaning in meanings.items())


def _columns(members: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the columns of a table: one for a name, or for the models of a family."""
    families: dict[str, dict[str, Any]] = {}
    for name, options in members.items():
        families.setdefault(getattr(options, "family", None) or name, {})[name] = options
    return {_head(family, group): list(group.values()) for family, group in families.items()}


def _head(family: str, group: Mapping[str, Any]) -> str:
    """Return the head of a column: the name of one model, a pattern of several names, or all names."""
    if len(group) == 1:
        return next(iter(group))
    [(axis, values)] = differences(group.values()).items()
    patterned = [f"{family}_{value}" for value in values] == list(group)
    return f"{family}_<{axis}>" if patterned else ", ".join(group)


def _idle(options: Any) -> set[str]:
    """Return the options of a model or task that nothing reads, or that stand in the head of a table."""
    if getattr(options, "positions", None) in ("rotary", "none"):
        # Nothing reads how position embeddings are combined with tokens.
        return {"kind", "family", "embedding"}
    return {"kind", "family"}


def _described(text: str) -> tuple[str, str]:
    """Return what a description says first, without the meaning of null, and the unit at its end."""
    meaning, *others = _NULL.sub("", text).split("; ")
    unit = others[-1] if others else ""
    return meaning, "" if unit in ("no unit", "fraction", "squared error") else unit


def _with_unit(values: Iterable[str], unit: str) -> str:
    """Return different values with the unit they share.

    Examples
    --------
    >>> _with_unit(["1", "1"], "layers"), _with_unit(["8", "16"], "units")
    ('1 layer', '8, 16 units')
    """
    shown = ", ".join(dict.fromkeys(values))
    return f"{shown} {unit.removesuffix('s') if shown == '1' else unit}".rstrip()
