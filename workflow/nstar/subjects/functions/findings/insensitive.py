"""Findings on insensitive inputs: shares by length, beside those of random functions."""

import math
from typing import Any

import pandas as pd

from nstar.report.text import BLANK
from nstar.subjects.functions.columns import CUTS
from nstar.subjects.functions.selection import NETWORKS

LEAST_BY_CHANCE, MOST_BY_CHANCE = 0.5, 1 - math.exp(-1)
"""Bounds of the probability that a random function of n bits has an insensitive input.

It is 0.5, 0.62, 0.54 and 0.56 for n = 1 to 4, by listing all functions. At large n, K_0 is a Poisson
number of mean 1, and the probability 1 - 1/e.
"""

_NAMES = {"untrained": "before training", "learnt": "learnt", "not_learnt": "not learnt"}


def insensitive_lines(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each cut its lengths and lines, of the rows of the table `insensitive` of a stratum.

    Returns
    -------
    list of dict
        `cut`, `lengths` and `lines`; a line has `model`, `networks`, by length a text of the median share
        and how many networks have insensitive inputs (`shares`), and a `reading` of the longest.
    """
    found = []
    for cut in CUTS:
        rows = table[table["cut"] == cut]
        if rows.empty:
            continue
        lengths = sorted(rows["length"].unique())
        keys = ["model", "networks", "task"]
        order = {name: i for i, name in enumerate(NETWORKS)}
        parts = sorted(
            rows.groupby(keys, sort=False), key=lambda part: _place(part[0], rows, order)
        )
        lines = []
        for (model, networks, task), of_line in parts:
            texts = {row.length: _share(row) for row in of_line.itertuples()}
            lines.append(
                {
                    "model": model,
                    "networks": f"{task}, {_NAMES[networks]}" if task else _NAMES[networks],
                    "shares": [texts.get(length, BLANK) for length in lengths],
                    "reading": _reading(of_line.loc[of_line["length"].idxmax()]),
                }
            )
        found.append({"cut": cut, "lengths": lengths, "lines": lines})
    return found


def _place(key: tuple[str, str, str], rows: pd.DataFrame, order: dict[str, int]) -> tuple:
    model, networks, task = key
    models, tasks = list(dict.fromkeys(rows["model"])), list(dict.fromkeys(rows["task"]))
    return models.index(model), order[networks] > 0, tasks.index(task), order[networks]


def _share(row: Any) -> str:
    """Return the median of K_0 / 2^n, and how many networks have K_0 >= 1."""
    return f"{row.median_share:.2g} ({row.n_insensitive}/{row.n_networks})"


def _reading(row: pd.Series) -> str:
    interval = f"{row['estimate']:.2f} [{row['lower']:.2f},\u00a0{row['upper']:.2f}]"
    text = f"n = {row['length']}: a share of {interval} of networks has insensitive inputs"
    if row["lower"] > MOST_BY_CHANCE:
        return f"{text}, more than of random functions."
    if row["upper"] < LEAST_BY_CHANCE:
        return f"{text}, less than of random functions."
    return f"{text}; the interval does not exclude that of random functions."
