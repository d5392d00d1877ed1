"""The sequences that a cell draws from."""

import math
from functools import lru_cache

from nstar.cells.cell import Cell
from nstar.study import FRESH, Data, Study
from nstar.tasks import HELD_OUT, LengthDistribution, Pool, Task, share_out


def batch_size(largest: int, budget: int) -> int:
    """Return the sequences of a batch: no more than the training set, where there is one."""
    return largest if budget == FRESH else min(largest, budget)


def fitted_size(most: int, budget: int) -> int:
    """Return the training sequences on which evaluations measure the fit: all, or at most so many."""
    return most if budget == FRESH else min(most, budget)


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

    Each set is shared out to the lengths as evenly as the largest share of each space allows. Where
    training draws from the `whole` space, the sets do so too, and nothing is kept from training.
    """
    shortest = length if length_distribution == "fixed" else data.shortest_length
    spaces = [task.n_sequences(n) for n in range(shortest, length + 1)]
    sets = [
        share_out(
            spaces if whole else [data.largest(name, size) for size in spaces], data.examples(name)
        )
        for name in HELD_OUT
    ]
    return Pool(task, length_distribution, length, tuple(zip(*sets, strict=True)), whole)


def share_seen(pool: Pool, n_drawn: int) -> float:
    """Return the expected share of validation sequences among so many fresh draws.

    Each draw has each of the K lengths as likely, and each of its S sequences: one of these is missed by
    all draws with probability ``(1 - 1 / (K S)) ** n_drawn``.
    """
    n_lengths, seen = len(pool.lengths), 0.0
    for length, size in zip(pool.lengths, pool.sizes("validation"), strict=True):
        chance = 1 / (n_lengths * pool.task.n_sequences(length))
        seen -= size * math.expm1(n_drawn * math.log1p(-chance))
    return seen / pool.size("validation")
