"""What would kappa be if lengths shared nothing? The null beside a sharing factor."""

from dataclasses import dataclass

import numpy as np

from nstar.stats.checks import as_columns, refuse_rows
from nstar.stats.results import Result

__all__ = ["IsolatedSharing", "find_isolated_sharing"]


@dataclass(frozen=True)
class IsolatedSharing(Result):
    """Sharing factor and joint demand of a learner that shares nothing between lengths.

    Attributes
    ----------
    null : float
        Its kappa; NaN where a demand is censored.
    null_lower, null_upper : float
        The least and the greatest kappa that demands within their ends allow.
    joint : float
        Its N*_joint, in training sequences of the mixture; NaN where a demand is censored.
    joint_lower, joint_upper : float
        The least and the greatest, likewise.
    """

    null: float
    null_lower: float
    null_upper: float
    joint: float
    joint_lower: float
    joint_upper: float


def find_isolated_sharing(
    estimate, lower, upper, available, order: str, shows_shorter: bool
) -> IsolatedSharing:
    """Return what a learner would need of a mixture of lengths, were each length learnt for itself.

    Parameters
    ----------
    estimate, lower, upper : array_like of float, shape (n,)
        N*_n of the lengths of the mixture, the shortest first, as in `nstar.stats.find_sharing_factor`.
    available : array_like of float, shape (n,)
        Training sequences of each length that the mixture can draw.
    order : {"uniform", "short_to_long"}
        ``uniform``: each next sequence has one of the lengths that are not used up, each as likely.
        ``short_to_long``: all of a length come before the next one.
    shows_shorter : bool
        Whether a sequence also shows what shorter ones ask: with aligned states a causal model reads
        the first n symbols of a longer sequence as it reads a sequence of length n.

    Returns
    -------
    IsolatedSharing

    Raises
    ------
    ValueError
        If the arrays differ in length, ends are no interval, nothing is available of a length, or
        there is no such order.

    Notes
    -----
    Length n is learnt when N*_n sequences have shown it, whatever else was seen. Of the first N
    sequences of the mixture, in expectation C_n(N) show it: those of length n, or, where longer ones
    show it, of length n and more. So ``N*_joint = max_n min {N: C_n(N) >= N*_n}``. While no length is
    used up and lengths are uniform, that is ``max_n N*_n / q_n``, q_n the share of sequences that show
    n: kappa is at most 1 where sequences show one length each, and 1 where all lengths need the same.

    With ``shows_shorter``, N*_n is what the n-th position needs. That assumes that it needs no less than
    the positions before it, which the model of length n also had to learn.

    The ends of kappa are exact for demands that vary freely within theirs. For a joint demand J
    the greatest sum of demands is ``sum_n min(upper_n, C_n(J))``; the least has one length that needs J,
    and the others at their lower ends. Both are divided by J at every J where C_n or a demand bends,
    between which their ratios to J are monotone.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, section 4, for kappa. The null is ours.

    Examples
    --------
    >>> demands = [64.0, 128, 128, 128, 128]
    >>> find_isolated_sharing(demands, demands, demands, [1e6] * 5, "uniform", False).null
    0.9
    >>> demands = [4.0, 5, 6]
    >>> found = find_isolated_sharing(demands, demands, demands, [1e6] * 3, "uniform", True)
    >>> round(found.null, 2), round(found.joint, 6)
    (0.83, 18.0)
    """
    columns = as_columns(estimate=estimate, lower=lower, upper=upper, available=available)
    estimate, lower, upper, available = columns.values()
    refuse_rows(
        ~((0 <= lower) & (lower <= upper) & (upper > 0)),
        lambda i: (
            f"the demand lies in ({lower[i]:g}, {upper[i]:g}]: 0 <= lower <= upper is needed, "
            "and upper > 0"
        ),
    )
    refuse_rows(estimate <= 0, lambda i: f"the estimate is {estimate[i]:g}: it must be positive")
    refuse_rows(
        ~(available >= 1),
        lambda i: f"{available[i]:g} sequences are available: a mixture has some of every length",
    )
    drawn, shown = _mixture(available, order, shows_shorter)
    # Nobody is shown more of a length than there is.
    estimate, lower, upper = (np.minimum(ends, shown[:, -1]) for ends in (estimate, lower, upper))
    joint, least, most = (_needed(shown, drawn, ends) for ends in (estimate, lower, upper))
    known = not np.isnan(estimate).any()
    null_lower, null_upper = _ends(lower, upper, least, most, drawn, shown)
    return IsolatedSharing(
        null=float(estimate.sum() / joint.max()) if known else np.nan,
        null_lower=null_lower,
        null_upper=null_upper,
        joint=float(joint.max()) if known else np.nan,
        joint_lower=float(least.max()),
        joint_upper=float(most.max()),
    )


def _mixture(available, order: str, shows_shorter: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of drawn sequences (k,), and how many of them show each length (n, k).

    Between these numbers, which begin with 0 and end with all sequences, the expected counts are linear.
    """
    if order == "uniform":  # of each length there are as many, up to all that there are
        counts = np.minimum(available[:, None], np.append(0, np.sort(available)))
    elif order == "short_to_long":
        counts = available[:, None] * np.tri(len(available) + 1, len(available), -1).T
    else:
        raise ValueError(f"order is {order!r}: it must be uniform or short_to_long")
    shown = np.cumsum(counts[::-1], axis=0)[::-1] if shows_shorter else counts
    return counts.sum(axis=0), shown


def _needed(shown: np.ndarray, drawn: np.ndarray, demands: np.ndarray) -> np.ndarray:
    """Return after how many sequences each length has been shown as often as it needs."""
    found = []
    for counts, demand in zip(shown, demands, strict=True):
        if not demand > 0:  # NaN where it is censored
            found.append(demand)
            continue
        k = np.searchsorted(counts, demand)
        part = (demand - counts[k - 1]) / (counts[k] - counts[k - 1])
        found.append(drawn[k - 1] + part * (drawn[k] - drawn[k - 1]))
    return np.array(found)


def _ends(lower, upper, least, most, drawn, shown) -> tuple[float, float]:
    """Return the least and the greatest kappa; see the notes of `find_isolated_sharing`."""
    floor = least.max()  # no demands within their ends need less together
    joints = np.unique(np.concatenate([drawn, least, most]))
    joints = joints[(joints >= floor) & (joints > 0)]
    counts = np.array([np.interp(joints, drawn, of_length) for of_length in shown])
    highest = np.minimum(upper[:, None], counts).sum(axis=0) / joints
    demanding = np.clip(counts, lower[:, None], upper[:, None])
    lowest = (lower.sum() - lower[:, None] + demanding) / joints
    begins = np.array(
        [joints[of <= low].max(initial=floor) for of, low in zip(counts, lower, strict=True)]
    )
    attained = (joints >= begins[:, None]) & (joints <= np.maximum(most, 0)[:, None])
    return float(lowest[attained].min()), float(highest.max())
