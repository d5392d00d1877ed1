"""The likelihood of bracketed values of log N* under a scaling law with scatter, and its climb."""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, logsumexp
from statsmodels.base.model import GenericLikelihoodModel
from statsmodels.tools.numdiff import approx_fprime

__all__ = ["IntervalModel", "Optimum", "find_optimum"]

SIGMA_FLOOR = 0.05  # in natural log units: below 5 % the brackets say nothing about sigma
QUADRATURE_REACH = 6.0  # standard deviations of the curve effect on either side
FEWEST_NODES, MOST_NODES = 61, 4001
LARGEST_EXPONENT = 300.0  # keeps products of density ratios finite far from the optimum
SCORE_TOLERANCE = 1e-3
AGREEMENT_TOLERANCE = 1e-4
LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


class IntervalModel(GenericLikelihoodModel):
    """Linear model of bracketed values with a random effect for each curve.

    Parameters
    ----------
    log_lower, log_upper : ndarray of float, shape (n,)
        The value of row i lies in (log_lower[i], log_upper[i]]; -inf and inf mark censoring.
    design : ndarray of float, shape (n, p)
        Mean design; the first column is the intercept.
    curve_code : ndarray of int, shape (n,)
        Number of the curve of each row, 0 to n_curves - 1, each number used.

    Notes
    -----
    The model is

        y_i = x_i b + u_curve(i) + e_i,  u ~ Normal(0, tau^2),  e ~ Normal(0, sigma^2),

    and the parameters are (b, ln_sigma, ln_tau).  Each curve contributes

        ln integral phi(v) prod_i [Phi(z_upper_i) - Phi(z_lower_i)] dv,
        z_i = (log_bound_i - x_i b - tau v) / sigma.

    The integral is a sum over a grid of v, dense enough to resolve the sharpest feature that the
    runs of one curve can give the integrand, of width sigma / sqrt(runs) in u = tau v; the error
    is then of order exp(-2 pi^2).  Gauss-Hermite quadrature with few nodes misses the integrand
    when sigma is much smaller than tau.

    Two devices keep the scatter away from degenerate answers.  The penalty ln tau, added once to
    the log-likelihood, keeps tau off its boundary at zero, where intervals would come out too
    short (Chung et al. 2013, with shape 2 and rate 0).  A soft floor,
    sigma = hypot(exp(ln_sigma), 0.05), keeps the likelihood bounded where all seeds of each
    curve share one bracket.

    References
    ----------
    Chung, Rabe-Hesketh, Dorie, Gelman and Liu (2013), Psychometrika 78, 685-709.
    """

    def __init__(self, log_lower, log_upper, design, curve_code):
        self._log_lower = log_lower[:, None]
        self._log_upper = log_upper[:, None]
        self._curve_code = curve_code
        self._in_curve = (np.arange(curve_code.max() + 1)[:, None] == curve_code).astype(float)
        self._most_rows_in_curve = np.bincount(curve_code).max()
        self._remembered_params = None
        super().__init__(
            _bracket_centres(log_lower, log_upper),
            design,
            extra_params_names=["ln_sigma", "ln_tau"],
        )

    def sigma(self, params) -> float:
        """Return the scatter of the rows about their curve."""
        return float(np.hypot(np.exp(params[-2]), SIGMA_FLOOR))

    def tau(self, params) -> float:
        """Return the scatter of the curves about the scaling law."""
        return float(np.exp(params[-1]))

    def penalty(self, params) -> float:
        """Return the penalty included in the log-likelihood."""
        return float(params[-1])

    def loglikeobs(self, params):
        """Return the penalised log-likelihood of each curve, shape (n_curves,)."""
        log_likelihood = self._evaluate(params)["log_likelihood"]
        return log_likelihood + self.penalty(params) / len(log_likelihood)

    def score_obs(self, params, **_):
        """Return the gradient of `loglikeobs`, shape (n_curves, p + 2)."""
        terms = self._evaluate(params)
        sigma, tau = self.sigma(params), self.tau(params)
        z_lower, z_upper, log_prob = terms["z_lower"], terms["z_upper"], terms["log_prob"]

        ratio_lower = _density_ratio(z_lower, log_prob)  # (n, nodes)
        ratio_upper = _density_ratio(z_upper, log_prob)
        # Derivatives of ln[Phi(z_upper) - Phi(z_lower)] by the location and by ln(sigma).
        by_location = (ratio_lower - ratio_upper) / sigma
        by_log_sigma = _product(z_lower, ratio_lower) - _product(z_upper, ratio_upper)

        weights = terms["node_weights"][self._curve_code]  # (n, nodes)
        sigma_slope = np.exp(2 * params[-2]) / sigma**2  # d ln(sigma) / d ln_sigma, for the floor
        by_row = np.column_stack(
            [
                self.exog * (weights * by_location).sum(axis=1)[:, None],
                (weights * by_log_sigma).sum(axis=1) * sigma_slope,
                (weights * by_location) @ terms["nodes"] * tau,
            ]
        )
        by_curve = self._in_curve @ by_row
        by_curve[:, -1] += 1 / len(by_curve)  # the penalty
        return by_curve

    def score(self, params, **_):
        """Return the gradient of the penalised log-likelihood, shape (p + 2,)."""
        return self.score_obs(params).sum(axis=0)

    def hessian(self, params, **_):
        """Return the second derivatives, by central differences of the score."""
        hessian = approx_fprime(np.asarray(params, float), self.score, centered=True)
        return (hessian + hessian.T) / 2

    def mean_covariance(self, params) -> np.ndarray | None:
        """Return the covariance of b, shape (p, p), or None where the curvature is degenerate.

        Where sigma sits on its floor the likelihood is flat in ln_sigma; sigma then counts as
        known.
        """
        information = -self.hessian(params)
        if np.exp(params[-2]) < 0.1 * SIGMA_FLOOR:
            information = np.delete(np.delete(information, -2, axis=0), -2, axis=1)
        if not np.isfinite(information).all() or np.linalg.eigvalsh(information)[0] <= 0:
            return None
        n_coefficients = self.exog.shape[1]
        return np.linalg.inv(information)[:n_coefficients, :n_coefficients]

    def start_points(self) -> list[np.ndarray]:
        """Return three starts: they differ in b and in how the scatter is split."""
        bracketed = (np.isfinite(self._log_lower) & np.isfinite(self._log_upper)).ravel()
        from_bracketed = np.linalg.lstsq(self.exog[bracketed], self.endog[bracketed])[0]
        from_all_rows = np.linalg.lstsq(self.exog, self.endog)[0]
        residual = self.endog[bracketed] - self.exog[bracketed] @ from_bracketed
        scatter = max(residual.std(), 0.2)
        return [
            np.r_[from_bracketed, np.log(scatter), np.log(0.5 * scatter)],
            np.r_[from_bracketed, np.log(0.3 * scatter), np.log(scatter)],
            np.r_[from_all_rows, np.log(2 * scatter), np.log(0.2 * scatter)],
        ]

    def _evaluate(self, params) -> dict:
        """Return the terms that the log-likelihood and the score share."""
        # An optimiser asks for both at the same point, so the last point is remembered.
        params = np.array(params, dtype=float)
        if np.array_equal(params, self._remembered_params):
            return self._remembered_terms

        sigma, tau = self.sigma(params), self.tau(params)
        nodes, log_weights = _quadrature(sigma / np.sqrt(self._most_rows_in_curve) / tau)
        location = (self.exog @ params[:-2])[:, None] + tau * nodes
        z_lower = (self._log_lower - location) / sigma  # (n, nodes)
        z_upper = (self._log_upper - location) / sigma
        log_prob = log_interval_probability(z_lower, z_upper)

        joint = self._in_curve @ log_prob + log_weights  # (n_curves, nodes)
        log_likelihood = logsumexp(joint, axis=1)
        self._remembered_params = params
        self._remembered_terms = {
            "nodes": nodes,
            "z_lower": z_lower,
            "z_upper": z_upper,
            "log_prob": log_prob,
            "log_likelihood": log_likelihood,
            "node_weights": np.exp(joint - log_likelihood[:, None]),
        }
        return self._remembered_terms


