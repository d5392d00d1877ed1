"""Checks of a scaling fit that need the outcome of every seed: brackets, resampling, influence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

from nstar.stats.bootstrap import Law
from nstar.stats.checks import check_labels
from nstar.stats.design import curve_design, observe_complete
from nstar.stats.interval_regression import IntervalRegression
from nstar.stats.observations import Observations, observe
from nstar.stats.results import ScalingFit

__all__ = ["SeedChecks", "SeedOutcomes", "compare_shift"]

LEAST_SCATTER = 1e-3
"""Of brackets about a law, in ln N: with less, a law passes through all, and nothing fixes it."""


class SeedOutcomes:
    """What each seed of each curve made of each budget.

    Parameters
    ----------
    budget : array_like of float, shape (n,)
        N of each run, positive.
    learnt : array_like of bool, shape (n,)
        Whether it learnt.
    curve, seed : array_like, shape (n,)
        Labels of its curve and of its seed.
    covariates : Mapping of str to array_like of float, shape (n,)
        Covariates, constant within a curve.
    one_run : bool, optional
        Whether all rows of a curve and seed are looks at one run; see `nstar.stats.fit_scaling`.
    """

    def __init__(
        self, budget, learnt, curve, seed, covariates: Mapping[str, np.ndarray], one_run=False
    ):
        budget, learnt = np.asarray(budget, dtype=float), np.asarray(learnt, dtype=bool)
        code, _ = check_labels(curve, len(budget))
        number, _ = check_labels(seed, len(budget), "seed")
        self.order = order = np.lexsort((budget, number, code))
        self.log_budget, self.learnt = np.log(budget[order]), learnt[order]
        self.curve, self.seed = code[order], number[order]
        new = (np.diff(self.curve, prepend=-1) != 0) | (np.diff(self.seed, prepend=-1) != 0)
        self.first = np.flatnonzero(new)
        self.last = np.append(self.first[1:], len(order)) - 1
        run = number[order] if one_run else None
        covariates = {name: np.asarray(values, float)[order] for name, values in covariates.items()}
        ones = np.ones(len(order))
        self.observations = observe_complete(
            budget[order], self.learnt, ones, self.curve, covariates, run
        )
        self.design = curve_design(self.observations, covariates)
        self.one_run = one_run

    @cached_property
    def row(self) -> np.ndarray:
        """The row of the observations that each run belongs to, shape (n,)."""
        order = np.lexsort((self.log_budget, self.curve))
        places = np.stack([self.curve[order], self.log_budget[order]])
        row = np.empty(len(order), dtype=int)
        row[order] = np.cumsum(np.append(False, (np.diff(places) != 0).any(axis=0)))
        return row

    def count(self, learnt: np.ndarray, weight: np.ndarray | None = None) -> Observations:
        """Return the observations of other outcomes, or of runs that count several times."""
        n_rows = len(self.observations.curve)
        weight = np.ones(len(learnt)) if weight is None else weight
        return replace(
            self.observations,
            n_learnt=np.bincount(self.row, weight * learnt, minlength=n_rows),
            n_runs=np.bincount(self.row, weight, minlength=n_rows),
        )

    def brackets(self, learnt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ln of the ends between which each seed of each curve first learnt, (S,) each.

        Below the smallest budget they are open, and above the largest where a seed never learnt.
        """
        place = np.arange(len(learnt))
        success = np.minimum.reduceat(np.where(learnt, place, len(place)), self.first)
        never = success == len(place)
        found = np.where(never, self.last, success)
        upper = np.where(never, np.inf, self.log_budget[found])
        below = np.where(never, found, found - 1)
        lower = np.where(below >= self.first, self.log_budget[np.maximum(below, 0)], -np.inf)
        return lower, upper

    def fit_brackets(self, learnt: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """Return (b, ln sigma) of the normal law of the brackets of seeds; NaN where there is none."""
        lower, upper = self.brackets(learnt)
        model = IntervalRegression(lower, upper, self.design[self.curve[self.first]])
        p = self.design.shape[1]
        unknown = np.full(p + 1, np.nan)
        closed = np.isfinite(lower) & np.isfinite(upper)
        if closed.sum() <= p or np.linalg.matrix_rank(model.exog[closed]) < p:
            return unknown
        if start is None or not np.isfinite(start).all():
            start = np.r_[np.linalg.lstsq(model.exog, model.endog)[0], 0.0]
        found = minimize(
            lambda params: (-model.loglikeobs(params).sum(), -model.score(params)),
            start,
            jac=True,
            method="BFGS",
            options={"gtol": 1e-4},
        )
        converged = np.abs(found.jac).max() < 1e-2 and found.x[-1] > np.log(LEAST_SCATTER)
        return found.x if converged else unknown

    def draw(self, law: Law, generator: np.random.Generator) -> np.ndarray:
        """Return outcomes drawn from a fitted law, shape (n,)."""
        eta, lapse = law.draw_eta(self.log_budget, self.curve, generator), law.fit.lapse
        if not self.one_run:
            return generator.random(len(eta)) < (1 - lapse) * expit(eta)
        thresholds = generator.logistic(size=len(self.first))
        thresholds[generator.random(len(self.first)) < lapse] = np.inf
        return eta >= np.repeat(thresholds, self.last - self.first + 1)

    def observe(self, learnt: np.ndarray) -> Observations:
        """Return the observations of other outcomes of the same runs."""
        if not self.one_run:
            return self.count(learnt)
        return observe(np.exp(self.log_budget), learnt, np.ones(len(learnt)), self.curve, self.seed)

    def leave_out(self, curve: int) -> Observations:
        """Return the observations without a curve, given by its number."""
        kept = self.curve != curve
        ones = np.ones(int(kept.sum()))
        run = self.seed[kept] if self.one_run else None
        return observe(
            np.exp(self.log_budget[kept]), self.learnt[kept], ones, self.curve[kept], run
        )


@dataclass(frozen=True)
class SeedChecks:
    """A fit, the same by brackets of seeds, and both for studies drawn from the fitted law.

    Attributes
    ----------
    fit : ScalingFit
        The fit that is checked.
    law : Law or None
        Its law; None where it has no interval.
    brackets : ndarray of float, shape (p,)
        Coefficients of the law of brackets; NaN where there is none.
    drawn : list of ndarray or None
        Estimates and standard errors of the fit of each drawn study, as `interval_of_draws` reads them.
    drawn_brackets : ndarray of float, shape (R, p)
        Coefficients by brackets of each drawn study.
    """

    fit: ScalingFit
    law: Law | None
    brackets: np.ndarray
    drawn: list
    drawn_brackets: np.ndarray

    @classmethod
    def of(
        cls,
        fit: ScalingFit,
        outcomes: SeedOutcomes,
        generator: np.random.Generator,
        n_replicates: int,
    ) -> "SeedChecks":
        """Return the checks of a fit with one scatter, by so many drawn studies."""
        p = outcomes.design.shape[1]
        nothing = np.full(p, np.nan)
        if not fit.converged:
            nothings = np.tile(nothing, (n_replicates, 1))
            return cls(fit, None, nothing, [None] * n_replicates, nothings)
        law = Law.of(fit, outcomes.observations, outcomes.design)
        start = outcomes.fit_brackets(outcomes.learnt)
        drawn, brackets = [], np.empty((n_replicates, p))
        for number in range(n_replicates):
            learnt = outcomes.draw(law, generator)
            drawn.append(law.refit(outcomes.observe(learnt)))
            brackets[number] = outcomes.fit_brackets(learnt, start)[:p]
        return cls(fit, law, start[:p], drawn, brackets)

    @cached_property
    def shift(self) -> np.ndarray:
        """Coefficients by brackets minus those of the fit, shape (p,)."""
        return self.brackets - np.array([one.estimate for one in self.fit.coefficients])

    @cached_property
    def drawn_shifts(self) -> np.ndarray:
        """The same for each drawn study, shape (R, p); NaN where one of the two has no answer."""
        nothing = np.full(len(self.brackets), np.nan)
        estimates = np.array([nothing if pair is None else pair[0] for pair in self.drawn])
        return self.drawn_brackets - estimates.reshape(self.drawn_brackets.shape)


def compare_shift(shift: float, drawn_shifts: np.ndarray) -> tuple[float, float]:
    """Return by how much two estimates differ beyond what is expected, and the p value.

    Parameters
    ----------
    shift : float
        One estimate minus the other.
    drawn_shifts : ndarray of float, shape (R,)
        The same for studies drawn from the law that is checked; NaN where there is none.

    Returns
    -------
    shift_error : float
        Standard deviation of the drawn ones; NaN where fewer than nine in ten are known.
    p_value : float
        Two-sided, of the shift under the law, by the normal distribution with the mean and the standard
        deviation of the drawn ones.
    """
    known = drawn_shifts[np.isfinite(drawn_shifts)]
    if not np.isfinite(shift) or len(known) < max(2, 0.9 * len(drawn_shifts)):
        return np.nan, np.nan
    error = float(known.std(ddof=1))
    if not error > 0:
        return error, np.nan
    return error, float(2 * norm.sf(abs(shift - known.mean()) / error))
