"""How many networks have insensitive inputs, K_0 >= 1, before and after training."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from nstar.subjects.functions.selection import UNTRAINED, insensitive_inputs

_GROUP = ["model", "task", "length", "networks", "cut"]


def insensitive_rows(
    profile: pd.DataFrame, measures: pd.DataFrame, models: list[str], confidence: float
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table `insensitive` of one stratum, without the columns of the stratum.

    Parameters
    ----------
    profile, measures : DataFrame
        As for `insensitive_inputs`.
    models : list of str
        In the order of the study.
    confidence : float
        Least coverage of the intervals.

    Notes
    -----
    Networks of a row are independent draws. The interval of the share of them with K_0 >= 1 is that of
    Clopper and Pearson (1934), whose coverage is at least the nominal one.
    """
    rows = insensitive_inputs(profile, measures)
    order = {name: i for i, name in enumerate(models)}
    rows = rows.sort_values("model", key=lambda names: names.map(order), kind="stable")
    for key, part in rows.groupby(_GROUP, sort=False):
        named = dict(zip(_GROUP, key, strict=True))
        n_networks, n_insensitive = len(part), int((part["count"] > 0).sum())
        interval = binomtest(n_insensitive, n_networks).proportion_ci(confidence, method="exact")
        share, untrained = part["share"], named["networks"] == UNTRAINED
        yield named | {
            "n_networks": n_networks,
            "n_insensitive": n_insensitive,
            "n_constant": int((share == 1).sum()),
            "estimate": n_insensitive / n_networks,
            "lower": interval.low,
            "upper": interval.high,
            "confidence": confidence,
            "median_share": share.median(),
            "least_share": share.min(),
            "greatest_share": share.max(),
            "random_share": part["random_share"].iloc[0],
            "target_share": float("nan")
            if untrained
            else (part["target_count"] / 2.0 ** named["length"]).mean(),
        }
