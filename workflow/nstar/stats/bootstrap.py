"""The interval of a scaling fit, from studies drawn from its law again and again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from nstar.stats.design import curve_design, observe_complete, orthonormalise
from nstar.stats.observations import Observations
from nstar.stats.results import Fit, ScalingFit, tabulate
from nstar.stats.scaling import measure_spread
from nstar.stats.success_model import SuccessModel, find_optimum

__all__ = ["BootstrapFit", "bootstrap_scaling"]


@dataclass(frozen=True)
class BootstrapFit(Fit):
    """Coefficients with intervals from studies drawn from the fitted law.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        Estimates of the fit; standard error and interval from the drawn studies.
    bias : tuple of float
        Mean of the drawn estimates minus the estimate, in their order.
    confidence : float
        Nominal coverage of the intervals.
    n_used, n_censored : int
        Runs in the fit, and curves that only learnt or never did, as in the fit itself.
    n_replicates, n_failed : int
        Studies drawn, and those whose fit was not identified or did not converge.
    identified : bool
        False where the fit itself has no interval, or most drawn studies failed.
    reason, method : str
        Why there is no interval, and how it was obtained.
    """

    bias: tuple[float, ...]
    confidence: float
    n_used: int
    n_censored: int
    n_replicates: int
    n_failed: int
    identified: bool
    reason: str
    method: str = "parametric bootstrap of studies from the fitted law, studentised interval"


def bootstrap_scaling(
    fit: ScalingFit,
    budget,
    n_learnt,
    n_runs,
    curve,
    covariates: Mapping[str, np.ndarray],
    generator: np.random.Generator,
    n_replicates: int = 1000,
    run=None,
) -> BootstrapFit:
    """Find the intervals of a scaling fit by drawing studies from the fitted law.

    Parameters
    ----------
    fit : ScalingFit
        What `fit_scaling` returned for the same arguments.
    budget, n_learnt, n_runs, curve, covariates, run
        As `fit_scaling`.
    generator : numpy.random.Generator
        Where the drawn studies take their numbers from.
    n_replicates : int, optional
        Studies drawn.

    Returns
    -------
    BootstrapFit
        The check of the t quantiles and of the dispersion in `fit_scaling`.

    Notes
    -----
    1. A study has the runs of the observed one at its budgets; u_c ~ Normal(0, tau^2) and the
       outcomes are drawn with the fitted b, s, tau and lapse rate.
    2. It is fitted like the observed one, from the truth as its one start, with its own standard
       error; t* = (b* - b) / error*.
    3. The interval is estimate - error times the quantiles of t* (Davison and Hinkley 1997, section
       5.2).  Where more than a tenth of the studies have no fit, there is none.

    The drawn studies obey the model; what the model gets wrong, they do not show.

    Raises
    ------
    ValueError
        As `fit_scaling`, if the fit has covariates of ln s, and if `n_replicates` is below 2.

    References
    ----------
    Davison and Hinkley (1997), Bootstrap Methods and their Application.
    """
    if fit.run_scale_slopes:
        raise ValueError(
            "the fit has covariates of ln s: only fits with one scatter are drawn from"
        )
    if n_replicates < 2:
        raise ValueError(f"n_replicates is {n_replicates}: at least 2 studies are needed")
    if not fit.converged:
        return replace(interval_of_draws(fit, []), n_replicates=n_replicates)
    observations = observe_complete(budget, n_learnt, n_runs, curve, covariates, run)
    law = Law.of(fit, observations, curve_design(observations, covariates))
    drawn = []
    for _ in range(n_replicates):
        eta = law.draw_eta(observations.log_budget, observations.curve, generator)
        drawn.append(law.refit(observations.draw(eta, fit.lapse, generator)))
    return interval_of_draws(fit, drawn)


def interval_of_draws(fit: ScalingFit, drawn: list[np.ndarray | None]) -> BootstrapFit:
    """Return the studentised interval of a fit from drawn studies.

    Parameters
    ----------
    fit : ScalingFit
        The fit whose law was drawn from.
    drawn : list of ndarray or None
        Estimates and standard errors of each drawn study, shape (2, p); None where it has no fit.
    """
    n_replicates = len(drawn)
    names = [coefficient.name for coefficient in fit.coefficients]
    estimates = np.array([coefficient.estimate for coefficient in fit.coefficients])
    errors = np.array([coefficient.standard_error for coefficient in fit.coefficients])
    unknown = {"coefficients": tabulate(names, estimates), "identified": False}
    unknown |= {"bias": (np.nan,) * len(names)}
    shared = {"confidence": fit.confidence, "n_replicates": n_replicates}
    shared |= {"n_used": fit.n_used, "n_censored": fit.n_censored}
    if not np.isfinite(errors).all():
        return BootstrapFit(**unknown, n_failed=0, reason=fit.reason, **shared)
    drawn = np.array([pair for pair in drawn if pair is not None]).reshape(-1, 2, len(names))
    n_failed = n_replicates - len(drawn)
    if n_failed > n_replicates / 10:
        reason = f"{n_failed} of {n_replicates} drawn studies have no fit."
        return BootstrapFit(**unknown, n_failed=n_failed, reason=reason, **shared)

    deviations = drawn[:, 0] - estimates
    tails = [(1 + fit.confidence) / 2, (1 - fit.confidence) / 2]
    ends = estimates - errors * np.quantile(deviations / drawn[:, 1], tails, axis=0)
    return BootstrapFit(
        coefficients=tabulate(names, estimates, deviations.std(axis=0), *ends),
        bias=tuple(map(float, deviations.mean(axis=0))),
        n_failed=n_failed,
        identified=True,
        reason="",
        **shared,
    )


@dataclass(frozen=True)
class Law:
    """A fitted law, from which studies are drawn and at which the ascents of their fits start.

    Attributes
    ----------
    fit : ScalingFit
        A converged fit with one scatter.
    design, back : ndarray of float
        Orthonormal design of the curves, and the way back; see `orthonormalise`.
    truth : ndarray of float
        The parameters of `SuccessModel` at the fit.
    first_inverse : ndarray of float
        Inverse information there.
    """

    fit: ScalingFit
    design: np.ndarray
    back: np.ndarray
    truth: np.ndarray
    first_inverse: np.ndarray

    @classmethod
    def of(cls, fit: ScalingFit, observations: Observations, design: np.ndarray) -> "Law":
        """Return the law of a converged fit with one scatter."""
        design, back = orthonormalise(design)
        truth = np.r_[
            np.linalg.solve(back, [coefficient.estimate for coefficient in fit.coefficients]),
            np.log(fit.run_scale),
            np.log(fit.curve_scale),
            [np.log(fit.lapse) - np.log1p(-fit.lapse)] if fit.lapse > 0 else [],
        ]
        model = SuccessModel(observations, design, lapses=fit.lapse > 0)
        first_inverse = model.inverse_information(truth)
        return cls(fit, design, back, truth, first_inverse)

    def draw_eta(self, log_budget, curve, generator: np.random.Generator) -> np.ndarray:
        """Return (ln N - ln N*) / s of rows, with the demand of each curve drawn from the law."""
        location = self.design @ self.truth[: self.design.shape[1]]
        location = location + self.fit.curve_scale * generator.standard_normal(len(location))
        return (log_budget - location[curve]) / self.fit.run_scale

    def refit(self, observations: Observations, curves=slice(None)) -> np.ndarray | None:
        """Return estimates and standard errors of other outcomes, shape (2, p); None without a fit.

        `curves` names the rows of the design that the curves of `observations` have.
        """
        p, design = self.design.shape[1], self.design[curves]
        degrees_of_freedom = int(observations.bracketed.sum()) - p
        if degrees_of_freedom < 1:
            return None
        model = SuccessModel(observations, design, lapses=self.fit.lapse > 0)
        optimum = find_optimum(model, [self.truth], self.first_inverse)
        spread = measure_spread(model, optimum.params, degrees_of_freedom, self.fit.confidence)
        covariance = self.back @ spread.covariance @ self.back.T
        if not (optimum.converged and np.isfinite(covariance).all()):
            return None
        return np.array([self.back @ optimum.params[:p], np.sqrt(np.diag(covariance))])
