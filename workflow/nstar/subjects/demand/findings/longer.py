"""What the findings say of lengths beyond that of training: accuracies, and horizons."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from nstar.report.text import BLANK
from nstar.subjects.demand.longer import (
    READINGS,
    chosen_networks,
    lengths_of_test,
    name_of_test,
)
from nstar.tables.selection import CURVE
from nstar.verdicts import LEARNT, OUTCOMES


def extrapolation(longer: pd.DataFrame, tests: Sequence[int | str]) -> list[dict[str, Any]]:
    """Return for each model, test and reading the spread of accuracy beyond the length of training."""
    chosen = chosen_networks(longer)
    lines = []
    for (model, reading), rows in chosen.groupby(["model", "reading"], sort=False):
        for test in tests:
            part = rows[rows["test_length"] == lengths_of_test(test, rows["length"])]
            if not len(part):
                continue
            accuracy = part["above_chance"].dropna()
            spread = (accuracy.median(), accuracy.min(), accuracy.max())
            texts = [BLANK if math.isnan(x) else f"{x:.2f}".replace("-", "\u2212") for x in spread]
            lines.append(
                {
                    "model": model,
                    "test": name_of_test(test).removeprefix("tested at "),
                    "reading": READINGS[reading],
                    **dict(zip(("median", "least", "most"), texts, strict=True)),
                    "n_measured": len(accuracy),
                    "n_missing": len(part) - len(accuracy),
                    "n_learnt": int((part["outcome"] == OUTCOMES[LEARNT]).sum()),
                }
            )
    return lines


def networks_tested(longer: pd.DataFrame) -> str:
    """Return how many of the curves were tested on networks of the role ``extrapolation``.

    Returns
    -------
    str
        ``all``, ``some`` or ``none``.
    """
    roles = chosen_networks(longer).drop_duplicates(CURVE)["role"]
    meant = roles == "extrapolation"
    return "all" if meant.all() else "some" if meant.any() else "none"


def horizon_tables(horizons: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each task the median horizon of its models, by length of training."""
    medians = horizons[horizons["rule"] == "median"]
    tables = []
    for task, rows in medians.groupby("task", sort=False):
        lengths = sorted(rows["length"].unique())
        lines = []
        for (model, reading), part in rows.groupby(["model", "reading"], sort=False):
            text = {row.length: _horizon(row) for row in part.itertuples()}
            lines.append((model, READINGS[reading], [text.get(n, BLANK) for n in lengths]))
        tables.append({"task": task, "lengths": lengths, "lines": lines})
    return tables


def _horizon(row: Any) -> str:
    """Return a horizon in words: one that is censored is no number."""
    if row.censoring == "beyond":
        return f"beyond {row.longest}"
    return "?" if row.censoring == "unknown" else f"{row.horizon:g}"
