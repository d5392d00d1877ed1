"""Fit what was measured of networks as functions: regressions, shapes of growth, ratios of tasks."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nstar.stats import adjust_table, compare_shapes, ratio_of_estimates
from nstar.subjects.functions.columns import CONTRASTS, SHAPES
from nstar.subjects.functions.profiles import insensitive_rows
from nstar.subjects.functions.regressions import (
    Rows,
    fit_growth,
    growth_rows,
    learning_rows,
    sensitivity_rows,
    tradeoff_rows,
)
from nstar.subjects.functions.selection import settled_rows, sharpness_names
from nstar.tables import TABLES, read_table, write_table
from nstar.tables.selection import REPLICATE, STRATUM, stratum_of

MEASURED = ("plain_blowup", "blowup", "parameter_norm", "average_sensitivity", "converged_at")
"""The columns of `measures` whose growth is fitted, beside sharpness; the last at the end alone."""

FEWEST_LENGTHS = 4
"""Shapes of growth are compared on this many lengths or more."""


def analyse_functions(job: Mapping[str, Any], results: Path) -> None:
    """Write the tables regressions, shapes, contrasts and insensitive.

    Parameters
    ----------
    job : mapping
        ``models`` (names in the order of the study), ``confidence`` (nominal coverage of the
        intervals) and ``settled_steps`` (see `runs_at_moments`).
    results : Path
    """
    tables = results / "tables"
    measures = read_table(tables / "measures.parquet", "measures")
    sharpness = read_table(tables / "sharpness.parquet", "sharpness")
    profile = read_table(tables / "sensitivity_profile.parquet", "sensitivity_profile")
    names = ("regressions", "shapes", "contrasts", "insensitive")
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for stratum, part in measures.groupby(STRATUM, sort=False):
        asked = dict(zip(STRATUM, stratum, strict=True))
        of_stratum = analyse(part, stratum_of(sharpness, stratum), job)
        of_stratum["insensitive"] = list(
            insensitive_rows(stratum_of(profile, stratum), part, job["models"], job["confidence"])
        )
        for name, rows in of_stratum.items():
            made[name] += [asked | row for row in rows]
    for name, rows in made.items():
        table = pd.DataFrame(rows, columns=list(TABLES[name]))  # there may be no rows
        if name == "regressions":
            tested = table["p_value"].where(table["coefficient"] != "intercept")
            table = table.assign(**adjust_table(tested))
        write_table(tables / f"{name}.csv", name, table)


def analyse(
    measures: pd.DataFrame, sharpness: pd.DataFrame, job: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table for one supervision and mix of lengths.

    Parameters
    ----------
    measures, sharpness : DataFrame
        Rows of the tables of these names.
    job : mapping
        As `analyse_functions`.

    Returns
    -------
    dict of str to list of dict
        Rows of regressions, shapes and contrasts, without the columns of the stratum.

    Notes
    -----
    All runs of a model and task are taken together, whatever their budget and learning rate.  Runs
    that did not learn have a part in ``learning`` alone.
    """
    of_sharpness = list(dict.fromkeys(sharpness_names(sharpness)))
    moments = runs_at_moments(measures, sharpness, job["settled_steps"])
    confidence = job["confidence"]
    made: dict[str, list[dict[str, Any]]] = {"regressions": [], "shapes": [], "contrasts": []}
    for model, (moment, runs) in itertools.product(job["models"], moments.items()):
        of_model = runs[runs["model"] == model]
        quantities = [*of_sharpness, *MEASURED]
        if moment != "final":
            quantities.remove("converged_at")
        for task, part in of_model.groupby("task", sort=False):
            place = {"model": model, "task": task, "moment": moment}
            made["regressions"] += growth_rows(part, place, quantities, confidence)
            if moment == "final":
                made["regressions"] += learning_rows(part, place, confidence)
            made["regressions"] += tradeoff_rows(part, place, confidence)
            made["shapes"] += shape_rows(part, place, [*of_sharpness, "plain_blowup"])
        place = {"model": model, "moment": moment}
        if moment == "final":
            made["regressions"] += sensitivity_rows(of_model, place, of_sharpness, confidence)
        made["contrasts"] += contrast_rows(of_model, place, of_sharpness, confidence)
    return made


