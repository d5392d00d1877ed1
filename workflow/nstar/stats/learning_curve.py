"""How error falls with the budget, from chance to a floor."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, xlogy

from nstar.stats.checks import as_columns, check_confidence, refuse_rows
from nstar.stats.results import Fit, t_interval, tabulate

__all__ = ["LearningCurve", "fit_learning_curve"]

NAMES = ("log_midpoint", "log_steepness", "floor")
STEEPNESS_STARTS = (0.5, 2.0, 8.0)
TINY = 1e-9


@dataclass(frozen=True)
class LearningCurve(Fit):
    """A fitted learning curve.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        "log_midpoint" (ln N0, where half of the way to the floor is gone), "log_steepness" (ln b)
        and "floor" (error with unlimited data); the floor's ends are cut at 0 and at chance.
    chance : float
        Error of guessing, the ceiling; given, not estimated.
    floor_at_zero : bool
        True where the best floor is 0; it then counts as known.
    dispersion : float
        Variance of the errors over that of independent trials with one trial for each row.
    holdout_error : float
        Mean absolute error at the largest budget of the curve fitted to the others; NaN where
        these do not identify it.  A curve that describes need not predict.
    confidence, degrees_of_freedom : float
        Nominal coverage, and degrees of freedom of the t quantiles.
    score_norm : float
        Infinity norm of the gradient of the quasi-likelihood in the free parameters.
    n_starts, n_starts_agreeing : int
        Searches made, and those that ended within 1e-6 of the best.
    n_used, n_missing : int
        Rows in the fit, and rows left out for a NaN.
    identified : bool
        False where the rows cannot determine the curve; `reason` says why.
    reason, method : str
        Why there is no estimate, and how it was obtained.
    """

    chance: float
    floor_at_zero: bool
    dispersion: float
    holdout_error: float
    confidence: float
    degrees_of_freedom: int
    score_norm: float
    n_starts: int
    n_starts_agreeing: int
    n_used: int
    n_missing: int
    identified: bool
    reason: str
    method: str = "logistic in ln N between chance and floor, quasi-binomial likelihood, t interval"

    def predict(self, budget) -> np.ndarray:
        """Return the error at the given budgets; NaN where the curve is not identified."""
        params = np.array([coefficient.estimate for coefficient in self.coefficients])
        return _error(params, np.log(np.asarray(budget, dtype=float)), self.chance)[0]


def fit_learning_curve(budget, error, chance: float, confidence: float = 0.95) -> LearningCurve:
    """Fit ``error(N) = floor + (chance - floor) / (1 + (N / N0)^b)``.

    Parameters
    ----------
    budget : array_like of float, shape (n,)
        N of each run, positive and finite.
    error : array_like of float, shape (n,)
        Share of wrong answers of each run, in [0, 1]; NaN where it was not measured.
    chance : float
        Error of guessing, in (0, 1].
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).

    Returns
    -------
    LearningCurve
        Not identified where there are fewer than four budgets, or the fall from chance lies
        outside of them.

    Raises
    ------
    ValueError
        If lengths differ, a budget is not positive and finite, an error or `chance` is outside
        its range.

    Notes
    -----
    The form is that of Alabdulmohsin et al. (2022, M4) with exponent 1: bounded by chance above
    and by a floor below, so neither end is read as part of a power law.  It maximises the
    quasi-likelihood sum_i [e_i ln p_i + (1 - e_i) ln(1 - p_i)]; its covariance is the inverse
    information times Pearson's dispersion, with t quantiles at n - 3 degrees of freedom.  Rows
    count as independent.

    References
    ----------
    Alabdulmohsin, Neyshabur and Zhai (2022), arXiv:2209.06640.
    Wedderburn (1974), Biometrika 61, 439-447.
    """
    check_confidence(confidence)
    if not 0 < chance <= 1:
        raise ValueError(f"chance is {chance!r}: the error of guessing lies in (0, 1]")
    budget, error = as_columns(budget=budget, error=error).values()
    refuse_rows(
        (budget <= 0) | np.isinf(budget),
        lambda i: f"the budget is {budget[i]:g}: it must be positive and finite",
    )
    refuse_rows(
        (error < 0) | (error > 1), lambda i: f"the error is {error[i]:g}: it must lie in [0, 1]"
    )
    kept = np.isfinite(budget) & np.isfinite(error)
    log_budget, error = np.log(budget[kept]), error[kept]
    found = _search(log_budget, error, chance)
    shared = {"chance": chance, "confidence": confidence}
    shared |= {"n_used": len(error), "n_missing": int((~kept).sum())}
    shared |= {"degrees_of_freedom": len(error) - len(NAMES)}
    if isinstance(found, str):
        nan = np.nan
        return LearningCurve(
            coefficients=tabulate(NAMES),
            floor_at_zero=False,
            dispersion=nan,
            holdout_error=nan,
            score_norm=nan,
            n_starts=0,
            n_starts_agreeing=0,
            identified=False,
            reason=found,
            **shared,
        )
    params, n_agreeing = found
    fitted, jacobian = _error(params, log_budget, chance)
    variance = np.maximum(fitted * (1 - fitted), TINY)
    dispersion = float(((error - fitted) ** 2 / variance).sum() / shared["degrees_of_freedom"])
    at_zero = bool(params[2] < TINY)
    free = [0, 1] if at_zero else [0, 1, 2]
    information = (jacobian[:, free] / variance[:, None]).T @ jacobian[:, free]
    errors = np.zeros(len(NAMES))
    errors[free] = np.sqrt(np.maximum(np.diag(np.linalg.pinv(information)) * dispersion, 0))
    ends = np.array(t_interval(params, errors, shared["degrees_of_freedom"], confidence))
    ends[:, 2] = np.clip(ends[:, 2], 0, chance)
    return LearningCurve(
        coefficients=tabulate(NAMES, params, errors, *ends),
        floor_at_zero=at_zero,
        dispersion=dispersion,
        holdout_error=_holdout_error(log_budget, error, chance),
        score_norm=float(np.abs((error - fitted) / variance @ jacobian[:, free]).max()),
        n_starts=len(STEEPNESS_STARTS),
        n_starts_agreeing=n_agreeing,
        identified=True,
        reason="",
        **shared,
    )


def _error(params, log_budget, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the error at each budget, and its derivatives by the parameters, shape (n, 3)."""
    log_midpoint, log_steepness, floor = params
    log_ratio = np.exp(log_steepness) * (log_budget - log_midpoint)
    gone = expit(log_ratio)  # share of the way from chance to the floor
    by_log_ratio = -(chance - floor) * gone * (1 - gone)
    jacobian = np.column_stack(
        [-by_log_ratio * np.exp(log_steepness), by_log_ratio * log_ratio, gone]
    )
    return chance - (chance - floor) * gone, jacobian


