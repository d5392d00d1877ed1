"""How many times one demand is another: an estimate with its interval, or what bounds allow."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nstar.stats.results import Result

__all__ = ["Ratio", "bracket_ratio", "describe_censored", "find_ratio"]

Ends = tuple[float, float, float]
"""Estimate, lower and upper of a demand: the estimate NaN where it is censored, 0 and inf open ends."""


@dataclass(frozen=True)
class Ratio(Result):
    """A ratio of two demands.

    Attributes
    ----------
    estimate : float
        NaN where one of the two is censored.
    lower, upper : float
        Ends of the interval; 0 and inf where that side is open.
    kind : str
        "estimate", "interval" (no estimate, but both sides known), "lower bound", "upper bound" or
        "unknown".
    """

    estimate: float
    lower: float
    upper: float
    kind: str


def find_ratio(numerator: Ends, denominator: Ends) -> Ratio:
    """Return the ratio of two estimated demands with its interval.

    Parameters
    ----------
    numerator, denominator : tuple of float
        Estimate, lower and upper: ``0 <= lower < upper``, and ``lower <= estimate <= upper`` where
        it is not NaN.

    Returns
    -------
    Ratio
        As `bracket_ratio` where one of the two is censored.

    Notes
    -----
    The ends are recovered from those of the two (MOVER; Zou and Donner 2008), in logarithms:
    ``log lower = log ratio - hypot(log(x / x_lower), log(y_upper / y))``, and likewise the upper.
    The two count as independent.

    References
    ----------
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.

    Examples
    --------
    >>> found = find_ratio((80.0, 40.0, 160.0), (20.0, 20.0, 20.0))
    >>> round(found.estimate, 6), round(found.lower, 6), round(found.upper, 6), found.kind
    (4.0, 2.0, 8.0, 'estimate')
    """
    if np.isnan(numerator[0]) or np.isnan(denominator[0]):
        return bracket_ratio(numerator, denominator)
    (top, *top_ends), (bottom, *bottom_ends) = numerator, denominator
    ratio = top / bottom
    with np.errstate(divide="ignore"):
        below = np.hypot(np.log(np.divide(top, top_ends[0])), np.log(bottom_ends[1] / bottom))
        above = np.hypot(np.log(top_ends[1] / top), np.log(np.divide(bottom, bottom_ends[0])))
    lower, upper = ratio * np.exp(-below), ratio * np.exp(above)
    return Ratio(float(ratio), float(lower), float(upper), "estimate")


def bracket_ratio(numerator: Ends, denominator: Ends) -> Ratio:
    """Return the ratio of two demands that are certain to lie within their ends.

    Parameters
    ----------
    numerator, denominator : tuple of float
        As `find_ratio`.

    Returns
    -------
    Ratio
        From the least to the greatest value that the ends allow; its estimate is the ratio of the
        estimates, NaN where one of the two is.

    Examples
    --------
    >>> bracket_ratio((80.0, 40.0, 80.0), (20.0, 10.0, 20.0))
    Ratio(estimate=4.0, lower=2.0, upper=8.0, kind='estimate')
    >>> bracket_ratio((np.nan, 80.0, np.inf), (20.0, 10.0, 20.0)).kind
    'lower bound'
    """
    estimate = numerator[0] / denominator[0]
    lower = numerator[1] / denominator[2]
    upper = numerator[2] / denominator[1] if denominator[1] else np.inf
    kinds = {(True, True): "interval", (True, False): "lower bound", (False, True): "upper bound"}
    kind = kinds.get((bool(lower > 0), bool(np.isfinite(upper))), "unknown")
    known = not np.isnan(estimate)
    return Ratio(float(estimate), float(lower), float(upper), "estimate" if known else kind)


def describe_censored(demands: Mapping[str, Ends]) -> str:
    """Return a sentence on the demands without an estimate, by name, or "" where all have one.

    Examples
    --------
    >>> describe_censored({"the joint demand": (np.nan, 64.0, np.inf), "length 3": (8.0, 4.0, 8.0)})
    'The joint demand is right-censored.'
    """
    sides = {
        (True, True): "interval-censored",
        (True, False): "right-censored",
        (False, True): "left-censored",
        (False, False): "unknown",
    }
    parts = [
        f"{name} is {sides[bool(lower > 0), bool(np.isfinite(upper))]}"
        for name, (estimate, lower, upper) in demands.items()
        if np.isnan(estimate)
    ]
    return ("; ".join(parts) + ".").capitalize() if parts else ""