def runs_at_moments(
    measures: pd.DataFrame, sharpness: pd.DataFrame, settled_steps: int
) -> dict[str, pd.DataFrame]:
    """Return one row per run and moment, with a column per quantity.

    Parameters
    ----------
    measures, sharpness : DataFrame
        Rows of the tables of these names.
    settled_steps : int
        A run has settled at the first measured step at least so many after it converged, and at
        most twice as many.

    Returns
    -------
    dict of str to DataFrame
        For ``final`` and ``settled``, in one order: the columns of `REPLICATE`, `learnt`, and the
        quantities; these are NaN where the run was not measured at that moment.
    """
    at = [*REPLICATE, "step", "final"]
    names = sharpness_names(sharpness)
    wide = sharpness.assign(name=names).pivot(index=at, columns="name", values="sharpness")
    quantities = [*dict.fromkeys(names), *MEASURED]
    rows = measures.astype({"converged_at": "float64"}).join(wide, on=at)
    chosen = {"final": rows[rows["final"]], "settled": settled_rows(rows, settled_steps)}
    runs = rows[[*REPLICATE, "learnt"]].drop_duplicates(REPLICATE)
    return {
        moment: runs.merge(
            part[[*REPLICATE, *quantities]], on=REPLICATE, how="left", validate="one_to_one"
        )
        for moment, part in chosen.items()
    }


def shape_rows(runs: pd.DataFrame, place: dict, quantities: list[str]) -> Rows:
    """Yield the shapes of growth with length of each quantity that few lengths do not leave open."""
    learnt = runs[runs["learnt"]]
    for quantity in quantities:
        known = learnt[learnt[quantity].notna()]
        if known["length"].nunique() < FEWEST_LENGTHS:
            continue
        for fit in compare_shapes(known["length"], known[quantity]):
            letters = dict(itertools.zip_longest("abc", fit.params, fillvalue=np.nan))
            yield place | {"quantity": quantity} | letters | fit.rows(SHAPES)[0]


def contrast_rows(
    runs: pd.DataFrame, place: dict, of_sharpness: list[str], confidence: float
) -> Rows:
    """Yield the ratios of the slopes in n and of the levels of sharpness, for all pairs of tasks.

    The level of a task is the mean over its runs that learnt, at the largest length that two tasks
    share; where one of them has fewer than two such runs there, at the largest at which both have.
    The degrees of freedom of a ratio are the fewer of its two estimates: its interval is wide rather
    than narrow.
    """
    learnt = runs[runs["learnt"]]
    lengths = {task: set(part["length"]) for task, part in runs.groupby("task", sort=False)}
    growing = [task for task in lengths if len(lengths[task]) > 1]
    for quantity in of_sharpness:
        named = place | {"quantity": quantity}
        slopes = {}
        for task in growing:
            fit = fit_growth(learnt[learnt["task"] == task], quantity, confidence)
            slope = fit.coefficient("n")
            slopes[task] = slope.estimate, slope.standard_error, fit.degrees_of_freedom
        for pair in itertools.combinations(growing, 2):
            of_kind = named | {"kind": "slope", "length": pd.NA}
            yield _contrast(of_kind, {task: slopes[task] for task in pair}, confidence)
        levels = _levels(learnt, quantity)
        for pair in itertools.combinations(lengths, 2):
            common = lengths[pair[0]] & lengths[pair[1]]
            known = [n for n in common if all((task, n) in levels for task in pair)]
            if common:
                length = max(known or common)
                of_kind = named | {"kind": "level", "length": length}
                unknown = (np.nan, np.nan, np.nan)
                found = {task: levels.get((task, length), unknown) for task in pair}
                yield _contrast(of_kind, found, confidence)


def _contrast(
    named: dict, found: Mapping[str, tuple[float, float, float]], confidence: float
) -> dict[str, Any]:
    """Return the row of the ratio of two tasks, given estimate, error and degrees of freedom of each."""
    (one, first), (two, second) = found.items()
    if abs(second[0]) > abs(first[0]):
        one, first, two, second = two, second, one, first
    freedom = min(first[2], second[2])
    ratio = ratio_of_estimates(*first[:2], *second[:2], freedom, confidence)
    return named | {"task": one, "over_task": two} | ratio.rows(CONTRASTS)[0]


def _levels(learnt: pd.DataFrame, quantity: str) -> dict[tuple[str, int], tuple]:
    """Return mean, standard error and degrees of freedom by task and length, of two runs or more."""
    values = learnt.groupby(["task", "length"])[quantity]
    found = pd.DataFrame({"level": values.mean(), "error": values.sem(), "n_runs": values.count()})
    return {
        row.Index: (row.level, row.error, row.n_runs - 1)
        for row in found[found["n_runs"] > 1].itertuples()
    }
