"""Cells of a grid, and the blocks in which their replicates are stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nstar.seeds import AnySeed, seed_text, streams_of
from nstar.tasks import LengthDistribution, Supervision


@dataclass(frozen=True)
class Cell:
    """One grid point: model and task by name, length n in symbols, budget N in sequences, or `FRESH`.

    Where lengths are not fixed, `length` is the longest.
    """

    model: str
    task: str
    supervision: Supervision
    length_distribution: LengthDistribution
    length: int
    budget: int

    @classmethod
    def of(cls, fields: Mapping[str, Any], **others: Any) -> "Cell":
        """Return the cell whose coordinates are among some fields, or given beside them."""
        fields = {**fields, **others}
        return cls(**{name: fields[name] for name in cls.__dataclass_fields__})

    @property
    def curve(self) -> tuple[str | int, ...]:
        """All coordinates but the budget."""
        return tuple(vars(self).values())[:-1]


@dataclass(frozen=True)
class Block:
    """Replicates of a cell that are stored together, a product of seeds and learning rates.

    A cell has one block to begin with; seeds or learning rates added later become further blocks.
    """

    cell: Cell
    seeds: tuple[AnySeed, ...]
    learning_rates: tuple[float, ...]

    @property
    def replicates(self) -> frozenset[tuple[AnySeed, float]]:
        """The pairs (seed, learning rate)."""
        return frozenset((seed, rate) for seed in self.seeds for rate in self.learning_rates)


LONGEST_SEGMENT = 200
"""Characters of a list of seeds or learning rates in a path; file systems take 255 per segment."""


def product_blocks(cell: Cell, replicates: frozenset[tuple[AnySeed, float]]) -> list[Block]:
    """Split any set of replicates into blocks that are products of seeds and learning rates.

    A block has no more seeds than fit into the name of a folder.

    Examples
    --------
    >>> cell = Cell("lstm", "parity", "aligned", "fixed", 8, 64)
    >>> blocks = product_blocks(cell, frozenset({(0, 0.1), (0, 0.2), (1, 0.2)}))
    >>> [(block.seeds, block.learning_rates) for block in blocks]
    [((0,), (0.1, 0.2)), ((1,), (0.2,))]
    """
    rates_of: dict[AnySeed, list[float]] = {}
    for seed, rate in sorted(replicates, key=lambda pair: (streams_of(pair[0]), pair[1])):
        rates_of.setdefault(seed, []).append(rate)
    seeds_with: dict[tuple[float, ...], list[AnySeed]] = {}
    for seed, rates in rates_of.items():
        seeds_with.setdefault(tuple(rates), []).append(seed)
    return [
        Block(cell, part, rates) for rates, seeds in seeds_with.items() for part in _fitting(seeds)
    ]


def _fitting(seeds: Sequence[AnySeed]) -> Iterator[tuple[AnySeed, ...]]:
    """Yield the seeds in stretches that fit into a segment of a path, each as long as possible."""
    part: list[AnySeed] = []
    for seed in seeds:
        if len("+".join(map(seed_text, [*part, seed]))) > LONGEST_SEGMENT:
            yield tuple(part)
            part = []
        part.append(seed)
    yield tuple(part)
