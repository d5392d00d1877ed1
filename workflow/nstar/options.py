"""How nstar reads options: frozen, no unknown keys, no silent conversions, and no boundless numbers."""

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializationInfo,
    StrictFloat,
    StrictInt,
    StringConstraints,
    model_serializer,
)
from pydantic_core import core_schema


class Later:
    """Marks an option that came after its block: its default is what the block did without it.

    At its default it is left out of specifications, so that stores from before it stay valid.
    """


LATER = Later()
EVERYTHING = "everything"
"""Context of `model_dump` with which nothing is left out, for readers of the whole configuration."""


class Options(BaseModel):
    """Base of every block of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    MEANINGS: ClassVar[Mapping[str, Mapping[Any, str]]] = {}
    """Meanings of the values of options with a few legal ones, by option and value: for methods pages."""

    def meaning(self, option: str, value: Any) -> str:
        """Return what a value of an option means; empty where `MEANINGS` does not say."""
        return self.MEANINGS.get(option, {}).get(value, "")

    @model_serializer(mode="wrap")
    def _leave_later_defaults_out(self, handler, info: SerializationInfo):
        fields = handler(self)
        if info.context == EVERYTHING:
            return fields
        for name, field in type(self).model_fields.items():
            if LATER in field.metadata and getattr(self, name) == field.get_default():
                fields.pop(name, None)
        return fields


_BOUNDS = {"array": "maxItems", "object": "maxProperties"}


@dataclass(frozen=True)
class AtMost:
    """Upper bound of a number, or of how many entries a list has, with the reason for its message.

    Long lists are refused before their entries are looked at: a check takes no longer for them.
    """

    bound: float
    reason: str

    def __get_pydantic_core_schema__(self, source, handler):
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema, handler):
        found = handler(schema)
        return found | {_BOUNDS.get(found["type"], "maximum"): self.bound}

    def _check(self, value):
        if isinstance(value, list | tuple | dict) and len(value) > self.bound:
            raise ValueError(f"at most {self.bound} entries, because {self.reason}")
        if isinstance(value, int | float) and self.bound < value < math.inf:
            raise ValueError(f"must be at most {self.bound}, because {self.reason}")
        return value


@dataclass(frozen=True)
class AtLeast:
    """Lower bound of a number, with the reason for its message."""

    bound: float
    reason: str

    def __get_pydantic_core_schema__(self, source, handler):
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema, handler):
        return handler(schema) | {"minimum": self.bound}

    def _check(self, value):
        if isinstance(value, int | float) and -math.inf < value < self.bound:
            raise ValueError(f"must be at least {self.bound}, because {self.reason}")
        return value


def refuse_repeats(values):
    """Refuse a tuple in which a value stands twice; anything else passes."""
    if not isinstance(values, tuple):
        return values
    repeated = sorted(value for value, count in Counter(values).items() if count > 1)
    if repeated:
        raise ValueError(f"every entry once; repeated: {', '.join(map(str, repeated))}")
    return values


_NOT_TEXT = {
    "Cc": "a control character",
    "Cf": "an invisible formatting character",
    "Cs": "half of a surrogate pair",
    "Co": "a private-use character",
    "Cn": "an unassigned code point",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
"""Unicode categories without a visible glyph, and what their members are."""


@dataclass(frozen=True)
class Visible:
    """Text of one line in which every character can be seen, or is a space.

    Letters, marks, digits, punctuation, symbols and spaces of every script can. Characters of the
    categories C (control, format, surrogate, private use, unassigned), Zl and Zp break lines, reverse
    the reading direction or hide; they are refused with their position and code point.

    Attributes
    ----------
    allowed : str
        What the message calls legal.
    """

    allowed: str

    def __get_pydantic_core_schema__(self, source, handler):
        # Before pydantic's own check, whose message for half of a surrogate pair names no character.
        return core_schema.no_info_before_validator_function(self._check, handler(source))

    def _check(self, value):
        if not isinstance(value, str):
            return value
        for position, character in enumerate(value, start=1):
            if kind := _NOT_TEXT.get(unicodedata.category(character)):
                raise ValueError(
                    f"character {position} is {_code_point(character)}, {kind}; "
                    f"{self.allowed} are allowed; remove or replace it"
                )
        if value.isspace():
            raise ValueError("must not be blank; write at least one visible character")
        return value


def _code_point(character: str) -> str:
    """Return the code of a character, with its name where it has one.

    Examples
    --------
    >>> _code_point(chr(0x202E)), _code_point(chr(0x85))
    ('U+202E (RIGHT-TO-LEFT OVERRIDE)', 'U+0085')
    """
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name})" if name else "")


Float = StrictFloat
PositiveFloat = Annotated[Float, Field(gt=0)]
NonNegativeFloat = Annotated[Float, Field(ge=0)]
OpenFraction = Annotated[Float, Field(gt=0, lt=1)]
Countable = AtMost(10**9, "no machine holds or goes through more of anything here")
PositiveInt = Annotated[StrictInt, Field(gt=0), Countable]
NonNegativeInt = Annotated[StrictInt, Field(ge=0), Countable]
LONGEST_NAME = 64
"""Characters of a name."""

MISREAD = {
    **dict.fromkeys(("na", "nan", "nil", "none", "null", "missing"), "a missing value"),
    **dict.fromkeys(("inf", "infinity"), "a number"),
    **dict.fromkeys(("f", "false", "no", "off", "on", "t", "true", "yes"), "true or false"),
    "epoch": "a date",
}
"""Names that a reader of YAML or CSV takes for something else, and for what."""


def _refuse_misread(name: str) -> str:
    if name in MISREAD:
        raise ValueError(
            f"readers of tables take this name for {MISREAD[name]}; use another, as {name}_1"
        )
    return name


Name = Annotated[
    str,
    StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]*$", max_length=LONGEST_NAME),
    Visible("small letters, digits and _"),
    AfterValidator(_refuse_misread),
]
"""A name that a user gives: it becomes a segment of paths, a label of figures, and a word of tables."""

Title = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=200),
    Visible("letters, digits, punctuation, symbols and spaces"),
]
"""What a study is called in its report."""

Few = AtMost(1000, "every entry multiplies the cells of a plan")
"""Bound of a list that spans the grid."""


def tagged_union(*kinds: type[Options]) -> Any:
    """Return the type "one of these option classes, chosen by the key ``kind``"."""
    if len(kinds) == 1:
        return kinds[0]
    return Annotated[Union[kinds], Field(discriminator="kind")]  # noqa: UP007 (built at run time)
