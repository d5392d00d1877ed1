"""What was observed of a set of curves: how many runs learnt at which budget."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy

from nstar.stats.checks import as_columns, check_labels, refuse_rows

__all__ = ["Observations", "observe"]


NEAR_HALF = 0.2


@dataclass(frozen=True)
class Observations:
    """Runs that learnt, and runs that could have, by curve and budget.

    Attributes
    ----------
    log_budget : ndarray of float, shape (n,)
        Natural logarithm of the budget N of each row; rows are sorted by curve, then budget.
    n_learnt, n_runs : ndarray of float, shape (n,)
        Runs that learnt, and all runs whose outcome says something about data.
    curve : ndarray of int, shape (n,)
        Number of the curve of each row, 0 to C - 1, each used.
    labels : tuple
        Label of each curve, in the order of first appearance.
    row : ndarray of int, shape (n,)
        Position of each row in the input; of the first, where several have its curve and budget.
    n_missing : int
        Rows of the input that held a NaN, and are left out.
    """

    log_budget: np.ndarray
    n_learnt: np.ndarray
    n_runs: np.ndarray
    curve: np.ndarray
    labels: tuple
    row: np.ndarray
    n_missing: int

    @property
    def n_curves(self) -> int:
        """Number of curves C."""
        return len(self.labels)

    @cached_property
    def first_rows(self) -> np.ndarray:
        """Position of the first row of each curve, shape (C,)."""
        return np.searchsorted(self.curve, np.arange(self.n_curves))

    def sum_by_curve(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over the rows of each curve; the first axis becomes (C, ...)."""
        return np.add.reduceat(values, self.first_rows, axis=0)

    @cached_property
    def bracketed(self) -> np.ndarray:
        """Curves with N* inside their budgets, shape (C,).

        The share of runs that learnt, isotonic in the budget, passes one half between the smallest
        and the largest budget, or comes within 0.2 of it.  A run that lapses brackets no curve.
        """
        seen = self.n_runs > 0
        bracketed = np.zeros(self.n_curves, dtype=bool)
        for number in range(self.n_curves):
            rows = (self.curve == number) & seen
            if rows.any():
                share = self.n_learnt[rows] / self.n_runs[rows]
                isotonic = scipy.optimize.isotonic_regression(share, weights=self.n_runs[rows]).x
                passes = isotonic[0] <= 0.5 + NEAR_HALF and isotonic[-1] >= 0.5 - NEAR_HALF
                bracketed[number] = passes
        return bracketed

    @property
    def separated(self) -> np.ndarray:
        """Bracketed curves of which every run above some budget learnt and none below, shape (C,)."""
        learnt = np.where(self.n_learnt > 0, self.log_budget, np.inf)
        failed = np.where(self.n_learnt < self.n_runs, self.log_budget, -np.inf)
        first_learnt = np.minimum.reduceat(learnt, self.first_rows)
        return self.bracketed & (np.maximum.reduceat(failed, self.first_rows) < first_learnt)

    @property
    def log_step(self) -> float:
        """Median distance of neighbouring budgets of a curve in ln N; ln 2 where there are none."""
        steps = np.diff(self.log_budget)[np.diff(self.curve) == 0]
        return float(np.median(steps)) if steps.size else float(np.log(2))

    def log_centres(self) -> np.ndarray:
        """Return the Spearman-Karber estimate of each curve's ln N*, shape (C,).

        It is the mean of the distribution whose cumulative shares at the budgets are the shares
        of runs that learnt: crude, finite for every curve, and no more than a place to start.
        """
        step = self.log_step
        same_curve = np.diff(self.curve, append=-1) == 0
        gap = np.where(same_curve, np.diff(self.log_budget, append=0.0), step)
        failed = 1 - self.n_learnt / np.maximum(self.n_runs, 1)
        return self.log_budget[self.first_rows] - step / 2 + self.sum_by_curve(failed * gap)

    def runs_per_log_budget(self) -> float:
        """Return the largest number of runs per unit of ln N, from a budget to the nearest one."""
        gap = np.where(np.diff(self.curve) == 0, np.diff(self.log_budget), np.inf)
        nearest = np.minimum(np.append(gap, np.inf), np.insert(gap, 0, np.inf))
        return float((self.n_runs / nearest).max())

    def with_outcomes(self, n_learnt: np.ndarray) -> "Observations":
        """Return the same runs with other outcomes."""
        return replace(self, n_learnt=n_learnt)


def observe(budget, n_learnt, n_runs, curve) -> Observations:
    """Check and sort the outcomes of a set of curves.

    Parameters
    ----------
    budget : array_like of float, shape (n,)
        N in training examples (or D in units of width), positive and finite.
    n_learnt, n_runs : array_like of int, shape (n,)
        Runs that learnt, and runs that count; ``0 <= n_learnt <= n_runs``.  Runs that did not
        fit even their training set say nothing about data and belong in neither.
    curve : array_like, shape (n,)
        Labels; rows with the same label share a curve.

    Returns
    -------
    Observations
        Without the rows that hold a NaN, which are counted.  Rows with one curve and budget are
        added up.

    Raises
    ------
    ValueError
        If lengths differ, a budget is not positive and finite, a count is negative, fractional
        or larger than its runs, or a label is missing.
    """
    columns = as_columns(budget=budget, n_learnt=n_learnt, n_runs=n_runs)
    budget, n_learnt, n_runs = columns.values()
    code, labels = check_labels(curve, len(budget))
    refuse_rows(
        (budget <= 0) | np.isinf(budget),
        lambda i: f"the budget is {budget[i]:g}: it must be positive and finite",
    )
    refuse_rows(
        (n_learnt < 0) | (n_learnt > n_runs) | np.isinf(n_runs),
        lambda i: (
            f"{n_learnt[i]:g} of {n_runs[i]:g} runs learnt: 0 <= n_learnt <= n_runs is needed"
        ),
    )
    refuse_rows(
        (n_learnt % 1 > 0) | (n_runs % 1 > 0),
        lambda i: f"{n_learnt[i]:g} of {n_runs[i]:g} runs learnt: counts are whole numbers",
    )
    present = ~np.isnan(np.stack([budget, n_learnt, n_runs])).any(axis=0)
    order = np.lexsort((budget, code))
    order = order[present[order]]
    # Rows of one curve and budget become one.
    places = np.stack([code[order], budget[order]])
    first = np.flatnonzero(np.append(True, (np.diff(places) != 0).any(axis=0))[: len(order)])
    row = order[first]
    used, curve_code = np.unique(code[row], return_inverse=True)
    return Observations(
        log_budget=np.log(budget[row]),
        n_learnt=np.add.reduceat(n_learnt[order], first),
        n_runs=np.add.reduceat(n_runs[order], first),
        curve=curve_code,
        labels=tuple(labels[number] for number in used),
        row=row,
        n_missing=int((~present).sum()),
    )
