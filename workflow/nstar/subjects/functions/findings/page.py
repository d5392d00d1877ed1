"""What is found of networks as functions, as sentences that claim no more than the intervals allow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nstar.cells.naming import stratum_name
from nstar.report.page import render_page, write_page
from nstar.report.text import BLANK, show_signed
from nstar.subjects.functions.findings.insensitive import insensitive_lines
from nstar.subjects.functions.findings.regressions import (
    contrast_lines,
    growth_lines,
    learning_reading,
    other_growth,
    sensitivity_lines,
    shape_lines,
    tradeoff_lines,
)
from nstar.subjects.functions.selection import main_sharpness
from nstar.tables import read_tables
from nstar.tables.selection import REPLICATE, STRATUM, stratum_of

__all__ = ["findings_page", "function_findings", "write_findings"]

_CURVES = ["model", "task"]
_RUN = [*REPLICATE, "step"]


def write_findings(job: Mapping[str, Any], results: Path) -> None:
    """Write the page of findings; ``job`` has the ``title`` of the study."""
    names = (
        "measures",
        "sharpness",
        "degrees",
        "insensitive",
        "regressions",
        "shapes",
        "contrasts",
    )
    page = findings_page(*read_tables(results, *names), job["title"])
    write_page(page, results / "findings.html")


def findings_page(
    measures: pd.DataFrame,
    sharpness: pd.DataFrame,
    degrees: pd.DataFrame,
    insensitive: pd.DataFrame,
    regressions: pd.DataFrame,
    shapes: pd.DataFrame,
    contrasts: pd.DataFrame,
    study_title: str,
) -> str:
    """Return the findings on networks as functions as one self-contained HTML page.

    Parameters
    ----------
    measures, sharpness, degrees, insensitive, regressions, shapes, contrasts : DataFrame
        The tables of these names; all but `measures` may have no rows.
    study_title : str
        Heading of the page.

    Returns
    -------
    str
        The page: for each supervision and length distribution what `function_findings` returns, the
        perturbations with their size and error, and how far degree profiles are from their targets.
    """
    parts = []
    for stratum, of_stratum in measures.groupby(STRATUM, sort=False):
        of_fits = (stratum_of(table, stratum) for table in (regressions, shapes, contrasts))
        parts.append(
            {"asked": stratum_name(*stratum)}
            | function_findings(of_stratum, *of_fits)
            | {"perturbations": _perturbations(of_stratum, stratum_of(sharpness, stratum))}
            | {"profiles": _profiles(of_stratum, stratum_of(degrees, stratum))}
            | {"insensitive": insensitive_lines(stratum_of(insensitive, stratum))}
        )
    size = {
        "n_runs": len(measures.drop_duplicates(REPLICATE)),
        "n_measured": len(measures),
        "n_lengths": measures["length"].nunique(),
    }
    return render_page("functions/findings.html", title=study_title, size=size, parts=parts)


def function_findings(
    measures: pd.DataFrame,
    regressions: pd.DataFrame,
    shapes: pd.DataFrame,
    contrasts: pd.DataFrame,
) -> dict[str, Any]:
    """Return what is found in one stratum, as text by section.

    Parameters
    ----------
    measures, regressions, shapes, contrasts : DataFrame
        The tables of these names, of one supervision and length distribution.

    Returns
    -------
    dict
        `quantity`, the sharpness that is read, "" where none was fitted; `learnt`, `growth`,
        `contrasts`, `shapes`, `tradeoff`, `sensitivity`, `reached` and `others`, lists of lines.  What
        is not identified stands with its reason and without numbers.
    """
    quantity = main_sharpness(
        pd.concat(table["quantity"] for table in (regressions, shapes, contrasts))
    )
    return {
        "quantity": quantity,
        "learnt": _learnt(measures, regressions),
        "growth": growth_lines(regressions, quantity),
        "contrasts": contrast_lines(contrasts, quantity),
        "shapes": shape_lines(shapes, quantity),
        "tradeoff": tradeoff_lines(regressions),
        "sensitivity": sensitivity_lines(regressions, quantity),
        "reached": _reached(measures),
        "others": other_growth(regressions, quantity),
    }


def _learnt(measures: pd.DataFrame, regressions: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each model the runs that learnt by task and length, and whether they get fewer."""
    runs = measures.drop_duplicates(REPLICATE)
    tables = []
    for model, of_model in runs.groupby("model", sort=False):
        lengths = sorted(of_model["length"].unique())
        lines = []
        for task, of_task in of_model.groupby("task", sort=False):
            counts = of_task.groupby("length")["learnt"].agg(["sum", "size"])
            texts = {n: f"{row['sum']}/{row['size']}" for n, row in counts.iterrows()}
            n_lost = int((~of_task["learnt"]).sum())
            reading = "All runs learnt."
            if n_lost:
                reading = f"{n_lost} of {len(of_task)} runs did not learn and are in no fit."
                reading += learning_reading(regressions, model, task)
            lines.append(
                {
                    "task": task,
                    "counts": [texts.get(length, BLANK) for length in lengths],
                    "reading": reading,
                }
            )
        tables.append({"model": model, "lengths": lengths, "lines": lines})
    return tables


