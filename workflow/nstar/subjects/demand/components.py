"""How much of the scatter of N* between runs is that of data, of initial weights and of order."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nstar.seeds import Seed
from nstar.stats import divide_variance
from nstar.subjects.demand.columns import VARIANCE_COMPONENTS
from nstar.tables import read_tables, write_table
from nstar.tables.selection import LAW, PLACE


def divide_demand(job: Mapping[str, Any], results: Path) -> None:
    """Write the table of variance components.

    Parameters
    ----------
    job : mapping
        ``confidence`` of the intervals.
    results : Path
    """
    cells, thresholds = read_tables(results, "cells", "thresholds")
    rows = component_rows(cells, thresholds, job["confidence"])
    table = pd.DataFrame(rows, columns=list(VARIANCE_COMPONENTS))  # there may be no rows
    write_table(results / "tables" / "variance_components.csv", "variance_components", table)


def component_rows(
    cells: pd.DataFrame, thresholds: pd.DataFrame, confidence: float
) -> list[dict[str, Any]]:
    """Return the rows of the table: of every model, task, supervision and length distribution.

    Parameters
    ----------
    cells, thresholds : DataFrame
        Tables of these names; `cells` with the seeds of the streams.
    confidence : float

    Notes
    -----
    N* of a combination of seeds is its threshold; where that is no finite bracket, its curve is left
    out, for the variance of what is censored is not known.
    """
    seeds = [f"{name}_seed" for name in Seed._fields]
    streams = cells[["seed", *seeds]].drop_duplicates()
    of_runs = thresholds[thresholds["rule"] == "seed"].merge(streams, on="seed")
    known = of_runs["censoring"] == "interval"
    of_runs["value"] = np.log(of_runs["n_star"].where(known))
    rows = []
    for law, part in of_runs.groupby(["model", *LAW], sort=False):
        place = dict(zip(["model", *LAW], law, strict=True))
        found = divide_variance(
            part["value"],
            list(part[PLACE].itertuples(index=False, name=None)),
            {name: part[column] for name, column in zip(Seed._fields, seeds, strict=True)},
            confidence,
        )
        rows += [place | row for one in found for row in one.rows(VARIANCE_COMPONENTS)]
    return rows
