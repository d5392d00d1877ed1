"""Which rows of the tables stand for a seed, and which are to be read with care."""

import pandas as pd

SETTING = ["task", "supervision", "length_distribution"]
"""The columns that name what is learnt, apart from its length."""

CURVE = ["model", *SETTING, "length"]
"""The columns that name a curve: all budgets of one model on one setting at one length."""

PLACE = [*SETTING, "n_states", "length"]
"""The columns that name a place: the curves of all models at a place saw the same sequences."""

CURVE_PLACE = ["model", *PLACE]
"""The columns that name a curve, with the number of states of its task."""

REPLICATE = [*CURVE, "budget", "seed", "learning_rate"]
"""The columns that name a replicate."""

STRATUM = ["supervision", "length_distribution"]
"""What is fitted, drawn and read for itself: models are compared where they were asked for the same."""

SIZE = [*STRATUM, "budget", "task", "locality", "length"]
"""The columns that name what questions a network answers, and their problem size."""


LAW = [*STRATUM, "task"]
"""The columns that name a law where each task has one of its own."""


def stratum_of(table: pd.DataFrame, stratum: tuple[str, ...]) -> pd.DataFrame:
    """Return the rows of a table of a stratum (supervision, length distribution), or of a law."""
    return table[(table[LAW[: len(stratum)]] == list(stratum)).all(axis=1)]


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
