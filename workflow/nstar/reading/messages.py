"""Validation errors as readable lines."""

import math
import reprlib
from collections.abc import Mapping
from typing import Any, get_args

from nstar.errors import nearest
from nstar.options import Options
from nstar.study import Study


def show(value: Any) -> str:
    """Return a value as YAML writes it, shortened to what a line can hold.

    Examples
    --------
    >>> show([True, None, "1e6", 10**30])
    "[true, null, '1e6', 100000000000...0000000000000]"
    """
    return _SHOWN.repr(value)


class _Shown(reprlib.Repr):
    """Values in YAML's words; of long ones the ends, of long lists the beginning."""

    def __init__(self):
        super().__init__()
        self.maxlong, self.maxstring, self.maxother = 28, 60, 60

    def repr_int(self, value, level):
        digits = int(abs(value).bit_length() * math.log10(2)) + 1
        return super().repr_int(value, level) if digits < 4000 else f"a number of {digits} digits"

    def repr_bool(self, value, level):
        return str(value).lower()

    def repr_NoneType(self, value, level):  # noqa: N802 (the name that reprlib looks for)
        return "null"


_SHOWN = _Shown()

_MUST = {
    "int_type": "must be a whole number in digits without quotes, as 1000000, not 1e6 or 1.0",
    "float_type": "must be a number, as 0.01 or 1e-3, without quotes",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text, in quotes if it looks like anything else",
    "string_pattern_mismatch": "must be a name of small letters, digits and _, a letter first",
    "string_unicode": "must be text without halves of surrogate pairs (U+D800 to U+DFFF); remove them",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters; shorten it",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "tuple_type": "must be a list, as [1, 2]",
    "too_short": "must not be empty",
    "too_long": "must have {max_length} entries",
    "dict_type": "must be a block of 'name: ...' lines",
    "invalid_key": "the key must be text; put it in quotes",
    "value_error": "{error}",
}
"""What is allowed, by pydantic's name of the mistake."""


def describe_error(raw: Any, error: Mapping[str, Any]) -> str:
    """Return one line for one pydantic error: dotted key, value, what is allowed, what is near."""
    key, classes = _locate(raw, error["loc"])
    name = ".".join(map(str, key)) or "the configuration"
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        legal = _legal_keys(classes)
        return f"{name}: unknown key; legal here are {', '.join(legal)}{nearest(key[-1], legal)}"
    if kind == "missing":
        what = "an entry is missing" if isinstance(error["loc"][-1], int) else "missing"
        return f"{name}: {what}; add it"
    if kind == "union_tag_not_found":
        if misspelt := [written for written in value if nearest(written, ["kind"])]:
            return f"{name}.{misspelt[0]}: unknown key (did you mean kind?)"
        return f"{name}.kind: missing; add it"
    if kind in ("union_tag_invalid", "literal_error"):
        if kind == "union_tag_invalid":
            name, value = f"{name}.kind", value["kind"]
        legal = context.get("expected_tags", context.get("expected", "")).replace("'", "")
        names = legal.replace(" or ", ", ").split(", ")
        near = nearest(value, names) if isinstance(value, str) else ""
        return f"{name}: {show(value)} is not legal; legal are {', '.join(names)}{near}"
    if kind in ("model_type", "model_attributes_type"):
        _, classes = _locate(raw, (*error["loc"], "any key"))
        keys = _legal_keys(classes) if len(classes) == 1 else ["kind", "its options"]
        must = f"must be a block with {', '.join(keys)}"
    else:
        must = _MUST.get(kind, error["msg"]).format_map(context)
    if isinstance(value, Mapping) and kind == "value_error":
        return f"{name}: {must}"
    return f"{name}: {show(value)}: {must}"


def _locate(raw: Any, location: tuple) -> tuple[list, list[type[Options]]]:
    """Return the key of an error as the user wrote it, and the option classes legal around it.

    Pydantic puts the tags of unions into the location; they are in no configuration and left out.
    """
    key: list = []
    classes: list[type[Options]] = [Study]
    node, annotation = raw, None
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if part == "[key]":
            continue
        inside = isinstance(node, Mapping) and part in node
        inside |= isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)
        if not inside and not (last and _is_field(part, classes)):
            continue
        key.append(part)
        fields = [cls.model_fields[part] for cls in classes if part in cls.model_fields]
        annotation = fields[0].annotation if fields else annotation
        node = node[part] if inside else None
        if not last:
            classes = option_classes(annotation, node) if annotation is not None else classes
    return key, classes


def _is_field(part: Any, classes: list[type[Options]]) -> bool:
    return any(part in cls.model_fields for cls in classes)


def option_classes(annotation: Any, node: Any) -> list[type[Options]]:
    """Return the option classes inside a type; where `node` has a legal ``kind``, the one of it."""
    found: list[type[Options]] = []
    if isinstance(annotation, type) and issubclass(annotation, Options):
        found = [annotation]
    for inner in get_args(annotation):
        found += option_classes(inner, None)
    kind = node.get("kind") if isinstance(node, Mapping) else None
    chosen = [cls for cls in found if "kind" in cls.model_fields and kind in _kinds(cls)]
    return chosen or found


def _kinds(cls: type[Options]) -> tuple:
    return get_args(cls.model_fields["kind"].annotation)


def _legal_keys(classes: list[type[Options]]) -> list[str]:
    names = dict.fromkeys(name for cls in classes for name in cls.model_fields)
    return sorted(names, key=lambda name: name != "kind")  # which decides about the others
