"""What a fitted scaling law says, and how far it can be trusted."""

from dataclasses import dataclass

__all__ = ["Coefficient", "Difference", "ScalingFit"]


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of a scaling law with the ends of its interval; NaN where unknown."""

    name: str
    estimate: float
    standard_error: float
    lower: float
    upper: float


@dataclass(frozen=True)
class ScalingFit:
    """A fitted scaling law with its diagnostics.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        "intercept" first, then the covariates in the order given.
    residual_scale : float
        sigma, the scatter of runs about their curve, in natural log units.
    curve_scale : float
        tau, the scatter of curves about the scaling law, in natural log units.
    confidence : float
        Nominal coverage of the intervals.
    degrees_of_freedom : int
        C - p of the t quantiles; C counts the curves with a bracketed row, p the coefficients.
    n_used, n_censored, n_curves : int
        Rows in the fit, those censored on either side, and curves with or without a bracketed
        row.
    log_likelihood : float
        Log-likelihood of the brackets at the estimate, without the penalty.
    score_norm : float
        Infinity norm of the gradient of the penalised log-likelihood at the estimate.
    n_starts, n_starts_agreeing : int
        Ascents made, and those that reached the best log-likelihood within 1e-4.
    converged : bool
        True when the gradient vanishes, two ascents agree and the curvature is that of a maximum.
    identified : bool
        False when the brackets cannot determine the coefficients; all estimates are then NaN.
    reason : str
        Why the estimates or the intervals are missing; empty otherwise.
    method : str
        The method in one line.
    """

    coefficients: tuple[Coefficient, ...]
    residual_scale: float
    curve_scale: float
    confidence: float
    degrees_of_freedom: int
    n_used: int
    n_censored: int
    n_curves: int
    log_likelihood: float
    score_norm: float
    n_starts: int
    n_starts_agreeing: int
    converged: bool
    identified: bool
    reason: str
    method: str

    def coefficient(self, name: str) -> Coefficient:
        """Return the coefficient called `name`, or raise KeyError with the names there are."""
        for coefficient in self.coefficients:
            if coefficient.name == name:
                return coefficient
        known = ", ".join(coefficient.name for coefficient in self.coefficients)
        raise KeyError(f"no coefficient is called {name!r}; there are: {known}")


@dataclass(frozen=True)
class Difference:
    """First minus second value of one coefficient in two independent fits.

    `p_value` is two-sided, against no difference.  Where `identified` is False the standard error
    and interval are NaN and `reason` says why.
    """

    name: str
    estimate: float
    standard_error: float
    lower: float
    upper: float
    degrees_of_freedom: float
    p_value: float
    identified: bool
    reason: str
