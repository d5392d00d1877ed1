"""What a study costs from nothing, by each way to search it; and what packing and early ends save."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from nstar.cells import Block, Cell, cells_of, curves_of, value_of
from nstar.plan.costs import training_cost
from nstar.plan.work import Work
from nstar.study import Study
from nstar.study.search import STRATEGIES, RunCounts, replay

__all__ = ["WholeCost", "whole_costs"]


@dataclass(frozen=True)
class WholeCost:
    """What a study costs by one strategy, on average over where the demand may be.

    Attributes
    ----------
    search : str
        The strategy.
    cells, replicates : float
        How many are trained.
    steps : float
        Optimiser steps of all replicates, if none ends before the last one.
    packed_steps : float
        Steps of the device for these, where the replicates of a cell are trained together.
    failing_steps : float
        Steps of the replicates that do not learn, or are for extrapolation: what ``stop_on_success``
        cannot shorten.
    flops : float
        Operations of all steps, and of the evaluations on the validation set.
    """

    search: str
    cells: float
    replicates: float
    steps: float
    packed_steps: float
    failing_steps: float
    flops: float


def whole_costs(study: Study, device: str) -> list[WholeCost]:
    """Return what a study costs by every strategy, with nothing trained yet.

    Parameters
    ----------
    study : Study
    device : str
        As `nstar.plan.costs.planned_device` returns it.

    Returns
    -------
    list of WholeCost
        One per strategy of `nstar.study.search`, in its order; none where nothing is searched.

    Notes
    -----
    Before a run nobody knows the demand. The mean is over all its places on the grid of a curve, from
    the first value to beyond the last, each as likely, where no replicate learns below it and all do
    from there on. Real curves are blurred, so that ``bracket`` asks for somewhat more than this. Cells
    for extrapolation are trained by every strategy, to the last step.
    """
    if not study.subject.searched or study.axis.one_run:
        return []
    replicates = study.replicates
    n = replicates.n_runs * len(replicates.learning_rates)
    # Cells that are trained, those of them that go on to the last step, and operations.
    totals = np.zeros((len(STRATEGIES), 3))

    def cost(cell: Cell) -> float:
        block = Block(cell, replicates.runs, replicates.learning_rates)
        return training_cost(study, Work.whole(block), device).flops

    longer = set(cells_of(study, "extrapolation"))
    for cell in longer:
        totals += 1, 1, cost(cell)
    for cells in curves_of(study).values():
        budgets = tuple(value_of(study, cell) for cell in cells)
        flops = [cost(cell) for cell in cells]
        new = np.array([cell not in longer for cell in cells])
        for i, strategy in enumerate(STRATEGIES):
            asked, failing = new * _shares(budgets, strategy)
            totals[i] += asked.sum(), failing.sum(), asked @ flops
    steps = study.training.max_steps
    return [
        WholeCost(
            search=strategy,
            cells=float(n_cells),
            replicates=float(n * n_cells),
            steps=float(n * n_cells * steps),
            packed_steps=float(n_cells * steps),
            failing_steps=float(n * n_failing * steps),
            flops=float(n_flops),
        )
        for strategy, (n_cells, n_failing, n_flops) in zip(STRATEGIES, totals, strict=True)
    ]


@cache
def _shares(budgets: Sequence[int], strategy: str) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each budget is asked for, and fails then, over all places of N*; shape (n,)."""
    n = len(budgets)
    asked, failing = np.zeros((2, n))
    learnt, failed = RunCounts(1, 1, 1), RunCounts(0, 1, 1)
    for place in range(n + 1):
        counts = {budget: failed if i < place else learnt for i, budget in enumerate(budgets)}
        used = replay(budgets, counts, strategy).used
        for i, budget in enumerate(budgets):
            asked[i] += budget in used
            failing[i] += budget in used and i < place
    return asked / (n + 1), failing / (n + 1)
