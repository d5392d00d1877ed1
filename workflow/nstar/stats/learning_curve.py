"""Learning curves: how an error or a loss falls with the budget, from chance to a floor."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy

from nstar.stats.checks import as_columns, check_confidence, check_labels, refuse_rows
from nstar.stats.design import OF_DATA, Words
from nstar.stats.results import Fit, t_interval, tabulate

__all__ = ["LearningCurve", "fit_learning_curve"]

NAMES = ("log_midpoint", "exponent", "floor")
STARTS = ((0.5, 0.5), (0.5, 2.0), (0.5, 6.0), (0.1, 1.0))
"""Where searches begin: the midpoint as a share of the range of ln N, and the exponent."""

LEAST_EXPONENT = 0.02
FALL = (
    0.05  # a fall is taken to reach from this share of the way to the floor to all but this share
)
TINY = 1e-12
FLAT_SCORE = 1e-3
MARGIN = 1e-6  # of parameters, within which they count as at a bound

Variance = Literal["binomial", "relative"]


@dataclass(frozen=True)
class LearningCurve(Fit):
    """A fitted learning curve.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        "log_midpoint" (ln N0, where half of the way to the floor is gone), "exponent" (b) and "floor"
        (error with unlimited data); the floor's ends are cut at 0 and at chance.
    chance : float
        Error of guessing, the ceiling; given, not estimated.
    floor_at_zero : bool
        True where the best floor is 0; it then counts as known.
    holdout_error : float
        Mean absolute error at the largest budget of the curve fitted to the others; NaN where
        these do not identify it.  A curve that describes need not predict.
    confidence : float
        Nominal coverage of the intervals.
    score_norm : float
        Infinity norm of the gradient of the quasi-likelihood in the free parameters.
    n_starts, n_starts_agreeing : int
        Searches made, and those that ended within 1e-6 of the best.
    n_used, n_missing, n_budgets, n_seeds : int
        Rows in the fit, rows left out for a NaN, and budgets and seeds among the former.
    identified : bool
        False where the rows cannot determine the curve.
    converged : bool
        True where the gradient vanishes and two searches agree.
    reason, method : str
        Why there is no estimate or no interval, and how it was obtained.
    """

    chance: float
    floor_at_zero: bool
    holdout_error: float
    confidence: float
    score_norm: float
    n_starts: int
    n_starts_agreeing: int
    n_used: int
    n_missing: int
    n_budgets: int
    n_seeds: int
    identified: bool
    converged: bool
    reason: str
    method: str

    def predict(self, budget) -> np.ndarray:
        """Return the error at the given budgets; NaN where the curve is not identified."""
        log_midpoint, exponent, floor = (c.estimate for c in self.coefficients)
        log_budget = np.log(np.asarray(budget, dtype=float))
        return _curve((log_midpoint, np.log(exponent), floor), log_budget, self.chance)[0]


def fit_learning_curve(
    budget,
    error,
    seed,
    chance: float,
    variance: Variance,
    confidence: float = 0.95,
    words: Words = OF_DATA,
) -> LearningCurve:
    """Fit ``error(N) = floor + (chance - floor) / (1 + (N / N0)^b)``.

    Far above N0, what is left above the floor falls as N^-b.

    Parameters
    ----------
    budget : array_like of float, shape (n,)
        N of each run, positive and finite.
    error : array_like of float, shape (n,)
        Share of wrong answers of each run, or its loss, at least 0; NaN where it was not measured.
    seed : sequence of hashable, length n
        The runs of a seed depend on each other: its training sets nest.
    chance : float
        Error of guessing, above 0; at most 1 where `variance` is "binomial".
    variance : {"binomial", "relative"}
        How the scatter of runs depends on their mean: as that of a share, for shares of wrong
        answers, or in proportion to it, for losses.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).
    words : Words, optional
        What `reason` calls the budgets; those of data where left out.

    Returns
    -------
    LearningCurve
        Not identified where there are fewer than four budgets, or the fall from chance lies above
        them, far below them or between two of them.  Without an interval where there is one seed, or
        the curve rests on one.

    Raises
    ------
    ValueError
        If lengths differ, a budget is not positive and finite, an error or `chance` is outside
        its range, or `variance` is neither of the two.

    Notes
    -----
    1. The form is that of Alabdulmohsin et al. (2022, M4) with exponent 1: bounded by chance above
       and by a floor below, so neither end is read as part of a power law.
    2. The curve of the *mean* over seeds is fitted, by maximising a quasi-likelihood: the sum of
       e ln p + (1 - e) ln(1 - p) for shares, of -e / p - ln p for losses (Wedderburn 1974).  It needs
       no distribution of the runs; some may learn and others not.
    3. The interval is that of leaving out one seed at a time (jackknife), with t quantiles at one less
       degree of freedom than there are seeds.  It is never narrower than that of the quasi-likelihood
       with Pearson's dispersion, which takes rows as independent.  That of b is found for ln b.
    4. A fall from 5 % to 95 % of the way between two neighbouring budgets bounds b from below and no
       more: a b as large as that is not reported.

    References
    ----------
    Alabdulmohsin, Neyshabur and Zhai (2022), arXiv:2209.06640.
    Wedderburn (1974), Biometrika 61, 439-447.
    """
    check_confidence(confidence)
    log_budget, error, code = _rows(budget, error, seed, chance, variance)
    kept = np.isfinite(log_budget) & np.isfinite(error)
    log_budget, error, code = log_budget[kept], error[kept], code[kept]
    seeds = np.unique(code)
    nan = np.nan
    unknown = LearningCurve(
        coefficients=tabulate(NAMES),
        chance=chance,
        floor_at_zero=False,
        holdout_error=nan,
        confidence=confidence,
        score_norm=nan,
        n_starts=0,
        n_starts_agreeing=0,
        n_used=len(error),
        n_missing=int((~kept).sum()),
        n_budgets=len(np.unique(log_budget)),
        n_seeds=len(seeds),
        identified=False,
        converged=False,
        reason="",
        method=f"logistic in ln N between chance and floor, {variance} quasi-likelihood, jackknife "
        "over seeds, t interval",
    )
    model = _Model(chance, variance, words)
    found = model.search(log_budget, error, STARTS)
    if isinstance(found, str):
        return replace(unknown, reason=found)
    params, score_norm, n_agreeing = found
    largest = log_budget == log_budget.max()
    fit = replace(
        unknown,
        coefficients=tabulate(NAMES, _natural(params)),
        floor_at_zero=bool(params[2] == 0),
        holdout_error=model.holdout_error(log_budget, error, largest),
        score_norm=score_norm,
        n_starts=len(STARTS),
        n_starts_agreeing=n_agreeing,
        identified=True,
        converged=bool(score_norm < FLAT_SCORE * len(error) and n_agreeing > 1),
    )
    if not fit.converged:
        return replace(fit, reason="The searches for the best curve do not agree.")
    if len(seeds) < 2:
        return replace(fit, reason="One seed has no interval.")
    start = model.start_from(params, log_budget)
    others = [model.search(log_budget[code != one], error[code != one], start) for one in seeds]
    if any(isinstance(other, str) for other in others):
        return replace(fit, reason="The curve rests on one seed.")
    left_out = np.array([other[0] for other in others])
    share = (len(seeds) - 1) / len(seeds)
    jackknife = np.sqrt(share * ((left_out - left_out.mean(axis=0)) ** 2).sum(axis=0))
    plain, degrees_of_freedom = model.errors(params, log_budget, error)
    by_seeds = t_interval(params, jackknife, len(seeds) - 1, confidence)
    by_rows = t_interval(params, plain, degrees_of_freedom, confidence)
    lower, upper = np.minimum(by_seeds[0], by_rows[0]), np.maximum(by_seeds[1], by_rows[1])
    lower[2], upper[2] = np.clip([lower[2], upper[2]], 0, chance)
    with np.errstate(over="ignore"):
        ends = _natural(lower), _natural(upper)
    natural_errors = np.maximum(jackknife, plain) * [1, np.exp(params[1]), 1]
    return replace(fit, coefficients=tabulate(NAMES, _natural(params), natural_errors, *ends))


def _rows(budget, error, seed, chance: float, variance: str) -> tuple[np.ndarray, ...]:
    """Return ln N, error and number of the seed of every row, or say which is wrong."""
    if variance not in ("binomial", "relative"):
        raise ValueError(f"variance is {variance!r}: it must be 'binomial' or 'relative'")
    most = 1 if variance == "binomial" else np.inf
    if not (0 < chance <= most and np.isfinite(chance)):
        raise ValueError(f"chance is {chance!r}: the error of guessing lies in (0, {most:g}]")
    budget, error = as_columns(budget=budget, error=error).values()
    code, _ = check_labels(seed, len(budget), "seed")
    refuse_rows(
        (budget <= 0) | np.isinf(budget),
        lambda i: f"the budget is {budget[i]:g}: it must be positive and finite",
    )
    refuse_rows(
        (error < 0) | (error > most) | np.isinf(error),
        lambda i: f"the error is {error[i]:g}: it must be finite and lie in [0, {most:g}]",
    )
    return np.log(budget), error, code


def _natural(params) -> np.ndarray:
    """Return ln N0, b and the floor of ln N0, ln b and the floor."""
    return np.array([params[0], np.exp(params[1]), params[2]])


def _curve(params, log_budget, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the error at each budget, and its derivatives by the parameters, shape (n, 3)."""
    log_midpoint, log_exponent, floor = params
    exponent = np.exp(log_exponent)
    log_ratio = exponent * (log_budget - log_midpoint)
    left = scipy.special.expit(-log_ratio)  # share of the way from the floor to chance
    by_log_ratio = -(chance - floor) * left * (1 - left)
    jacobian = np.column_stack([-by_log_ratio * exponent, by_log_ratio * log_ratio, 1 - left])
    return floor + (chance - floor) * left, jacobian


