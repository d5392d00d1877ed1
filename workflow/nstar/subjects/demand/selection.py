"""Rows that stand for a seed, and rows to read with care, in a study of demand."""

import numpy as np
import pandas as pd

from nstar.study import Study
from nstar.subjects.axis import BUDGET
from nstar.tables.selection import CURVE, CURVE_PLACE
from nstar.tasks import Pool
from nstar.verdicts import Rule


def runs_by_seed(cells: pd.DataFrame) -> pd.DataFrame:
    """Return what each seed made of each budget, over its learning rates.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.

    Returns
    -------
    DataFrame
        One row per model, setting, n_states, length, budget and seed, with `learnt` (some learning
        rate learnt) and `fitted` (some at least fitted its training set).
    """
    keys = [*CURVE_PLACE, "budget", "seed"]
    judged = cells.assign(
        learnt=cells["outcome"] == "learnt", fitted=cells["outcome"] != "not_fitted"
    )
    return judged.groupby(keys, sort=False)[["learnt", "fitted"]].max().reset_index()


def accuracy_by_seed(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the best validation sequence accuracy over learning rates of each seed.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.

    Returns
    -------
    DataFrame
        One row per curve, budget and seed, with `accuracy`; NaN where no learning
        rate of the seed has one.
    """
    keys = [*CURVE, "budget", "seed"]
    best = cells.groupby(keys, sort=False)["best_validation_sequence_accuracy"].max()
    return best.rename("accuracy").reset_index()


def chosen_replicates(cells: pd.DataFrame) -> pd.DataFrame:
    """Return, for each seed at the largest budget of its curve, the replicate that stands for it.

    It is the learning rate with the best validation sequence accuracy; among equals that with the
    lowest validation loss, then the smallest learning rate. What happens at other lengths has no
    part in the choice.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.

    Returns
    -------
    DataFrame
        Rows of `cells`, one per curve and seed.
    """
    largest = cells.groupby(CURVE)["budget"].transform("max")
    ranked = cells[cells["budget"] == largest].sort_values(
        ["best_validation_sequence_accuracy", "best_validation_loss", "learning_rate"],
        ascending=[False, True, True],
        na_position="last",
        kind="stable",
    )
    return ranked.drop_duplicates([*CURVE, "seed"]).sort_index()


def near_space(thresholds: pd.DataFrame) -> pd.Series:
    """Return where N* is known to be at least half of the training sequences that exist.

    The size of the space bounds N* there: demand may seem to grow faster with length than it does.
    """
    reached = thresholds["n_star"].fillna(thresholds["lower"])
    return reached >= 0.5 * thresholds["n_available"]


def near_floor(thresholds: pd.DataFrame) -> pd.Series:
    """Return where N* is at most two sequences: no training set is smaller than one.

    Demand cannot fall further there: it may seem to grow more slowly with length than it does.
    """
    return thresholds["n_star"] <= 2


def checks_of(row, checks: pd.DataFrame) -> pd.DataFrame:
    """Return the checks of one row of the table of exponents.

    Parameters
    ----------
    row
        A row of that table, as `DataFrame.itertuples` yields it.
    checks : DataFrame
        The table of checks.
    """
    keys = ["kind", "model", "minus_model", "quantity"]
    return checks[(checks[keys] == [getattr(row, key) for key in keys]).all(axis=1)]


def of_task(table: pd.DataFrame, task: str) -> pd.DataFrame:
    """Return the rows of a table of laws that are about a task; all where a law holds for all tasks."""
    return table[table["task"] == task] if "task" in table else table


def contradictions(checks: pd.DataFrame) -> pd.DataFrame:
    """Return the checks whose distance from the fit the fitted law does not explain."""
    return checks[checks["verdict"] == "marked"]


SMALL_SET = 30
"""Sequences; what rests on a set of fewer is marked."""


def least_set(rule: Rule, pool: Pool) -> int:
    """Return the size of the smallest set that a rule reads, or of its smallest length."""
    names = ("validation", "confirmation") if rule.confirm else ("validation",)
    if rule.over == "mean":
        return min(map(pool.size, names))
    return min(size for name in names for size in pool.sizes(name) if size)


def small_sets(table: pd.DataFrame) -> pd.Series:
    """Return where outcomes were judged on a set of fewer than `SMALL_SET` sequences."""
    return table["least_set"] < SMALL_SET


def n_available(study: Study, pool: Pool) -> int:
    """Return how far demand can be sought: training sequences that exist; along others, no bound."""
    most = np.iinfo(np.int64).max
    return min(pool.n_training, most) if study.axis is BUDGET else most
