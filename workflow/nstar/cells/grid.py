"""From a study to its cells, and from a cell to the specification of each of its stores."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from nstar.cells.cell import Cell
from nstar.cells.pools import make_pool
from nstar.study import Data, GridEntry, Role, Study
from nstar.tasks import (
    LENGTH_DISTRIBUTIONS,
    SUPERVISIONS,
    LengthDistribution,
    Supervision,
    Task,
)


def cells_of(study: Study, role: Role = "demand") -> tuple[Cell, ...]:
    """Return all cells of the grid that have a role, each once, sorted by its coordinates.

    Those of the role ``extrapolation`` whose entry lists no budgets have the largest one that there is
    of their curve for its demand.
    """
    largest: dict[tuple, int] = {}
    if role == "extrapolation":  # budgets of a curve ascend
        largest = {cell.curve: cell.budget for cell in cells_of(study)}
    cells: set[Cell] = set()
    for entry in study.grid:
        if entry.role != role:
            continue
        for model, task, supervision, *lengths in itertools.product(
            names_in(entry, "models", study.models),
            names_in(entry, "tasks", study.tasks),
            entry.supervisions,
            entry.length_distributions,
            entry.lengths,
        ):
            budgets = budgets_of(entry, study.tasks[task], *lengths, study.data)
            if entry.budgets is None:
                budgets = [largest[model, task, supervision, *lengths]]
            cells.update(Cell(model, task, supervision, *lengths, n) for n in budgets)
    return sorted_cells(study, cells)


def sorted_cells(study: Study, cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Return cells sorted by their coordinates: models and tasks as in the configuration."""
    models, tasks = list(study.models), list(study.tasks)
    return tuple(
        sorted(cells, key=lambda c: (models.index(c.model), tasks.index(c.task), *_rank(c)))
    )


def names_in(
    entry: GridEntry, key: Literal["models", "tasks"], defined: Iterable[str]
) -> Iterable[str]:
    """Return the names of the models or tasks of an entry, among those that are defined."""
    chosen = getattr(entry, key)
    return defined if chosen is None else chosen


def used(
    parts: Mapping[str, Any], key: Literal["models", "tasks"]
) -> Iterator[tuple[int, GridEntry, str, Any]]:
    """Yield the models or tasks of every entry that are defined: number, entry, name and options.

    Parameters
    ----------
    parts : mapping
        ``grid``, and the models or tasks by name.
    key : {"models", "tasks"}
    """
    for i, entry in enumerate(parts["grid"]):
        for name in names_in(entry, key, parts[key]):
            if name in parts[key]:
                yield i, entry, name, parts[key][name]


def strata_of(study: Study) -> tuple[tuple[Supervision, LengthDistribution], ...]:
    """Return the pairs of supervision and length distribution in the grid, each once, sorted."""
    found = {
        pair
        for entry in study.grid
        for pair in itertools.product(entry.supervisions, entry.length_distributions)
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
    entry: GridEntry, task: Task, length_distribution: LengthDistribution, length: int, data: Data
) -> Sequence[int]:
    """Return the budgets of an entry at a setting; one that is cut ends with all sequences there are."""
    budgets = entry.listed_budgets
    if not getattr(entry.budgets, "cut", False):
        return budgets
    available = make_pool(task, length_distribution, length, data).n_training
    kept = [budget for budget in budgets if budget <= available]
    return kept if len(kept) == len(budgets) else [*kept, *{available} - {*kept, 0}]
