"""Tables of a study of widths, made up: answers, and what follows from them."""

import pandas as pd

from nstar.subjects.answers.columns import ANSWERS, WIDTHS
from nstar.subjects.answers.exponents import find_widths, fit_exponents
from nstar.tables import TABLES
from nstar.tables.selection import runs_by_width

THRESHOLDS = [0.9]
JOB = {
    "thresholds": THRESHOLDS,
    "confidence": 0.95,
    "tasks": {
        "arithmetic": "arithmetic",
        "ed": "edit_distance",
        "lis": "longest_increasing_subsequence",
        **{f"lis_{m}": "longest_increasing_subsequence" for m in (1, 2, 4, 8)},
    },
    "families": {"standard": "softmax", "linear": "linear", "sparse": "sparse", "lstm": ""},
}


def answer(width, length, accuracy, family="standard", task="lis", seed=0, **others):
    """Return a row of the table of answers."""
    row = {
        "model": f"{family}_{width}",
        "family": family,
        "width": width,
        "task": task,
        "supervision": "chain_of_thought",
        "length_distribution": "fixed",
        "length": length,
        "locality": pd.NA,
        "budget": 1000,
        "seed": seed,
        "learning_rate": 1e-3,
        "n_tokens": 2 * length + 3,
        "n_parameters": width**2,
        "forward_flops": float(length * width**2),
        "outcome": "learnt",
        "answer_accuracy": accuracy,
        "chain_accuracy": accuracy,
        "exact_accuracy": accuracy,
        "end_rate": 1.0,
        "chance": 0.1,
    }
    return {**row, **others}


def table(rows):
    return pd.DataFrame(rows, columns=list(ANSWERS)).astype({"locality": "Int64"})


def widths_of(rows, thresholds=THRESHOLDS):
    return pd.DataFrame(find_widths(runs_by_width(table(rows)), thresholds), columns=list(WIDTHS))


def exponents_of(rows):
    runs = runs_by_width(table(rows))
    widths = pd.DataFrame(find_widths(runs, THRESHOLDS), columns=list(WIDTHS))
    rows = fit_exponents(runs, widths, JOB)
    return pd.DataFrame(rows, columns=list(TABLES["width_exponents"]))


def chosen(table, **values):
    rows = table[(table[list(values)] == list(values.values())).all(axis=1)]
    assert len(rows)
    return rows


def steps(threshold_of, lengths, widths, seeds=(0, 1, 2), **others):
    """Return rows of networks that are right from a width on, which a function of the length gives."""
    return [
        answer(width, length, float(width >= threshold_of(length)), seed=seed, **others)
        for length in lengths
        for width in widths
        for seed in seeds
    ]
