"""N* of every curve as comparisons read it: by either rule of N*, and by another rule of success."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nstar import stats
from nstar.subjects.axis import AXES
from nstar.subjects.demand.along import law_columns
from nstar.subjects.demand.columns import DEMAND
from nstar.subjects.demand.observations import fits_lapses, outcomes
from nstar.subjects.demand.selection import runs_by_seed
from nstar.subjects.demand.thresholds import rows_by_rule
from nstar.tables.selection import CURVE_PLACE
from nstar.verdicts import LEARNT, NOT_GENERALISED, OUTCOMES, UNDECIDED, UNDECIDED_NOT_FITTED

Ends = tuple[float, float, float]
Demands = Mapping[tuple, Ends]
"""Estimate, lower and upper of N* by curve; the estimate NaN where it is censored."""


def any_demands(thresholds: pd.DataFrame) -> dict[tuple, Ends]:
    """Return N* of every curve by the rule ``any``: the brackets, with N* where both ends are known."""
    return {
        tuple(getattr(row, key) for key in CURVE_PLACE): (
            row.n_star if row.censoring == "interval" else np.nan,
            row.lower,
            row.upper,
        )
        for row in thresholds.itertuples()
    }


def half_demands(demand: pd.DataFrame, thresholds: pd.DataFrame) -> dict[tuple, Ends]:
    """Return the budget at which half of the seeds learn, of every curve.

    Where no replicate learnt from all sequences that exist, their number is the lower bound: no
    larger budget could be tried.
    """
    found = {key: (np.nan, 0.0, np.inf) for key in any_demands(thresholds)}
    for row in demand.itertuples():
        key = tuple(getattr(row, name) for name in CURVE_PLACE)
        found[key] = row.estimate, row.lower, row.upper
    exhausted = thresholds["lower"] >= thresholds["n_available"]
    for key, (_, lower, _) in any_demands(thresholds[exhausted]).items():
        found[key] = np.nan, lower, np.inf
    return found


def demands_by_other_rule(
    job: Mapping[str, Any], cells: pd.DataFrame, thresholds: pd.DataFrame
) -> tuple[dict[str, Demands], dict[tuple, int]]:
    """Return N* of the same runs by another rule of success, and how many runs it does not decide.

    A run that the other rule would have trained on may have learnt there or not. So N* of a curve with
    such runs has no estimate; its ends are the least and the greatest of both.

    Parameters
    ----------
    job : mapping
        ``axis``, ``other_rule`` ("strict" or "published"), ``confidence`` and ``lapse``.
    cells : DataFrame
        One row per cell and replicate, along the axis.
    thresholds : DataFrame
        Thresholds by the rule ``any``.

    Returns
    -------
    demands : dict
        By the rules of N*, ``half`` and ``any``.
    n_undecided : dict
        Replicates by curve.
    """
    found = cells[f"{job['other_rule']}_outcome"]
    undecided = found.isin([UNDECIDED, UNDECIDED_NOT_FITTED])
    counts = undecided.groupby([cells[name] for name in CURVE_PLACE], sort=False).sum().to_dict()
    most, least = (
        _demands_of(job, cells.assign(outcome=found.mask(undecided, OUTCOMES[code])), thresholds)
        for code in (NOT_GENERALISED, LEARNT)
    )
    return {
        rule: {
            curve: _between(least[rule][curve], ends) if counts[curve] else ends
            for curve, ends in most[rule].items()
        }
        for rule in most
    }, counts


def _between(one: Ends, other: Ends) -> Ends:
    return np.nan, min(one[1], other[1]), max(one[2], other[2])


def _demands_of(
    job: Mapping[str, Any], cells: pd.DataFrame, thresholds: pd.DataFrame
) -> dict[str, Demands]:
    """Return N* of every curve from other outcomes of its replicates, by ``half`` and ``any``."""
    axis = AXES[job["axis"]["name"]]
    rows = [
        dict(zip(CURVE_PLACE, key, strict=True)) | row
        for key, curve in cells.groupby(CURVE_PLACE, sort=False)
        for row in rows_by_rule(curve, axis)
        if row["rule"] == "any"
    ]
    brackets = pd.DataFrame(rows).merge(thresholds[[*CURVE_PLACE, "n_available"]], on=CURVE_PLACE)
    runs = runs_by_seed(cells)
    fits = [
        demand
        for _, part in runs.groupby([*law_columns(job["axis"]), "model"], sort=False)
        for demand in stats.fit_demand(
            **outcomes(part), confidence=job["confidence"], lapses=fits_lapses(job)
        )
    ]
    demand = pd.DataFrame(
        [dict(zip(CURVE_PLACE, fit.curve, strict=True)) | fit.rows(DEMAND)[0] for fit in fits]
    )
    return {"half": half_demands(demand, brackets), "any": any_demands(brackets)}
