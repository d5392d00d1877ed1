"""How many times one estimated number is another, where the denominator may be zero."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from nstar.stats.checks import check_confidence
from nstar.stats.results import Result

__all__ = ["RatioOfEstimates", "ratio_of_estimates"]


@dataclass(frozen=True)
class RatioOfEstimates(Result):
    """A ratio of two estimates.

    Attributes
    ----------
    estimate : float
        Numerator over denominator; NaN where it is not identified.
    lower, upper : float
        Ends of the interval; -inf and inf where the denominator may be zero.
    confidence : float
        Nominal coverage of the interval.
    identified : bool
        False where a number or its standard error is unknown, or the denominator is 0.
    reason : str
        Why there is no estimate, or why its interval is open; empty otherwise.
    """

    estimate: float
    lower: float
    upper: float
    confidence: float
    identified: bool
    reason: str


def ratio_of_estimates(
    numerator: float,
    numerator_se: float,
    denominator: float,
    denominator_se: float,
    degrees_of_freedom: float = np.inf,
    confidence: float = 0.95,
) -> RatioOfEstimates:
    """Return the ratio of two independent estimates with Fieller's interval.

    Parameters
    ----------
    numerator, denominator : float
        Estimates, of any sign; NaN where unknown.
    numerator_se, denominator_se : float
        Their standard errors, not negative; NaN where unknown.
    degrees_of_freedom : float, optional
        Of the t quantile, positive; of the two estimates the smaller number is safe.
    confidence : float, optional
        Nominal coverage of the interval, in (0, 1).

    Returns
    -------
    RatioOfEstimates
        Where the interval of the denominator holds zero, both ends are open: the data then exclude
        no ratio, or only some between two others.

    Raises
    ------
    ValueError
        If a standard error is negative, the degrees of freedom are not positive, or `confidence` is
        outside (0, 1).

    Notes
    -----
    The interval holds every ratio q for which ``x - q y`` does not differ from zero:
    ``(x - q y)^2 <= t^2 (s_x^2 + q^2 s_y^2)``, x the numerator, y the denominator (Fieller 1954).
    That is an interval where ``|y| > t s_y``; otherwise it is the whole line, or the line but for
    a gap, which is given as the whole line.

    References
    ----------
    Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.

    Examples
    --------
    >>> found = ratio_of_estimates(6.0, 0.3, 2.0, 0.1)
    >>> round(found.estimate, 2), round(found.lower, 2), round(found.upper, 2)
    (3.0, 2.61, 3.45)
    >>> ratio_of_estimates(6.0, 0.3, 0.1, 0.1).upper
    inf
    """
    check_confidence(confidence)
    for name, error in (("numerator_se", numerator_se), ("denominator_se", denominator_se)):
        if error < 0:
            raise ValueError(f"{name} is {error!r}: a standard error must not be negative")
    parts = {"numerator": (numerator, numerator_se), "denominator": (denominator, denominator_se)}
    unknown = [name for name, part in parts.items() if not np.isfinite(part).all()]
    if unknown or denominator == 0:
        missing = f"No estimate with a standard error of the {' and the '.join(unknown)}."
        reason = missing if unknown else "The denominator is 0."
        return RatioOfEstimates(np.nan, np.nan, np.nan, confidence, False, reason)
    if not degrees_of_freedom > 0:
        raise ValueError(f"degrees_of_freedom is {degrees_of_freedom!r}: it must be positive")
    ratio = numerator / denominator
    t = stats.t.ppf((1 + confidence) / 2, degrees_of_freedom)
    if abs(denominator) <= t * denominator_se:
        reason = "The denominator may be zero: its interval holds 0, so the ratio has no bound."
        return RatioOfEstimates(ratio, -np.inf, np.inf, confidence, True, reason)
    # Both ends solve (1 - e^2) q^2 - 2 r q + r^2 - d^2 = 0: r = x / y, d = t s_x / y, e = t s_y / y.
    by_numerator, by_denominator = t * numerator_se / denominator, t * denominator_se / denominator
    leading = 1 - by_denominator**2
    root = np.hypot(by_numerator * np.sqrt(leading), ratio * by_denominator)
    return RatioOfEstimates(
        ratio,
        float((ratio - root) / leading),
        float((ratio + root) / leading),
        confidence,
        True,
        "",
    )