def _reached(measures: pd.DataFrame) -> list[dict[str, Any]]:
    """Return for each model and task the sensitivity of final networks over that of their target."""
    final = measures[measures["final"] & measures["learnt"]].dropna(subset="average_sensitivity")
    final = final[final["target_sensitivity"] > 0]
    lines = []
    for (model, task), rows in final.groupby(_CURVES, sort=False):
        ratios = (
            _spread(rows[name] / rows["target_sensitivity"])
            for name in ("average_sensitivity", "rounded_sensitivity")
        )
        n_exact = int((rows["average_sensitivity_error"] == 0).sum())
        lines.append(
            {
                "model": model,
                "task": task,
                "network": next(ratios),
                "rounded": next(ratios),
                "n_exact": n_exact,
                "n_sampled": len(rows) - n_exact,
            }
        )
    return lines


def _perturbations(measures: pd.DataFrame, sharpness: pd.DataFrame) -> list[list[str]]:
    """Return for each model and perturbation its length, and how exact sharpness is, at the end."""
    runs = measures.loc[measures["final"] & measures["learnt"], [*_RUN, "parameter_norm"]]
    rows = sharpness.merge(runs, on=_RUN, validate="many_to_one").dropna(subset="sharpness")
    rows = rows.assign(
        share=rows["radius"] / rows["parameter_norm"],
        error=rows["sharpness_error"] / rows["sharpness"],
    )
    keys = ["model", "perturbation", "size"]
    medians = rows.groupby(keys, sort=False)[["radius", "share", "sharpness", "error"]].median()
    return [
        [model, kind, f"{size:g}", *map(show_signed, values)]
        for (model, kind, size), values in zip(medians.index, medians.to_numpy(), strict=True)
    ]


def _profiles(measures: pd.DataFrame, degrees: pd.DataFrame) -> list[list[str]]:
    """Return for each model and task how far the profiles at the longest length are from the target."""
    runs = measures.loc[measures["final"] & measures["learnt"], _RUN]
    rows = degrees.merge(runs, on=_RUN, validate="many_to_one").dropna(subset="weight")
    lines = []
    for (model, task), of_curve in rows.groupby(_CURVES, sort=False):
        longest = of_curve[of_curve["length"] == of_curve["length"].max()]
        distance = (longest["weight"] - longest["target_weight"]).abs()
        by_run = distance.groupby([longest[key] for key in REPLICATE]).sum()
        lines.append([model, task, str(longest["length"].iloc[0]), _spread(by_run)])
    return lines


def _spread(values: pd.Series) -> str:
    """Return the median with the least and the greatest value in brackets."""
    if values.isna().all():
        return BLANK
    median, least, most = map(show_signed, (values.median(), values.min(), values.max()))
    return f"{median} [{least},\u00a0{most}]"
