"""What the numbers of a study say, in sentences that claim no more than the intervals allow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from nstar.cells.naming import stratum_name
from nstar.report.page import render_page, write_page
from nstar.subjects.axis import AXES, BUDGET, Axis
from nstar.subjects.demand.along import judged_along, one_per_replicate
from nstar.subjects.demand.columns import VARIANCE_COMPONENTS
from nstar.subjects.demand.findings.curves import demand_tables, extrapolation, find_warnings
from nstar.subjects.demand.findings.factors import ratio_tables, sharing_tables
from nstar.subjects.demand.findings.readings import (
    check_table,
    comparisons,
    component_table,
    form_table,
    learning_table,
    readings,
    robustness_table,
)
from nstar.tables import read_tables
from nstar.tables.selection import CURVE, LAW, stratum_of


def write_findings(job: Mapping[str, Any], results: Path) -> None:
    """Write the page of findings.

    Parameters
    ----------
    job : mapping
        ``axis`` (see `nstar.subjects.axis.axis_job`), ``title`` of the study and, where there is a table
        of variance components, ``components``.
    results : Path
    """
    cells, *tables = read_tables(
        results,
        *("cells", "thresholds", "exponents", "robustness", "checks", "forms"),
        *("demand", "learning_exponents", "sharing", "ratios"),
    )
    components = None
    if job.get("components"):
        (components,) = read_tables(results, "variance_components")
    axis = job["axis"]
    page = findings_page(
        judged_along(axis, cells, results),
        *tables,
        job["title"],
        axis=AXES[axis["name"]],
        judge=axis.get("judge"),
        components=components,
    )
    write_page(page, results / "findings.html")


def findings_page(
    cells: pd.DataFrame,
    thresholds: pd.DataFrame,
    exponents: pd.DataFrame,
    robustness: pd.DataFrame,
    checks: pd.DataFrame,
    forms: pd.DataFrame,
    demand: pd.DataFrame,
    learning: pd.DataFrame,
    sharing: pd.DataFrame,
    ratios: pd.DataFrame,
    study_title: str,
    *,
    axis: Axis = BUDGET,
    judge: Mapping[str, Any] | None = None,
    components: pd.DataFrame | None = None,
) -> str:
    """Return the findings of a study as one self-contained HTML page.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate, along the axis.
    thresholds : DataFrame
        One row per curve and rule.
    exponents : DataFrame
        One row per coefficient of a model, or difference of two models.
    robustness : DataFrame
        The same for fits that leave doubtful thresholds out, named in `left_out`.
    checks : DataFrame
        One row per exponent or difference, and other estimator of it.
    forms : DataFrame
        One row per model and form of its law in n.
    demand : DataFrame
        One row per curve: its demand from all seeds.
    learning : DataFrame
        One row per curve and measure: the exponent of its learning curve.
    sharing : DataFrame
        One row per joint curve and rule; there may be none.
    ratios : DataFrame
        One row per pair of curves that differ in one coordinate, and rule; there may be none.
    study_title : str
        Heading of the page.
    axis : Axis, optional
        What demand is sought of; its words are those of the page.
    judge : mapping, optional
        What decides whether a replicate has learnt, where ``training.success`` does not.
    components : DataFrame, optional
        One row per model, task and component of the variance of ln N*, where streams have seeds of their
        own.

    Returns
    -------
    str
        The page: for each supervision and length distribution, and task where each has a law, exponents,
        differences, checks, forms, N*, learning curves, warnings, extrapolation; then sharing factors
        and ratios, if there are any.
        An exponent or difference without an interval is reported with the reason and without a
        conclusion; one that another estimator contradicts says so.
    """
    tables = (thresholds, exponents, robustness, checks, forms, demand, learning)
    if components is None:
        components = pd.DataFrame(columns=list(VARIANCE_COMPONENTS))
    parts = [
        {"asked": stratum_name(*stratum)}
        | _part(of_stratum, *(stratum_of(table, stratum) for table in tables), axis)
        | {"components": component_table(stratum_of(components, stratum))}
        for stratum, of_stratum in cells.groupby(
            [name for name in LAW if name in exponents], sort=False
        )
    ]
    return render_page(
        "demand/findings.html",
        title=study_title,
        axis=axis,
        judge=judge,
        size=_size(one_per_replicate(axis, cells), thresholds),
        parts=parts,
        streams="data_seed" in cells,
        sharing=sharing_tables(sharing),
        ratios=ratio_tables(ratios),
    )


def _has_longer(cells: pd.DataFrame) -> bool:
    """Return whether some task was tested at more than the training length."""
    return bool((cells["extrapolation_length"] > cells["length"]).any())


def _part(
    cells: pd.DataFrame,
    thresholds: pd.DataFrame,
    exponents: pd.DataFrame,
    robustness: pd.DataFrame,
    checks: pd.DataFrame,
    forms: pd.DataFrame,
    demand: pd.DataFrame,
    learning: pd.DataFrame,
    axis: Axis,
) -> dict[str, Any]:
    """Return the findings of one stratum."""
    return {
        "readings": readings(exponents, thresholds, checks, axis),
        "comparisons": comparisons(exponents, checks),
        "checks": check_table(exponents, checks),
        "robustness": robustness_table(exponents, robustness),
        "forms": form_table(forms),
        "demand": demand_tables(thresholds, demand),
        "learning": learning_table(learning),
        "warnings": find_warnings(cells, thresholds, exponents, checks, axis),
        "extrapolation": extrapolation(cells) if _has_longer(cells) else [],
    }


def _size(cells: pd.DataFrame, thresholds: pd.DataFrame) -> dict[str, int]:
    return {
        "n_cells": len(cells.drop_duplicates([*CURVE, "budget"])),
        "n_replicates": len(cells),
        "n_curves": len(thresholds.drop_duplicates(CURVE)),
        "n_seeds": cells["seed"].nunique(),
    }