def log_interval_probability(z_lower, z_upper) -> np.ndarray:
    """Return ln[Phi(z_upper) - Phi(z_lower)] without cancellation in either tail."""
    # In the upper tail Phi is close to one: use Phi(b) - Phi(a) = Phi(-a) - Phi(-b).
    upper_tail = z_lower > 0
    log_small = log_ndtr(np.where(upper_tail, -z_upper, z_lower))
    log_large = log_ndtr(np.where(upper_tail, -z_lower, z_upper))
    log_ratio = np.minimum(log_small - log_large, -np.finfo(float).tiny)
    return log_large + np.log(-np.expm1(log_ratio))


def _quadrature(largest_spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes of a standard normal variable and the logarithms of their weights."""
    n_nodes = np.clip(2 * QUADRATURE_REACH / largest_spacing, FEWEST_NODES, MOST_NODES)
    nodes = np.linspace(-QUADRATURE_REACH, QUADRATURE_REACH, int(n_nodes))
    log_density = -0.5 * nodes**2
    return nodes, log_density - logsumexp(log_density)


def _density_ratio(z, log_prob) -> np.ndarray:
    """Return phi(z) / P for the interval probability P; 0 at an infinite z."""
    log_ratio = -0.5 * z**2 - LOG_SQRT_2PI - log_prob
    return np.exp(np.minimum(log_ratio, LARGEST_EXPONENT))


def _product(z, ratio) -> np.ndarray:
    """Return z * ratio, with its limit 0 at an infinite z."""
    return np.where(np.isfinite(z), z, 0.0) * ratio


def _bracket_centres(log_lower, log_upper) -> np.ndarray:
    """Return the middle of each bracket, or its finite end where it is censored."""
    centres = np.where(np.isfinite(log_lower), log_lower, log_upper)
    bracketed = np.isfinite(log_lower) & np.isfinite(log_upper)
    centres[bracketed] = (log_lower[bracketed] + log_upper[bracketed]) / 2
    return centres


@dataclass(frozen=True)
class Optimum:
    """Best of several ascents of the penalised log-likelihood.

    Attributes
    ----------
    params : ndarray of float, shape (p + 2,)
        (b, ln_sigma, ln_tau) of the best ascent.
    log_likelihood : float
        Penalised log-likelihood there.
    score_norm : float
        Infinity norm of its gradient there.
    n_starts, n_starts_agreeing : int
        Ascents made, and those that ended within 1e-4 of `log_likelihood`.
    converged : bool
        True when `score_norm` is below 1e-3 and at least two ascents agree.
    """

    params: np.ndarray
    log_likelihood: float
    score_norm: float
    n_starts: int
    n_starts_agreeing: int

    @property
    def converged(self) -> bool:
        """Judge by the gradient and by agreement, never by the optimiser's own flag."""
        return bool(self.score_norm < SCORE_TOLERANCE and self.n_starts_agreeing >= 2)


def find_optimum(model: IntervalModel) -> Optimum:
    """Climb the penalised log-likelihood from three starts and keep the best end.

    Parameters
    ----------
    model : IntervalModel
        Model whose bracketed rows identify b.

    Returns
    -------
    Optimum
        The best end with its gradient and the number of starts that agree.
    """
    # The optimiser sees the log-likelihood divided by the number of rows, hence the tight gtol.
    settings = {"method": "bfgs", "maxiter": 500, "gtol": 1e-7, "disp": 0}
    skipped = {"skip_hessian": True, "warn_convergence": False}
    ends = [model.fit(start, **settings, **skipped).params for start in model.start_points()]
    log_likelihoods = np.array([model.loglike(end) for end in ends])
    best = int(np.argmax(log_likelihoods))
    agreeing = log_likelihoods > log_likelihoods[best] - AGREEMENT_TOLERANCE
    return Optimum(
        params=ends[best],
        log_likelihood=float(log_likelihoods[best]),
        score_norm=float(np.abs(model.score(ends[best])).max()),
        n_starts=len(ends),
        n_starts_agreeing=int(agreeing.sum()),
    )
