"""Cells as the analysis reads them: along the axis of which demand is sought.

The analysis of demand is written once, for the column ``budget``. Along another axis that column holds
the width, the depth or the number of steps, and `model` holds the family where there are families. Such
a study has one budget.

A run that does not fit its training set says nothing about data, and is left out of N*. Of a width, a
depth or a number of steps it says that these were not enough, whatever more training would have done.

Where a subject judges replicates by an accuracy of its own, it decides which of them learnt, whatever
``training.success`` said of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nstar.errors import ArtifactError
from nstar.subjects.axis import Axis
from nstar.tables import read_tables
from nstar.tables.selection import CURVE, LAW, SETTING, STRATUM
from nstar.verdicts import (
    LEARNT,
    NOT_FITTED,
    NOT_GENERALISED,
    OUTCOMES,
    UNDECIDED,
    UNDECIDED_NOT_FITTED,
)


def judged_along(axis: Mapping[str, Any], cells: pd.DataFrame, results: Path) -> pd.DataFrame:
    """Return the table of cells along the axis, with the outcomes that decide what is enough.

    Parameters
    ----------
    axis : mapping
        As `nstar.subjects.axis.axis_job` returns it.
    cells : DataFrame
        One row per cell and replicate.
    results : Path
        The folder with the table that judges them, where there is one.
    """
    judge = axis.get("judge")
    if judge:
        (scores,) = read_tables(results, judge["table"])
        cells = judge_cells(judge, cells, scores)
    return cells_along(axis, cells)


def judge_cells(
    judge: Mapping[str, Any], cells: pd.DataFrame, scores: pd.DataFrame
) -> pd.DataFrame:
    """Return the table of cells with the outcomes that an accuracy decides.

    Parameters
    ----------
    judge : mapping
        ``column`` of the accuracy and its ``threshold``, see `nstar.subjects.subject.Subject`.
    cells, scores : DataFrame
        The table of cells and that of the accuracies, which have the same replicates in one order.

    Returns
    -------
    DataFrame
        `outcome` is `learnt` or `not_generalised`, and `learnt_at` the end of training, since nothing
        is known of earlier steps. The accuracy is a column; 0 of a network without one.
    """
    keys = [*CURVE, "budget", "seed", "learning_rate"]
    if len(cells) != len(scores) or (cells[keys].to_numpy() != scores[keys].to_numpy()).any():
        raise ArtifactError(
            f"table {judge['table']} has other replicates than table cells; remove both and run the "
            "workflow again"
        )
    accuracies = scores[judge["column"]].fillna(0).to_numpy()
    learnt = accuracies >= judge["threshold"]
    return cells.assign(
        outcome=np.where(learnt, OUTCOMES[LEARNT], OUTCOMES[NOT_GENERALISED]),
        learnt_at=cells["n_steps"].astype("Int64").where(learnt),
        **{judge["column"]: accuracies},
    )


def law_columns(axis: Mapping[str, Any]) -> list[str]:
    """Return the columns that name a law: one is fitted to all tasks that are set apart by their states.

    Tasks with questions have no number of states, so that each of several has a law of its own.
    """
    return LAW if len(axis["texts"]) > 1 else STRATUM


def cells_along(axis: Mapping[str, Any], cells: pd.DataFrame) -> pd.DataFrame:
    """Return the table of cells with the value on an axis in place of the budget.

    Parameters
    ----------
    axis : mapping
        As `nstar.subjects.axis.axis_job` returns it.
    cells : DataFrame
        One row per cell and replicate.

    Returns
    -------
    DataFrame
        `budget` is the value on the axis, and `model` the family; `n_states` is 1 of tasks with
        questions, which have none. On other axes than the budget every run counts as fitted. Along steps
        a replicate has a row for each evaluation of the whole training: it has learnt there if it had by
        then, also where it ended at its success or diverged. Rows are sorted by curve and value.
    """
    texts = cells["task"].isin(axis["texts"])
    if texts.any():  # a vocabulary is not a set of states
        cells = cells.assign(n_states=cells["n_states"].mask(texts, 1))
    if axis["name"] == "budget":
        return cells
    along = _at_steps(axis, cells) if axis["name"] == "steps" else _by_family(axis, cells)
    failed = {
        OUTCOMES[NOT_FITTED]: OUTCOMES[NOT_GENERALISED],
        UNDECIDED_NOT_FITTED: UNDECIDED,
    }
    for name in along.columns.intersection(["outcome", "strict_outcome", "published_outcome"]):
        along[name] = along[name].replace(failed)
    along["fitted_at"] = pd.array([0] * len(along), dtype="Int64")
    ranks = {name: pd.factorize(along[name])[0] for name in ("model", *SETTING)}
    order = pd.DataFrame(ranks | {name: along[name] for name in ("length", "budget")})
    return along.loc[order.sort_values(list(order), kind="stable").index].reset_index(drop=True)


def outcomes_by(rule: str, cells: pd.DataFrame) -> pd.Series:
    """Return the outcomes of runs by another form of the rule, "strict" or "published".

    A run that this form would have trained on counts as what it was at its end: it has not learnt.
    """
    so_far = {
        UNDECIDED: OUTCOMES[NOT_GENERALISED],
        UNDECIDED_NOT_FITTED: OUTCOMES[NOT_FITTED],
    }
    return cells[f"{rule}_outcome"].replace(so_far)


def one_per_replicate(axis: Axis, cells: pd.DataFrame) -> pd.DataFrame:
    """Return those rows of cells along an axis that stand for a replicate that was trained."""
    return cells[cells["budget"] == cells["budget"].max()] if axis.one_run else cells


def _by_family(axis: Mapping[str, Any], cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the family and its option in place of model and budget."""
    families, values = (
        cells["model"].map({name: pair[i] for name, pair in axis["models"].items()}) for i in (0, 1)
    )
    return cells.assign(model=families, budget=values.astype("int64"))


def _at_steps(axis: Mapping[str, Any], cells: pd.DataFrame) -> pd.DataFrame:
    """Return the rows once for each evaluation, with the outcome had training ended there."""
    every, most = axis["evaluate_every"], axis["max_steps"]
    evaluations = np.append(np.arange(every, most, every), most)
    repeated = cells.loc[cells.index.repeat(len(evaluations))].reset_index(drop=True)
    steps = np.tile(evaluations, len(cells))
    later = ~(repeated["learnt_at"] <= steps).fillna(False).astype(bool)
    outcome = repeated["outcome"].mask(
        later & (repeated["outcome"] == OUTCOMES[LEARNT]), OUTCOMES[NOT_GENERALISED]
    )
    return repeated.assign(budget=steps, outcome=outcome)
