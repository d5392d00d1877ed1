"""Learning curves: loss and accuracy on the validation set against the budget, and their exponents."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nstar.cells import make_pool
from nstar.stats import LearningCurve, Words, fit_learning_curve
from nstar.study import Study
from nstar.subjects.demand.columns import LEARNING_CURVES, LEARNING_EXPONENTS
from nstar.subjects.demand.selection import n_available
from nstar.tables.selection import CURVE_PLACE
from nstar.tasks import Pool, Supervision
from nstar.verdicts import MEASURES

LEAST_BUDGETS = 4
"""Budgets that a fit needs at least: one more than a curve has parameters."""


def best_by_seed(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the best that each seed reached at each budget, over its learning rates.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.

    Returns
    -------
    DataFrame
        One row per curve, budget and seed: the success measures, each at its best evaluation and
        learning rate, NaN where there is none; `fitted` (some learning rate fitted the training set)
        and `learnt` (some learning rate learnt). `cluster` is the seed of the data, whose training sets
        nest.
    """
    marked = cells.assign(
        fitted=cells["outcome"] != "not_fitted", learnt=cells["outcome"] == "learnt"
    )
    groups = marked.groupby([*CURVE_PLACE, "budget", "seed"], sort=False)
    best = groups.agg(
        loss=("best_validation_loss", "min"),
        token_accuracy=("best_validation_token_accuracy", "max"),
        sequence_accuracy=("best_validation_sequence_accuracy", "max"),
        fitted=("fitted", "max"),
        learnt=("learnt", "max"),
        cluster=("data_seed" if "data_seed" in cells else "seed", "first"),
    )
    return best.reset_index()


def tabulate_curves(study: Study, cells: pd.DataFrame, fresh: bool = False) -> pd.DataFrame:
    """Return the table of learning curves.

    Parameters
    ----------
    study : Study
    cells : DataFrame
        One row per cell and replicate, along the axis of the study.
    fresh : bool, optional
        Whether every batch was drawn anew, so that nothing is held out from the validation set.
    """
    rows = []
    stops, squared = study.training.stop_on_success, study.training.objective == "squared_error"
    runs = best_by_seed(cells)
    for key, curve in runs.groupby(CURVE_PLACE, sort=False):
        place = dict(zip(CURVE_PLACE, key, strict=True))
        task, lengths = study.tasks[place["task"]], place["length_distribution"]
        pool = make_pool(task, lengths, place["length"], study.data, fresh)
        chance = chance_levels(pool, place["supervision"], squared)
        place["n_available"] = n_available(study, pool)
        for budget, seeds in curve.groupby("budget"):
            shared = place | {
                "budget": budget,
                "n_seeds": len(seeds),
                "n_fitted": int(seeds["fitted"].sum()),
                "n_stopped": int(seeds["learnt"].sum()) if stops else 0,
            }
            for measure in MEASURES:
                spread = seeds[measure].agg(["min", "median", "max"])
                spread.index = ["least", "median", "most"]
                rows.append(shared | {"measure": measure, "chance": chance[measure], **spread})
    return pd.DataFrame(rows, columns=list(LEARNING_CURVES))


def chance_levels(pool: Pool, supervision: Supervision, squared: bool) -> dict[str, float]:
    """Return what a guess reaches by each measure that knows length and position, and nothing else.

    Parameters
    ----------
    pool : Pool
        Whose validation set it is: the lengths count by their sequences there.
    supervision : {"outcome", "chain_of_thought", "aligned"}
        Which labels are asked for.
    squared : bool
        Whether the loss is the squared error of a label of 0 or 1, and not the cross-entropy.

    Returns
    -------
    dict of str to float
        By success measure; NaN where it is not known. That of `sequence_accuracy` takes the labels
        of a sequence as independent.
    """
    guess = pool.task.guess(pool.length)
    losses = guess.accuracy * (1 - guess.accuracy) if squared else guess.loss
    counts = np.array(pool.sizes("validation"), dtype=float)
    asked = [slice(n - 1 if supervision == "outcome" else 0, n) for n in pool.lengths]
    n_labels = np.array([asked_of.stop - asked_of.start for asked_of in asked]) @ counts

    def mean_over_labels(values: np.ndarray) -> float:
        least = values.min()  # a mean of equal values is that value, to the last bit
        sums = np.array([(values[labels] - least).sum() for labels in asked])
        return float(least + sums @ counts / n_labels)

    whole = np.array([guess.accuracy[labels].prod() for labels in asked])
    return {
        "loss": mean_over_labels(losses),
        "token_accuracy": mean_over_labels(guess.accuracy),
        "sequence_accuracy": float(whole @ counts / counts.sum()),
    }


