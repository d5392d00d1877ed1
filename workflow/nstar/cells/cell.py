"""Cells of a grid, and the blocks in which their replicates are stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    seeds: tuple[int, ...]
    learning_rates: tuple[float, ...]

    @property
    def replicates(self) -> frozenset[tuple[int, float]]:
        """The pairs (seed, learning rate)."""
        return frozenset((seed, rate) for seed in self.seeds for rate in self.learning_rates)


def product_blocks(cell: Cell, replicates: frozenset[tuple[int, float]]) -> list[Block]:
    """Split any set of replicates into blocks that are products of seeds and learning rates.

    Examples
    --------
    >>> cell = Cell("lstm", "parity", "aligned", "fixed", 8, 64)
    >>> blocks = product_blocks(cell, frozenset({(0, 0.1), (0, 0.2), (1, 0.2)}))
    >>> [(block.seeds, block.learning_rates) for block in blocks]
    [((0,), (0.1, 0.2)), ((1,), (0.2,))]
    """
    rates_of: dict[int, tuple[float, ...]] = {}
    for seed in sorted({seed for seed, _ in replicates}):
        rates_of[seed] = tuple(sorted(rate for other, rate in replicates if other == seed))
    seeds_with: dict[tuple[float, ...], list[int]] = {}
    for seed, rates in rates_of.items():
        seeds_with.setdefault(rates, []).append(seed)
    return [Block(cell, tuple(seeds), rates) for rates, seeds in seeds_with.items()]
