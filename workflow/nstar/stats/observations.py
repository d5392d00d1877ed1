"""What was observed of a set of curves: how many runs learnt at which budget.

Outcomes at different budgets are usually those of different runs. A run that was looked at at several
budgets, as at several numbers of steps, is one observation: all it says is between which two of them it
first learnt.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy
from scipy.special import xlogy

from nstar.stats.checks import as_columns, check_labels, refuse_rows

__all__ = ["Likelihood", "Observations", "observe"]


NEAR_HALF = 0.2
LEAST_LIKELY_TO_GROW = 1e-3
"""P value below which success of a curve counts as falling or alternating."""


class _ByCurve:
    """Rows that are sorted by `curve`, the number of the curve of each row."""

    curve: np.ndarray

    @cached_property
    def first_rows(self) -> np.ndarray:
        """Position of the first row of each curve, shape (C,)."""
        return np.searchsorted(self.curve, np.arange(self.curve.max(initial=-1) + 1))

    def sum_by_curve(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over the rows of each curve; the first axis becomes (C, ...)."""
        return np.add.reduceat(values, self.first_rows, axis=0)


@dataclass(frozen=True)
class Likelihood(_ByCurve):
    """What outcomes contribute to a likelihood in which F, logistic, is the chance to have learnt.

    Attributes
    ----------
    log_budget : ndarray of float, shape (n,)
        As in `Observations`.
    n_learnt, n_failed, n_runs : ndarray of float, shape (n,)
        Factors (1 - lapse) F and 1 - (1 - lapse) F, and all factors of a row. The others are 1 - F, of
        runs that did learn later, and so did not lapse.
    curve : ndarray of int, shape (n,)
        Number of the curve of each row, 0 to C - 1, each used.
    passage_curve : ndarray of int, shape (P,)
        The curve of each run that is known to have first learnt between two budgets.
    passage_width : ndarray of float, shape (P,)
        Their distance in ln N.

    Notes
    -----
    A run that first learnt between budgets with eta = a and eta = b contributes
    ``F(b) - F(a) = F(b) (1 - F(a)) (1 - exp(a - b))``: a success, a failure, and a factor that knows the
    scale s alone, since b - a is the distance of the budgets over s.
    """

    log_budget: np.ndarray
    n_learnt: np.ndarray
    n_failed: np.ndarray
    n_runs: np.ndarray
    curve: np.ndarray
    passage_curve: np.ndarray
    passage_width: np.ndarray

    @property
    def factors(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The counts of factors, each of shape (n, 1)."""
        counts = self.n_learnt, self.n_failed, self.n_runs
        return tuple(count[:, None] for count in counts)

    def of_passages(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the logarithm of the last factor, and its derivative by ln s, for each curve.

        Parameters
        ----------
        s : ndarray of float, shape (C,)
            Scale of each curve in ln N.
        """
        ratio = self.passage_width / s[self.passage_curve]
        by_log_s = -ratio * np.exp(-ratio) / -np.expm1(-ratio)
        return tuple(
            np.bincount(self.passage_curve, values, minlength=len(s))
            for values in (np.log(-np.expm1(-ratio)), by_log_s)
        )


@dataclass(frozen=True)
class Sightings:
    """Outcomes of runs that were each looked at at several budgets.

    Attributes
    ----------
    row : ndarray of int, shape (k,)
        The row of `Observations` with curve and budget of each outcome; sorted within a run.
    run : ndarray of int, shape (k,)
        Number of the run of each outcome, 0 to R - 1, sorted, each used.
    learnt : ndarray of bool, shape (k,)
        The outcomes.
    """

    row: np.ndarray
    run: np.ndarray
    learnt: np.ndarray

    @property
    def ends(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where runs first learnt, just before, and where the others were last seen, as rows.

        The first and second have shape (P,) and belong together, with -1 for a run that learnt at its
        first sight.
        """
        place = np.arange(len(self.run))
        first = np.flatnonzero(np.diff(self.run, prepend=-1))
        last = np.append(first[1:], len(place)) - 1
        success = np.minimum.reduceat(np.where(self.learnt, place, len(place)), first)
        learnt = success < len(place)
        success, first = success[learnt], first[learnt]
        before = np.where(success > first, self.row[success - 1], -1)
        return self.row[success], before, self.row[last[~learnt]]


@dataclass(frozen=True)
class Observations(_ByCurve):
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
    sightings : Sightings or None
        Outcomes by run, where runs were looked at at several budgets.
    """

    log_budget: np.ndarray
    n_learnt: np.ndarray
    n_runs: np.ndarray
    curve: np.ndarray
    labels: tuple
    row: np.ndarray
    n_missing: int
    sightings: Sightings | None = None

    @property
    def n_curves(self) -> int:
        """Number of curves C."""
        return len(self.labels)

    @cached_property
    def runs_of_curve(self) -> np.ndarray:
        """Runs of each curve, shape (C,)."""
        if self.sightings is None:
            return self.sum_by_curve(self.n_runs)
        first = np.flatnonzero(np.diff(self.sightings.run, prepend=-1))
        return np.bincount(self.curve[self.sightings.row[first]], minlength=self.n_curves) + 0.0

    @cached_property
    def likelihood(self) -> Likelihood:
        """What the outcomes contribute to a likelihood."""
        nothing = np.zeros(0)
        if self.sightings is None:
            counts = self.n_learnt, self.n_runs - self.n_learnt, self.n_runs
            passages = nothing.astype(int), nothing
            return Likelihood(self.log_budget, *counts, self.curve, *passages)
        success, before, never = self.sightings.ends
        passed = before >= 0
        learnt, failed, failed_before = (
            np.bincount(rows, minlength=len(self.curve)) + 0.0
            for rows in (success, never, before[passed])
        )
        runs = learnt + failed + failed_before
        told = runs > 0
        return Likelihood(
            log_budget=self.log_budget[told],
            n_learnt=learnt[told],
            n_failed=failed[told],
            n_runs=runs[told],
            curve=self.curve[told],
            passage_curve=self.curve[success[passed]],
            passage_width=self.log_budget[success[passed]] - self.log_budget[before[passed]],
        )

    @cached_property
    def growing_share(self) -> np.ndarray:
        """Share of runs that learnt, isotonic in the budget, shape (n,); NaN where there are no runs."""
        growing = np.full(len(self.curve), np.nan)
        for number in range(self.n_curves):
            rows = (self.curve == number) & (self.n_runs > 0)
            if rows.any():
                share = self.n_learnt[rows] / self.n_runs[rows]
                growing[rows] = scipy.optimize.isotonic_regression(
                    share, weights=self.n_runs[rows]
                ).x
        return growing

    @cached_property
    def bracketed(self) -> np.ndarray:
        """Curves with N* inside their budgets, shape (C,).

        The share of runs that learnt, isotonic in the budget, passes one half between the smallest
        and the largest budget, or comes within 0.2 of it.  A run that lapses brackets no curve.
        """
        least = np.fmin.reduceat(self.growing_share, self.first_rows)
        greatest = np.fmax.reduceat(self.growing_share, self.first_rows)
        return (least <= 0.5 + NEAR_HALF) & (greatest >= 0.5 - NEAR_HALF)

    @cached_property
    def not_growing(self) -> np.ndarray:
        """Curves whose success no chance that grows with the budget explains, shape (C,).

        The deviance of `growing_share` is held against chi-squared with one degree of freedom less than
        there are budgets, which is its distribution at most.
        """
        if self.sightings is not None:  # what a run has learnt, it keeps
            return np.zeros(self.n_curves, dtype=bool)
        seen = self.n_runs > 0
        deviance = np.zeros(len(seen))
        for count, growing in (
            (self.n_learnt[seen], self.growing_share[seen]),
            (self.n_runs[seen] - self.n_learnt[seen], 1 - self.growing_share[seen]),
        ):
            deviance[seen] += 2 * (xlogy(count, count / self.n_runs[seen]) - xlogy(count, growing))
        degrees = self.sum_by_curve(seen.astype(float)) - 1
        return scipy.stats.chi2.sf(self.sum_by_curve(deviance), degrees) < LEAST_LIKELY_TO_GROW

    @property
    def separated(self) -> np.ndarray:
        """Bracketed curves of which every run above some budget learnt and none below, shape (C,)."""
        learnt = np.where(self.n_learnt > 0, self.log_budget, np.inf)
        failed = np.where(self.n_learnt < self.n_runs, self.log_budget, -np.inf)
        first_learnt = np.minimum.reduceat(learnt, self.first_rows)
        return self.bracketed & (np.maximum.reduceat(failed, self.first_rows) < first_learnt)

    @cached_property
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

    def most_runs(self) -> float:
        """Return the most runs whose outcomes tell of one location: at one budget, or of a curve."""
        return float((self.n_runs if self.sightings is None else self.runs_of_curve).max())

    def runs_per_log_budget(self) -> float:
        """Return the largest number of runs per unit of ln N, from a budget to the nearest one.

        Runs that were looked at at several budgets are known to no more than their own scatter, however
        close these lie: of them it is 0.
        """
        if self.sightings is not None:
            return 0.0
        gap = np.where(np.diff(self.curve) == 0, np.diff(self.log_budget), np.inf)
        nearest = np.minimum(np.append(gap, np.inf), np.insert(gap, 0, np.inf))
        return float((self.n_runs / nearest).max())

    def draw(self, eta: np.ndarray, lapse: float, generator: np.random.Generator) -> "Observations":
        """Return the same runs with outcomes drawn at random.

        Parameters
        ----------
        eta : ndarray of float, shape (n,)
            (ln N - ln N*) / s of each row.
        lapse : float
            The chance that a run learns at no budget.
        generator : numpy.random.Generator
        """
        seen = self.sightings
        if seen is None:
            n_runs = self.n_runs.astype(np.int64)
            n_learnt = generator.binomial(n_runs, (1 - lapse) * scipy.special.expit(eta))
            return replace(self, n_learnt=n_learnt.astype(float))
        n_runs = int(self.runs_of_curve.sum())
        thresholds = generator.logistic(size=n_runs)
        thresholds[generator.random(n_runs) < lapse] = np.inf
        learnt = eta[seen.row] >= thresholds[seen.run]
        n_learnt = np.bincount(seen.row, learnt, minlength=len(self.curve))
        return replace(self, n_learnt=n_learnt, sightings=replace(seen, learnt=learnt))


def observe(budget, n_learnt, n_runs, curve, run=None) -> Observations:
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
    run : array_like, shape (n,), optional
        Labels of runs that were looked at at several budgets: rows with the same curve and label are of
        one run, and each has ``n_runs = 1``.  All rows are of different runs where left out.

    Returns
    -------
    Observations
        Without the rows that hold a NaN, which are counted.  Rows with one curve and budget are
        added up: each stands for other runs.  The same runs given twice are counted twice, since
        nothing tells them from as many others with equal outcomes.

    Raises
    ------
    ValueError
        If lengths differ, a budget is not positive and finite, a count is negative, fractional
        or larger than its runs, a label is missing, or a run with a label has another count than 1 or a
        budget twice.
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
    sightings = None
    if run is not None:
        row_of = np.empty(len(code), dtype=int)
        row_of[order] = np.cumsum(np.isin(np.arange(len(order)), first)) - 1
        sightings = _sight(order, row_of, code, n_learnt, n_runs, run)
    return Observations(
        log_budget=np.log(budget[row]),
        n_learnt=np.add.reduceat(n_learnt[order], first),
        n_runs=np.add.reduceat(n_runs[order], first),
        curve=curve_code,
        labels=tuple(labels[number] for number in used),
        row=row,
        n_missing=int((~present).sum()),
        sightings=sightings,
    )


def _sight(order, row_of, code, n_learnt, n_runs, run) -> Sightings:
    """Return the outcomes by run of the inputs in `order`, of which `row_of` is the row."""
    number, labels = check_labels(run, len(code), "run")
    refuse_rows(
        (n_runs != 1) & ~np.isnan(n_runs),
        lambda i: f"run {labels[number[i]]!r} has n_runs {n_runs[i]:g} in a row: it must be 1",
    )
    order = order[np.lexsort((row_of[order], number[order], code[order]))]
    own = np.stack([code[order], number[order]])
    new = np.append(True, (np.diff(own) != 0).any(axis=0))[: len(order)]
    twice = np.zeros(len(code), dtype=bool)
    twice[order[1:]] = ~new[1:] & (np.diff(row_of[order]) == 0)
    refuse_rows(
        twice,
        lambda i: f"run {labels[number[i]]!r} has two outcomes at one curve and budget",
    )
    return Sightings(row_of[order], np.cumsum(new) - 1, n_learnt[order] > 0)
