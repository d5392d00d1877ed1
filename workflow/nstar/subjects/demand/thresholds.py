"""Thresholds N* of every curve, and the lengths in its training sets."""

from typing import Any

import numpy as np
import pandas as pd

from nstar.cells import make_pool
from nstar.outcomes import LEARNT, NOT_FITTED, OUTCOMES
from nstar.stats import find_threshold
from nstar.study import FRESH, Study
from nstar.subjects.axis import Axis
from nstar.subjects.demand.along import one_per_replicate
from nstar.subjects.demand.columns import LENGTHS, THRESHOLDS
from nstar.subjects.demand.selection import n_available
from nstar.tables.selection import CURVE


def count_lengths(study: Study, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the table of lengths: how many sequences of each the training sets of a pool have."""
    rows = []
    keys = ["task", "length_distribution", "length", "seed"]
    several = cells[(cells["length_distribution"] != "fixed") & (cells["budget"] != FRESH)]
    for key, part in several.groupby(keys, sort=False):
        shared = dict(zip(keys, key, strict=True))
        task, lengths = study.tasks[shared["task"]], shared["length_distribution"]
        pool = make_pool(task, lengths, shared["length"], study.data)
        order = pool.order(shared["seed"], int(part["budget"].max()))
        for budget in sorted(part["budget"].unique()):
            counts = np.bincount(order[:budget], minlength=len(pool.lengths))
            for sequence_length, n_sequences in zip(pool.lengths, counts, strict=True):
                counted = {"sequence_length": sequence_length, "n_sequences": n_sequences}
                rows.append({**shared, "budget": budget, **counted})
    return pd.DataFrame(rows, columns=list(LENGTHS))


def find_thresholds(study: Study, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the table of thresholds: the demand of every curve, by seed and for any replicate.

    Parameters
    ----------
    study : Study
    cells : DataFrame
        Along the axis of the study, see `nstar.subjects.demand.along`.
    """
    rows = []
    keys = [*CURVE, "n_states"]
    for key, curve in cells.groupby(keys, sort=False):
        shared = dict(zip(keys, key, strict=True))
        task, lengths = study.tasks[shared["task"]], shared["length_distribution"]
        pool = make_pool(task, lengths, shared["length"], study.data)
        shared["n_available"] = n_available(study, pool)
        for seed, replicates in curve.groupby("seed"):
            found = _threshold(replicates, study.axis)
            rows.append({**shared, "rule": "seed", "seed": seed, **found})
        rows.append({**shared, "rule": "any", "seed": pd.NA, **_threshold(curve, study.axis)})
    return pd.DataFrame(rows)


def _threshold(replicates: pd.DataFrame, axis: Axis) -> dict[str, Any]:
    """Return N* of a set of replicates, where success at a budget means that any of them learnt."""
    trained = one_per_replicate(axis, replicates)
    budget, outcome = replicates["budget"], replicates["outcome"]
    learnt = (outcome == OUTCOMES[LEARNT]).groupby(budget).any()
    fitted = (outcome != OUTCOMES[NOT_FITTED]).groupby(budget).any()
    found = find_threshold(learnt.index, learnt.to_numpy(), fitted.to_numpy())
    return {
        **found.rows(THRESHOLDS)[0],
        "limited_by_steps": not fitted.all(),
        "n_replicates": len(trained),
        "n_diverged": int(trained["diverged"].sum()),
    }
