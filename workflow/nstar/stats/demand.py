"""The data demand of each curve: the budget at which half of the runs learn, and any of R."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import minimize
from scipy.special import expit, logit, logsumexp
from statsmodels.tools.numdiff import approx_fprime

from nstar.stats.checks import check_confidence
from nstar.stats.observations import Observations, observe
from nstar.stats.results import Result
from nstar.stats.success_model import shape_penalty, success_terms

__all__ = ["Demand", "fit_demand"]

METHOD = (
    "logistic success with lapse rate, s and lapse shared by the curves and fitted with the "
    "locations integrated out, likelihood-ratio interval"
)
METHOD_WITHOUT_LAPSES = (
    "logistic success without lapses, s shared by the curves and fitted with the "
    "locations integrated out, likelihood-ratio interval"
)
GRID_SCALES = 6.0  # of the success curve, looked at on either side of the budgets
MOST_GRIDS = 8
GREATEST_SCALES = 4.0  # s over the span of all budgets: shallower, no curve can be told apart
GREATEST_GROWTH = 4.0  # s over the scale that a grid was made for: no grid tells of more
LEAST_LOG_S, LOGIT_LAPSES = -8.0, (-12.0, 8.0)  # far beyond what the penalties allow
GRID_POINTS = 301
GREATEST_SCORE = 1e-2  # of a search that ended inside its bounds
LEAST_LIKELY = 50.0  # below the best, in log-likelihood, of what is looked at
NOT_GROWING = (
    "Success does not grow: it falls or alternates by more than chance (p < 0.001), so that half of the "
    "runs learn at no one place."
)
UNKNOWN = {
    "estimate": np.nan,
    "lower": 0.0,
    "upper": np.inf,
    "log_error": np.nan,
    "censoring": "unknown",
}


@dataclass(frozen=True)
class Demand(Result):
    """The demand of one curve.

    Attributes
    ----------
    curve : object
        Label of the curve.
    estimate : float
        N*, the budget at which a run that does not lapse learns with probability one half; NaN
        where it is censored.
    lower, upper : float
        Ends of the interval; ``lower = 0`` or ``upper = inf`` where that side is open.
    log_error : float
        Half the width of the interval of ln N*, over its normal quantile; NaN where open.
    censoring : str
        "interval", "left" (all runs learnt, but for such as lapse), "right" (none did) or "unknown"
        (there is no run, the runs contradict each other, or those of all curves do not
        bound s).
    n_used : int
        Runs of the curve.
    run_scale, lapse : float
        s and the lapse rate that all curves of the fit share.
    shape_covariance : tuple of tuple of float
        Covariance of (ln s, logit lapse), shape (2, 2).
    score_norm : float
        Infinity norm of the gradient of the integrated likelihood at these two.
    n_starts, n_starts_agreeing : int
        Searches for these two, and those that ended within 1e-4 of the best.
    confidence : float
        Nominal coverage of the interval.
    method : str
        The method in one line.
    reason : str
        Why success has no place where half of the runs learn; empty otherwise.
    """

    curve: object
    estimate: float
    lower: float
    upper: float
    log_error: float
    censoring: str
    n_used: int
    run_scale: float
    lapse: float
    shape_covariance: tuple[tuple[float, float], tuple[float, float]]
    score_norm: float
    n_starts: int
    n_starts_agreeing: int
    confidence: float
    method: str = METHOD
    reason: str = ""

    @property
    def converged(self) -> bool:
        """Whether the search for the shared shape ended: its gradient vanishes, two starts agree."""
        return self.score_norm < GREATEST_SCORE and self.n_starts_agreeing >= 2

    def any_of(self, n_replicates: int) -> "Demand":
        """Return the demand of a cell that succeeds when any of so many runs does.

        It is the budget N with 1 - (1 - P(N))^R = 1/2 for R independent runs; for R = 1 that at
        which half of the runs learn, those that lapse included.  Its interval holds the
        uncertainty of s and of the lapse rate as well, by the delta method.  Where runs lapse so
        often that R of them fail together half of the time there is no such budget: the estimate
        and the ends are infinite, and `censoring` is "right".

        Raises
        ------
        ValueError
            If `n_replicates` is not at least 1.
        """
        if not n_replicates >= 1:
            raise ValueError(f"n_replicates is {n_replicates}: at least one run is needed")
        needed = -np.expm1(-np.log(2) / n_replicates) / (1 - self.lapse)
        if needed >= 1:
            never = {"estimate": np.inf, "lower": np.inf, "upper": np.inf, "log_error": np.nan}
            return replace(self, censoring="right", **never)
        shift = self.run_scale * logit(needed)
        slopes = np.array([shift, self.run_scale * self.lapse / (1 - needed)])
        tail = stats.norm.ppf((1 + self.confidence) / 2)
        reach = tail * np.sqrt(slopes @ np.array(self.shape_covariance) @ slopes)
        with np.errstate(divide="ignore"):
            centre, lower, upper = np.log([self.estimate, self.lower, self.upper]) + shift
        if self.censoring == "interval":
            lower = centre - np.hypot(centre - lower, reach)
            upper = centre + np.hypot(upper - centre, reach)
        else:
            lower, upper = lower - reach, upper + reach
        ends = {"lower": float(np.exp(lower)), "upper": float(np.exp(upper))}
        log_error = float((upper - lower) / (2 * tail)) if np.isfinite(centre) else np.nan
        return replace(self, estimate=float(np.exp(centre)), log_error=log_error, **ends)


def fit_demand(
    budget, n_learnt, n_runs, curve, confidence: float = 0.95, run=None, lapses: bool = True
) -> tuple[Demand, ...]:
    """Find the demand of each of a set of curves that share the shape of their success.

    Parameters
    ----------
    budget, n_learnt, n_runs, curve
        Outcomes by curve and budget; see `nstar.stats.fit_scaling`.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).
    run : array_like, shape (n,), optional
        Labels of runs that were looked at at several budgets; see `nstar.stats.fit_scaling`.
    lapses : bool, optional
        Whether a run may fail however large its budget, at a rate that is fitted; if not, none does.

    Returns
    -------
    tuple of Demand
        One per curve, in the order of first appearance.  No law ties the curves together: each
        has its own location.

    Raises
    ------
    ValueError
        As `nstar.stats.fit_scaling`.

    Notes
    -----
    P(learnt | N) = (1 - lapse) F((ln N - ln N*_c) / s), F logistic.  Few budgets and seeds per
    curve say little about its own s and lapse, so the curves share them.  They maximise the
    likelihood with every ln N*_c integrated out over a flat prior, which does not underestimate s
    as maximising over many locations would, with the penalties of `SuccessModel`.  The interval
    of a curve holds the ln N* whose log-likelihood, given s and the lapse rate, lies within
    chi2(1) / 2 of its best.  Where that holds however far from the budgets, the end is open.

    Where success falls or alternates with the budget by more than chance, as a monotone regression
    says (p < 0.001), a curve has no N*: it is "unknown", with a `reason`, and has no part in s and the
    lapse rate, which would otherwise explain it by runs that lapse.

    A shallow enough s allows any N*. Where the outcomes do not bound s, as a single success beside
    curves without one does not, the search ends at a bound, and no demand is given.

    Examples
    --------
    >>> (demand,) = fit_demand([25, 50, 100, 200], [0, 1, 4, 5], [5, 5, 5, 5], ["a"] * 4)
    >>> round(demand.estimate), demand.censoring
    (68, 'interval')
    >>> demand.any_of(5).estimate < demand.estimate
    True
    """
    check_confidence(confidence)
    observations = observe(budget, n_learnt, n_runs, curve, run)
    if not observations.n_curves:
        return ()
    shape, grid = _fit_shape_on_grid(observations, lapses)
    log_likelihood = _evaluate(observations, grid, shape.run_scale, shape.lapse).log_likelihood
    runs = observations.runs_of_curve
    demands = (
        Demand(
            curve=label,
            **_locate(grid[c], log_likelihood[c], confidence),
            n_used=int(runs[c]),
            confidence=confidence,
            method=METHOD if lapses else METHOD_WITHOUT_LAPSES,
            **vars(shape),
        )
        for c, label in enumerate(observations.labels)
    )
    if not shape.score_norm < GREATEST_SCORE:
        return tuple(replace(demand, **UNKNOWN) for demand in demands)
    return tuple(
        replace(demand, **UNKNOWN, reason=NOT_GROWING) if excluded else demand
        for demand, excluded in zip(demands, observations.not_growing, strict=True)
    )


def _fit_shape_on_grid(observations: Observations, lapses: bool) -> tuple["_Shape", np.ndarray]:
    """Return the shared shape, and candidates of ln N* as close as it asks for."""
    scale = observations.log_step
    most = GREATEST_SCALES * (np.ptp(observations.log_budget) + scale)
    for _ in range(MOST_GRIDS):
        grid = _location_grid(observations, scale)
        shape = _fit_shape(observations, grid, min(most, GREATEST_GROWTH * scale), lapses)
        if shape.run_scale <= scale or scale >= most:
            break
        scale = min(2 * shape.run_scale, most)  # shallower than the grid was made for
    return shape, _location_grid(observations, max(shape.run_scale, observations.log_step))


def _location_grid(observations: Observations, scale: float) -> np.ndarray:
    """Return candidates of ln N* for each curve, shape (C, G), close where they are likely.

    They reach as far as any is likely under a success curve no shallower than `scale`.
    """
    pad = GRID_SCALES * scale
    last = np.append(observations.first_rows[1:], len(observations.log_budget)) - 1
    low = observations.log_budget[observations.first_rows] - pad
    high = observations.log_budget[last] + pad
    wide = np.linspace(low, high, GRID_POINTS, axis=1)
    likely = np.zeros(wide.shape, dtype=bool)
    for lapse in (0.02, 0.5):
        found = _evaluate(observations, wide, scale, lapse).log_likelihood
        likely |= found > found.max(axis=1, keepdims=True) - LEAST_LIKELY
    first, final = likely.argmax(axis=1), GRID_POINTS - 1 - likely[:, ::-1].argmax(axis=1)
    curves = np.arange(observations.n_curves)
    low = wide[curves, np.maximum(first - 1, 0)]
    high = wide[curves, np.minimum(final + 1, GRID_POINTS - 1)]
    return np.linspace(low, high, GRID_POINTS, axis=1)


class _Terms(NamedTuple):
    """What the outcomes say of the candidates: the first (C, G), the last (C,), the others (n, G)."""

    log_likelihood: np.ndarray
    eta: np.ndarray
    by_eta: np.ndarray
    by_log_lapse: np.ndarray
    passages_by_log_s: np.ndarray


def _evaluate(observations: Observations, grid, run_scale: float, lapse: float) -> _Terms:
    """Return the log-likelihood of each curve at its candidates, and its derivatives by row."""
    seen = observations.likelihood
    eta = (seen.log_budget[:, None] - grid[seen.curve]) / run_scale
    log_lapse = np.log(lapse) if lapse > 0 else -np.inf
    log_probability, by_eta, by_log_lapse = success_terms(eta, log_lapse, *seen.factors)
    log_probability += seen.n_learnt[:, None] * np.log1p(-lapse)
    of_passages, by_log_s = seen.of_passages(np.full(len(grid), run_scale))
    log_likelihood = seen.sum_by_curve(log_probability) + of_passages[:, None]
    return _Terms(log_likelihood, eta, by_eta, by_log_lapse, by_log_s)


@dataclass(frozen=True)
class _Shape:
    """What the curves share, and how the search for it ended."""

    run_scale: float
    lapse: float
    shape_covariance: tuple[tuple[float, float], tuple[float, float]]
    score_norm: float
    n_starts: int
    n_starts_agreeing: int


def _fit_shape(
    observations: Observations, grid: np.ndarray, greatest_s: float, lapses: bool
) -> _Shape:
    """Return the shared s and lapse rate with the highest integrated likelihood.

    The search is bounded: on an outcome as good as flat an unbounded step has no scale.  Where runs do
    not lapse, nothing depends on the second parameter.
    """
    bracketed = observations.bracketed & ~observations.not_growing
    grid, seen = grid[:, ::2], observations.likelihood
    n_learnt = seen.n_learnt[bracketed[seen.curve]].sum()

    def objective(params):
        run_scale, lapse = np.exp(params[0]), expit(params[1]) * lapses
        terms = _evaluate(observations, grid, run_scale, lapse)
        integral = logsumexp(terms.log_likelihood, axis=1)
        weights = np.exp(terms.log_likelihood - integral[:, None]) * bracketed[:, None]
        weights = weights[seen.curve]
        penalty, by_penalty = shape_penalty(run_scale, lapse, observations.log_step)
        by_log_s = terms.passages_by_log_s[bracketed].sum()
        by_log_s -= (weights * terms.by_eta * terms.eta).sum()
        by_logit_lapse = (1 - lapse) * (weights * terms.by_log_lapse).sum() - lapse * n_learnt
        by_logit_lapse *= lapses
        return (
            -(integral[bracketed].sum() + penalty),
            -(by_penalty + np.array([by_log_s, by_logit_lapse])),
        )

    log_s = np.log(observations.log_step / 3)
    starts = [[log_s, -3.0], [log_s + 1, -1.5], [log_s, 0.0]]
    bounds = [(log_s + LEAST_LOG_S, np.log(greatest_s)), LOGIT_LAPSES]
    options = {"ftol": 1e-13, "gtol": 1e-4}
    ends = [
        minimize(objective, start, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
        for start in starts
    ]
    best = min(ends, key=lambda end: end.fun)
    information = approx_fprime(best.x, lambda at: objective(at)[1], centered=True)
    covariance = np.linalg.pinv((information + information.T) / 2, hermitian=True)
    return _Shape(
        run_scale=float(np.exp(best.x[0])),
        lapse=float(expit(best.x[1])) * lapses,
        shape_covariance=tuple(tuple(map(float, row)) for row in covariance),
        score_norm=float(np.abs(best.jac).max()),
        n_starts=len(ends),
        n_starts_agreeing=sum(bool(end.fun < best.fun + 1e-4) for end in ends),
    )


def _locate(
    candidates: np.ndarray, log_likelihood: np.ndarray, confidence: float
) -> dict[str, object]:
    """Return estimate, interval and censoring of one curve."""
    tail = stats.norm.ppf((1 + confidence) / 2)
    inside = np.flatnonzero(log_likelihood >= log_likelihood.max() - tail**2 / 2)
    lower = _crossing(candidates, log_likelihood, inside[0], inside[0] - 1, tail, -np.inf)
    upper = _crossing(candidates, log_likelihood, inside[-1], inside[-1] + 1, tail, np.inf)
    sides = {(True, True): "interval", (False, True): "left", (True, False): "right"}
    censoring = sides.get((bool(np.isfinite(lower)), bool(np.isfinite(upper))), "unknown")
    closed = censoring == "interval"
    return {
        "estimate": float(np.exp(_peak(candidates, log_likelihood))) if closed else np.nan,
        "lower": float(np.exp(lower)),
        "upper": float(np.exp(upper)),
        "log_error": float((upper - lower) / (2 * tail)) if closed else np.nan,
        "censoring": censoring,
    }


def _crossing(
    candidates, log_likelihood, inside: int, outside: int, tail: float, open_end: float
) -> float:
    """Return where the log-likelihood falls `tail`^2 / 2 below its best, between two candidates.

    It is `open_end` where it does not fall so far within all that is looked at.
    """
    if not 0 <= outside < len(candidates):
        return open_end
    pair = [outside, inside]
    # Signed roots of the deviance are close to linear in ln N*.
    roots = np.sqrt(2 * (log_likelihood.max() - log_likelihood[pair]))
    return float(np.interp(-tail, -roots, candidates[pair]))


def _peak(candidates, log_likelihood) -> float:
    """Return where a parabola through the best candidate and its neighbours is highest."""
    best = int(np.clip(np.argmax(log_likelihood), 1, len(candidates) - 2))
    low, mid, high = log_likelihood[best - 1 : best + 2]
    curvature = low - 2 * mid + high
    shift = float(np.clip(0.5 * (low - high) / curvature, -1, 1)) if curvature < 0 else 0.0
    return float(candidates[best] + shift * (candidates[1] - candidates[0]))
