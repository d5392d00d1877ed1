"""The smallest training set from which a model learnt the task."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Threshold", "find_threshold"]


@dataclass(frozen=True)
class Threshold:
    """The bracket that a set of budgets puts around N*.

    Attributes
    ----------
    n_star : float
        Smallest successful budget, in training examples; NaN when right-censored.
    lower, upper : float
        N* lies in (lower, upper].  `lower` is 0 when left-censored, `upper` is infinite when
        right-censored.
    censoring : str
        "interval" when a failed and a successful budget enclose N*, "left" when the smallest
        budget already succeeds, "right" when none succeeds.
    monotone : bool
        False when some budget larger than `n_star` fails again.
    n_budgets : int
        Number of budgets tried.
    """

    n_star: float
    lower: float
    upper: float
    censoring: str
    monotone: bool
    n_budgets: int


def find_threshold(budgets, successful) -> Threshold:
    """Find the smallest successful budget and the bracket around it.

    Parameters
    ----------
    budgets : array_like of float, shape (n_budgets,)
        Numbers of training examples tried, in any order; positive, each at most once.
    successful : array_like of bool, shape (n_budgets,)
        Whether the model learnt the task from that many examples.

    Returns
    -------
    Threshold
        `n_star`, its bracket, how it is censored and whether success was monotone.

    Raises
    ------
    ValueError
        If the arrays are empty or differ in length, if a budget is not positive and finite or
        occurs twice, or if an outcome is neither true nor false.

    Notes
    -----
    The rule is that of Ebrahimi et al.: "N* is the smallest successful sample size".  The lower
    end of the bracket is the largest budget below N*, which failed by definition.  A failure
    above N* does not move N*; it is reported as ``monotone=False``.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, section 2 and appendix A.1.

    Examples
    --------
    >>> find_threshold([100, 400, 200], [False, True, True])  # doctest: +NORMALIZE_WHITESPACE
    Threshold(n_star=200.0, lower=100.0, upper=200.0, censoring='interval', monotone=True,
              n_budgets=3)
    >>> find_threshold([100, 200], [False, False]).censoring
    'right'
    """
    budgets, successful = _check_budgets(budgets, successful)

    n_budgets = len(budgets)
    largest_budget = float(budgets.max())
    if not successful.any():
        return Threshold(np.nan, largest_budget, np.inf, "right", True, n_budgets)

    n_star = float(budgets[successful].min())
    smaller_budgets = budgets[budgets < n_star]
    lower = float(smaller_budgets.max()) if smaller_budgets.size else 0.0
    return Threshold(
        n_star=n_star,
        lower=lower,
        upper=n_star,
        censoring="interval" if smaller_budgets.size else "left",
        monotone=bool(successful[budgets > n_star].all()),
        n_budgets=n_budgets,
    )


def _check_budgets(budgets, successful) -> tuple[np.ndarray, np.ndarray]:
    """Return the budgets as floats and the outcomes as booleans, or say what is wrong."""
    budgets = np.asarray(budgets, dtype=float)
    outcomes = np.asarray(successful)
    if budgets.ndim != 1 or budgets.shape != outcomes.shape:
        raise ValueError(
            f"budgets has shape {budgets.shape} and successful has shape {outcomes.shape}: "
            "both must be one-dimensional and of the same length, one outcome for each budget"
        )
    if budgets.size == 0:
        raise ValueError("budgets is empty: at least one budget is needed")

    for position, budget in enumerate(budgets):
        if not (np.isfinite(budget) and budget > 0):
            raise ValueError(
                f"budgets[{position}] is {budget:g}: a budget must be a positive, finite number "
                "of training examples"
            )
    for position, outcome in enumerate(outcomes):
        if outcome not in (False, True):
            raise ValueError(
                f"successful[{position}] is {outcome!r}: an outcome must be True or False"
            )

    values, counts = np.unique(budgets, return_counts=True)
    if (counts > 1).any():
        raise ValueError(
            f"budget {values[counts > 1][0]:g} occurs {counts[counts > 1][0]} times: each budget "
            "may occur once, so combine the runs of one budget into one outcome first"
        )
    return budgets, outcomes.astype(bool)
