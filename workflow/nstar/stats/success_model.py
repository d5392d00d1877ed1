"""How likely the outcomes of a set of curves are, if demand follows a law with scatter."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from nstar.stats.observations import Observations

__all__ = ["Optimum", "SuccessModel", "find_optimum", "success_terms"]

REACH = 6.0  # standard deviations of the curve effect on either side
FEWEST_NODES, MOST_NODES = 41, 2001
RUN_SCALE_SPREAD = 0.75  # of the penalty on ln s
LAPSE_SHAPES = (2.0, 20.0)  # of the beta penalty on the lapse rate
FARTHEST = 15.0  # of ln s, ln tau and logit lapse from 0, where a step of the climb may land
SCORE_TOLERANCE = 1e-3
AGREEMENT_TOLERANCE = 1e-4


def success_terms(eta, log_lapse, n_learnt, n_runs):
    """Return ln P of binomial outcomes, and its derivative by eta, without cancellation.

    P(learnt) = (1 - lapse) F(eta) with F the logistic function; all arguments broadcast.
    The constant term k ln(1 - lapse) is left out of the first value.
    """
    n_failed = n_runs - n_learnt
    # ln(1 - P) = ln(1 + lapse e^eta) - ln(1 + e^eta), exact in both tails.
    log_probability = (
        n_learnt * eta - n_runs * np.logaddexp(0, eta) + n_failed * np.logaddexp(0, eta + log_lapse)
    )
    by_eta = n_learnt - n_runs * expit(eta) + n_failed * expit(eta + log_lapse)
    return log_probability, by_eta


class SuccessModel:
    """Success of runs under a scaling law of log N* with scatter between curves.

    Parameters
    ----------
    observations : Observations
        Outcomes by curve and budget.
    design : ndarray of float, shape (C, p)
        Mean design of the curves.

    Notes
    -----
    A run of curve c at budget N learns with probability

        P = (1 - lapse) F((ln N - x_c b - u_c) / s),  u_c ~ Normal(0, tau^2),  F logistic,

    so x_c b + u_c is the log of the budget at which F is one half.  A curve that never succeeds
    contributes its failures: censoring needs no special case.  The lapse rate, shared by all
    curves, is the chance that a run fails however large its budget.  The parameters are
    (b, ln s, ln tau, logit lapse), and u_c is integrated out by a sum over a grid dense enough
    for the sharpest feature that the runs of one curve can have, of width 2 s / sqrt(runs); the
    error is then of order exp(-2 pi^2).

    Three weak penalties keep the scatter away from degenerate answers: ln tau, which keeps tau
    off zero (Chung et al. 2013, with shape 2 and rate 0); a normal one on ln s, centred on a
    third of the distance of two budgets, which matters where no curve has a budget with mixed
    outcomes; and beta(2, 20) on the lapse rate.

    References
    ----------
    Chung, Rabe-Hesketh, Dorie, Gelman and Liu (2013), Psychometrika 78, 685-709.
    Wichmann and Hill (2001), Perception and Psychophysics 63, 1293-1313, for the lapse rate.
    """

    def __init__(self, observations: Observations, design: np.ndarray):
        self.observations = observations
        self.design = design
        self._centre_of_log_s = np.log(observations.log_step / 3)
        self._most_runs = max(1.0, observations.sum_by_curve(observations.n_runs).max())

    def scales(self, params) -> tuple[float, float, float]:
        """Return s, tau (both in natural log units) and the lapse rate."""
        log_s, log_tau, logit_lapse = np.clip(params[-3:], -FARTHEST, FARTHEST)
        return float(np.exp(log_s)), float(np.exp(log_tau)), float(expit(logit_lapse))

    def penalty(self, params) -> float:
        """Return the sum of the three penalties."""
        one, two = LAPSE_SHAPES
        s, tau, lapse = self.scales(params)
        deviation = (np.log(s) - self._centre_of_log_s) / RUN_SCALE_SPREAD
        lapse_penalty = (one - 1) * np.log(lapse) + (two - 1) * np.log1p(-lapse)
        return float(np.log(tau) - deviation**2 / 2 + lapse_penalty)

    def log_likelihood(self, params) -> float:
        """Return the log-likelihood without the penalties."""
        return float(self._evaluate(params)["log_likelihood"].sum())

    def objective(self, params) -> tuple[float, np.ndarray]:
        """Return minus the penalised log-likelihood and its gradient, shape (p + 3,)."""
        terms, seen = self._evaluate(params), self.observations
        s, tau, lapse = self.scales(params)
        weighted = terms["by_eta"]  # (n, nodes), times the posterior weights of the nodes
        by_lapse = (
            (terms["weights"] * expit(terms["eta"] + np.log(lapse))).sum(axis=1) * (1 - lapse)
        ) @ (seen.n_runs - seen.n_learnt) - lapse * seen.n_learnt.sum()

        one, two = LAPSE_SHAPES
        score = np.r_[
            self.design.T @ self._by_location(terms, s),
            -(weighted * terms["eta"]).sum()
            - (params[-3] - self._centre_of_log_s) / RUN_SCALE_SPREAD**2,
            -(weighted @ terms["nodes"]).sum() * tau / s + 1,
            by_lapse + (one - 1) * (1 - lapse) - (two - 1) * lapse,
        ]
        score[-3:] *= np.abs(params[-3:]) < FARTHEST  # beyond it the objective is flat
        return -float(terms["log_likelihood"].sum() + self.penalty(params)), -score

    def location_score(self, params, shift: float = 0.0) -> np.ndarray:
        """Return the derivative of each curve's log-likelihood by its location, shape (C,)."""
        return self._by_location(self._evaluate(params, shift), self.scales(params)[0])

    def information(self, params) -> np.ndarray:
        """Return minus the second derivatives, by central differences, shape (p + 3, p + 3)."""
        step = 1e-4
        moved = step * np.eye(len(params))
        rows = [self.objective(params + e)[1] - self.objective(params - e)[1] for e in moved]
        information = np.array(rows) / (2 * step)
        return (information + information.T) / 2

    def inverse_information(self, params) -> np.ndarray:
        """Return the inverse of `information`, made positive by turning negative curvature round."""
        values, vectors = np.linalg.eigh(self.information(params))
        inverse = (vectors / np.maximum(np.abs(values), 1.0)) @ vectors.T
        return (inverse + inverse.T) / 2

    def start_points(self) -> list[np.ndarray]:
        """Return three starts: they differ in how the scatter is split."""
        centres = self.observations.log_centres()
        mean = np.linalg.lstsq(self.design, centres)[0]
        log_s = self._centre_of_log_s
        return [np.r_[mean, log_s + run, tau, -3.0] for run, tau in ((0, -1.2), (-1, 0), (0.7, -2))]

    def _by_location(self, terms: dict, s: float) -> np.ndarray:
        return -self.observations.sum_by_curve(terms["by_eta"].sum(axis=1)) / s

    def _evaluate(self, params, shift: float = 0.0) -> dict:
        """Return the terms that the log-likelihood and its derivatives share."""
        seen = self.observations
        s, tau, lapse = self.scales(params)
        nodes, log_weights = _quadrature(tau * np.sqrt(self._most_runs) / (2 * s))
        location = (self.design @ params[:-3] + shift)[seen.curve]
        eta = ((seen.log_budget - location)[:, None] - tau * nodes) / s  # (n, nodes)
        log_probability, by_eta = success_terms(
            eta, np.log(lapse), seen.n_learnt[:, None], seen.n_runs[:, None]
        )
        joint = seen.sum_by_curve(log_probability) + log_weights  # (C, nodes)
        highest = joint.max(axis=1, keepdims=True)
        weights = np.exp(joint - highest)
        total = weights.sum(axis=1, keepdims=True)
        log_marginal = (highest + np.log(total))[:, 0]
        weights = (weights / total)[seen.curve]  # (n, nodes)
        return {
            "nodes": nodes,
            "eta": eta,
            "weights": weights,
            "by_eta": weights * by_eta,
            "log_likelihood": log_marginal + seen.sum_by_curve(seen.n_learnt) * np.log1p(-lapse),
        }


def _quadrature(nodes_per_unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes of a standard normal variable and the logarithms of their weights."""
    n_nodes = int(np.clip(2 * REACH * nodes_per_unit, FEWEST_NODES, MOST_NODES))
    nodes = np.linspace(-REACH, REACH, n_nodes)
    log_density = -0.5 * nodes**2
    return nodes, log_density - np.log(np.exp(log_density).sum())


@dataclass(frozen=True)
class Optimum:
    """Best of several ascents of the penalised log-likelihood.

    Attributes
    ----------
    params : ndarray of float, shape (p + 3,)
        (b, ln s, ln tau, logit lapse) of the best ascent.
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
    first_inverse : ndarray of float, shape (p + 3, p + 3), optional
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
