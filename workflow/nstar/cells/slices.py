"""Slices: the stretches of a pool that are stored as data."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nstar.cells.cell import Cell
from nstar.cells.pools import pool_of
from nstar.study import Study
from nstar.tasks import HELD_OUT, LengthDistribution, Pool, Task

FIRST_SHARD = 1024
"""Sequences in the first shard of a training stream; each later shard ends at twice the previous end."""


@dataclass(frozen=True)
class Slice:
    """A stretch of the sequences of one pool and seed: one store of data, or a truth table.

    `sets` and `whole` make the pool (see `nstar.tasks.Pool`). The splits of `nstar.tasks.HELD_OUT` are
    what is held out of it, and so is ``longer``, sequences of a length beyond it; `start` and `stop` are
    positions among that, or in the order of training.
    """

    task: str
    length_distribution: LengthDistribution
    length: int
    sets: tuple[tuple[int, int, int], ...]
    whole: bool
    seed: int
    split: str
    shard: int
    start: int
    stop: int

    def pool(self, task: Task) -> Pool:
        """Return the pool of this slice, whose task has this name."""
        return Pool(task, self.length_distribution, self.length, self.sets, self.whole)


def slice_of(fields: Mapping[str, Any]) -> Slice:
    """Return a slice from its fields as JSON has them, where tuples are lists."""
    return Slice(**{**fields, "sets": tuple(map(tuple, fields["sets"]))})


def slices_of(study: Study, cell: Cell, seeds: Iterable[int]) -> Iterator[Slice]:
    """Yield the stores of data of a cell: sets held out, shards of training data, longer sequences.

    Parameters
    ----------
    study : Study
    cell : Cell
    seeds : iterable of int
        Those of the stream of data.
    """
    pool = pool_of(study, cell)
    for seed in seeds:
        if pool.task.source is not None:
            yield table_slice(pool.task, cell.task, seed)
        for split in HELD_OUT:
            yield held_slice(pool, cell.task, seed, split)
        yield from training_slices(pool, cell.task, seed, cell.budget)
        for length in tested_lengths(study, cell):
            yield longer_slice(pool, cell.task, seed, length, study.evaluation.test_examples)


def tested_lengths(study: Study, cell: Cell) -> tuple[int, ...]:
    """Return the lengths beyond that of a cell at which its networks are tested, ascending."""
    extrapolates = study.tasks[cell.task].extrapolates
    return study.evaluation.lengths_beyond(cell.length) if extrapolates else ()


def table_slice(task: Task, name: str, seed: int) -> Slice:
    """Return the truth table of a task that has a source: all inputs, in the order of `all_inputs`."""
    length = task.source.length
    size = task.n_sequences(length)
    pool = Pool(task, "fixed", length, ((size, 0, 0),))
    return _slice(pool, name, seed, "table", 0, 0, size)


def held_slice(pool: Pool, task: str, seed: int, split: str) -> Slice:
    """Return a set of `nstar.tasks.HELD_OUT` of a seed; `task` is the name of the pool's task."""
    return _slice(pool, task, seed, split, 0, 0, pool.size(split))


def training_slices(pool: Pool, task: str, seed: int, budget: int) -> Iterator[Slice]:
    """Yield the shards that hold the first `budget` training sequences.

    Shards have sizes that do not depend on the budget: budgets nest, and a larger one adds shards.
    """
    start, stop, shard = 0, FIRST_SHARD, 0
    while start < budget:
        yield _slice(pool, task, seed, "train", shard, start, min(stop, pool.n_training))
        start, stop, shard = stop, 2 * stop, shard + 1


def shard_at(start: int) -> int:
    """Return the number of the shard of a training stream that begins at a sequence.

    Examples
    --------
    >>> [shard_at(start) for start in (0, 1024, 2048, 4096)]
    [0, 1, 2, 3]
    """
    return (start // FIRST_SHARD).bit_length()


def longer_slice(pool: Pool, task: str, seed: int, length: int, n_examples: int) -> Slice:
    """Return sequences of a length beyond those of a pool, or all where there are fewer."""
    n_examples = min(n_examples, pool.task.n_sequences(length))
    longer_pool = Pool(pool.task, "fixed", length, ((n_examples, 0, 0),))
    return _slice(longer_pool, task, seed, "longer", 0, 0, n_examples)


def _slice(pool: Pool, task: str, seed: int, *stretch: Any) -> Slice:
    where = (pool.length_distribution, pool.length, pool.sets, pool.whole)
    return Slice(task, *where, seed, *stretch)
