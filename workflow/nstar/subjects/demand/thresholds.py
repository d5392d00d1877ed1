"""Thresholds N* of every curve, and the lengths in its training sets."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from nstar.cells import make_pool
from nstar.outcomes import LEARNT, NOT_FITTED, OUTCOMES
from nstar.stats import Threshold, find_threshold
from nstar.study import FRESH, Study
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
        marked = curve.assign(
            learnt=curve["outcome"] == OUTCOMES[LEARNT],
            fitted=curve["outcome"] != OUTCOMES[NOT_FITTED],
        )
        for rule, replicates, found in thresholds_by_rule(marked):
            trained = one_per_replicate(study.axis, replicates)
            rows.append(
                {
                    **shared,
                    **rule,
                    **found.rows(THRESHOLDS)[0],
                    "limited_by_steps": not replicates.groupby("budget")["fitted"].any().all(),
                    "n_replicates": len(trained),
                    "n_diverged": int(trained["diverged"].sum()),
                }
            )
    return pd.DataFrame(rows)


def thresholds_by_rule(
    curve: pd.DataFrame,
) -> Iterator[tuple[dict[str, Any], pd.DataFrame, Threshold]]:
    """Yield the demand of a curve by the rules: of each seed, and of any replicate.

    Parameters
    ----------
    curve : DataFrame
        Replicates, or seeds over their learning rates: `budget`, `seed`, `learnt` and `fitted`.

    Yields
    ------
    rule : dict
        ``rule`` and ``seed``, which is missing for the rule ``any``.
    replicates : DataFrame
        The rows that the rule rests on; a budget succeeds when any of them learnt.
    threshold : Threshold
    """
    parts = [({"rule": "seed", "seed": seed}, part) for seed, part in curve.groupby("seed")]
    for rule, part in [*parts, ({"rule": "any", "seed": pd.NA}, curve)]:
        outcomes = part.groupby("budget")[["learnt", "fitted"]].any()
        yield rule, part, find_threshold(outcomes.index, *outcomes.to_numpy().T)