def _search(log_budget, error, chance: float) -> tuple[np.ndarray, int] | str:
    """Return the best parameters and how many searches agree, or why there are none."""
    budgets = np.unique(log_budget)
    if len(budgets) <= len(NAMES):
        return f"{len(budgets)} budgets are too few for the {len(NAMES)} parameters of a curve."

    def objective(params):
        fitted, jacobian = _error(params, log_budget, chance)
        fitted = np.clip(fitted, TINY, 1 - TINY)
        likelihood = xlogy(error, fitted) + xlogy(1 - error, 1 - fitted)
        return -likelihood.sum(), -((error - fitted) / (fitted * (1 - fitted))) @ jacobian

    reach = np.ptp(budgets)
    bounds = [(budgets[0] - reach, budgets[-1] + reach), (-4, 5), (0, 0.999 * chance)]
    ends = [
        minimize(
            objective,
            [budgets.mean(), np.log(steepness), min(0.5 * error.min(), 0.9 * chance)],
            jac=True,
            bounds=bounds,
            method="L-BFGS-B",
            options={"ftol": 1e-14, "gtol": 1e-8, "maxiter": 1000},
        )
        for steepness in STEEPNESS_STARTS
    ]
    best = min(ends, key=lambda end: end.fun)
    if not budgets[0] <= best.x[0] <= budgets[-1]:
        return "The fall from chance to the floor lies outside of the budgets."
    return best.x, int(sum(end.fun < best.fun + 1e-6 for end in ends))


def _holdout_error(log_budget, error, chance: float) -> float:
    """Return the mean absolute error at the largest budget, predicted from the smaller ones."""
    largest = log_budget == log_budget.max()
    found = _search(log_budget[~largest], error[~largest], chance)
    if isinstance(found, str):
        return np.nan
    fitted, _ = _error(found[0], log_budget[largest], chance)
    return float(np.abs(error[largest] - fitted).mean())
