"""Compare curves: what lengths share, what one needs over another, and how each one ended."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nstar.stats import bracket_ratio, describe_censored, find_ratio, find_threshold
from nstar.subjects.demand.along import judged_along
from nstar.subjects.demand.columns import RATIOS, STEPS
from nstar.subjects.demand.demands import Demands, Ends, any_demands, half_demands
from nstar.subjects.demand.longer import chosen_networks, longer_along
from nstar.subjects.demand.sharing import tabulate_sharing
from nstar.tables import TABLES, read_table, read_tables, write_table
from nstar.tables.selection import CURVE_PLACE
from nstar.tasks import LENGTH_DISTRIBUTIONS, SUPERVISIONS
from nstar.verdicts import LEARNT, OUTCOMES

STEP_PARTS = (8, 4, 2, 1)
"""The smaller budgets of steps are these parts of the whole."""

TESTED = [*CURVE_PLACE, "role", "budget", "test_length", "reading"]
"""The columns that name a test of a curve."""


def compare_curves(job: Mapping[str, Any], results: Path) -> None:
    """Write the tables sharing, ratios, steps, extrapolation and composition.

    Parameters
    ----------
    job : mapping
        ``axis`` (see `nstar.subjects.axis.axis_job`), ``shortest_length`` (of `data`), ``other_rule``
        ("strict", "published" or "", where there is none), ``over`` (what has to pass, by ``study`` and
        the other rule), ``confidence``, ``lapse`` (of the fits), and ``training``
        (``max_steps``, ``evaluate_every``, ``decay`` of the learning rate, and ``at``, which
        evaluation decides).
    results : Path
    """
    tables = results / "tables"
    cells = judged_along(job["axis"], read_table(tables / "cells.parquet", "cells"), results)
    thresholds = read_table(tables / "thresholds.parquet", "thresholds")
    demand = read_table(tables / "demand.parquet", "demand")
    lengths = read_table(tables / "lengths.parquet", "lengths")
    thresholds = thresholds[thresholds["rule"] == "any"]
    demands = {"half": half_demands(demand, thresholds), "any": any_demands(thresholds)}
    training = job["training"]
    curves = list(cells.groupby(CURVE_PLACE, sort=False))
    (longer,) = read_tables(results, "longer")
    chosen = chosen_networks(longer_along(job["axis"], longer)).groupby(TESTED, sort=False)
    made: dict[str, Iterable[dict[str, Any]]] = {
        "sharing": tabulate_sharing(job, cells, thresholds, demands, lengths),
        "ratios": ratio_rows(list(dict.fromkeys(cells["model"])), demands),
        "steps": [
            row
            for key, curve in curves
            if job["axis"]["name"] != "steps"
            for row in step_rows(key, curve, training)
        ],
        "extrapolation": [extrapolation_row(key, part) for key, part in chosen],
        "composition": [
            composition_row((*key, budget), part)
            for key, curve in curves
            for budget, part in curve.groupby("budget")
        ],
    }
    for name, rows in made.items():
        table = pd.DataFrame(rows, columns=list(TABLES[name]))  # there may be no rows
        write_table(tables / f"{name}.csv", name, table)


def ratio_rows(models: list[str], demands: Mapping[str, Demands]) -> Iterable[dict[str, Any]]:
    """Yield the ratios of all pairs of curves that differ in one coordinate, in the study's order."""
    values = {
        "supervision": SUPERVISIONS,
        "length_distribution": LENGTH_DISTRIBUTIONS,
        "model": models,
    }
    for kind, ordered in values.items():
        places = dict.fromkeys(_without(curve, kind) for curve in demands["any"])
        pairs = itertools.combinations(ordered, 2)
        for (above, below), place, rule in itertools.product(pairs, places, demands):
            with_value: Callable[[str], tuple] = partial(_with, place, kind)
            top, bottom = with_value(above), with_value(below)
            if top in demands[rule] and bottom in demands[rule]:
                yield {
                    **_ratio(rule, demands[rule][top], demands[rule][bottom]),
                    "kind": kind,
                    "numerator": above,
                    "denominator": below,
                    **dict(zip(CURVE_PLACE, place, strict=True)),
                    "rule": rule,
                }


def _with(place: tuple, kind: str, value: str) -> tuple:
    return tuple(value if key == kind else old for key, old in zip(CURVE_PLACE, place, strict=True))


def _without(curve: tuple, kind: str) -> tuple:
    return _with(curve, kind, "")


def _ratio(rule: str, above: Ends, below: Ends) -> dict[str, Any]:
    """Return the columns of a ratio: an interval of estimates, or what brackets allow."""
    found = (find_ratio if rule == "half" else bracket_ratio)(above, below)
    reason = describe_censored({"the numerator": above, "the denominator": below})
    return found.rows(RATIOS)[0] | {
        "ratio": found.estimate,
        "bound": found.kind,
        "reason": reason,
    }


def step_rows(
    key: tuple, curve: pd.DataFrame, training: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    """Yield N* of a curve had training ended earlier, which its history tells under two conditions.

    The learning rate must not depend on the number of steps, and the best evaluation must decide.
    """
    reason = ""
    if training["decay"] != "constant":
        reason = f"The learning rate depends on max_steps: its decay is {training['decay']}."
    elif training["at"] == "final":
        reason = "The final evaluation decides: what an earlier one would have said is not kept."
    every = training["evaluate_every"]
    for part in STEP_PARTS:
        n_steps = training["max_steps"] // part
        if part > 1:
            n_steps = n_steps // every * every
        if not n_steps:
            continue
        row = {**dict(zip(CURVE_PLACE, key, strict=True)), "max_steps": n_steps}
        if reason and part > 1:
            unknown = {"n_star": np.nan, "lower": 0.0, "upper": np.inf, "censoring": "unknown"}
            yield row | unknown | {"reason": reason}
            continue
        learnt, fitted = (
            (curve[name] <= n_steps).fillna(False) for name in ("learnt_at", "fitted_at")
        )
        marked = curve.assign(learnt=learnt, fitted=learnt | fitted)
        by_budget = marked.groupby("budget")[["learnt", "fitted"]].any()
        found = find_threshold(
            by_budget.index,
            by_budget["learnt"].to_numpy(dtype=bool),
            by_budget["fitted"].to_numpy(dtype=bool),
        )
        yield row | found.rows(STEPS)[0] | {"reason": ""}


def extrapolation_row(key: tuple, chosen: pd.DataFrame) -> dict[str, Any]:
    """Return how well the replicates that stand for the seeds of a curve do in a test."""
    values = chosen["above_chance"]
    return {
        **dict(zip(TESTED, key, strict=True)),
        "n_seeds": len(chosen),
        "n_learnt": int((chosen["outcome"] == OUTCOMES[LEARNT]).sum()),
        "median": values.median(),
        "least": values.min(),
        "most": values.max(),
        "token_median": chosen["token_accuracy"].median(),
        "sequence_median": chosen["sequence_accuracy"].median(),
    }


def composition_row(key: tuple, replicates: pd.DataFrame) -> dict[str, Any]:
    """Return how the replicates of a cell ended."""
    return {
        **dict(zip([*CURVE_PLACE, "budget"], key, strict=True)),
        "n_replicates": len(replicates),
        **{f"n_{outcome}": int((replicates["outcome"] == outcome).sum()) for outcome in OUTCOMES},
        "n_diverged": int(replicates["diverged"].sum()),
    }
