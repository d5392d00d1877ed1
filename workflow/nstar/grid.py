"""From a study to its cells, and from a cell to the specification of each of its stores."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from nstar.config import FRESH, Data, GridBlock, Study
from nstar.specification import RECIPES, digest
from nstar.tasks import (
    LENGTH_DISTRIBUTIONS,
    SUPERVISIONS,
    LearntFunction,
    LengthDistribution,
    Pool,
    Supervision,
    Task,
    share_out,
)

TEST_LENGTH_FACTOR = 2
"""Extrapolation is measured at this multiple of the training length; models are built to reach it."""

FIRST_SHARD = 1024
"""Sequences in the first shard of a training stream; each later shard ends at twice the previous end."""


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
    """Return all cells of the grid, each once, sorted by its coordinates."""
    cells: set[Cell] = set()
    for block in study.grid:
        for model, task, supervision, *lengths in itertools.product(
            names_in(block, "models", study.models),
            names_in(block, "tasks", study.tasks),
            block.supervisions,
            block.length_distributions,
            block.lengths,
        ):
            budgets = budgets_of(block, study.tasks[task], *lengths, study.data)
            cells.update(Cell(model, task, supervision, *lengths, n) for n in budgets)
    models, tasks = list(study.models), list(study.tasks)
    return tuple(
        sorted(cells, key=lambda c: (models.index(c.model), tasks.index(c.task), *_rank(c)))
    )


def names_in(
    block: GridBlock, key: Literal["models", "tasks"], defined: Iterable[str]
) -> Iterable[str]:
    """Return the names of the models or tasks of a block, among those that are defined."""
    chosen = getattr(block, key)
    return defined if chosen is None else chosen


def used(
    parts: Mapping[str, Any], key: Literal["models", "tasks"]
) -> Iterator[tuple[int, GridBlock, str, Any]]:
    """Yield the models or tasks of every block that are defined: number, block, name and options.

    Parameters
    ----------
    parts : mapping
        ``grid``, and the models or tasks by name.
    key : {"models", "tasks"}
    """
    for i, block in enumerate(parts["grid"]):
        for name in names_in(block, key, parts[key]):
            if name in parts[key]:
                yield i, block, name, parts[key][name]


def strata_of(study: Study) -> tuple[tuple[Supervision, LengthDistribution], ...]:
    """Return the pairs of supervision and length distribution in the grid, each once, sorted."""
    found = {
        pair
        for block in study.grid
        for pair in itertools.product(block.supervisions, block.length_distributions)
    }
    every = itertools.product(SUPERVISIONS, LENGTH_DISTRIBUTIONS)
    return tuple(pair for pair in every if pair in found)


def _rank(cell: Cell) -> tuple[int, ...]:
    return (
        SUPERVISIONS.index(cell.supervision),
        LENGTH_DISTRIBUTIONS.index(cell.length_distribution),
        cell.length,
        cell.budget,
    )


def budgets_of(
    block: GridBlock, task: Task, length_distribution: LengthDistribution, length: int, data: Data
) -> Sequence[int]:
    """Return the budgets of a block at a setting; one that is cut ends with all sequences there are."""
    budgets = block.listed_budgets
    if not getattr(block.budgets, "cut", False):
        return budgets
    available = make_pool(task, length_distribution, length, data).n_training
    kept = [budget for budget in budgets if budget <= available]
    return kept if len(kept) == len(budgets) else [*kept, *{available} - {*kept, 0}]


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


def training_specification(study: Study, cell: Cell) -> dict[str, Any]:
    """Return what the training of a cell depends on; which replicates run is not part of it."""
    held_out = pool_of(study, cell).held_out
    return {
        "stage": "training",
        "recipes": {stage: RECIPES[stage] for stage in ("data", "training")},
        "task": task_options(study, cell.task),
        "supervision": cell.supervision,
        "length_distribution": cell.length_distribution,
        "length": cell.length,
        "held_out": list(held_out),
        "budget": cell.budget,
        "model": study.models[cell.model].model_dump(mode="json"),
        "training": study.training.model_dump(mode="json"),
    }


def task_options(study: Study, name: str) -> dict[str, Any]:
    """Return the options of a task as specifications hold them, with the source of a learnt function."""
    task = study.tasks[name]
    options = task.model_dump(mode="json")
    if isinstance(task, LearntFunction):
        options["source"] = digest(training_specification(study, source_of(task)))
    return options


def source_of(task: LearntFunction) -> Cell:
    """Return the cell whose networks are the functions of a task."""
    return Cell(task.model, task.task, "outcome", "fixed", task.length, task.budget)


def batch_size(largest: int, budget: int) -> int:
    """Return the sequences of a batch: no more than the training set, where there is one."""
    return largest if budget == FRESH else min(largest, budget)


def pool_of(study: Study, cell: Cell) -> Pool:
    """Return the sequences that a cell draws from."""
    task = study.tasks[cell.task]
    whole = cell.budget == FRESH
    return make_pool(task, cell.length_distribution, cell.length, study.data, whole)


@lru_cache(maxsize=2**12)
def make_pool(
    task: Task,
    length_distribution: LengthDistribution,
    length: int,
    data: Data,
    whole: bool = False,
) -> Pool:
    """Return the sequences of a setting.

    The validation set is shared out to the lengths as evenly as the largest share of each space allows.
    Where training draws from the `whole` space, validation does so too, and nothing is held out from it.
    """
    shortest = length if length_distribution == "fixed" else data.shortest_length
    sizes = map(task.n_sequences, range(shortest, length + 1))
    most = [size if whole else data.n_validation(size) for size in sizes]
    held_out = share_out(most, data.validation_examples)
    return Pool(task, length_distribution, length, held_out)


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
    """A stretch of the sequences of one pool and seed: one store of data, or a truth table.

    `held_out` makes the pool (see `nstar.tasks.Pool`). The splits ``validation`` and ``test`` are what
    is held out of it; `start` and `stop` are positions among that, or in the order of training.
    """

    task: str
    length_distribution: LengthDistribution
    length: int
    held_out: tuple[int, ...]
    seed: int
    split: str
    shard: int
    start: int
    stop: int

    @property
    def coordinates(self) -> dict[str, Any]:
        """The coordinates in the path of the store; see `nstar.paths`."""
        keys = ("task", "length_distribution", "length", "seed", "split", "shard")
        return {key: getattr(self, key) for key in keys}

    def pool(self, task: Task) -> Pool:
        """Return the pool of this slice, whose task has this name."""
        return Pool(task, self.length_distribution, self.length, self.held_out)


def data_specification(task_options: dict[str, Any], piece: Slice) -> dict[str, Any]:
    """Return what a store of data depends on."""
    return {
        "stage": "data",
        "recipes": {"data": RECIPES["data"]},
        "task": task_options,
        "length_distribution": piece.length_distribution,
        "length": piece.length,
        "held_out": list(piece.held_out),
        "seed": piece.seed,
        "split": piece.split,
        "start": piece.start,
        "stop": piece.stop,
    }


def slices_of(study: Study, cell: Cell, seeds: Iterable[int]) -> Iterator[Slice]:
    """Yield the stores of data of a cell: validation set, shards of training data, test set."""
    pool = pool_of(study, cell)
    for seed in seeds:
        if isinstance(pool.task, LearntFunction):
            yield table_slice(pool.task, cell.task, seed)
        yield validation_slice(pool, cell.task, seed)
        yield from training_slices(pool, cell.task, seed, cell.budget)
        if pool.task.extrapolates:
            yield test_slice(pool, cell.task, seed, study.evaluation.test_examples)


def tested_length(task: Task, length: int) -> int:
    """Return the longest length of which a model sees sequences, after training at a length."""
    return TEST_LENGTH_FACTOR * length if task.extrapolates else length


def table_slice(task: LearntFunction, name: str, seed: int) -> Slice:
    """Return the truth table of a learnt function: all inputs, in the order of `all_inputs`."""
    size = task.n_sequences(task.length)
    pool = Pool(task, "fixed", task.length, (size,))
    return _slice(pool, name, seed, "table", 0, 0, size)


def validation_slice(pool: Pool, task: str, seed: int) -> Slice:
    """Return the validation set of a seed; `task` is the name of the pool's task."""
    return _slice(pool, task, seed, "validation", 0, 0, pool.n_validation)


def training_slices(pool: Pool, task: str, seed: int, budget: int) -> Iterator[Slice]:
    """Yield the shards that hold the first `budget` training sequences.

    Shards have sizes that do not depend on the budget: budgets nest, and a larger one adds shards.
    """
    start, stop, shard = 0, FIRST_SHARD, 0
    while start < budget:
        yield _slice(pool, task, seed, "train", shard, start, min(stop, pool.n_training))
        start, stop, shard = stop, 2 * stop, shard + 1


def test_slice(pool: Pool, task: str, seed: int, n_examples: int) -> Slice:
    """Return the test set: sequences of `tested_length` of the longest length of the pool."""
    longer = tested_length(pool.task, pool.length)
    n_examples = min(n_examples, pool.task.n_sequences(longer))
    longer_pool = Pool(pool.task, "fixed", longer, (n_examples,))
    return _slice(longer_pool, task, seed, "test", 0, 0, n_examples)


def _slice(pool: Pool, task: str, seed: int, *stretch: Any) -> Slice:
    return Slice(task, pool.length_distribution, pool.length, pool.held_out, seed, *stretch)
