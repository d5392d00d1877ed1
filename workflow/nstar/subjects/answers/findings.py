"""What is found of the width that questions need: no more is claimed than intervals allow."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nstar.cells.naming import stratum_name
from nstar.report.page import render_page, write_page
from nstar.report.text import BLANK, has_interval, show_interval, show_signed, side_of_zero
from nstar.tables import read_tables
from nstar.tables.selection import STRATUM, of_measure, stratum_of

__all__ = ["findings_page", "write_findings"]

QUANTITY_NAMES = {"width": "D*", "flops": "operations at D*"}
COVARIATES = {"n_tokens": "L", "length": "n", "locality": "m"}
ENDING = 0.99
"""Share of answers that end below which a network counts as one that does not."""


def write_findings(job: Mapping[str, Any], results: Path) -> None:
    """Write the page of findings.

    Parameters
    ----------
    job : mapping
        ``measure`` and ``threshold`` that are read first, and the ``title`` of the study.
    results : Path
    """
    tables = read_tables(results, "answers", "widths", "width_exponents")
    page = findings_page(*tables, job["measure"], job["threshold"], job["title"])
    write_page(page, results / "answers.html")


def findings_page(
    answers: pd.DataFrame,
    widths: pd.DataFrame,
    exponents: pd.DataFrame,
    measure: str,
    threshold: float,
    study_title: str,
) -> str:
    """Return the findings on the widths that questions need as one self-contained HTML page.

    Parameters
    ----------
    answers, widths, exponents : DataFrame
        The tables answers, widths and width_exponents.
    measure : {"answer", "chain"}
        The accuracy that is read.
    threshold : float
        The threshold that is read first; one of those in the tables.
    study_title : str
        Heading of the page.

    Returns
    -------
    str
        The page: for each supervision and length distribution D* by size, exponents beside theory,
        differences of families, all other measures and thresholds, and what is to be read with care.
    """
    parts = []
    for stratum, of_stratum in answers.groupby(STRATUM, sort=False):
        of_widths, of_exponents = (stratum_of(table, stratum) for table in (widths, exponents))
        read = {"measure": measure, "threshold": threshold}
        main = of_measure(of_exponents, **read)
        main = main[main["covariate"] != "length"]
        parts.append(
            {
                "asked": stratum_name(*stratum),
                "demand": list(_demand(of_measure(of_widths, **read))),
                "exponents": [_exponent(row) for row in _rows(main[main["minus_family"] == ""])],
                "differences": [
                    _difference(row) for row in _rows(main[main["minus_family"] != ""])
                ],
                "others": list(_others(of_exponents, read)),
                "warnings": list(_warnings(of_stratum, of_widths, read)),
            }
        )
    size = {
        "n_runs": len(answers),
        "n_seeds": answers["seed"].nunique(),
        "n_sizes": len(answers.drop_duplicates(["task", "length"])),
        "n_models": answers["model"].nunique(),
    }
    asked = f"{100 * threshold:g} % of {'answers' if measure == 'answer' else 'chains'}"
    return render_page(
        "answers/findings.html", title=study_title, size=size, asked=asked, parts=parts
    )


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return table.itertuples(index=False)


def _demand(widths: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield a table of D* for each task and budget: a line per family, a column per size."""
    for (task, budget), part in widths.groupby(["task", "budget"], sort=False):
        sizes = part[["length", "n_tokens"]].drop_duplicates().sort_values("length")
        lines = []
        for family, own in part.groupby("family", sort=False):
            cells = []
            for length in sizes["length"]:
                here = own[own["length"] == length]
                means = here[here["rule"] == "mean"]
                cells.append(
                    {
                        "mean": _bracket(means.iloc[0]) if len(means) else BLANK,
                        "seeds": ", ".join(
                            "none" if math.isnan(row.d_star) else f"{row.d_star:g}"
                            for row in _rows(here[here["rule"] == "seed"])
                        ),
                    }
                )
            lines.append({"family": family, "cells": cells})
        columns = [f"n = {row.length}, L = {row.n_tokens}" for row in _rows(sizes)]
        yield {"task": task, "budget": budget, "sizes": columns, "lines": lines}


def _bracket(row: Any) -> str:
    """Return D* with the widths around it."""
    return {
        "interval": f"{row.d_star:g}, above {row.lower:g}",
        "left": f"{row.d_star:g} or less",
        "right": f"above {row.lower:g}",
    }.get(row.censoring, "unknown")


def _named(row: Any) -> dict[str, str]:
    """Return the columns that name a row of the table of exponents."""
    covariate = COVARIATES[row.covariate]
    if row.covariate == "locality":
        covariate = f"m, at n = {row.length}"
    return {"task": row.task, "of": QUANTITY_NAMES[row.quantity], "against": covariate}


