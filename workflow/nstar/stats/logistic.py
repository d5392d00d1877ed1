"""How the chance of success depends on covariates: logistic regression, or why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.optimize import brentq, linprog, minimize
from scipy.special import expit

from nstar.stats.checks import as_columns, check_confidence, refuse_rows
from nstar.stats.linear import complete_rows
from nstar.stats.results import Fit, tabulate

__all__ = ["LogisticFit", "fit_logistic"]

FLAT = 1e-9  # of a linear programme: a gain below it is rounding
FLAT_SCORE = 1e-5  # gradient of the log-likelihood at its maximum
AGREEMENT = 1e-6  # of the log-likelihood, between searches for its maximum


@dataclass(frozen=True)
class LogisticFit(Fit):
    """A logistic regression.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        "intercept" first, then the covariates, on the logit scale; standard errors are those of the
        information, intervals those of the profile likelihood.
    p_values : tuple of float
        Two-sided, against zero, by the likelihood ratio, in their order.
    log_likelihood : float
        At the estimate.
    confidence : float
        Nominal coverage of the intervals.
    score_norm : float
        Infinity norm of the gradient of the log-likelihood at the estimate, in a basis of the
        covariates that is orthogonal, with mean squares of 1.
    n_used, n_successes, n_missing : int
        Rows in the fit, those of them that succeeded, and rows left out because a number is NaN.
    identified : bool
        False where the rows cannot determine the coefficients; `reason` says why.
    reason, method : str
        Why there is no estimate, and how it was obtained.
    """

    p_values: tuple[float, ...]
    log_likelihood: float
    confidence: float
    score_norm: float
    n_used: int
    n_successes: int
    n_missing: int
    identified: bool
    reason: str
    method: str = "logistic regression, maximum likelihood, profile likelihood interval"


def fit_logistic(
    successes, covariates: Mapping[str, np.ndarray], confidence: float = 0.95
) -> LogisticFit:
    """Fit ``logit P(success) = a + sum_k b_k x_k`` by maximum likelihood.

    Parameters
    ----------
    successes : array_like of bool or float, shape (n,)
        Whether each run succeeded: 0 or 1; NaN where it is not known.
    covariates : Mapping of str to array_like of float, shape (n,)
        Covariates.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).

    Returns
    -------
    LogisticFit
        Not identified where all rows succeeded, none did, a covariate is constant or follows from
        others, the covariates separate the rows that succeeded from the others, or they span so
        many orders of magnitude that searches for the maximum do not agree.

    Raises
    ------
    ValueError
        If lengths differ, a success is neither 0 nor 1, a covariate is called "intercept", or
        `confidence` is outside (0, 1).

    Notes
    -----
    Rows count as independent.  The interval of a coefficient holds the values at which twice the
    log-likelihood, maximised over the others, falls by less than the quantile of chi2(1).  With
    separation, complete or up to ties, the likelihood grows without end as a coefficient does
    (Albert and Anderson 1984); a linear programme finds it (Konis 2007), since the usual algorithms
    stop at some large number there.

    References
    ----------
    Albert and Anderson (1984), Biometrika 71, 1-10.
    Konis (2007), DPhil thesis, University of Oxford.
    Venzon and Moolgavkar (1988), Applied Statistics 37, 87-94.

    Examples
    --------
    >>> fit = fit_logistic([1, 1, 1, 0, 1, 0, 0], {"n": [4, 5, 6, 7, 8, 9, 10]})
    >>> round(fit.coefficient("n").estimate, 2), round(fit.p_values[1], 3)
    (-1.25, 0.032)
    >>> fit_logistic([1, 1, 0, 0], {"n": [4, 5, 6, 7]}).identified
    False
    """
    check_confidence(confidence)
    given = as_columns(successes=successes)["successes"]
    refuse_rows(
        ~np.isnan(given) & (given != 0) & (given != 1),
        lambda i: f"the success is {given[i]:g}: it must be 0 or 1",
    )
    design, successes, _, n_missing = complete_rows(given, covariates, None)
    names = ("intercept", *covariates)
    shared = {
        "confidence": confidence,
        "n_used": len(successes),
        "n_successes": int(successes.sum()),
        "n_missing": n_missing,
    }
    unknown = LogisticFit(
        coefficients=tabulate(names),
        p_values=(np.nan,) * len(names),
        log_likelihood=np.nan,
        score_norm=np.nan,
        identified=False,
        reason=_why_not_identified(design, successes),
        **shared,
    )
    if unknown.reason:
        return unknown
    basis, back = _orthonormalise(design)
    found = _maximise(basis, successes)
    estimates = back @ found.x
    profiles = [_profile(design, successes, column) for column in range(len(names))]
    agree = [
        abs(loss(at) - found.fun) < AGREEMENT for loss, at in zip(profiles, estimates, strict=True)
    ]
    if np.abs(found.jac).max() > FLAT_SCORE or not all(agree):
        return replace(unknown, reason="The searches for the largest likelihood do not agree.")
    errors = np.sqrt(np.diag(back @ np.linalg.inv(_hessian(found.x, basis)) @ back.T))
    allowed = found.fun + stats.chi2.ppf(confidence, 1) / 2
    ends = [_interval(*one, allowed) for one in zip(profiles, estimates, errors, strict=True)]
    fallen = np.maximum([2 * (loss(0.0) - found.fun) for loss in profiles], 0)
    return LogisticFit(
        coefficients=tabulate(names, estimates, errors, *zip(*ends, strict=True)),
        p_values=tuple(map(float, stats.chi2.sf(fallen, 1))),
        log_likelihood=-float(found.fun),
        score_norm=float(np.abs(found.jac).max()),
        identified=True,
        reason="",
        **shared,
    )


def _why_not_identified(design: np.ndarray, successes: np.ndarray) -> str:
    """Return a sentence on what the rows leave open, or "" when they suffice."""
    n_rows, n_coefficients = design.shape
    if not n_rows:
        return "There are no rows."
    if np.ptp(successes) == 0:
        every = (
            f"All {n_rows} runs succeeded" if successes[0] else f"None of {n_rows} runs succeeded"
        )
        return f"{every}: what success depends on cannot be told."
    if np.linalg.matrix_rank(design) < n_coefficients:
        return (
            f"The {n_rows} rows cannot separate {n_coefficients} coefficients: a covariate is "
            "constant, or follows from the others."
        )
    if _separated(design, successes):
        return (
            "The covariates split the runs that succeeded from those that did not, but for ties at "
            "most: success may change as abruptly as one likes."
        )
    return ""


def _separated(design: np.ndarray, successes: np.ndarray) -> bool:
    """Return whether some direction of the coefficients never lowers the likelihood of a row.

    That is b != 0 with ``(2 y_i - 1) x_i b >= 0`` for all rows; the design has full rank.
    """
    signed = (2 * successes - 1)[:, None] * design / np.abs(design).max(axis=0)
    signed = np.unique(signed, axis=0)
    found = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1))
    return bool(-found.fun > FLAT)


def _orthonormalise(design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a basis of the columns, ``basis.T @ basis = n I``, and what takes coefficients back."""
    basis, triangle = np.linalg.qr(design)
    root = np.sqrt(len(design))
    return basis * root, np.linalg.inv(triangle) * root


