"""Which rows of the tables stand for a seed, and which are to be read with care."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.special import logit

SETTING = ["task", "supervision", "length_distribution"]
"""The columns that name what is learnt, apart from its length."""

CURVE = ["model", *SETTING, "length"]
"""The columns that name a curve: all budgets of one model on one setting at one length."""

REPLICATE = [*CURVE, "budget", "seed", "learning_rate"]
"""The columns that name a replicate: the dimensions of study.zarr."""

STRATUM = ["supervision", "length_distribution"]
"""What is fitted, drawn and read for itself: models are compared where they were asked for the same."""

SIZE = [*STRATUM, "budget", "task", "locality", "length"]
"""The columns that name what questions a network answers, and their problem size."""

PAPER_SHARPNESS = "sharpness_gaussian_0.02"
"""The sharpness that arXiv:2402.09963 measures."""


SCORE_LIMIT = 1e-3
"""Accuracies are cut to [limit, 1 - limit], and losses at the limit squared, before logarithms."""


def stratum_of(table: pd.DataFrame, stratum: tuple[str, str]) -> pd.DataFrame:
    """Return the rows of a table that belong to a stratum (supervision, length distribution)."""
    return table[(table[STRATUM] == list(stratum)).all(axis=1)]


def runs_by_seed(cells: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return what each seed made of each budget, over its learning rates.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.
    measure : str
        The success measure: "loss", "token_accuracy" or "sequence_accuracy".

    Returns
    -------
    DataFrame
        One row per model, setting, n_states, length, budget and seed, with `learnt` (some learning
        rate learnt), `fitted` (some at least fitted its training set) and `score`, the best of the
        measure on an unbounded scale, see `as_score`; NaN where no learning rate has one.
    """
    keys = [*CURVE[:-1], "n_states", "length", "budget", "seed"]
    scored = cells.assign(
        learnt=cells["outcome"] == "learnt",
        fitted=cells["outcome"] != "not_fitted",
        score=as_score(cells[f"best_validation_{measure}"], measure),
    )
    best = scored.groupby(keys, sort=False)[["learnt", "fitted", "score"]].max()
    return best.reset_index()


def as_score(values, measure: str):
    """Return a success measure on an unbounded scale on which more is better.

    The logit of an accuracy, minus the logarithm of a loss.

    Examples
    --------
    >>> float(as_score(0.5, "token_accuracy")), float(as_score(1.0, "loss"))
    (0.0, -0.0)
    """
    if measure == "loss":
        return -np.log(np.maximum(values, SCORE_LIMIT**2))
    return logit(np.clip(values, SCORE_LIMIT, 1 - SCORE_LIMIT))


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


def runs_by_width(answers: pd.DataFrame) -> pd.DataFrame:
    """Return what each seed made of each width, over its learning rates.

    Parameters
    ----------
    answers : DataFrame
        Rows of the table of this name.

    Returns
    -------
    DataFrame
        One row per size, family, width and seed, in the order of the table, with `answer` and `chain`,
        the best accuracies, 0 of a network whose outputs are not finite; `flops` of the width, and
        `n_tokens` of the size, each the largest found.
    """
    keys = [*SIZE, "family", "width", "seed"]
    known = answers.assign(
        answer=answers["answer_accuracy"].fillna(0),
        chain=answers["chain_accuracy"].fillna(0),
        flops=answers.groupby([*SIZE, "family", "width"], dropna=False)["forward_flops"].transform(
            "max"
        ),
        n_tokens=answers.groupby(SIZE, dropna=False)["n_tokens"].transform("max"),
    )
    columns = ["answer", "chain", "flops", "n_tokens"]
    return known.groupby(keys, sort=False, dropna=False)[columns].max().reset_index()


def of_measure(table: pd.DataFrame, measure: str, threshold: float) -> pd.DataFrame:
    """Return the rows of a table of widths, or of their exponents, of a measure and a threshold."""
    return table[(table["measure"] == measure) & (table["threshold"] == threshold)]


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


def contradictions(checks: pd.DataFrame) -> pd.DataFrame:
    """Return the checks that disagree, or come to another conclusion."""
    return checks[checks["verdict"].isin(["disagrees", "other conclusion"])]


def settled_rows(measures: pd.DataFrame, settled_steps: int) -> pd.DataFrame:
    """Return each replicate as it was measured some time after it converged.

    Parameters
    ----------
    measures : DataFrame
        One row per replicate and measured step.
    settled_steps : int
        Steps after convergence, not negative.

    Returns
    -------
    DataFrame
        Of each replicate the first row that was measured at least `settled_steps` after it converged,
        and at most twice that; replicates without such a row are left out.
    """
    since = measures["step"] - measures["converged_at"].astype("Float64")
    late = since.between(settled_steps, 2 * settled_steps).fillna(False).astype(bool)
    return measures[late].sort_values("step", kind="stable").drop_duplicates(REPLICATE).sort_index()


def sharpness_name(perturbation: str, size: float) -> str:
    """Return what the tables of fits call the sharpness of a perturbation.

    Examples
    --------
    >>> sharpness_name("gaussian", 0.02)
    'sharpness_gaussian_0.02'
    """
    return f"sharpness_{perturbation}_{size:g}"


def sharpness_names(sharpness: pd.DataFrame) -> list[str]:
    """Return what each row of the table of sharpness is called in the tables of fits."""
    return [
        sharpness_name(*kind)
        for kind in zip(sharpness["perturbation"], sharpness["size"], strict=True)
    ]


def main_sharpness(quantities: Iterable[str]) -> str:
    """Return which sharpness is shown: that of the paper where it is there, else the first, else "".

    Examples
    --------
    >>> main_sharpness(["loss", "sharpness_sphere_1", "sharpness_gaussian_0.02"])
    'sharpness_gaussian_0.02'
    >>> main_sharpness(["loss", "sharpness_sphere_1"])
    'sharpness_sphere_1'
    """
    names = [name for name in dict.fromkeys(quantities) if name.startswith("sharpness_")]
    return PAPER_SHARPNESS if PAPER_SHARPNESS in names else next(iter(names), "")


def with_sharpness(measures: pd.DataFrame, sharpness: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows of `measures` with one `sharpness` each, and the name of this sharpness.

    Parameters
    ----------
    measures, sharpness : DataFrame
        The tables of these names.

    Returns
    -------
    tuple of DataFrame and str
        The rows, NaN where sharpness was not measured, and the name, see `main_sharpness`.
    """
    names = sharpness_names(sharpness)
    name = main_sharpness(names)
    keys = [*REPLICATE, "step", "final"]
    chosen = sharpness.loc[[other == name for other in names], [*keys, "sharpness"]]
    return measures.merge(chosen, on=keys, how="left", validate="one_to_one"), name