def _exponent(row: Any) -> dict[str, str]:
    """Return the line of an exponent, with theory beside it."""
    return _named(row) | {
        "family": row.family,
        "value": _value(row),
        "range": _range(row),
        "theory": BLANK if math.isnan(row.theory) else f"{row.theory:g}",
        "reading": _reading(row),
        "basis": _basis(row),
    }


def _value(row: Any) -> str:
    return show_interval(row) if has_interval(row) else "not identified"


def _range(row: Any) -> str:
    """Return the slopes of all lines through the brackets."""
    if math.isnan(row.slope_lower):
        return "no line passes through all"
    return f"{_show_end(row.slope_lower)} to {_show_end(row.slope_upper)}"


def _show_end(value: float) -> str:
    return show_signed(round(value, 2))


def _basis(row: Any) -> str:
    """Return how many sizes an exponent rests on, and how many of them are censored."""
    censored = [
        f"{count} {side}"
        for count, side in (
            (row.n_left_censored, "below the smallest width"),
            (row.n_right_censored, "above the largest"),
        )
        if count
    ]
    return f"{row.n_bracketed} of {row.n_curves} bracketed" + "".join(
        f", {one}" for one in censored
    )


def _reading(row: Any) -> str:
    """Return what the interval of an exponent says, or why there is none."""
    if not has_interval(row):
        return row.reason
    growth = {
        "above": "It grows.",
        "below": "It falls.",
        "includes": "Neither growth nor its absence is shown.",
    }[side_of_zero(row)]
    if side_of_zero(row) != "includes" and row.p_value_holm > 1 - row.confidence:
        growth = "The interval excludes 0, but not once the number of tests counts."
    if math.isnan(row.theory):
        return growth
    side = "holds" if row.lower <= row.theory <= row.upper else "excludes"
    return f"{growth} The interval {side} {row.theory:g}."


def _difference(row: Any) -> dict[str, str]:
    """Return the line of the difference of two families."""
    return _named(row) | {
        "families": f"{row.family} \u2212 {row.minus_family}",
        "value": _value(row),
        "p_value": "" if math.isnan(row.p_value_holm) else f"{row.p_value_holm:.2g}",
        "reading": _read_difference(row),
    }


def _read_difference(row: Any) -> str:
    """Return what the interval of a difference says once the number of tests counts."""
    if not has_interval(row):
        return row.reason
    side = side_of_zero(row)
    if side == "includes":
        return "No difference is shown."
    if row.p_value_holm > 1 - row.confidence:
        return "The interval excludes 0, but not once the number of tests counts."
    return f"{row.family if side == 'above' else row.minus_family} grows faster."


def _others(exponents: pd.DataFrame, read: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the exponents of D* by all other measures and thresholds, and in n."""
    of_widths = exponents[(exponents["quantity"] == "width") & (exponents["minus_family"] == "")]
    for row in _rows(of_widths):
        if (row.measure, row.threshold) != tuple(read.values()) or row.covariate == "length":
            asked = {"measure": row.measure, "threshold": f"{100 * row.threshold:g} %"}
            named = _named(row) | asked | {"family": row.family}
            yield named | {"value": _value(row), "range": _range(row)}


def _warnings(answers: pd.DataFrame, widths: pd.DataFrame, read: dict[str, Any]) -> Iterator[str]:
    """Yield what is to be read with care."""
    chosen = of_measure(widths, **read)
    means = chosen[chosen["rule"] == "mean"]
    for row in _rows(means[~means["monotone"]]):
        yield (
            f"{row.family}, {row.task}, n = {row.length}: a width above D* fails again; the mean was "
            "made monotone."
        )
    keys = ["family", "task", "budget", "length"]
    for (family, task, _, length), part in chosen[chosen["rule"] == "seed"].groupby(
        keys, sort=False
    ):
        found = part["d_star"].fillna(math.inf)
        if found.nunique() > 1:
            n_failed = int(part["d_star"].isna().sum())
            failed = f", {n_failed} of them at no width" if n_failed else ""
            yield f"{family}, {task}, n = {length}: its {len(part)} seeds differ in D*{failed}."
    unknown = answers[answers["answer_accuracy"].isna()]
    for row in _rows(unknown.drop_duplicates(["model", "task", "length"])):
        yield f"{row.model}, {row.task}, n = {row.length}: outputs are not finite, counted as wrong."
    widest = answers[answers["width"] == answers.groupby(keys)["width"].transform("max")]
    for (family, task, _, length), part in widest.groupby(keys, sort=False):
        rate = part["end_rate"].mean()
        if rate < ENDING:
            yield (
                f"{family}, {task}, n = {length}: at the largest width, only {100 * rate:.1f} % of the "
                "answers end."
            )
        if part["answer_accuracy"].mean() <= part["chance"].mean():
            yield (
                f"{family}, {task}, n = {length}: at the largest width, answers are no better than the "
                f"likeliest one, {100 * part['chance'].mean():.0f} %."
            )
