"""Linear laws for values known exactly, between two bounds, or on one side only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.special import log_ndtr
from statsmodels.base.model import GenericLikelihoodModel
from statsmodels.tools.numdiff import approx_fprime

from nstar.stats.checks import as_columns, check_confidence, refuse_rows
from nstar.stats.results import Fit, Result, t_interval, tabulate

__all__ = ["IntervalFit", "IntervalRegression", "SlopeRange", "find_slope_range", "fit_intervals"]

METHOD = "interval-censored normal regression (Tobit), t interval with uncensored rows minus p"
LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
SOLVED, INFEASIBLE, UNBOUNDED = 0, 2, 3  # how a linear program ends


class IntervalRegression(GenericLikelihoodModel):
    """Normal linear model of values of which only bounds may be known.

    Parameters
    ----------
    lower, upper : ndarray of float, shape (n,)
        The value of row i lies in (lower[i], upper[i]], and is known where both are equal; -inf and
        inf mark an open side.
    design : ndarray of float, shape (n, p)
        Mean design with its intercept.

    Notes
    -----
    Parameters are (b, ln sigma).  A row contributes ln [Phi(z_upper) - Phi(z_lower)], or the
    log-density where its value is known (Tobin 1958; Amemiya 1984, section 1.5).
    """

    def __init__(self, lower, upper, design):
        self._lower, self._upper = lower, upper
        self._known = lower == upper
        centres = np.where(np.isfinite(lower), lower, upper)
        between = np.isfinite(lower) & np.isfinite(upper)
        centres[between] = (lower[between] + upper[between]) / 2
        super().__init__(centres, design, extra_params_names=["ln_sigma"])

    def loglikeobs(self, params):
        """Return the log-likelihood of each row, shape (n,)."""
        return self._evaluate(params)[0]

    def score_obs(self, params, **_):
        """Return the gradient of `loglikeobs`, shape (n, p + 1)."""
        log_likelihood, z_lower, z_upper = self._evaluate(params)
        ratio_lower = _density_ratio(z_lower, log_likelihood)
        ratio_upper = _density_ratio(z_upper, log_likelihood)
        by_location = np.where(self._known, z_lower, ratio_lower - ratio_upper) / np.exp(params[-1])
        by_log_sigma = np.where(
            self._known,
            _finite(z_lower) ** 2 - 1,
            _finite(z_lower) * ratio_lower - _finite(z_upper) * ratio_upper,
        )
        return np.column_stack([self.exog * by_location[:, None], by_log_sigma])

    def score(self, params, **_):
        """Return the gradient of the log-likelihood, shape (p + 1,)."""
        return self.score_obs(params).sum(axis=0)

    def hessian(self, params, **_):
        """Return the second derivatives, by central differences of the score."""
        hessian = approx_fprime(np.asarray(params, float), self.score, centered=True)
        return (hessian + hessian.T) / 2

    def fit_from_centres(self):
        """Climb from least squares on the centres; return the results of statsmodels."""
        start = np.linalg.lstsq(self.exog, self.endog)[0]
        scatter = max((self.endog - self.exog @ start).std(), 0.1)
        settings = {"method": "bfgs", "maxiter": 500, "gtol": 1e-8, "disp": 0}
        return self.fit(
            np.r_[start, np.log(scatter)], **settings, warn_convergence=False, skip_hessian=True
        )

    def _evaluate(self, params):
        sigma, mean = np.exp(params[-1]), self.exog @ params[:-1]
        z_lower, z_upper = (self._lower - mean) / sigma, (self._upper - mean) / sigma
        log_density = -0.5 * z_lower**2 - LOG_SQRT_2PI - params[-1]
        between = log_interval_probability(
            np.where(self._known, -1.0, z_lower), np.where(self._known, 1.0, z_upper)
        )
        return np.where(self._known, log_density, between), z_lower, z_upper


def log_interval_probability(z_lower, z_upper) -> np.ndarray:
    """Return ln[Phi(z_upper) - Phi(z_lower)] without cancellation in either tail."""
    # In the upper tail Phi is close to one: use Phi(b) - Phi(a) = Phi(-a) - Phi(-b).
    upper_tail = z_lower > 0
    log_small = log_ndtr(np.where(upper_tail, -z_upper, z_lower))
    log_large = log_ndtr(np.where(upper_tail, -z_lower, z_upper))
    log_ratio = np.minimum(log_small - log_large, -np.finfo(float).tiny)
    return log_large + np.log(-np.expm1(log_ratio))


def _density_ratio(z, log_probability) -> np.ndarray:
    """Return phi(z) over a probability; 0 at an infinite z, bounded far from the optimum."""
    return np.exp(np.minimum(-0.5 * z**2 - LOG_SQRT_2PI - log_probability, 300.0))


def _finite(z) -> np.ndarray:
    return np.where(np.isfinite(z), z, 0.0)


@dataclass(frozen=True)
class IntervalFit(Fit):
    """A linear law fitted to bounds.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        "intercept" first, then the covariates.
    residual_scale : float
        sigma of the normal scatter.
    log_likelihood, score_norm : float
        At the estimate: log-likelihood, and infinity norm of its gradient.
    confidence, degrees_of_freedom : float
        Nominal coverage, and degrees of freedom of the t quantiles: rows that are known or bounded
        on both sides, minus coefficients.
    n_used, n_missing, n_censored : int
        Rows in the fit, rows left out for a NaN, and rows open on one side.
    identified : bool
        False where the rows cannot determine the coefficients; `reason` says why.
    reason, method : str
        Why there is no estimate, and how it was obtained.
    """

    residual_scale: float
    log_likelihood: float
    score_norm: float
    confidence: float
    degrees_of_freedom: int
    n_used: int
    n_missing: int
    n_censored: int
    identified: bool
    reason: str
    method: str = METHOD


def fit_intervals(
    lower, upper, covariates: Mapping[str, np.ndarray], confidence: float = 0.95
) -> IntervalFit:
    """Fit a linear law to values that are known, bounded, or open on one side.

    Parameters
    ----------
    lower, upper : array_like of float, shape (n,)
        Value i lies in (lower[i], upper[i]], and is known where both are equal; already logarithms
        where a power law is meant.  -inf and inf mark an open side; a row open on both sides holds
        no information and counts as missing.
    covariates : Mapping of str to array_like of float, shape (n,)
        Covariates.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).

    Returns
    -------
    IntervalFit
        Not identified where the closed rows, known or bounded on both sides, have a design without
        full column rank or are fewer than p + 1, or a law passes through all rows.

    Raises
    ------
    ValueError
        If lengths differ, lower > upper, or `confidence` is outside (0, 1).

    Notes
    -----
    Rows are independent and have one scatter.  The errors of the likelihood are widened by
    sqrt(k / (k - p)), k closed rows, as least squares does, and take t(k - p) quantiles.
    """
    check_confidence(confidence)
    if "intercept" in covariates:
        raise ValueError("a covariate is called 'intercept': that name is taken")
    columns = as_columns(lower=lower, upper=upper, **covariates)
    low, high, *others = columns.values()
    refuse_rows(low > high, lambda i: f"the bounds ({low[i]:g}, {high[i]:g}] are no range")
    kept = ~np.isnan(np.stack(list(columns.values()))).any(axis=0)
    kept &= np.isfinite(low) | np.isfinite(high)
    low, high = low[kept], high[kept]
    design = np.column_stack([np.ones(kept.sum()), *(values[kept] for values in others)])
    names, closed = ("intercept", *covariates), np.isfinite(low) & np.isfinite(high)
    n_closed, p = int(closed.sum()), len(names)
    shared = {
        "confidence": confidence,
        "degrees_of_freedom": n_closed - p,
        "n_used": len(low),
        "n_missing": int((~kept).sum()),
        "n_censored": len(low) - n_closed,
    }
    nan, reason = np.nan, ""
    if n_closed <= p:
        reason = f"{n_closed} closed rows are too few for {p} coefficients and their errors."
    elif np.linalg.matrix_rank(design[closed]) < p:
        reason = f"The {n_closed} closed rows cannot separate {p} coefficients."
    elif _passes_through_all(low, high, design):
        reason = "A law without scatter passes through every row: nothing says how sure it is."
    else:
        model = IntervalRegression(low, high, design)
        fit = model.fit_from_centres()
        information = -model.hessian(fit.params)
        score_norm = float(np.abs(model.score(fit.params)).max())
        if not (score_norm < 1e-3 and np.linalg.eigvalsh(information)[0] > 0):
            reason = f"The fit did not converge: the largest gradient is {score_norm:.2g}."
    if reason:
        return IntervalFit(
            tabulate(names), nan, nan, nan, identified=False, reason=reason, **shared
        )

    variances = np.diag(np.linalg.inv(information))[:p] * n_closed / (n_closed - p)
    estimates, errors = fit.params[:p], np.sqrt(variances)
    ends = t_interval(estimates, errors, n_closed - p, confidence)
    return IntervalFit(
        coefficients=tabulate(names, estimates, errors, *ends),
        residual_scale=float(np.exp(fit.params[-1])),
        log_likelihood=float(model.loglike(fit.params)),
        score_norm=score_norm,
        identified=True,
        reason="",
        **shared,
    )


@dataclass(frozen=True)
class SlopeRange(Result):
    """All slopes that lines through every interval can have.

    `feasible` is False where no line passes through all; the ends are then NaN.
    """

    lower: float
    upper: float
    feasible: bool
    n_used: int


def _constraints(lower, upper, design) -> dict:
    """Return the linear program of the coefficients whose law lies within all bounds."""
    below, above = np.isfinite(upper), np.isfinite(lower)
    return {
        "A_ub": np.vstack([design[below], -design[above]]),
        "b_ub": np.r_[upper[below], -lower[above]],
        "bounds": (None, None),
    }


def _passes_through_all(lower, upper, design) -> bool:
    """Return whether some law lies within all bounds, with a little room for rounding."""
    room = 1e-9 * (1 + np.abs(np.where(np.isfinite(lower), lower, 0)))
    constraints = _constraints(lower - room, upper + room, design)
    return linprog(np.zeros(design.shape[1]), **constraints).status == SOLVED


def find_slope_range(x, lower, upper) -> SlopeRange:
    """Find the slopes b of the lines a + b x that pass through every interval.

    Parameters
    ----------
    x : array_like of float, shape (n,)
        Covariate, as ln n.
    lower, upper : array_like of float, shape (n,)
        Intervals of the value, as ln N*; -inf and inf mark an open side.

    Returns
    -------
    SlopeRange
        Ends are infinite where the intervals do not bound the slope.  It assumes no distribution
        and no scatter: one wrong interval can make it empty.

    Raises
    ------
    ValueError
        If lengths differ, a value is NaN, or lower > upper.

    Notes
    -----
    The least and the largest b of a linear program with two inequalities for each interval; the
    intervals count as closed.

    Examples
    --------
    >>> find_slope_range([0, 1, 2], [0, 1, 2], [1, 2, 3])
    SlopeRange(lower=0.5, upper=1.5, feasible=True, n_used=3)
    """
    x, low, high = as_columns(x=x, lower=lower, upper=upper).values()
    refuse_rows(~(low <= high), lambda i: f"({low[i]:g}, {high[i]:g}] is no range")
    refuse_rows(~np.isfinite(x), lambda i: f"x is {x[i]}: it must be finite")
    constraints = _constraints(low, high, np.column_stack([np.ones_like(x), x]))
    ends = []
    for sign in (1, -1):
        found = linprog([0, sign], **constraints)
        if found.status == INFEASIBLE:
            return SlopeRange(np.nan, np.nan, feasible=False, n_used=len(x))
        if found.status not in (SOLVED, UNBOUNDED):
            raise RuntimeError(f"the linear program of the slopes ended with: {found.message}")
        ends.append(
            float(found.x[1]) + 0.0 if found.status == SOLVED else -sign * np.inf
        )  # no -0.0
    return SlopeRange(*ends, feasible=True, n_used=len(x))
