"""How likely the outcomes of a set of curves are, if demand follows a law with scatter."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from statsmodels.tools.numdiff import approx_fprime

from nstar.stats.observations import Observations

__all__ = ["Optimum", "SuccessModel", "find_optimum", "shape_penalty", "success_terms"]

REACH = 6.0  # standard deviations of the curve effect on either side
FEWEST_NODES, MOST_NODES = 41, 2001
RUN_SCALE_SPREADS = (0.75, 3.0)  # of the penalty on ln s, below its centre and above
SLOPE_SPREAD = 0.75  # of the penalty on slopes of ln s
LAPSE_SHAPES = (2.0, 20.0)  # of the beta penalty on the lapse rate
FARTHEST = 15.0  # of ln s, ln tau and logit lapse from 0, where a step of the climb may land
SCORE_TOLERANCE = 1e-3
AGREEMENT_TOLERANCE = 1e-4


def success_terms(eta, log_lapse, n_learnt, n_failed, n_runs):
    """Return ln P of outcomes, and its derivatives by eta and by ln(lapse).

    P(learnt) = (1 - lapse) F(eta) with F the logistic function; for the counts see
    `nstar.stats.observations.Likelihood`.
    All arguments broadcast.  The term k ln(1 - lapse), with its derivative, is left out.
    """
    log_one_plus, share = _softplus(eta)
    # ln(1 - P) = ln(1 + lapse e^eta) - ln(1 + e^eta), exact in both tails.
    log_one_plus_lapsed, share_lapsed = _softplus(eta + log_lapse)
    log_probability = n_learnt * eta - n_runs * log_one_plus + n_failed * log_one_plus_lapsed
    by_log_lapse = n_failed * share_lapsed
    return log_probability, n_learnt - n_runs * share + by_log_lapse, by_log_lapse


def _softplus(x) -> tuple[np.ndarray, np.ndarray]:
    """Return ln(1 + e^x) and its derivative from one exponential, exact in both tails."""
    small = np.exp(-np.abs(x))
    positive = x > 0
    share = np.where(positive, 1.0, small) / (1.0 + small)
    return np.where(positive, x, 0.0) + np.log1p(small), share


def shape_penalty(s: float, lapse: float, log_step: float) -> tuple[float, np.ndarray]:
    """Return the penalties of s and lapse rate, and the derivatives by ln s and logit lapse.

    See `SuccessModel`; `log_step` is the distance of two budgets in ln N.
    """
    deviation = np.log(s) - np.log(log_step / 3)
    spread = RUN_SCALE_SPREADS[int(deviation > 0)]
    penalty, by_logit_lapse = -((deviation / spread) ** 2) / 2, 0.0
    if lapse > 0:  # else it is fixed
        one, two = LAPSE_SHAPES
        penalty += (one - 1) * np.log(lapse) + (two - 1) * np.log1p(-lapse)
        by_logit_lapse = (one - 1) * (1 - lapse) - (two - 1) * lapse
    return float(penalty), np.array([-deviation / spread**2, by_logit_lapse])


class SuccessModel:
    """Success of runs under a scaling law of log N* with scatter between curves.

    Parameters
    ----------
    observations : Observations
        Outcomes by curve and budget.
    design : ndarray of float, shape (C, p)
        Mean design of the curves.
    scale_design : ndarray of float, shape (C, q), optional
        Design of ln s: a column of ones, then centred covariates; ones alone where left out.
    lapses : bool, optional
        Whether runs may lapse; if not, the lapse rate is 0 and no parameter.

    Notes
    -----
    A run of curve c at budget N learns with probability

        P = (1 - lapse) F((ln N - x_c b - u_c) / s_c),  u_c ~ Normal(0, tau^2),  F logistic,

    with ln s_c = z_c g, so x_c b + u_c is the log of the budget at which F is one half.  A curve
    that never succeeds contributes its failures: censoring needs no special case.  The lapse
    rate, shared by all curves, is the chance that a run fails however large its budget.  The
    parameters are (b, g, ln tau, logit lapse), and u_c is integrated out by a sum over a grid
    dense enough for the sharpest feature that the runs of one curve can have; the error is then
    of order exp(-2 pi^2).

    Three weak penalties keep the scatter away from degenerate answers: ln tau, which keeps tau
    off zero (Chung et al. 2013, with shape 2 and rate 0); a normal one on the mean of ln s,
    centred on a third of the distance of two budgets, narrow below, which keeps s off zero where
    no curve has a budget with mixed outcomes, and wide above, with a normal one on the slopes of
    ln s, centred on zero; and beta(2, 20) on the lapse rate.

    References
    ----------
    Chung, Rabe-Hesketh, Dorie, Gelman and Liu (2013), Psychometrika 78, 685-709.
    Wichmann and Hill (2001), Perception and Psychophysics 63, 1293-1313, for the lapse rate.
    """

    def __init__(
        self,
        observations: Observations,
        design: np.ndarray,
        scale_design: np.ndarray | None = None,
        lapses: bool = True,
    ):
        self.observations = observations
        self.outcomes = observations.likelihood
        self.design = design
        self.scale_design = np.ones((len(design), 1)) if scale_design is None else scale_design
        self.n_coefficients = design.shape[1]
        self.lapses = lapses
        self._most_runs = observations.most_runs()
        self._run_density = observations.runs_per_log_budget()

    def scales(self, params) -> tuple[float, float, float]:
        """Return the mean s, tau (both in natural log units) and the lapse rate."""
        log_s, *_, log_tau, logit_lapse = self._bounded(params)
        return float(np.exp(log_s)), float(np.exp(log_tau)), float(expit(logit_lapse))

    def _bounded(self, params) -> np.ndarray:
        """Return (g, ln tau, logit lapse), no farther from 0 than a climb has any business."""
        bounded = np.clip(params[self.n_coefficients :], -FARTHEST, FARTHEST)
        return bounded if self.lapses else np.append(bounded, -np.inf)

    def log_likelihood(self, params) -> float:
        """Return the log-likelihood without the penalties."""
        return float(self._evaluate(params)["log_likelihood"].sum())

    def objective(self, params) -> tuple[float, np.ndarray]:
        """Return minus the penalised log-likelihood and its gradient, shape (p + q + 2,)."""
        terms, seen = self._evaluate(params), self.outcomes
        mean_s, tau, lapse = terms["scales"]
        slopes = self._bounded(params)[1:-2]
        penalty, (by_mean_log_s, by_logit_lapse) = shape_penalty(
            mean_s, lapse, self.observations.log_step
        )
        penalty -= (slopes**2).sum() / (2 * SLOPE_SPREAD**2)
        weighted = terms["by_eta"]  # (n, nodes), times the posterior weights of the nodes
        by_log_s = terms["passages_by_log_s"] - seen.sum_by_curve(  # (C,)
            (weighted * terms["eta"]).sum(axis=1)
        )
        by_scale = self.scale_design.T @ by_log_s
        by_scale[0] += by_mean_log_s
        by_scale[1:] -= slopes / SLOPE_SPREAD**2
        by_log_tau = 1 - (weighted @ terms["nodes"] / terms["s"]).sum() * tau
        by_logit_lapse += (1 - lapse) * terms["by_log_lapse"].sum()
        by_logit_lapse -= lapse * seen.n_learnt.sum()
        score = np.concatenate(
            [self.design.T @ self._by_location(terms), by_scale, [by_log_tau, by_logit_lapse]]
        )[: len(params)]
        scatter = slice(self.n_coefficients, None)
        score[scatter] *= np.abs(params[scatter]) < FARTHEST  # beyond it the objective is flat
        return -float(terms["log_likelihood"].sum() + np.log(tau) + penalty), -score

    def location_score(self, params, shift: float = 0.0) -> np.ndarray:
        """Return the derivative of each curve's log-likelihood by its location, shape (C,)."""
        return self._by_location(self._evaluate(params, shift))

    def information(self, params, centered: bool = True) -> np.ndarray:
        """Return minus the second derivatives, by differences, in the order of the parameters."""
        params = np.asarray(params, dtype=float)
        information = approx_fprime(params, self._gradient, epsilon=1e-4, centered=centered)
        return (information + information.T) / 2

    def inverse_information(self, params) -> np.ndarray:
        """Return the inverse of `information`, made positive by turning negative curvature round."""
        values, vectors = np.linalg.eigh(self.information(params, centered=False))
        inverse = (vectors / np.maximum(np.abs(values), 1.0)) @ vectors.T
        return (inverse + inverse.T) / 2

    def _gradient(self, params) -> np.ndarray:
        return self.objective(params)[1]

    def start_points(self) -> list[np.ndarray]:
        """Return three starts: they differ in how the scatter is split."""
        centres = self.observations.log_centres()
        mean = np.linalg.lstsq(self.design, centres)[0]
        log_s = np.log(self.observations.log_step / 3)
        flat = np.zeros(self.scale_design.shape[1] - 1)
        return [
            np.r_[mean, log_s + run, flat, tau, [-3.0] * self.lapses]
            for run, tau in ((0, -1.2), (-1, 0), (0.7, -2))
        ]

    def _by_location(self, terms: dict) -> np.ndarray:
        return -self.outcomes.sum_by_curve(terms["by_eta"].sum(axis=1) / terms["s"])

    def _evaluate(self, params, shift: float = 0.0) -> dict:
        """Return the terms that the log-likelihood and its derivatives share."""
        seen = self.outcomes
        _, tau, lapse = scales = self.scales(params)
        by_curve = np.exp(self.scale_design @ self._bounded(params)[:-2])  # (C,)
        # The information on a location is sum m F (1 - F) / s^2, with F (1 - F) summing to s.
        sharpest = by_curve.min()
        nodes_per_unit = np.sqrt(self._run_density * sharpest + self._most_runs / 2) / sharpest
        n_nodes = int(np.clip(2 * REACH * tau * nodes_per_unit, FEWEST_NODES, MOST_NODES))
        nodes, log_weights = _quadrature(n_nodes)
        location = (self.design @ params[: self.n_coefficients] + shift)[seen.curve]
        s = by_curve[seen.curve]
        eta = ((seen.log_budget - location)[:, None] - tau * nodes) / s[:, None]  # (n, nodes)
        log_lapse = np.log(lapse) if lapse > 0 else -np.inf
        log_probability, by_eta, by_log_lapse = success_terms(eta, log_lapse, *seen.factors)
        of_passages, passages_by_log_s = seen.of_passages(by_curve)
        joint = seen.sum_by_curve(log_probability) + log_weights  # (C, nodes)
        highest = joint.max(axis=1, keepdims=True)
        weights = np.exp(joint - highest)
        total = weights.sum(axis=1, keepdims=True)
        log_marginal = (highest + np.log(total))[:, 0]
        weights = (weights / total)[seen.curve]  # (n, nodes)
        return {
            "scales": scales,
            "nodes": nodes,
            "s": s,
            "eta": eta,
            "by_eta": weights * by_eta,
            "by_log_lapse": weights * by_log_lapse,
            "log_likelihood": log_marginal
            + seen.sum_by_curve(seen.n_learnt) * np.log1p(-lapse)
            + of_passages,
            "passages_by_log_s": passages_by_log_s,
        }


