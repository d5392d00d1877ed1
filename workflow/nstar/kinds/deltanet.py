"""DeltaNet: its options, and its size."""

from typing import ClassVar, Literal

from pydantic import Field

from nstar.kinds.base import HeadedKind
from nstar.kinds.size import CHUNK, Flops, Shape, Size, product, total_size


class DeltaNetOptions(HeadedKind):
    """Linear recurrence by the delta rule, in layers with perceptrons."""

    MEANINGS: ClassVar = {
        "negative_eigenvalues": {
            True: "eigenvalues of the transition in [-1, 1]",
            False: "eigenvalues of the transition in [0, 1]",
        },
    }

    EXAMPLES: ClassVar = {
        "deltanet": {"width": 12, "depth": 2, "heads": 3, "negative_eigenvalues": True},
        "deltanet_positive": {"width": 10, "depth": 1, "heads": 1, "negative_eigenvalues": False},
    }

    reading: ClassVar = 2

    kind: Literal["deltanet"] = Field(description="DeltaNet; no unit")
    negative_eigenvalues: bool = Field(
        strict=True,
        description="whether eigenvalues of the transition lie in [-1, 1], or in [0, 1]; no unit",
    )

    def size(self, shape: Shape) -> Size:
        """Return the size; see `delta_net_size`."""
        return delta_net_size(shape, self.width, self.depth, self.heads)


def delta_net_size(shape: Shape, width: int, depth: int, heads: int) -> Size:
    """Return the size of a `nstar.models.DeltaNet`.

    Parameters
    ----------
    shape : Shape
    width, depth, heads : int
        D, number of layers, and H, as for the model.

    Notes
    -----
    P is ``V D + depth (12 D^2 + 13 D + D H + H + D / H) + 2 D + D C + C``.

    Forward, a layer has ``2 n D (12 D + H)`` operations of linear maps. A chunk of c positions has,
    in a sequence and over all heads, three products ``2 c^2 D`` and a triangular system ``c^2 D``,
    whose gradient is another system and a product; memories are read twice unless it is the first
    and written unless it is the last, ``2 c D^2 / H`` each.

    For its gradient a layer keeps ``26 D`` numbers per position, and ``2 H c^2`` per chunk. Forward,
    ``10 D`` live at a time, and ``3 H c^2`` of one chunk.
    """
    n, batch, length, head = shape.n_rows, shape.batch_size, shape.length, width // heads
    n_parameters = shape.n_symbols * width + 2 * width + (width + 1) * shape.n_classes
    n_parameters += depth * (12 * width**2 + 13 * width + (width + 1) * heads + head)
    layer = [product(n, width, 12 * width + heads)]
    chunks = [min(CHUNK, length - start) for start in range(0, length, CHUNK)]
    for i, chunk in enumerate(chunks):
        n_memories = 2 * (i > 0) + (i < len(chunks) - 1)
        square = product(batch * chunk, width, chunk)
        system = square.forward // 2
        layer += 3 * [square]
        layer += [Flops(system, system + square.forward)]
        layer += n_memories * [product(batch * chunk, width, head)]
    products = [*depth * layer, product(n, width, shape.n_classes)]
    squares = batch * heads * sum(chunk**2 for chunk in chunks)
    return total_size(
        shape,
        n_parameters,
        products,
        forward=10 * n * width + 3 * batch * heads * chunks[0] ** 2,
        training=depth * (26 * n * width + 2 * squares) + 6 * n * width,
    )
