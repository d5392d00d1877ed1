"""The smallest training set from which a model learnt the task."""

from dataclasses import dataclass

import numpy as np

from nstar.stats.results import Result

__all__ = ["Threshold", "find_threshold"]


@dataclass(frozen=True)
class Threshold(Result):
    """The bracket that a set of budgets puts around N*.

    Attributes
    ----------
    n_star : float
        Smallest successful budget, in training examples; NaN when right-censored.
    lower, upper : float
        N* lies in (lower, upper].  `lower` is 0 when no smaller budget failed, `upper` is infinite
        when none succeeded.
    censoring : str
        "interval" when a failed and a successful budget enclose N*, "left" when only `upper` is
        known, "right" when only `lower` is, "unknown" when neither is.
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


def find_threshold(budgets, successful, fitted=None) -> Threshold:
    """Find the smallest successful budget and the bracket around it.

    Parameters
    ----------
    budgets : array_like of float, shape (n_budgets,)
        Numbers of training examples tried, in any order; positive, each at most once.
    successful : array_like of bool, shape (n_budgets,)
        Whether the model learnt the task from that many examples.
    fitted : array_like of bool, shape (n_budgets,), optional
        Whether it learnt at least its training set; all true where left out.  A failure without
        that says nothing about data, and is not taken for a lower end of the bracket.

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
    end of the bracket is the largest smaller budget that failed although the training set was
    fitted.  A failure above N* does not move N*; it is reported as ``monotone=False``.

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
    >>> find_threshold([100, 200, 400], [False, False, True], fitted=[True, False, True]).lower
    100.0
    """
    budgets, successful = _check_budgets(budgets, successful)
    fitted = np.ones_like(successful) if fitted is None else _check_budgets(budgets, fitted)[1]

    n_star = float(budgets[successful].min()) if successful.any() else np.nan
    upper = n_star if successful.any() else np.inf
    failed = budgets[~successful & fitted & (budgets < upper)]
    sides = {(True, True): "interval", (False, True): "left", (True, False): "right"}
    return Threshold(
        n_star=n_star,
        lower=float(failed.max()) if failed.size else 0.0,
        upper=upper,
        censoring=sides.get((bool(failed.size), bool(successful.any())), "unknown"),
        monotone=bool(successful[budgets > upper].all()),
        n_budgets=len(budgets),
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
