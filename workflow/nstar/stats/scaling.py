"""How log N* scales with the covariates of a study, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from nstar.stats.checks import check_confidence
from nstar.stats.design import (
    OF_DATA,
    Words,
    curve_design,
    observe_complete,
    orthonormalise,
    why_not_identified,
)
from nstar.stats.results import ScalingFit, t_interval, tabulate
from nstar.stats.success_model import Optimum, SuccessModel, find_optimum

__all__ = ["fit_scaling"]

METHOD = (
    "mixed threshold model: logistic success with lapse rate, curve effect integrated out, "
    "weakly penalised maximum likelihood, Knapp-Hartung intervals with t(C - p)"
)


def fit_scaling(
    budget,
    n_learnt,
    n_runs,
    curve,
    covariates: Mapping[str, np.ndarray],
    confidence: float = 0.95,
    scale_covariates: Mapping[str, np.ndarray] | None = None,
    words: Words = OF_DATA,
    run=None,
    lapses: bool = True,
) -> ScalingFit:
    """Fit log N* as a linear function of covariates to the outcomes of runs.

    Parameters
    ----------
    budget : array_like of float, shape (n,)
        N in training examples (or D in units of width) of each row, positive and finite.
    n_learnt, n_runs : array_like of int, shape (n,)
        Runs that learnt, of those whose outcome says something about data: a run that did not
        fit even its training set belongs in neither.
    curve : array_like, shape (n,)
        Labels; rows with the same label share a curve (one model, one task, one length).  Rows with
        the same curve and budget stand for different runs and are added up: give no row twice.
    covariates : Mapping of str to array_like of float, shape (n,)
        Covariates, constant within a curve; logarithms where a power law is meant.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).
    scale_covariates : Mapping of str to array_like of float, shape (n,), optional
        Covariates of ln s, constant within a curve: scatter of runs that grows with the length,
        say.  One scatter for all curves where left out.  Slopes are penalised as normal with
        standard deviation 0.75, so covariates should be of order one, as logarithms are.
    words : Words, optional
        What `reason` calls the demand and the budgets; those of data where left out.
    run : array_like, shape (n,), optional
        Labels of runs that were looked at at several budgets, as at several numbers of steps: rows with
        the same curve and label are of one run, with ``n_runs = 1`` each.  Such a run is one
        observation, of the two budgets between which it first learnt.  Where left out, all rows
        are of different runs.
    lapses : bool, optional
        Whether a run may fail however large its budget, at a rate that is fitted; if not, none does.

    Returns
    -------
    ScalingFit
        Coefficients of log N* with intervals, scatter and diagnostics.  N* is the budget at
        which a run that does not lapse learns with probability one half.

    Raises
    ------
    ValueError
        If lengths differ, a budget is not positive and finite, a count is negative, fractional or
        larger than its runs, a covariate is infinite or varies within a curve, a label is
        missing, or `confidence` is outside (0, 1).

    Notes
    -----
    The model is ``log N*_c = a + sum_k b_k x_ck + u_c``, u ~ Normal(0, tau^2), and a run at budget
    N learns with probability (1 - lapse) F((ln N - log N*_c) / s); see `SuccessModel`.

    1. Rows that hold a NaN are left out and counted.
    2. The coefficients count as identified when the bracketed curves, those whose share of runs
       that learnt, isotonic in the budget, passes one half inside their budgets or comes
       within 0.2 of it, have a design of full column rank and are at least p + 1.
       Otherwise every estimate is NaN, and `reason` says what is missing.
    3. The penalised log-likelihood is climbed from three starts.  Where the gradient does not
       vanish or no two starts agree, estimates are reported with ``converged=False`` and without
       intervals.
    4. The covariance is the inverse information times the dispersion
       q = C / (C - p) sum_c h_c^2 / sum_c i_c, with h_c and i_c the score and the observed
       information of the location of bracketed curve c, and intervals take t(C - p) quantiles (Knapp
       and Hartung).  It is a ratio of sums, since the ratio of a single curve has no bound: with a
       lapse rate, a failure just above a gap between budgets may be a lapse or a near miss, and
       the curvature of such a curve is close to 0.
       Where all curves are equally well known this is the interval of least squares on the
       curves, exact whatever tau is.  The inverse information alone covers too little with few
       curves and tau > 0, and too much with tau = 0.
       Counts tie in small studies, and q may then vanish; intervals are never narrower than half
       of those of the inverse information with normal quantiles.
    5. Where in most bracketed curves every run learnt above some budget and none below, the runs
       share a bracket, and residuals understate what the budgets hide: they vanish where all
       curves share it.  The fit is then `quantised`, and its intervals are no narrower than the
       whole of them.

    References
    ----------
    Knapp and Hartung (2003), Statistics in Medicine 22, 2693-2710.

    Examples
    --------
    >>> length = np.repeat([4, 8, 16, 32, 64], 4)
    >>> fit = fit_scaling(
    ...     budget=length * np.tile([25, 50, 100, 200], 5),
    ...     n_learnt=np.tile([0, 1, 4, 5], 5),
    ...     n_runs=np.full(20, 5),
    ...     curve=length,
    ...     covariates={"length": np.log(length)},
    ... )
    >>> round(fit.coefficient("length").estimate, 2)
    1.0
    """
    check_confidence(confidence)
    scale_covariates = dict(scale_covariates or {})
    observations = observe_complete(
        budget,
        n_learnt,
        n_runs,
        curve,
        {**covariates, **{f"{name} (of ln s)": v for name, v in scale_covariates.items()}},
        run,
    )
    design = curve_design(observations, covariates)
    scale_design = curve_design(observations, scale_covariates)
    names = ("intercept", *covariates)
    bracketed = observations.bracketed
    learnt = observations.sum_by_curve(observations.n_learnt)
    runs = observations.sum_by_curve(observations.n_runs)
    shared = {
        "confidence": confidence,
        "degrees_of_freedom": int(bracketed.sum()) - len(names),
        "n_used": int(observations.runs_of_curve.sum()),
        "n_missing": observations.n_missing,
        "n_curves": int((runs > 0).sum()),
        "n_bracketed": int(bracketed.sum()),
        "n_left_censored": int(((2 * learnt >= runs) & (runs > 0) & ~bracketed).sum()),
        "n_right_censored": int(((2 * learnt < runs) & ~bracketed).sum()),
        "n_parameters": len(names) + scale_design.shape[1] + 1 + lapses,  # tau and lapse rate
        "method": METHOD if lapses else METHOD.replace("with lapse rate", "without lapses"),
    }
    reason = why_not_identified(design[bracketed], names, shared["n_curves"], words)
    if reason:
        return _unidentified_fit(names, reason, shared)

    orthonormal, back = orthonormalise(design)
    scale_design[:, 1:] -= scale_design[:, 1:].mean(axis=0)
    model = SuccessModel(observations, orthonormal, scale_design, lapses)
    return _summarise(model, find_optimum(model), back, names, tuple(scale_covariates), shared)


def _unidentified_fit(names, reason: str, shared: dict) -> ScalingFit:
    """Return a fit without estimates."""
    nan = np.nan
    return ScalingFit(
        coefficients=tabulate(names),
        covariance=((nan,) * len(names),) * len(names),
        run_scale=nan,
        run_scale_slopes=(),
        curve_scale=nan,
        lapse=nan,
        dispersion=nan,
        quantised=False,
        log_likelihood=nan,
        score_norm=nan,
        n_starts=0,
        n_starts_agreeing=0,
        converged=False,
        identified=False,
        reason=reason,
        **shared,
    )


def _summarise(
    model: SuccessModel,
    optimum: Optimum,
    back: np.ndarray,
    names,
    scale_names: tuple[str, ...],
    shared: dict,
) -> ScalingFit:
    """Turn an optimum into estimates with intervals, or say why it carries none."""
    run_scale, curve_scale, lapse = model.scales(optimum.params)
    spread = measure_spread(
        model, optimum.params, shared["degrees_of_freedom"], shared["confidence"]
    )
    if not optimum.converged:
        reason = (
            f"The fit did not converge: {optimum.n_starts_agreeing} of {optimum.n_starts} ascents "
            f"reached the best log-likelihood, where the largest gradient is "
            f"{optimum.score_norm:.2g}."
        )
    elif not np.isfinite(spread.covariance).all():
        reason = "The log-likelihood is not curved like a maximum where the ascents ended."
    else:
        reason = ""
    covariance = back @ spread.covariance @ back.T
    if reason:
        covariance = np.full_like(covariance, np.nan)
    p = model.n_coefficients
    estimates, errors = back @ optimum.params[:p], np.sqrt(np.diag(covariance))
    ends = t_interval(estimates, errors, shared["degrees_of_freedom"], shared["confidence"])
    of_slopes = slice(p + 1, p + model.scale_design.shape[1])
    slopes, slope_errors = optimum.params[of_slopes], spread.errors[of_slopes]
    slope_ends = t_interval(slopes, slope_errors, np.inf, shared["confidence"])
    return ScalingFit(
        coefficients=tabulate(names, estimates, errors, *ends),
        covariance=tuple(tuple(map(float, row)) for row in covariance),
        run_scale=run_scale,
        run_scale_slopes=tabulate(scale_names, slopes, slope_errors, *slope_ends),
        curve_scale=curve_scale,
        lapse=lapse,
        dispersion=spread.dispersion,
        quantised=spread.quantised,
        log_likelihood=model.log_likelihood(optimum.params),
        score_norm=optimum.score_norm,
        n_starts=optimum.n_starts,
        n_starts_agreeing=optimum.n_starts_agreeing,
        converged=not reason,
        identified=True,
        reason=reason,
        **shared,
    )


@dataclass(frozen=True)
class Spread:
    """How sure the parameters are.

    `covariance` is that of the coefficients, shape (p, p), with `dispersion` in it; `errors` are
    those of all parameters by the inverse information alone.
    """

    covariance: np.ndarray
    errors: np.ndarray
    dispersion: float
    quantised: bool


def measure_spread(
    model: SuccessModel, params: np.ndarray, degrees_of_freedom: int, confidence: float
) -> Spread:
    """Return the covariance of b at an optimum; NaN where the curvature is degenerate.

    See `fit_scaling`, notes 4 and 5.
    """
    step = 1e-3
    score = model.location_score(params)
    below, above = model.location_score(params, -step), model.location_score(params, step)
    location_information = (below - above) / (2 * step)
    # A curve that never succeeded is certain to lie on one side: it has no residual to speak of.
    counted = model.observations.bracketed
    squares, known = (score[counted] ** 2).sum(), location_information[counted].sum()
    dispersion = np.nan  # as all that follows from it, where the curves together bound no location
    if known > 0:
        dispersion = float(squares / known * counted.sum() / degrees_of_freedom)

    quantised = bool(2 * model.observations.separated.sum() > model.observations.bracketed.sum())
    # With this dispersion, t quantiles give the interval of normal quantiles without one.
    tail = (1 + confidence) / 2
    least = (stats.norm.ppf(tail) / stats.t.ppf(tail, degrees_of_freedom)) ** 2
    factor = max(dispersion, least if quantised else least / 4)

    information, p = model.information(params), model.n_coefficients
    inverse = np.full_like(information, np.nan)
    if np.isfinite(information).all() and np.linalg.eigvalsh(information)[0] > 0:
        inverse = np.linalg.inv(information)
    return Spread(factor * inverse[:p, :p], np.sqrt(np.diag(inverse)), dispersion, quantised)
