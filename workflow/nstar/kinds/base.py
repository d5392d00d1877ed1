"""Base of the options of every kind of model."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, StrictInt, model_validator

from nstar.kinds.size import Shape, Size
from nstar.options import LATER, AtMost, Name, NonNegativeFloat, Options, PositiveInt

Width = Annotated[
    StrictInt, Field(ge=2), AtMost(2**14, "one matrix of that width already takes 1 GiB")
]
"""At least 2: MKL rounds a product with one column otherwise in a pack of one than in larger ones."""


Depth = Annotated[
    PositiveInt, AtMost(1000, "a plan counts, and a step launches, every layer by itself")
]


def width_field(meaning: str) -> Any:
    """Return the field of a width, the size of what its meaning says."""
    return Field(
        description=f"D, size of {meaning}; a list makes a model `<name>_<D>` of each; units"
    )


def depth_field(meaning: str) -> Any:
    """Return the field of a depth, the number of what its meaning says."""
    return Field(description=f"{meaning}; a list makes a model `<name>_<depth>` of each; layers")


def check_halves(width: int, what: str) -> None:
    """Refuse an odd width, half of which is for tokens and half for positions."""
    if width % 2:
        raise ValueError(
            f"{what} gives tokens and positions half of the width each, and width {width} is odd; "
            f"choose an even width"
        )


def divisors(number: int, largest: int) -> str:
    """Return the divisors of a number up to the largest, as a list in words."""
    return ", ".join(str(part) for part in range(1, largest + 1) if number % part == 0)


class ModelKind(Options):
    """Base of the options of every kind of model: they know how large it is."""

    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]]
    """Small options by a name, one for each choice within the kind: tests run over all of them. Odd sizes
    meet padding and remainders."""

    reading: ClassVar[int] = 1
    """How `StackedModel.read` computes. Raised where a change of it can change answers, so that the
    evaluations of the kind are computed again."""

    family: Annotated[Name | None, LATER] = Field(
        None,
        description="family of models that differ in width alone or in depth alone, a list names its "
        "own; null: none; no unit",
    )
    weight_decay: Annotated[NonNegativeFloat | None, LATER] = Field(
        None,
        description="weight decay of this model; null: that of the optimiser; no unit",
    )

    def specification(self) -> dict[str, Any]:
        """Return the options that a network depends on: neither its family nor its weight decay."""
        return self.model_dump(mode="json", exclude={"family", "weight_decay"})

    @abstractmethod
    def size(self, shape: Shape) -> Size:
        """Return parameters, operations and memory of one replicate that sees batches of a shape."""


class HeadedKind(ModelKind):
    """A model whose width is shared out to heads."""

    width: Width = width_field("the residual stream")
    depth: Depth = depth_field("number of layers")
    heads: PositiveInt = Field(description="heads, a divisor of the width; heads")

    @model_validator(mode="after")
    def _heads_divide_width(self):
        choice = f"heads may be {divisors(self.width, self.width // 2)}"
        if self.width % self.heads:
            raise ValueError(
                f"width {self.width} is not a multiple of heads {self.heads}; {choice}"
            )
        if self.width == self.heads:
            raise ValueError(f"width {self.width} / heads {self.heads} = 1, at least 2; {choice}")
        return self
