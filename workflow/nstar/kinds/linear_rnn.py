"""Linear recurrences without an additive term: their options, and their size."""

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from nstar.kinds.base import ModelKind, Width, divisors, width_field
from nstar.kinds.size import Shape, Size, product, total_size
from nstar.options import PositiveInt

LARGEST_TABLE = 32
"""Symbols up to which a state is multiplied with the matrices of all symbols at once."""

ELEMENTWISE_BLOCK = 2
"""Block size up to which a product with a block is written as elementwise operations."""


class LinearRNNOptions(ModelKind):
    """A recurrence h_t = A(x_t) h_{t-1} without an additive term."""

    MEANINGS: ClassVar = {
        "normalise": {
            "inference": "the state is divided by its root mean square after each step, but not in the "
            "steps of training",
            "always": "the state is divided by its root mean square after each step, in training too",
            "never": "the state is not normalised",
        },
    }

    width: Width = width_field("embedding and state")
    normalise: Literal["inference", "always", "never"] = Field(
        "inference", description="when the state is kept at unit mean square; no unit"
    )

    @field_validator("normalise", mode="before")
    @classmethod
    def _no_flag(cls, value):
        if isinstance(value, bool):
            raise ValueError(
                "true and false are no longer values; write `always` for true, `never` for false, or "
                "`inference`, as in arXiv:2505.21749: normalised in evaluations, not in training"
            )
        return value


class DenseSSMOptions(LinearRNNOptions):
    """Linear recurrence with a full bilinear transition."""

    EXAMPLES: ClassVar = {
        "dense_ssm": {"width": 7},
        "dense_ssm_unnormalised": {"width": 7, "normalise": "never"},
    }

    kind: Literal["dense_ssm"] = Field(description="Dense-SSM; no unit")

    def size(self, shape: Shape) -> Size:
        """Return the size; see `linear_recurrence_size`."""
        return linear_recurrence_size(
            shape, self.width, self.width, self.width**2, self.normalise == "always"
        )


class BlockSSMOptions(LinearRNNOptions):
    """Linear recurrence with a block-diagonal bilinear transition."""

    EXAMPLES: ClassVar = {
        "block_ssm_1": {"width": 7, "block_size": 1},
        "block_ssm_2": {"width": 10, "block_size": 2, "normalise": "never"},
        "block_ssm_3": {"width": 12, "block_size": 3, "normalise": "always"},
    }

    kind: Literal["block_ssm"] = Field(description="block-diagonal SSM; no unit")
    block_size: PositiveInt = Field(description="size of a block, a divisor of the width; units")

    @model_validator(mode="after")
    def _blocks_divide_width(self):
        if self.width % self.block_size:
            raise ValueError(
                f"width {self.width} is not a multiple of block_size {self.block_size}; "
                f"block_size may be {divisors(self.width, self.width)}"
            )
        return self

    def size(self, shape: Shape) -> Size:
        """Return the size; see `linear_recurrence_size`."""
        n_features = self.width * self.block_size
        return linear_recurrence_size(
            shape, self.width, self.block_size, n_features, self.normalise == "always"
        )


class RotationSSMOptions(LinearRNNOptions):
    """Linear recurrence that turns planes by an angle linear in the input."""

    EXAMPLES: ClassVar = {
        "rotation_ssm": {"width": 10},
    }

    kind: Literal["rotation_ssm"] = Field(description="2x2 rotations; no unit")

    @model_validator(mode="after")
    def _planes(self):
        if self.width % 2:
            raise ValueError(f"width {self.width} is odd; planes need an even width")
        return self

    def size(self, shape: Shape) -> Size:
        """Return the size; see `linear_recurrence_size`."""
        return linear_recurrence_size(
            shape, self.width, 2, self.width // 2, self.normalise == "always"
        )


class DiagonalSSMOptions(LinearRNNOptions):
    """Linear recurrence with a real diagonal transition."""

    MEANINGS: ClassVar = {
        **LinearRNNOptions.MEANINGS,
        "positive": {True: "entries of the diagonal in (0, 1)", False: "any real numbers"},
    }

    EXAMPLES: ClassVar = {
        "diagonal_ssm": {"width": 7, "positive": False},
        "diagonal_ssm_positive": {"width": 7, "positive": True},
    }

    kind: Literal["diagonal_ssm"] = Field(description="diagonal SSM; no unit")
    positive: bool = Field(
        strict=True,
        description="whether the diagonal is in (0, 1), as Mamba's, or any real number; no unit",
    )

    def size(self, shape: Shape) -> Size:
        """Return the size; see `linear_recurrence_size`."""
        return linear_recurrence_size(shape, self.width, 1, self.width, self.normalise == "always")


def linear_recurrence_size(
    shape: Shape, width: int, block_size: int, n_features: int, normalise: bool
) -> Size:
    """Return the size of a `nstar.models.linear_rnn.LinearRNN`.

    Parameters
    ----------
    shape : Shape
    width, block_size : int
        D and b: the transition matrix has D / b blocks, b times b.
    n_features : int
        f, numbers that a transition matrix is made of.
    normalise : bool
        Whether states are normalised in training.

    Notes
    -----
    P is ``D f + V D + D + D C + C``. The transition matrices take ``2 V D f`` operations per batch.

    Up to `LARGEST_TABLE` symbols, for blocks above `ELEMENTWISE_BLOCK`, a state is multiplied with
    the matrices of all symbols, ``2 V D b``, and otherwise with that of its token, ``2 D b``. Each of
    these products has two gradients of the same cost, the outer product ``2 D b`` of the gathered
    form among them.

    For its gradient a position holds, of all symbols, a gradient spread over V places, ``V D``, the
    state and two indices per block; gathered, matrices and their gradients, ``2 D b``, and ``2 D``.
    Normalisation adds ``2 D``. Forward, it holds state and indices; gathered, first the matrices and the
    state, then the state twice beside the logits.
    """
    n, n_symbols, n_classes = shape.n_rows, shape.n_symbols, shape.n_classes
    n_parameters = width * n_features + n_symbols * width + width + (width + 1) * n_classes
    matrices = n_symbols * width * block_size
    table = block_size > ELEMENTWISE_BLOCK and n_symbols <= LARGEST_TABLE
    products = [
        product(n_symbols, width, n_features),
        product(n, width, block_size * (n_symbols if table else 1)),
        product(n, width, n_classes),
    ]
    if table:
        indices = 4 * width // block_size
        forward = n * (width + indices) + shape.batch_size * n_symbols * width
        training = n * ((n_symbols + 1) * width + indices)
    else:
        beside_logits = n * (block_size + 1) * width - 2 * n * n_classes
        forward = max(beside_logits, 2 * n * width)
        training = n * (2 * block_size + 2) * width
    training += 2 * n * width * normalise
    return total_size(
        shape, n_parameters, products, forward + 2 * matrices, training=training + 3 * matrices
    )
