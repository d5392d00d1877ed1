"""Whether runs that count as learnt pass on sequences that no rule reads."""

import numpy as np
import pandas as pd
from scipy.special import bdtr

from nstar.tables.cells import VERDICTS
from nstar.tables.selection import CURVE_PLACE
from nstar.verdicts import passes

LEVEL = 0.05
"""Of the test over all learnt runs of a study under a rule."""


def verdict_table(judged: pd.DataFrame, measure: str, threshold: float) -> pd.DataFrame:
    """Return the table of verdicts.

    Parameters
    ----------
    judged : DataFrame
        One row per replicate and rule: the columns of a cell, ``rule``, ``learnt``, and of the test set
        ``n_test``, its sequences, and ``test``, the success measure at the evaluation at which the
        replicate learnt; NaN where it did not, or that is not known.
    measure : str
        The success measure.
    threshold : float

    Notes
    -----
    The hypothesis that is tested is "at least the threshold" on unseen sequences. A rule for every
    length or position implies it for all together, so all rules are tested alike. Labels of a sequence
    are not independent: a token accuracy counts as that share of the sequences, rounded up, which finds
    fewer replicates than a test that knew how labels hang together.
    """
    known = judged["test"].notna()
    misses = ~passes(judged["test"].to_numpy(), measure, threshold)
    judged = judged.assign(unknown=judged["learnt"] & ~known, below=known & misses, flagged=False)
    if measure != "loss":
        for _, runs in judged[known].groupby("rule"):
            judged.loc[runs.index, "flagged"] = _flagged(runs, threshold)
    keys = [*CURVE_PLACE, "budget", "rule"]
    rows = [
        {
            **dict(zip(keys, key, strict=True)),
            "n_replicates": len(part),
            "n_learnt": part["learnt"].sum(),
            "n_unknown": part["unknown"].sum(),
            "n_below": part["below"].sum(),
            "median_test": part["test"].median(),
            "n_test": part["n_test"].min(),
            "n_flagged": pd.NA if measure == "loss" else part["flagged"].sum(),
            "reason": "A loss is no share: no binomial test." if measure == "loss" else "",
        }
        for key, part in judged.groupby(keys, sort=False)
    ]
    return pd.DataFrame(rows, columns=list(VERDICTS))


def _flagged(runs: pd.DataFrame, threshold: float) -> np.ndarray:
    """Return which runs lie below the threshold by more than chance, by Holm over all of them."""
    n = runs["n_test"].to_numpy()
    n_right = np.ceil(runs["test"].to_numpy() * n - 1e-3)  # shares of 32 bits are off by less
    p_values = bdtr(n_right, n, threshold)  # P(X <= n_right)
    order = np.argsort(p_values)
    passed = p_values[order] <= LEVEL / np.arange(len(order), 0, -1)
    flagged = np.zeros(len(order), dtype=bool)
    flagged[order] = np.logical_and.accumulate(passed)
    return flagged
