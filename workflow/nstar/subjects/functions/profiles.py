"""How many networks have insensitive inputs, K_0 >= 1, before and after training."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from nstar.tables.selection import REPLICATE

UNTRAINED, LEARNT, NOT_LEARNT = NETWORKS = ("untrained", "learnt", "not_learnt")
"""What networks are told apart by: at step 0, or at the end of training by whether they learnt."""

_GROUP = ["model", "task", "length", "networks", "cut"]


def insensitive_inputs(profile: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Return K_0 of untrained and of final networks.

    Parameters
    ----------
    profile : DataFrame
        Rows of the table `sensitivity_profile`.
    measures : DataFrame
        Rows of the table of this name, of the same runs.

    Returns
    -------
    DataFrame
        One row per network and cut, with the columns of the profile at s = 0 and `networks`, see
        `NETWORKS`. An untrained network depends on its model, length and seed alone: of several tasks,
        budgets and learning rates that start from it, one row stands for all, whose `task` is empty.
    """
    at = [*REPLICATE, "step"]
    rows = profile[profile["sensitivity"] == 0].merge(
        measures[[*at, "learnt"]], on=at, how="left", validate="many_to_one"
    )
    before = rows[(rows["step"] == 0) & ~rows["final"]].assign(task="", networks=UNTRAINED)
    before = before.drop_duplicates(["supervision", "model", "length", "seed", "cut"])
    final = rows[rows["final"]]
    final = final.assign(networks=final["learnt"].map({True: LEARNT, False: NOT_LEARNT}))
    return pd.concat(
        [part for part in (before, final) if len(part)] or [before.assign(networks="")]
    )


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
