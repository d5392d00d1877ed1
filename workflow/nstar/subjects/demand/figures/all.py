"""All figures of a study of demand, from its tables."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nstar.cells.naming import stratum_suffix
from nstar.report.style import save, save_all
from nstar.subjects.axis import AXES
from nstar.subjects.demand.along import cells_along, judged_along
from nstar.subjects.demand.figures.demand import draw_demand
from nstar.subjects.demand.figures.exponents import draw_exponents
from nstar.subjects.demand.figures.extrapolation import draw_extrapolation
from nstar.subjects.demand.figures.learning import draw_accuracy
from nstar.subjects.demand.figures.learning_curves import draw_learning_curves
from nstar.subjects.demand.figures.outcomes import draw_outcomes
from nstar.subjects.demand.figures.positions import draw_positions
from nstar.subjects.demand.figures.sharing import draw_sharing
from nstar.subjects.demand.longer import longer_along
from nstar.tables import read_tables
from nstar.tables.selection import STRATUM, stratum_of

MOST_VALUES = 60
"""Values on the axis that a figure of outcomes shows: more bars cannot be told apart."""


def some_values(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells at `MOST_VALUES` values on the axis or fewer, evenly spaced up to the last."""
    values = np.sort(cells["budget"].unique())[::-1]
    return cells[cells["budget"].isin(values[:: math.ceil(len(values) / MOST_VALUES)])]


def draw_figures(job: Mapping[str, Any], results: Path) -> None:
    """Draw the figures.

    Parameters
    ----------
    job : mapping
        ``axis`` (see `nstar.subjects.axis.axis_job`), ``figures`` (options), ``drawn`` (names of the
        figures of each stratum), ``sharing`` (whether there is this figure), ``tests`` (of the
        evaluation, lengths) and ``horizon``.
    results : Path
    """
    width, dots_per_inch = job["figures"]["width_inches"], job["figures"]["dots_per_inch"]
    axis = AXES[job["axis"]["name"]]
    cells, *others = read_tables(
        results,
        *("cells", "thresholds", "exponents", "checks", "demand"),
        *("learning_curves", "learning_exponents"),
    )
    longer, positions = read_tables(results, "longer", "positions")
    for stratum, part in judged_along(job["axis"], cells, results).groupby(STRATUM):
        thresholds, exponents, checks, demand, *learning = (
            stratum_of(table, stratum) for table in others
        )
        drawn = {
            "demand": draw_demand(thresholds, exponents, demand, width, axis=axis),
            "exponents": draw_exponents(exponents, checks, width, axis=axis),
            "outcomes": draw_outcomes(some_values(part), width, axis=axis),
        }
        if "accuracy" in job["drawn"]:
            drawn["accuracy"] = draw_accuracy(part, width, axis=axis)
        if "learning_curves" in job["drawn"]:
            trained = cells_along(job["axis"], stratum_of(cells, stratum))  # whatever judges them
            drawn["learning_curves"] = draw_learning_curves(trained, *learning, width, axis=axis)
        if "extrapolation" in job["drawn"]:
            tested = longer_along(job["axis"], stratum_of(longer, stratum))
            drawn["extrapolation"] = draw_extrapolation(tested, job["tests"], width)
            of_stratum = stratum_of(positions, stratum)
            drawn["positions"] = draw_positions(of_stratum, job["horizon"], width)
        save_all(drawn, results / "figures", stratum_suffix(*stratum), dots_per_inch)
    if job["sharing"]:
        figure = draw_sharing(*read_tables(results, "sharing", "extrapolation"), width)
        save(figure, results / "figures" / "sharing", dots_per_inch)
