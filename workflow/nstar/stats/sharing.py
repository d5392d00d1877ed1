"""How much do lengths share? The sharing factor kappa, with bounds where demands are censored."""

from dataclasses import dataclass

import numpy as np

from nstar.stats.checks import as_columns, refuse_rows

__all__ = ["SharingFactor", "find_sharing_factor"]


@dataclass(frozen=True)
class SharingFactor:
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
    joint: tuple[float, float, float],
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
    S -+ sqrt(sum of squared distances of the terms' ends), for the ratio the same in logarithms.
    Terms and joint demand count as independent.  A censored term enters with its bound.

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
    columns = as_columns(length=length, estimate=estimate, lower=lower, upper=upper)
    length, estimate, lower, upper = columns.values()
    refuse_rows(np.isnan(length), lambda i: "the length is missing")
    if len(np.unique(length)) < len(length):
        raise ValueError(f"a length occurs twice among {length.tolist()}: each has one demand")
    _check_demands(estimate, lower, upper)
    _check_demands(*(np.array([value], dtype=float) for value in joint))
    kept = length >= smallest_length
    length, estimate, lower, upper = (v[kept] for v in (length, estimate, lower, upper))

    censored = np.isnan(estimate)
    reason = _describe(length[censored], lower[censored], upper[censored], joint)
    shared = {"n_used": len(length), "n_censored": int(censored.sum() + np.isnan(joint[0]))}
    if not len(length):
        return SharingFactor(np.nan, 0.0, np.inf, "unknown", reason="No length is left.", **shared)

    total = estimate[~censored].sum()
    below = np.sqrt(((estimate - lower)[~censored] ** 2).sum())
    above = np.sqrt(((upper - estimate)[~censored] ** 2).sum())
    sum_lower, sum_upper = (
        total - below + lower[censored].sum(),
        total + above + upper[censored].sum(),
    )
    if reason:
        ends = sum_lower / joint[2], sum_upper / joint[1] if joint[1] else np.inf
        return SharingFactor(np.nan, *map(float, ends), _kind(*ends), reason=reason, **shared)

    with np.errstate(divide="ignore"):
        log_ratio = np.log(total / joint[0])
        low = np.hypot(np.log(total / sum_lower), np.log(joint[2] / joint[0]))
        high = np.hypot(np.log(sum_upper / total), np.log(np.divide(joint[0], joint[1])))
    ends = np.exp(log_ratio - low), np.exp(log_ratio + high)
    return SharingFactor(
        float(np.exp(log_ratio)), *map(float, ends), "estimate", reason="", **shared
    )


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


def _kind(lower: float, upper: float) -> str:
    """Return what two ends say without an estimate."""
    sides = {(True, True): "interval", (True, False): "lower bound", (False, True): "upper bound"}
    return sides.get((bool(lower > 0), bool(np.isfinite(upper))), "unknown")


def _describe(lengths, lowers, uppers, joint) -> str:
    """Return a sentence on the censored demands, or "" where there are none."""
    names = [f"length {length:g}" for length in lengths]
    ends = list(zip(lowers, uppers, strict=True))
    if np.isnan(joint[0]):
        names, ends = [*names, "the joint demand"], [*ends, joint[1:]]
    parts = [
        f"{name} is {'right' if np.isinf(upper) else 'interval' if lower > 0 else 'left'}-censored"
        for name, (lower, upper) in zip(names, ends, strict=True)
    ]
    return ("; ".join(parts) + ".").capitalize() if parts else ""
