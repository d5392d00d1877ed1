"""Linear recurrence with a factored transition: its options, and its size."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from nstar.kinds.linear_rnn import LinearRNNOptions
from nstar.kinds.size import Shape, Size, product, total_size
from nstar.options import AtMost, PositiveInt


class FactoredSSMOptions(LinearRNNOptions):
    """Linear recurrence whose bilinear transition is a sum of outer products."""

    EXAMPLES: ClassVar = {
        "factored_ssm": {"width": 7, "rank": 11},
        "factored_ssm_low": {"width": 10, "rank": 3, "normalise": "always"},
        "factored_ssm_1": {"width": 7, "rank": 1, "normalise": "never"},
    }

    kind: Literal["factored_ssm"] = Field(description="CP-factored SSM; no unit")
    rank: Annotated[PositiveInt, AtMost(2**14, "factors of that rank take as much as a matrix")] = (
        Field(description="outer products in a transition, also more than the width; factors")
    )

    def size(self, shape: Shape) -> Size:
        """Return the size; see `factored_recurrence_size`."""
        return factored_recurrence_size(shape, self.width, self.rank, self.normalise == "always")


def factored_recurrence_size(shape: Shape, width: int, rank: int, normalise: bool) -> Size:
    """Return the size of a `nstar.models.FactoredSSM`.

    Parameters
    ----------
    shape : Shape
    width, rank : int
        D and F.
    normalise : bool
        Whether states are normalised in training.

    Notes
    -----
    P is ``3 D F + V D + D + D C + C``.

    Coefficients of all symbols take ``2 V D F`` operations per batch, and each step two products of
    ``2 D F`` per sequence. Each product has two gradients of the same cost.

    For its gradient a position holds coefficients, the state seen by the factors and the gradients of
    both, ``4 F``, and the state and its gradient before and after the step, ``3 D``. Normalisation
    adds ``D``. Forward, it holds ``2 F + D``. A rank of 1 is computed as one of 2.
    """
    n, n_symbols, n_classes = shape.n_rows, shape.n_symbols, shape.n_classes
    n_parameters = 3 * width * rank + n_symbols * width + width + (width + 1) * n_classes
    rank = max(2, rank)
    products = [
        product(n_symbols, width, rank),
        product(n, width, rank),
        product(n, rank, width),
        product(n, width, n_classes),
    ]
    return total_size(
        shape,
        n_parameters,
        products,
        forward=n * (2 * rank + width) + n_symbols * rank,
        training=n * (4 * rank + (3 + normalise) * width) + 2 * n_symbols * rank,
    )
