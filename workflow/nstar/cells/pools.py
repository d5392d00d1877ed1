"""The sequences that a cell draws from."""

from functools import lru_cache

from nstar.cells.cell import Cell
from nstar.study import FRESH, Data, Study
from nstar.tasks import LengthDistribution, Pool, Task, share_out


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