def _loss(params, basis, successes, offset=0.0) -> tuple[float, np.ndarray]:
    """Return minus the log-likelihood and its gradient."""
    eta = basis @ params + offset
    loss = np.logaddexp(0, eta).sum() - successes @ eta
    return loss, basis.T @ (expit(eta) - successes)


def _hessian(params, basis, successes=None, offset=0.0) -> np.ndarray:
    probability = expit(basis @ params + offset)
    return (basis * (probability * (1 - probability))[:, None]).T @ basis


def _maximise(basis, successes, offset=0.0):
    """Return the maximum of the likelihood; it is the only one, since the loss is convex."""
    return minimize(
        _loss,
        np.zeros(basis.shape[1]),
        (basis, successes, offset),
        jac=True,
        hess=_hessian,
        method="trust-exact",
        options={"gtol": 1e-7},
    )


def _profile(design, successes, column: int) -> Callable[[float], float]:
    """Return the least loss as a function of one coefficient."""
    if design.shape[1] == 1:
        return lambda value: float(_loss(np.array([value]), design, successes)[0])
    basis, _ = _orthonormalise(np.delete(design, column, axis=1))
    # What the others explain of the column is theirs: they take up any multiple of it.
    own = design[:, column] - basis @ (basis.T @ design[:, column]) / len(design)
    return lambda value: float(_maximise(basis, successes, value * own).fun)


def _interval(loss, estimate: float, error: float, allowed: float) -> tuple[float, float]:
    """Return the two values of a coefficient at which its profile reaches the loss allowed."""
    ends = []
    for side in (-error, error):
        while loss(estimate + side) < allowed:
            side *= 2
        outside = estimate + side
        found = brentq(lambda value: loss(value) - allowed, estimate, outside, xtol=1e-7 * error)
        ends.append(found)
    return ends[0], ends[1]
