"""From a study to its cells, and from a cell to the specification of each of its stores."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nstar.config import Study
from nstar.specification import RECIPES
from nstar.tasks import Task

TEST_LENGTH_FACTOR = 2
"""Extrapolation is measured at this multiple of the training length; models are built to reach it."""

FIRST_SHARD = 1024
"""Sequences in the first shard of a training stream; each later shard ends at twice the previous end."""


@dataclass(frozen=True)
class Cell:
    """One grid point: model and task by name, length n in symbols, budget N in sequences."""

    model: str
    task: str
    length: int
    budget: int


@dataclass(frozen=True)
class Block:
    """Replicates of a cell that are trained together and stored in one file.

    A cell has one block to begin with; seeds or learning rates added later become further blocks.
    """

    cell: Cell
    seeds: tuple[int, ...]
    learning_rates: tuple[float, ...]

    @property
    def coordinates(self) -> dict[str, Any]:
        """The coordinates in the path of a block; see `nstar.paths`."""
        return {
            **vars(self.cell),
            "seeds": self.seeds,
            "learning_rates": self.learning_rates,
        }

    @property
    def replicates(self) -> frozenset[tuple[int, float]]:
        """The pairs (seed, learning rate)."""
        return frozenset((seed, rate) for seed in self.seeds for rate in self.learning_rates)


def cells_of(study: Study) -> tuple[Cell, ...]:
    """Return all cells of the grid, each once, sorted by model, task, length and budget."""
    cells = set()
    for block in study.grid:
        budgets = getattr(block.budgets, "values", block.budgets)
        for model in study.models if block.models is None else block.models:
            for task in study.tasks if block.tasks is None else block.tasks:
                for length in block.lengths:
                    cells.update(Cell(model, task, length, budget) for budget in budgets)
    models, tasks = list(study.models), list(study.tasks)
    return tuple(
        sorted(
            cells, key=lambda c: (models.index(c.model), tasks.index(c.task), c.length, c.budget)
        )
    )


def product_blocks(cell: Cell, replicates: frozenset[tuple[int, float]]) -> list[Block]:
    """Split any set of replicates into blocks that are products of seeds and learning rates.

    Examples
    --------
    >>> cell = Cell("lstm", "parity", 8, 64)
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


def training_specification(study: Study, cell: Cell) -> dict[str, Any]:
    """Return what the training of a cell depends on; which replicates run is not part of it."""
    return {
        "stage": "training",
        "recipes": {stage: RECIPES[stage] for stage in ("data", "training")},
        "task": study.tasks[cell.task].model_dump(mode="json"),
        "length": cell.length,
        "budget": cell.budget,
        "n_validation": n_validation(study, cell),
        "model": study.models[cell.model].model_dump(mode="json"),
        "training": study.training.model_dump(mode="json"),
    }


def n_validation(study: Study, cell: Cell) -> int:
    """Return the size of the validation set of a cell; sequences."""
    return study.data.n_validation(study.tasks[cell.task].n_sequences(cell.length))


def evaluation_specification(training: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an evaluation depends on.

    Parameters
    ----------
    training : str
        Digest of the specification of the trained cell.
    options : mapping
        The block ``evaluation`` of the configuration.
    """
    return {
        "stage": "evaluation",
        "recipes": {"evaluation": RECIPES["evaluation"]},
        "training": training,
        "evaluation": dict(options),
    }


@dataclass(frozen=True)
class Slice:
    """A stretch of the stream of sequences of one task, length and seed: one store of data.

    `start` and `stop` are positions of the stream; the validation set comes first, training follows.
    """

    task: str
    length: int
    seed: int
    split: str
    shard: int
    start: int
    stop: int

    @property
    def coordinates(self) -> dict[str, Any]:
        """The coordinates in the path of the store; see `nstar.paths`."""
        keys = ("task", "length", "seed", "split", "shard")
        return {key: getattr(self, key) for key in keys}


def data_specification(task_options: dict[str, Any], piece: Slice) -> dict[str, Any]:
    """Return what a store of data depends on."""
    return {
        "stage": "data",
        "recipes": {"data": RECIPES["data"]},
        "task": task_options,
        "length": piece.length,
        "seed": piece.seed,
        "start": piece.start,
        "stop": piece.stop,
    }


def slices_of(study: Study, cell: Cell, seeds: Iterable[int]) -> Iterator[Slice]:
    """Yield the stores of data of a cell: validation set, shards of training data, test set."""
    task, head = study.tasks[cell.task], n_validation(study, cell)
    for seed in seeds:
        yield from stream_slices(task, cell, seed, head)
        yield extrapolation_slice(task, cell, seed, study.evaluation.test_examples)


def stream_slices(task: Task, cell: Cell, seed: int, head: int) -> Iterator[Slice]:
    """Yield the validation set, the `head` first sequences, and the training shards that follow.

    Shards have sizes that do not depend on the budget: budgets nest, and a larger one adds shards.
    """
    size = task.n_sequences(cell.length)
    yield Slice(cell.task, cell.length, seed, "validation", 0, 0, head)
    start, stop, shard = 0, FIRST_SHARD, 0
    while start < cell.budget:
        last = min(head + stop, size)
        yield Slice(cell.task, cell.length, seed, "train", shard, head + start, last)
        start, stop, shard = stop, 2 * stop, shard + 1


def extrapolation_slice(task: Task, cell: Cell, seed: int, n_examples: int) -> Slice:
    """Return the test set: sequences of `TEST_LENGTH_FACTOR` times the length of the cell."""
    longer = TEST_LENGTH_FACTOR * cell.length
    return Slice(cell.task, longer, seed, "test", 0, 0, min(n_examples, task.n_sequences(longer)))
