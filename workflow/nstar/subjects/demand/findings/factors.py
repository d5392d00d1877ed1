"""What the findings say of factors between demands: sharing factors, and ratios of two curves."""

import math
from typing import Any

import pandas as pd

from nstar.cells.naming import stratum_name
from nstar.report.text import BLANK, show_number
from nstar.subjects.demand.columns import STUDY
from nstar.tables.selection import STRATUM

_RATIOS = {
    "supervision": ("By what is asked for", ["model"]),
    "length_distribution": ("By the lengths of a data set", ["model", "supervision"]),
    "model": ("By model", ["supervision"]),
}
"""Heading of each kind of ratio, and the coordinates that its lines tell apart."""


_PASSED = {
    "mean": "on average",
    "every_length": "at every length",
    "every_position": "at every position",
}
"""What has to pass, by the column `over`."""


def sharing_tables(sharing: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each task the sharing factors by half of the seeds, models by longest lengths.

    A line has model, what is asked for, what has to pass, and of each length the factor, the null, and
    the factor over the null.
    """
    tables = []
    for task, rows in _by_half(sharing).groupby("task", sort=False):
        lengths = sorted(rows["length"].unique())
        lines = []
        keys = ["model", *STRATUM, "success", "over"]
        for (model, *stratum, success, over), part in rows.groupby(keys, sort=False):
            texts = {row.length: _with_null(row) for row in part.itertuples()}
            factors = [texts.get(length, (BLANK,) * 3) for length in lengths]
            passed = _PASSED[over] + (f" ({success} rule)" if success != STUDY else "")
            lines.append((model, stratum_name(*stratum), passed, factors))
        tables.append({"task": task, "lengths": lengths, "lines": lines, "reasons": _reasons(rows)})
    return tables


def ratio_tables(ratios: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each coordinate how the ratios of curves that differ in it lie to 1.

    A line has both values, where they are compared, the number of ratios, how many of these are above
    1, below 1, either and unknown, and the range of the estimates.
    """
    tables = []
    by_half = _by_half(ratios)
    for kind, (title, coordinates) in _RATIOS.items():
        rows = by_half[by_half["kind"] == kind]
        keys = ["numerator", "denominator", *coordinates]
        lines = []
        for (above, below, *where), part in rows.groupby(keys, sort=False):
            sides = [_side_of_one(row) for row in part.itertuples()]
            counts = map(sides.count, ("above", "below", "either", "unknown"))
            lines.append((f"{above} / {below}", ", ".join(where), len(part), *counts, _range(part)))
        if lines:
            tables.append({"title": title, "lines": lines, "reasons": _reasons(rows)})
    return tables


def _by_half(table: pd.DataFrame) -> pd.DataFrame:
    """Return the factors of demands of half of the seeds, `factor` by name."""
    return table[table["rule"] == "half"].rename(columns={"kappa": "factor", "ratio": "factor"})


def _factor(estimate: float, lower: float, upper: float) -> str:
    """Return a factor with its interval, or its bounds."""
    low, high = show_number(lower), show_number(upper)
    if not math.isnan(estimate):
        return f"{show_number(estimate)} [{low}, {high}]"
    ends = (lower > 0, math.isfinite(upper))
    bounds = {(1, 1): f"{low} to {high}", (1, 0): f"> {low}", (0, 1): f"< {high}"}
    return bounds.get(ends, "?")


def _with_null(row: Any) -> tuple[str, str, str]:
    """Return a factor, that of the null, and how many times that it is."""
    columns = (
        ("factor", "lower", "upper"),
        ("null", "null_lower", "null_upper"),
        ("against_null", "against_null_lower", "against_null_upper"),
    )
    values = ([getattr(row, name) for name in names] for names in columns)
    return tuple(
        BLANK if math.isnan(lower) else _factor(estimate, lower, upper)
        for estimate, lower, upper in values
    )


def _side_of_one(row: Any) -> str:
    """Return whether a factor is known to be "above" or "below" 1, may be "either", or is "unknown"."""
    if row.lower > 1:
        return "above"
    if row.upper < 1:
        return "below"
    return "either" if row.lower > 0 or math.isfinite(row.upper) else "unknown"


def _range(rows: pd.DataFrame) -> str:
    """Return the least and the greatest estimate, with the least and the greatest end of all."""
    known = rows.dropna(subset="factor")
    if known.empty:
        return BLANK
    least, most = show_number(known["factor"].min()), show_number(known["factor"].max())
    estimates = least if least == most else f"{least} to {most}"
    return f"{estimates} [{show_number(known['lower'].min())}, {show_number(known['upper'].max())}]"


def _reasons(rows: pd.DataFrame) -> list[tuple[str, int]]:
    """Return why factors have no estimate, with their number."""
    reasons = rows.loc[rows["factor"].isna(), "reason"]
    return list(reasons.value_counts(sort=False).items())
