"""How nstar reads options: frozen, no unknown keys, no silent conversions except ``1e-3`` to a float.

YAML 1.1 hands ``1e-3`` over as a string and ``no`` as a boolean; integers and booleans are therefore
strict, and floats take numbers and number-like strings but no booleans.
"""

from typing import Annotated, Any, Union

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints


class Options(BaseModel):
    """Base of every block of the configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _refuse_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError(f"{str(value).lower()} is not a number")
    return value


def refuse_repeats(values):
    """Refuse a tuple in which a value stands twice; anything else passes."""
    if not isinstance(values, tuple):
        return values
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise ValueError(f"every entry once; repeated: {', '.join(map(str, repeated))}")
    return values


Float = Annotated[float, BeforeValidator(_refuse_bool)]
PositiveFloat = Annotated[Float, Field(gt=0)]
NonNegativeFloat = Annotated[Float, Field(ge=0)]
OpenFraction = Annotated[Float, Field(gt=0, lt=1)]
PositiveInt = Annotated[StrictInt, Field(gt=0)]
NonNegativeInt = Annotated[StrictInt, Field(ge=0)]
Name = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that a user gives: it becomes a segment of paths and a label of figures."""


def tagged_union(*kinds: type[Options]) -> Any:
    """Return the type "one of these option classes, chosen by the key ``kind``"."""
    if len(kinds) == 1:
        return kinds[0]
    return Annotated[Union[kinds], Field(discriminator="kind")]  # noqa: UP007 (built at run time)
