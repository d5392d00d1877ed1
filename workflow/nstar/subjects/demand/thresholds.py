"""Thresholds N* of every curve, and the lengths in its training sets."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from nstar.cells import make_pool
from nstar.stats import Threshold, find_threshold
from nstar.study import FRESH, Study
from nstar.subjects.axis import Axis
from nstar.subjects.demand.along import one_per_replicate
from nstar.subjects.demand.columns import LENGTHS, THRESHOLDS
from nstar.subjects.demand.selection import least_set, n_available
from nstar.tables.selection import CURVE
from nstar.verdicts import LEARNT, NOT_FITTED, OUTCOMES


def count_lengths(study: Study, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the table of lengths: how many sequences of each the training sets of a pool have."""
    rows = []
    if "data_seed" in cells:
        cells = cells.assign(seed=cells["data_seed"])
    keys = ["task", "length_distribution", "length", "seed"]
    several = cells[(cells["length_distribution"] != "fixed") & (cells["budget"] != FRESH)]
    for key, part in several.groupby(keys, sort=False):
        shared = dict(zip(keys, key, strict=True))
        task, lengths = study.tasks[shared["task"]], shared["length_distribution"]
        pool = make_pool(task, lengths, shared["length"], study.data)
        order = pool.order(shared["seed"], int(part["budget"].max()))
        for budget in sorted(part["budget"].unique()):
            counts = np.bincount(order[:budget], minlength=len(pool.lengths))
            numbers = zip(pool.lengths, counts, pool.available, strict=True)
            for sequence_length, n_sequences, available in numbers:
                counted = {"sequence_length": sequence_length, "n_sequences": n_sequences}
                counted["n_available"] = min(available, np.iinfo(np.int64).max)
                rows.append({**shared, "budget": budget, **counted})
    return pd.DataFrame(rows, columns=list(LENGTHS))


def find_thresholds(study: Study, cells: pd.DataFrame, fresh: bool = False) -> pd.DataFrame:
    """Return the table of thresholds: the demand of every curve, by seed and for any replicate.

    Parameters
    ----------
    study : Study
    cells : DataFrame
        Along the axis of the study, see `nstar.subjects.demand.along`.
    fresh : bool
        Whether batches are fresh: nothing is kept from training then, and sets are larger.
    """
    rule, rows = study.training.rule, []
    keys = [*CURVE, "n_states"]
    for key, curve in cells.groupby(keys, sort=False):
        shared = dict(zip(keys, key, strict=True))
        task, lengths = study.tasks[shared["task"]], shared["length_distribution"]
        pool = make_pool(task, lengths, shared["length"], study.data, fresh)
        shared["n_available"] = n_available(study, pool)
        shared["least_set"] = least_set(rule, pool)
        shared["other_least_set"] = least_set(rule.other(), pool)
        rows += [shared | row for row in rows_by_rule(curve, study.axis)]
    return pd.DataFrame(rows)


def thresholds_by_seed(cells: pd.DataFrame, known: pd.DataFrame, axis: Axis) -> pd.DataFrame:
    """Return the thresholds by the rule ``seed`` of other outcomes of the same runs.

    Parameters
    ----------
    cells : DataFrame
        Along the axis, with the other outcomes.
    known : DataFrame
        The table of thresholds by the rule ``seed``.
    axis : Axis
    """
    keys = [*CURVE, "n_states"]
    rows = [
        dict(zip(keys, key, strict=True)) | row
        for key, curve in cells.groupby(keys, sort=False)
        for row in rows_by_rule(curve, axis)
        if row["rule"] == "seed"
    ]
    keys += ["seed"]
    of_pool = known[[*keys, "n_available", "other_least_set"]].astype({"seed": "int64"})
    of_pool = of_pool.rename(columns={"other_least_set": "least_set"})
    return pd.DataFrame(rows).astype({"seed": "int64"}).merge(of_pool, on=keys)


def rows_by_rule(curve: pd.DataFrame, axis: Axis) -> Iterator[dict[str, Any]]:
    """Yield the columns of the demand of a curve by each rule, from the outcomes of its replicates."""
    marked = curve.assign(
        learnt=curve["outcome"] == OUTCOMES[LEARNT],
        fitted=curve["outcome"] != OUTCOMES[NOT_FITTED],
    )
    for rule, replicates, found in thresholds_by_rule(marked):
        trained = one_per_replicate(axis, replicates)
        yield {
            **rule,
            **found.rows(THRESHOLDS)[0],
            "limited_by_steps": not replicates.groupby("budget")["fitted"].any().all(),
            "n_replicates": len(trained),
            "n_diverged": int(trained["diverged"].sum()),
        }


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
