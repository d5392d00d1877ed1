"""How large a model is: parameters, operations and memory, from formulas, without torch.

A plan asks a cluster for time and memory before anything is trained. `tests/models/test_sizes.py`
compares the formulas with what models really have, compute and hold: parameters agree exactly,
operations too (but for one product with one column), memory within a factor of 1.5.

Symbols: D width, V vocabulary, C classes, T length, H heads, B batch, P parameters; beside those of
the glossary, n = B T positions of a batch, b size of a block, c of a chunk.
"""

from dataclasses import dataclass
from typing import NamedTuple

OPTIMISER_CHUNK = 2**17
"""Parameters that a CPU updates together."""

CHUNK = 64
"""Positions that linear attention and the delta rule compute together; longer sequences take several."""

FLOAT_BYTES = 4

TESTED_ENTRIES = 2**21
"""Tokens times width that go through networks together in a test at a longer length."""


def tested_at_once(n_tokens: int, width: int) -> tuple[int, int]:
    """Return how many sequences, of how many replicates, go through networks together in such a test.

    It depends on length and width alone: the memory of a test is bounded, whatever is tested.

    Examples
    --------
    >>> tested_at_once(20, 16), tested_at_once(500, 32), tested_at_once(1000, 256)
    ((512, 12), (131, 1), (16, 1))
    """
    n_sequences = min(512, max(16, TESTED_ENTRIES // (n_tokens * width)))
    return n_sequences, max(1, TESTED_ENTRIES // (n_sequences * n_tokens * width))


@dataclass(frozen=True)
class Shape:
    """What one replicate sees in a training step; all are at least 1.

    Attributes
    ----------
    n_symbols : int
        V, size of the input alphabet.
    n_classes : int
        C, number of labels.
    n_positions : int
        Longest sequence that the model is built for.
    length : int
        T, of the sequences at hand; at most `n_positions`. The loss reads all positions.
    batch_size : int
        B, sequences at a time.
    """

    n_symbols: int
    n_classes: int
    n_positions: int
    length: int
    batch_size: int

    @property
    def n_rows(self) -> int:
        """Positions of a batch, B T."""
        return self.batch_size * self.length


@dataclass(frozen=True)
class Size:
    """What one replicate of a model takes, for the whole of its batch.

    That of R replicates is R times as much. Memory is that of models on a CPU in float32, in leading
    terms.

    Attributes
    ----------
    n_parameters : int
        P.
    forward_flops : int
        Multiplications and additions, each as 1, of the matrix products of a forward pass. Masked
        entries of an attention count, elementwise functions and norms do not.
    step_flops : int
        The same of a forward and a backward pass; without the optimiser.
    forward_bytes : int
        Peak of a forward pass without gradients, as in an evaluation, beyond parameters; bytes.
    step_bytes : int
        Peak of a training step beyond parameters and what the optimiser remembers; bytes.
    """

    n_parameters: int
    forward_flops: int
    step_flops: int
    forward_bytes: int
    step_bytes: int


class Flops(NamedTuple):
    """Operations of a forward and of a backward pass."""

    forward: int
    backward: int


def product(n_rows: int, n_inner: int, n_columns: int, n_gradients: int = 2) -> Flops:
    """Return the operations of a matrix product and of as many products for its gradients."""
    forward = 2 * n_rows * n_inner * n_columns
    return Flops(forward, n_gradients * forward)


def total_size(
    shape: Shape, n_parameters: int, products: list[Flops], forward: int, training: int
) -> Size:
    """Return a size, given the numbers held beyond logits and gradients at the peak of either pass.

    A step holds first what backward needs, then its gradient twice, by tensor and joined, and the work
    space of the optimiser.
    """
    logits = shape.n_rows * shape.n_classes
    update = 2 * n_parameters + min(n_parameters, OPTIMISER_CHUNK)
    forward_flops = sum(part.forward for part in products)
    return Size(
        n_parameters=n_parameters,
        forward_flops=forward_flops,
        step_flops=forward_flops + sum(part.backward for part in products),
        forward_bytes=FLOAT_BYTES * (forward + 2 * logits),
        step_bytes=FLOAT_BYTES * max(training + 4 * logits, update),
    )