@dataclass(frozen=True)
class _Model:
    """The quasi-likelihood of a curve in ln N0, ln b and the floor."""

    chance: float
    variance: Variance
    words: Words

    def spread(self, fitted: np.ndarray) -> np.ndarray:
        """Return the variance of a run up to the dispersion."""
        if self.variance == "binomial":
            return np.maximum(fitted * (1 - fitted), TINY)
        return np.maximum(fitted**2, TINY**2)

    def objective(self, params, log_budget, error) -> tuple[float, np.ndarray]:
        """Return minus the quasi-likelihood, and its gradient."""
        fitted, jacobian = _curve(params, log_budget, self.chance)
        fitted = np.maximum(fitted, TINY)
        if self.variance == "binomial":
            fitted = np.minimum(fitted, 1 - TINY)
            terms = scipy.special.xlogy(error, fitted) + scipy.special.xlogy(1 - error, 1 - fitted)
        else:
            terms = -error / fitted - np.log(fitted)
        return -terms.sum(), -((error - fitted) / self.spread(fitted)) @ jacobian

    def search(self, log_budget, error, starts) -> tuple[np.ndarray, float, int] | str:
        """Return the best parameters, the gradient there and how many searches agree, or why not."""
        budgets = np.unique(log_budget)
        if len(budgets) <= len(NAMES):
            return (
                f"{len(budgets)} {self.words.values} are too few for the {len(NAMES)} parameters of a "
                "curve."
            )
        reach = np.ptp(budgets)
        steepest = np.log(2 * scipy.special.logit(1 - FALL) / np.diff(budgets).min())
        low, high = budgets[0] - reach, budgets[-1] + reach
        means = [error[log_budget == one].mean() for one in budgets]
        unit = np.clip(min(means), 1e-6 * self.chance, self.chance)  # scale of the floor

        def scaled(params):
            value, gradient = self.objective(params * [1, 1, unit], log_budget, error)
            return value, gradient * [1, 1, unit]

        bounds = [(low, high), (np.log(LEAST_EXPONENT), steepest), (0, 0.999 * self.chance / unit)]
        ends = [
            scipy.optimize.minimize(
                scaled,
                [budgets[0] + share * reach, min(np.log(exponent), steepest), 0.3],
                jac=True,
                bounds=bounds,
                method="L-BFGS-B",
                options={"ftol": 1e-15, "gtol": 1e-9, "maxiter": 1000},
            )
            for share, exponent in starts
        ]
        best = min(ends, key=lambda end: end.fun)
        agreeing = sum(end.fun < best.fun + 1e-6 for end in ends)
        midpoint, log_exponent, floor = best.x
        at_steepest = log_exponent > steepest - MARGIN
        if midpoint > budgets[-1]:
            return f"The fall from chance to the floor lies above the {self.words.values}."
        if midpoint < low + MARGIN or (at_steepest and midpoint < budgets[0]):
            return f"The fall from chance to the floor lies below the {self.words.values}."
        if at_steepest:
            return f"The fall from chance to the floor lies between two {self.words.values}."
        if log_exponent < np.log(LEAST_EXPONENT) + MARGIN:
            return f"The error hardly changes along the {self.words.values}."
        floor = floor if floor > MARGIN else 0.0
        score_norm = np.abs(best.jac[: 3 if floor else 2]).max()
        return np.array([midpoint, log_exponent, floor * unit]), float(score_norm), int(agreeing)

    def start_from(self, params, log_budget) -> tuple[tuple[float, float]]:
        """Return the one start at known parameters."""
        share = (params[0] - log_budget.min()) / np.ptp(log_budget)
        return ((share, np.exp(params[1])),)

    def errors(self, params, log_budget, error) -> tuple[np.ndarray, int]:
        """Return standard errors for independent rows, 0 for a floor at 0, and degrees of freedom."""
        fitted, jacobian = _curve(params, log_budget, self.chance)
        free = [0, 1, 2] if params[2] > 0 else [0, 1]
        spread = self.spread(fitted)
        degrees_of_freedom = max(len(error) - len(free), 1)
        dispersion = ((error - fitted) ** 2 / spread).sum() / degrees_of_freedom
        information = (jacobian[:, free] / spread[:, None]).T @ jacobian[:, free]
        errors = np.zeros(len(NAMES))
        errors[free] = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information)) * dispersion, 0))
        return errors, degrees_of_freedom

    def holdout_error(self, log_budget, error, left_out) -> float:
        """Return the mean absolute error of rows that are left out, predicted from the others."""
        found = self.search(log_budget[~left_out], error[~left_out], STARTS)
        if isinstance(found, str):
            return np.nan
        fitted, _ = _curve(found[0], log_budget[left_out], self.chance)
        return float(np.abs(error[left_out] - fitted).mean())
