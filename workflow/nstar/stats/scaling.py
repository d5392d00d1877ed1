"""How log N* scales with the covariates of a study, and how sure that is."""

from collections.abc import Mapping

import numpy as np
from scipy import stats

from nstar.stats.interval_model import IntervalModel, Optimum, find_optimum
from nstar.stats.scaling_input import (
    check_brackets,
    check_confidence,
    check_covariates,
    check_curves,
)
from nstar.stats.scaling_result import Coefficient, Difference, ScalingFit

__all__ = [
    "Coefficient",
    "Difference",
    "ScalingFit",
    "compare_coefficients",
    "fit_scaling",
]

METHOD = (
    "interval-censored maximum likelihood, curve effect integrated out, penalty ln tau, "
    "Wald intervals with t(C - p)"
)


def fit_scaling(
    lower, upper, covariates: Mapping[str, np.ndarray], curve, confidence: float = 0.95
) -> ScalingFit:
    """Fit log N* as a linear function of covariates to brackets of N*.

    Parameters
    ----------
    lower, upper : array_like of float, shape (n,)
        N* of row i lies in (lower[i], upper[i]], in training examples.  ``lower = 0`` marks left-
        and ``upper = inf`` right-censoring; a row cannot be both.
    covariates : Mapping of str to array_like of float, shape (n,)
        Covariates, already logarithms where a power law is meant.  None may be constant.
    curve : array_like, shape (n,)
        Labels; rows with the same label share a curve (one model, one task, several seeds).
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).

    Returns
    -------
    ScalingFit
        Coefficients with intervals, scatter and diagnostics.

    Raises
    ------
    ValueError
        If lengths differ, a bracket is empty, negative or unbounded on both sides, a covariate is
        constant or not finite, a label is missing, or `confidence` is outside (0, 1).

    Notes
    -----
    The model is ``log N*_i = a + sum_k b_k x_ik + u_curve(i) + e_i`` with u ~ Normal(0, tau^2),
    e ~ Normal(0, sigma^2) and ``log lower_i < log N*_i <= log upper_i``, all logs natural;
    see `IntervalModel` for the likelihood.

    1. The coefficients count as identified when the rows bracketed on both sides have a design of
       full column rank and come from at least p + 1 curves.  Otherwise every estimate is NaN.
    2. The penalised log-likelihood is climbed from three starts.  Where the gradient does not
       vanish or no two starts agree, estimates are reported with ``converged=False`` and without
       intervals.
    3. Intervals are Wald intervals with t(C - p) quantiles.  C leaves out curves without a
       bracketed row: counting them makes intervals too short under heavy censoring.
    4. Where runs of a curve differ by much less than the ratio of two budgets, all of them share
       one bracket; the coverage then depends on where the thresholds fall between the budgets,
       and may lie a few percent below the nominal one.

    Examples
    --------
    >>> length = np.repeat([4, 8, 16, 32, 64], 2)
    >>> fit = fit_scaling(
    ...     lower=length * np.tile([90, 130], 5),
    ...     upper=length * np.tile([180, 260], 5),
    ...     covariates={"log_length": np.log(length)},
    ...     curve=length,
    ... )
    >>> round(fit.coefficient("log_length").estimate, 2)
    1.0
    """
    check_confidence(confidence)
    lower, upper = check_brackets(lower, upper)
    design = check_covariates(covariates, n_rows=len(lower))
    curve_code = check_curves(curve, n_rows=len(lower))
    names = ("intercept", *covariates)

    bracketed = (lower > 0) & np.isfinite(upper)
    n_bracketed_curves = len(np.unique(curve_code[bracketed]))
    shared = {
        "confidence": confidence,
        "degrees_of_freedom": n_bracketed_curves - len(names),
        "n_used": len(lower),
        "n_censored": int((~bracketed).sum()),
        "n_curves": len(np.unique(curve_code)),
        "method": METHOD,
    }
    reason = _why_not_identified(design[bracketed], n_bracketed_curves, shared)
    if reason:
        return _unidentified_fit(names, reason, shared)

    with np.errstate(divide="ignore"):  # the logarithm of a lower end at 0 is -inf
        model = IntervalModel(np.log(lower), np.log(upper), design, curve_code)
    return _summarise(model, find_optimum(model), names, shared)


