"""How much do lengths share? The sharing factor kappa, with bounds where demands are censored."""

from dataclasses import dataclass

import numpy as np

from nstar.stats.checks import as_columns, refuse_rows
from nstar.stats.ratio import Ends, bracket_ratio, describe_censored, find_ratio
from nstar.stats.results import Result

__all__ = ["SharingFactor", "bracket_sharing_factor", "find_sharing_factor"]


@dataclass(frozen=True)
class SharingFactor(Result):
    """kappa = sum_n N*_n / N*_joint.

    Attributes
    ----------
    estimate : float
        kappa; NaN where a demand is censored.
    lower, upper : float
        Ends of the interval; 0 and inf where that side is open.
    kind : str
        "estimate", "interval" (censored terms, both sides known), "lower bound", "upper bound" or
        "unknown".
    n_used, n_censored : int
        Lengths in the sum, and demands, the joint one included, that are censored.
    reason : str
        Which demands are censored; empty where none is.
    method : str
        The method in one line.
    """

    estimate: float
    lower: float
    upper: float
    kind: str
    n_used: int
    n_censored: int
    reason: str
    method: str = "ratio of a sum of demands, MOVER interval"


def find_sharing_factor(
    length,
    estimate,
    lower,
    upper,
    joint: Ends,
    smallest_length: float = 0,
) -> SharingFactor:
    """Compare the demands of single lengths with that of one model for all of them.

    Parameters
    ----------
    length : array_like of float, shape (n,)
        Lengths, each once.
    estimate, lower, upper : array_like of float, shape (n,)
        N*_n of models trained and tested on one length only, with the ends of its interval:
        ``estimate`` NaN, with ``lower`` the largest budget known to be too small and ``upper`` inf,
        where none was enough; ``lower`` 0 and ``upper`` the smallest budget known to be enough,
        where all were.
    joint : tuple of float
        Estimate, lower and upper of N*_joint, of one model for all lengths.
    smallest_length : float, optional
        Shorter lengths are left out of the sum: their spaces may be too small for any model to
        learn from.  The joint demand must then be that of a model for the remaining lengths.

    Returns
    -------
    SharingFactor
        Above 1 where lengths share, about 1 where each is learnt for itself, below 1 where they
        interfere.  A right-censored N*_n leaves a lower bound, a right-censored N*_joint an upper.

    Raises
    ------
    ValueError
        If lengths differ, repeat or are missing, a bound is negative, ``lower`` exceeds ``upper``,
        or an estimate is not positive or lies outside of them.

    Notes
    -----
    The ends are recovered from those of the terms (MOVER; Zou and Donner 2008): for the sum
    S -+ sqrt(sum of squared distances of the terms' ends), for the ratio as in
    `nstar.stats.find_ratio`.  Terms and joint demand count as independent.  A censored term enters
    with its bound.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, section 4, for kappa.
    Zou and Donner (2008), Statistics in Medicine 27, 1693-1702.

    Examples
    --------
    >>> found = find_sharing_factor([2, 3], [20.0, 60.0], [15, 45], [27, 80], (40.0, 30, 53))
    >>> found.kind, found.estimate
    ('estimate', 2.0)
    """
    demands, joint = _check(length, estimate, lower, upper, joint, smallest_length)
    if not demands:
        return NO_LENGTH
    estimates, lowers, uppers = np.array(list(demands.values())).T
    censored = np.isnan(estimates)
    total = estimates[~censored].sum()
    below = np.sqrt(((estimates - lowers)[~censored] ** 2).sum())
    above = np.sqrt(((uppers - estimates)[~censored] ** 2).sum())
    ends = total - below + lowers[censored].sum(), total + above + uppers[censored].sum()
    found = find_ratio((np.nan if censored.any() else total, *ends), joint)
    return SharingFactor(**vars(found), **_basis(demands, joint))


def bracket_sharing_factor(
    length, estimate, lower, upper, joint: Ends, smallest_length: float = 0
) -> SharingFactor:
    """As `find_sharing_factor`, of demands that are certain to lie within their ends.

    Such are the brackets of `nstar.stats.find_threshold`, whose N* is the upper end: the bounds of
    the sum are the sums of the bounds, and those of kappa the least and the greatest ratio.

    Examples
    --------
    >>> found = bracket_sharing_factor([2, 3], [16, 64], [8, 32], [16, 64], (40.0, 20.0, 40.0))
    >>> found.estimate, found.lower, found.upper
    (2.0, 1.0, 4.0)
    """
    demands, joint = _check(length, estimate, lower, upper, joint, smallest_length)
    if not demands:
        return NO_LENGTH
    total, *ends = (float(sum(values)) for values in zip(*demands.values(), strict=True))
    found = bracket_ratio((total, *ends), joint)
    method = "ratio of a sum of thresholds, from the least to the greatest that the brackets allow"
    return SharingFactor(**vars(found), **_basis(demands, joint), method=method)


NO_LENGTH = SharingFactor(np.nan, 0.0, np.inf, "unknown", 0, 0, "No length is left.")


def _check(length, estimate, lower, upper, joint, smallest_length) -> tuple[dict[str, Ends], Ends]:
    """Return the demands by the name of their length, or say what is wrong; and the joint one."""
    columns = as_columns(length=length, estimate=estimate, lower=lower, upper=upper)
    length, *demands = columns.values()
    refuse_rows(np.isnan(length), lambda i: "the length is missing")
    if len(np.unique(length)) < len(length):
        raise ValueError(f"a length occurs twice among {length.tolist()}: each has one demand")
    _check_demands(*demands)
    _check_demands(*(np.array([value], dtype=float) for value in joint))
    rows = zip(length, zip(*demands, strict=True), strict=True)
    return {f"length {n:g}": ends for n, ends in rows if n >= smallest_length}, joint


def _basis(demands: dict[str, Ends], joint: Ends) -> dict:
    """Return what a sharing factor rests on."""
    named = {**demands, "the joint demand": joint}
    n_censored = int(sum(np.isnan(estimate) for estimate, _, _ in named.values()))
    return {"n_used": len(demands), "n_censored": n_censored, "reason": describe_censored(named)}


def _check_demands(estimate, lower, upper) -> None:
    """Refuse ends that are no interval, or an estimate outside of them."""
    refuse_rows(
        ~((lower >= 0) & (lower < upper)),
        lambda i: f"the demand lies in ({lower[i]:g}, {upper[i]:g}]: 0 <= lower < upper is needed",
    )
    refuse_rows(estimate <= 0, lambda i: f"the estimate is {estimate[i]:g}: it must be positive")
    refuse_rows(
        (estimate < lower) | (estimate > upper),
        lambda i: f"the estimate {estimate[i]:g} is outside of ({lower[i]:g}, {upper[i]:g}]",
    )
    refuse_rows(
        ~np.isnan(estimate) & np.isinf(upper),
        lambda i: f"the estimate {estimate[i]:g} has no upper end: give NaN where N* is censored",
    )
