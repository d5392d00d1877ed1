"""What the numbers of a study say, in sentences that claim no more than the intervals allow."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from nstar.cells.naming import stratum_name
from nstar.report.page import render_page, write_page
from nstar.subjects.axis import AXES, BUDGET, Axis
from nstar.subjects.demand.along import judged_along, one_per_replicate
from nstar.subjects.demand.columns import VARIANCE_COMPONENTS
from nstar.subjects.demand.findings.curves import demand_tables, find_warnings
from nstar.subjects.demand.findings.factors import ratio_tables, sharing_tables
from nstar.subjects.demand.findings.longer import (
    extrapolation,
    horizon_tables,
    networks_tested,
)
from nstar.subjects.demand.findings.readings import (
    check_table,
    comparisons,
    component_table,
    form_table,
    learning_table,
    readings,
    robustness_table,
)
from nstar.subjects.demand.longer import longer_along
from nstar.tables import read_tables
from nstar.tables.selection import CURVE, LAW, stratum_of


def write_findings(job: Mapping[str, Any], results: Path) -> None:
    """Write the page of findings.

    Parameters
    ----------
    job : mapping
        ``axis`` (see `nstar.subjects.axis.axis_job`), ``title`` of the study, ``tests`` and ``horizon``
        of its evaluation, ``positions``, names of models by how they encode positions, and, where there
        is a table of variance components, ``components``.
    results : Path
    """
    cells, *tables = read_tables(
        results,
        *("cells", "thresholds", "exponents", "robustness", "checks", "forms"),
        *("demand", "learning_exponents", "sharing", "ratios", "longer", "horizons"),
    )
    components = None
    if job.get("components"):
        (components,) = read_tables(results, "variance_components")
    axis, tables[-2] = job["axis"], longer_along(job["axis"], tables[-2])
    page = findings_page(
        judged_along(axis, cells, results),
        *tables,
        job["title"],
        tests=job["tests"],
        horizon=job["horizon"],
        positions=job["positions"],
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
    longer: pd.DataFrame,
    horizons: pd.DataFrame,
    study_title: str,
    *,
    tests: Sequence[int | str] = ("2x",),
    horizon: float = 0.9,
    positions: Mapping[str, Sequence[str]] = MappingProxyType({}),
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
    longer : DataFrame
        One row per replicate, test length and reading, along the axis; there may be none.
    horizons : DataFrame
        One row per curve, reading and seed; there may be none.
    study_title : str
        Heading of the page.
    tests : sequence of int or str
        The lengths of ``evaluation.test_lengths``.
    horizon : float
        That of ``evaluation``.
    positions : mapping of str to sequence of str
        Names of models by how they encode positions.
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
    tables = (thresholds, exponents, robustness, checks, forms, demand, learning, longer, horizons)
    if components is None:
        components = pd.DataFrame(columns=list(VARIANCE_COMPONENTS))
    parts = [
        {"asked": stratum_name(*stratum)}
        | _part(of_stratum, *(stratum_of(table, stratum) for table in tables), axis, tests)
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
        horizon=horizon,
        positions=positions,
        streams="data_seed" in cells,
        sharing=sharing_tables(sharing),
        ratios=ratio_tables(ratios),
    )


def _part(
    cells: pd.DataFrame,
    thresholds: pd.DataFrame,
    exponents: pd.DataFrame,
    robustness: pd.DataFrame,
    checks: pd.DataFrame,
    forms: pd.DataFrame,
    demand: pd.DataFrame,
    learning: pd.DataFrame,
    longer: pd.DataFrame,
    horizons: pd.DataFrame,
    axis: Axis,
    tests: Sequence[int | str],
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
        "warnings": find_warnings(cells, thresholds, exponents, checks, demand, axis),
        "extrapolation": extrapolation(longer, tests),
        "tested": networks_tested(longer),
        "horizons": horizon_tables(horizons),
    }


def _size(cells: pd.DataFrame, thresholds: pd.DataFrame) -> dict[str, int]:
    return {
        "n_cells": len(cells.drop_duplicates([*CURVE, "budget"])),
        "n_replicates": len(cells),
        "n_curves": len(thresholds.drop_duplicates(CURVE)),
        "n_seeds": cells["seed"].nunique(),
    }