def compare_coefficients(
    first: ScalingFit, second: ScalingFit, name: str, confidence: float = 0.95
) -> Difference:
    """Compare one coefficient between two fits to independent data.

    Parameters
    ----------
    first, second : ScalingFit
        Fits that share no training run.
    name : str
        Name of a coefficient that both have.
    confidence : float, optional
        Nominal coverage of the interval, in (0, 1).

    Returns
    -------
    Difference
        First minus second; not identified when either fit lacks the coefficient's interval.

    Raises
    ------
    KeyError
        If a fit has no coefficient of that name.
    ValueError
        If `confidence` is outside (0, 1).

    Notes
    -----
    The standard error is sqrt(s1^2 + s2^2); the degrees of freedom are those of Welch and
    Satterthwaite, (s1^2 + s2^2)^2 / (s1^4 / d1 + s2^4 / d2), with d the degrees of freedom of a
    fit.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35.
    """
    check_confidence(confidence)
    one, two = first.coefficient(name), second.coefficient(name)
    estimate = one.estimate - two.estimate
    for place, fit in (("first", first), ("second", second)):
        if not np.isfinite(fit.coefficient(name).standard_error):
            nan = np.nan
            reason = f"The {place} fit has no interval for {name}: {fit.reason}"
            return Difference(name, estimate, nan, nan, nan, nan, nan, False, reason)

    variances = np.array([one.standard_error, two.standard_error]) ** 2
    degrees = np.array([first.degrees_of_freedom, second.degrees_of_freedom])
    degrees_of_freedom = float(variances.sum() ** 2 / (variances**2 / degrees).sum())
    standard_error = float(np.sqrt(variances.sum()))
    margin = standard_error * stats.t.ppf((1 + confidence) / 2, degrees_of_freedom)
    return Difference(
        name=name,
        estimate=estimate,
        standard_error=standard_error,
        lower=float(estimate - margin),
        upper=float(estimate + margin),
        degrees_of_freedom=degrees_of_freedom,
        p_value=float(2 * stats.t.sf(abs(estimate) / standard_error, degrees_of_freedom)),
        identified=True,
        reason="",
    )


def _why_not_identified(bracketed_design, n_bracketed_curves: int, counts: dict) -> str:
    """Return a sentence on what the brackets leave open, or "" when they suffice."""
    n_bracketed, n_coefficients = bracketed_design.shape
    if n_bracketed_curves < n_coefficients + 1:
        return (
            f"Only {n_bracketed_curves} of {counts['n_curves']} curves have a run whose threshold "
            f"is bracketed on both sides ({counts['n_censored']} of {counts['n_used']} runs are "
            f"censored), and {n_coefficients} coefficients need at least {n_coefficients + 1} "
            "such curves."
        )
    rank = np.linalg.matrix_rank(bracketed_design)
    if rank < n_coefficients:
        return (
            f"The {n_bracketed} runs bracketed on both sides, on {n_bracketed_curves} curves, "
            f"vary in too few directions to separate {n_coefficients} coefficients (rank {rank}): "
            "a covariate is constant among them, or follows from the others."
        )
    return ""


def _unidentified_fit(names, reason: str, shared: dict) -> ScalingFit:
    """Return a fit without estimates."""
    nan = np.nan
    return ScalingFit(
        coefficients=tuple(Coefficient(name, nan, nan, nan, nan) for name in names),
        residual_scale=nan,
        curve_scale=nan,
        log_likelihood=nan,
        score_norm=nan,
        n_starts=0,
        n_starts_agreeing=0,
        converged=False,
        identified=False,
        reason=reason,
        **shared,
    )


def _summarise(model: IntervalModel, optimum: Optimum, names, shared: dict) -> ScalingFit:
    """Turn an optimum into estimates with intervals, or say why it carries none."""
    covariance = model.mean_covariance(optimum.params) if optimum.converged else None
    if covariance is not None:
        reason = ""
    elif optimum.converged:
        reason = "The log-likelihood is not curved like a maximum where the ascents ended."
    else:
        reason = (
            f"The fit did not converge: {optimum.n_starts_agreeing} of {optimum.n_starts} ascents "
            f"reached the best log-likelihood, where the largest gradient is "
            f"{optimum.score_norm:.2g}."
        )

    estimates = optimum.params[: len(names)]
    errors = np.full(len(names), np.nan) if reason else np.sqrt(np.diag(covariance))
    margins = errors * stats.t.ppf((1 + shared["confidence"]) / 2, shared["degrees_of_freedom"])
    columns = (estimates, errors, estimates - margins, estimates + margins)
    return ScalingFit(
        coefficients=tuple(
            Coefficient(name, *map(float, values))
            for name, *values in zip(names, *columns, strict=True)
        ),
        residual_scale=model.sigma(optimum.params),
        curve_scale=model.tau(optimum.params),
        log_likelihood=optimum.log_likelihood - model.penalty(optimum.params),
        score_norm=optimum.score_norm,
        n_starts=optimum.n_starts,
        n_starts_agreeing=optimum.n_starts_agreeing,
        converged=not reason,
        identified=True,
        reason=reason,
        **shared,
    )
