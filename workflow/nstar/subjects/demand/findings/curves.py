"""What the findings say of curves: their demand, and what is doubtful about it."""

from typing import Any

import pandas as pd

from nstar.cells.naming import curve_name
from nstar.report.text import BLANK, QUANTITIES, pair_name, show_number, show_signed
from nstar.subjects.axis import Axis
from nstar.subjects.demand.along import one_per_replicate
from nstar.subjects.demand.findings.readings import CHECKS
from nstar.subjects.demand.selection import (
    SMALL_SET,
    contradictions,
    near_floor,
    near_space,
    small_sets,
)
from nstar.tables.selection import CURVE


def demand_tables(thresholds: pd.DataFrame, demand: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each task the demand of any replicate and of half of the seeds, models by lengths."""
    by_any = thresholds[thresholds["rule"] == "any"]
    by_any = by_any.assign(text=[_bound(row) for row in by_any.itertuples()])
    by_half = demand.assign(text=[_demand(row) for row in demand.itertuples()])
    tables = []
    for task, rows in by_any.groupby("task", sort=False):
        lengths = sorted(rows["length"].unique())
        lines = []
        for name, table in (("any replicate", rows), ("half of the seeds", by_half)):
            text = table[table["task"] == task].set_index(["model", "length"])["text"]
            for model in dict.fromkeys(rows["model"]):
                lines.append((model, name, [text.get((model, n), BLANK) for n in lengths]))
        tables.append({"task": task, "lengths": lengths, "lines": lines})
    return tables


def _demand(row: Any) -> str:
    """Return the demand of a curve with its interval, or its bound."""
    if row.censoring == "unknown":
        return "?"
    if row.censoring != "interval":
        return (
            f"> {show_number(row.lower)}"
            if row.censoring == "right"
            else f"< {show_number(row.upper)}"
        )
    return f"{show_number(row.estimate)} [{show_number(row.lower)}, {show_number(row.upper)}]"


def _bound(row: Any) -> str:
    if row.censoring == "unknown":
        text = "?"
    elif row.censoring == "right":
        text = f"> {row.lower:.0f}"
    elif row.censoring == "left":
        text = f"\u2264 {row.n_star:.0f}"
    else:
        text = f"{row.n_star:.0f}"
    return text + ("" if row.monotone else " *") + (" \u2020" if row.limited_by_steps else "")


def find_warnings(
    cells: pd.DataFrame,
    thresholds: pd.DataFrame,
    exponents: pd.DataFrame,
    checks: pd.DataFrame,
    demand: pd.DataFrame,
    axis: Axis,
) -> list[dict[str, Any]]:
    """Return title, meaning, unit and one line per curve, replicate or fit of each warning."""
    diverged = [
        f"{curve_name(row._asdict())}, {'' if axis.one_run else f'{axis.value} {row.budget}, '}seed "
        f"{row.seed}, learning rate {row.learning_rate:g}"
        for row in one_per_replicate(axis, cells[cells["diverged"]]).itertuples()
    ]
    fits = exponents[exponents["kind"] == "exponent"].drop_duplicates("model")
    open_fits = fits[~fits["identified"]]
    failed_fits = fits[fits["identified"] & ~fits["converged"]]
    quantised = [row.model for row in fits[fits["quantised"]].itertuples()]
    contradicted = [
        f"{pair_name(row)}, exponent in {QUANTITIES[row.quantity][0]}: {CHECKS[row.check]} gives "
        f"{show_signed(row.estimate)}, a shift of {show_signed(row.shift)}, of which the law explains "
        f"{show_signed(row.shift_error)} (standard deviation; p = {row.p_value_holm:.2g})"
        for row in contradictions(checks).itertuples()
    ]
    found = [
        *(
            (title, "curve", meaning, _name_curves(thresholds[mask]))
            for title, meaning, mask in _doubtful_curves(thresholds, axis)
        ),
        *_seen_in_training(cells),
        ("Diverged", "replicate", "the loss became NaN or infinite", diverged),
        (
            "Contradicted",
            "check",
            "the estimate by brackets of seeds differs from the fit by more than in studies drawn from "
            "the fitted law; what the estimate says then rests on how it was obtained",
            contradicted,
        ),
        (
            "Many lapses",
            "fit",
            f"more than {MANY_LAPSES:.0%} of the runs fail however large the {axis.value}: so the law "
            "explains what it does not fit; look at the figure of outcomes",
            [
                f"{row.model}: {row.lapse:.0%}"
                for row in fits[fits["lapse"] > MANY_LAPSES].itertuples()
            ],
        ),
        (
            "Not growing",
            "curve",
            f"success falls or alternates with the {axis.value} by more than chance; there is no "
            f"{axis.symbol} of half of the seeds",
            [
                curve_name(row._asdict())
                for row in demand[demand["reason"].fillna("") != ""].itertuples()
            ],
        ),
        (
            "Quantised",
            "fit",
            f"seeds differ by less than the {axis.values} resolve; "
            f"{'more frequent evaluations' if axis.one_run else f'finer {axis.values}'} would tell more",
            quantised,
        ),
        (
            "Not identified",
            "fit",
            f"too few curves have {axis.symbol} inside the {axis.values}",
            _name_fits(open_fits),
        ),
        ("Not converged", "fit", "no interval is given", _name_fits(failed_fits)),
    ]
    return [dict(zip(("title", "unit", "meaning", "lines"), entry, strict=True)) for entry in found]


MANY_LAPSES = 0.2
"""Lapse rate above which a fit is named."""

SEEN = 0.05
"""Share of validation sequences seen in training from which on a cell is named."""


def _seen_in_training(cells: pd.DataFrame) -> list[tuple[str, str, str, list[str]]]:
    """Return the warning that fresh batches have shown validation sequences, where batches are fresh."""
    if not (cells["validation_seen"] > 0).any():
        return []
    most = cells.groupby(CURVE, sort=False)["validation_seen"].max()
    lines = [
        f"{curve_name(dict(zip(CURVE, curve, strict=True)))}: {share:.0%}"
        for curve, share in most[most > SEEN].items()
    ]
    meaning = (
        f"batches are drawn from all sequences, and more than {SEEN:.0%} of those of the validation set "
        "were among them: what passes there may have been seen"
    )
    return [("Validated on what training has seen", "curve", meaning, lines)]


_OF_DATA = {"Unknown", "Near the size of the space", "Limited by steps"}
"""Warnings that only a demand for data can have: on other axes a run that does not fit its training set
counts as a failure, and the sequences that exist bound nothing."""


def _doubtful_curves(thresholds: pd.DataFrame, axis: Axis) -> list[tuple[str, str, pd.Series]]:
    """Return title, meaning and rows of each warning on curves."""
    value, symbol, censoring = axis.value, axis.symbol, thresholds["censoring"]
    smallest = "training set" if axis.name == "budget" else value
    warnings = [
        ("Right-censored", f"no {value} was enough", censoring == "right"),
        (
            "Left-censored",
            f"no {value} below {symbol} is known to be too small",
            censoring == "left",
        ),
        (
            "Unknown",
            "no budget succeeded, and none failed with its training set fitted; not in the fit",
            censoring == "unknown",
        ),
        ("Not monotone", f"a {value} above {symbol} failed", ~thresholds["monotone"]),
        (
            "Near the size of the space",
            "N* is at least half of the training sequences that exist at this length, which bound it; "
            "such short lengths can make demand seem to grow faster with length than it does",
            near_space(thresholds),
        ),
        (
            f"Near the smallest {smallest}",
            f"{symbol} is at most 2 {axis.short_unit}; demand cannot fall below {axis.least}, so that it "
            "can seem to grow more slowly with length, and faster with the number of states, than it "
            "does",
            near_floor(thresholds),
        ),
        (
            "Small sets",
            f"outcomes were judged on a set of fewer than {SMALL_SET} sequences, so that some of those "
            f"that count as learnt may not have; {symbol} can be too small",
            small_sets(thresholds),
        ),
        (
            "Limited by steps",
            "from some budget no replicate fitted its training set; more steps might lower N*",
            thresholds["limited_by_steps"],
        ),
    ]
    return [entry for entry in warnings if axis.name == "budget" or entry[0] not in _OF_DATA]


def _name_fits(fits: pd.DataFrame) -> list[str]:
    return [f"{row.model}: {row.reason}" for row in fits.itertuples()]


def _name_curves(thresholds: pd.DataFrame) -> list[str]:
    """Return one line per curve that says for which rule and seeds it is listed."""
    lines = []
    for curve, rows in thresholds.groupby(CURVE, sort=False):
        seeds = sorted(int(seed) for seed in rows["seed"].dropna())
        parts = ["any replicate"] if (rows["rule"] == "any").any() else []
        if seeds:
            parts.append(f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}")
        lines.append(f"{curve_name(dict(zip(CURVE, curve, strict=True)))}: {'; '.join(parts)}")
    return lines