@lru_cache(maxsize=128)
def _quadrature(n_nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes of a standard normal variable and the logarithms of their weights."""
    nodes = np.linspace(-REACH, REACH, n_nodes)
    log_density = -0.5 * nodes**2
    return nodes, log_density - np.log(np.exp(log_density).sum())


@dataclass(frozen=True)
class Optimum:
    """Best of several ascents of the penalised log-likelihood.

    Attributes
    ----------
    params : ndarray of float, shape (p + q + 2,)
        (b, g, ln tau, logit lapse) of the best ascent.
    score_norm : float
        Infinity norm of the gradient there.
    n_starts, n_starts_agreeing : int
        Ascents made, and those that ended within 1e-4 of the best.
    """

    params: np.ndarray
    score_norm: float
    n_starts: int
    n_starts_agreeing: int

    @property
    def converged(self) -> bool:
        """Judge by the gradient and by agreement, never by the optimiser's own flag."""
        enough = self.n_starts_agreeing >= min(2, self.n_starts)
        return bool(self.score_norm < SCORE_TOLERANCE and enough)


def find_optimum(
    model: SuccessModel,
    starts: list[np.ndarray] | None = None,
    first_inverse: np.ndarray | None = None,
) -> Optimum:
    """Climb the penalised log-likelihood from several starts and keep the best end.

    Parameters
    ----------
    model : SuccessModel
        Model whose bracketed curves identify b.
    starts : list of ndarray, optional
        Where to start; three points made from the data where left out.
    first_inverse : ndarray of float, shape (p + q + 2, p + q + 2), optional
        Inverse information to start with; that at each start where left out.

    Returns
    -------
    Optimum
        The best end with its gradient and the number of starts that agree.
    """
    starts = model.start_points() if starts is None else starts
    # The objective is a sum, not a mean, so that the tolerance is one of the log-likelihood; the
    # first step then needs the scale of the curvature, which grows with the number of runs.
    ascents = [
        minimize(
            model.objective,
            start,
            jac=True,
            method="BFGS",
            options={
                "gtol": 1e-5,
                "hess_inv0": model.inverse_information(start)
                if first_inverse is None
                else first_inverse,
            },
        )
        for start in starts
    ]
    values = np.array([ascent.fun for ascent in ascents])
    best = ascents[int(np.nanargmin(values))]
    return Optimum(
        params=best.x,
        score_norm=float(np.abs(best.jac).max()),
        n_starts=len(starts),
        n_starts_agreeing=int((values < best.fun + AGREEMENT_TOLERANCE).sum()),
    )