def fit_learning_curves(
    cells: pd.DataFrame, curves: pd.DataFrame, confidence: float, words: Words
) -> tuple[list[dict[str, Any]], dict[str, LearningCurve]]:
    """Return the rows of the table of learning exponents, and the fits behind them.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.
    curves : DataFrame
        The rows of the table of learning curves for the same cells.
    confidence : float
        Nominal coverage of the intervals.
    words : Words
        For reasons.
    """
    runs = best_by_seed(cells)
    rows, fits = [], {}
    for (*place, measure), curve in curves.groupby([*CURVE_PLACE, "measure"], sort=False):
        named = dict(zip(CURVE_PLACE, place, strict=True)) | {"measure": measure}
        usable = curve[is_usable(curve)]
        data = runs.merge(usable[[*CURVE_PLACE, "budget"]])
        fit = _fit(data, measure, float(curve["chance"].iloc[0]), confidence, words)
        if fit is not None:
            fits[" ".join(map(str, [*place, measure]))] = fit
        rows.append(named | _exponent_row(fit, curve, usable, confidence, words))
    return rows, fits


def is_usable(curves: pd.DataFrame) -> pd.Series:
    """Return at which budgets every seed fitted its training set and none was stopped by its success."""
    return (curves["n_fitted"] == curves["n_seeds"]) & (curves["n_stopped"] == 0)


def _fit(
    data: pd.DataFrame, measure: str, chance: float, confidence: float, words: Words
) -> LearningCurve | None:
    """Return the fitted curve of the losses or errors of some runs; None where it is not fitted."""
    if data["budget"].nunique() < LEAST_BUDGETS or not np.isfinite(chance):
        return None
    if measure == "loss":
        if not chance > 0:
            return None
        errors, variance = data[measure].clip(upper=chance), "relative"
    else:
        if not chance < 1:
            return None
        errors, variance, chance = 1 - data[measure], "binomial", 1 - chance
    return fit_learning_curve(
        data["budget"], errors, data["cluster"], chance, variance, confidence, words
    )


def _exponent_row(
    fit: LearningCurve | None,
    curve: pd.DataFrame,
    usable: pd.DataFrame,
    confidence: float,
    words: Words,
) -> dict[str, Any]:
    """Return the row of one fit, or of one that was refused, without its names."""
    chance, measure = curve["chance"].iloc[0], curve["measure"].iloc[0]
    row = {
        "chance": chance if measure == "loss" else 1 - chance,
        "n_left_out": len(curve) - len(usable),
    }
    if fit is None:
        numbers = ("estimate", "lower", "upper", "standard_error", "midpoint", "floor")
        return row | {
            **dict.fromkeys((*numbers, "holdout_error"), np.nan),
            "confidence": confidence,
            "n_used": 0,
            "n_budgets": len(usable),
            "n_seeds": int(curve["n_seeds"].max()),
            "identified": False,
            "converged": False,
            "reason": _why_refused(curve, usable, words),
            "method": "",
        }
    values = {c.name: c.estimate for c in fit.coefficients}
    row |= {"midpoint": np.exp(values["log_midpoint"]), "floor": values["floor"]}
    return fit.row_of("exponent", LEARNING_EXPONENTS) | row


def _why_refused(curve: pd.DataFrame, usable: pd.DataFrame, words: Words) -> str:
    """Return why a curve is not fitted."""
    if len(usable) >= LEAST_BUDGETS:
        return "What guessing reaches is not known, or nothing is better."
    n_stopped = int((curve["n_stopped"] > 0).sum())
    n_not_fitted = int((curve["n_fitted"] < curve["n_seeds"]).sum())
    causes: Mapping[str, int] = {
        "a run ended at its first success (training.stop_on_success)": n_stopped,
        "a seed did not fit its training set": n_not_fitted,
    }
    because = "; ".join(f"at {count}, {cause}" for cause, count in causes.items() if count)
    return (
        f"{len(usable)} of {len(curve)} {words.values} can be used, and {LEAST_BUDGETS} are needed"
        f"{': ' if because else ''}{because}."
    )
