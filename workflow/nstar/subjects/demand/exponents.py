"""Fit the scaling law of every model to the outcomes of its seeds, compare and check the fits."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy
import statsmodels

from nstar.files import written_whole
from nstar.files.seals import note_written
from nstar.stats import (
    Demand,
    Difference,
    FormFit,
    ScalingFit,
    Words,
    adjust_table,
    compare_coefficients,
    compare_forms,
    fit_demand,
    fit_jointly,
    fit_scaling,
    make_card,
)
from nstar.subjects.axis import AXES
from nstar.subjects.demand.along import judged_along, law_columns, outcomes_by
from nstar.subjects.demand.checks import check_fits, mark
from nstar.subjects.demand.columns import DEMAND, EXPONENTS, FORMS
from nstar.subjects.demand.learning_curves import fit_learning_curves
from nstar.subjects.demand.observations import count_runs, fits_lapses, outcomes, scaling_data
from nstar.subjects.demand.selection import near_floor, near_space, runs_by_seed, small_sets
from nstar.subjects.demand.thresholds import thresholds_by_seed
from nstar.tables import columns_of, read_table, write_table
from nstar.tables.selection import CURVE, PLACE, stratum_of
from nstar.verdicts import UNDECIDED, UNDECIDED_NOT_FITTED


def fit_exponents(job: Mapping[str, Any], results: Path) -> None:
    """Write the tables of exponents, of demand and of learning exponents, and the fit cards.

    Parameters
    ----------
    job : mapping
        ``axis`` (see `nstar.subjects.axis.axis_job`), ``fit``
        (options) and ``other_rule``, "strict" or "published".
    results : Path

    Notes
    -----
    One law is fitted to all tasks that were asked for the same, or one to each task; see
    `nstar.subjects.demand.along.law_columns`.
    """
    tables = results / "tables"
    cells = judged_along(job["axis"], read_table(tables / "cells.parquet", "cells"), results)
    thresholds = read_table(tables / "thresholds.parquet", "thresholds")
    axis = AXES[job["axis"]["name"]]
    runs = runs_by_seed(cells)
    if axis.one_run:
        runs["run"] = runs["seed"]
    thresholds = thresholds[thresholds["rule"] == "seed"]
    curves = read_table(tables / "learning_curves.parquet", "learning_curves")
    made: dict[str, list[dict[str, Any]]] = {}
    cards: dict[str, Any] = {}
    names = law_columns(job["axis"])
    for law, part in runs.groupby(names, sort=False):
        asked = dict(zip(names, law, strict=True))
        chosen = stratum_of(thresholds, law)
        tables_of_part, card = analyse(part, chosen, job)
        # When another rule was passed first, cells do not say; and a judge has one rule of its own.
        if not (axis.one_run or "judge" in job["axis"]):
            rows, fits = fit_other_rule(stratum_of(cells, law), chosen, job)
            tables_of_part["robustness"] += rows
            card["robustness"] |= fits
        tables_of_part["learning_exponents"], card["learning_curves"] = fit_learning_curves(
            stratum_of(cells, law),
            stratum_of(curves, law),
            job["fit"]["confidence"],
            words_of(job),
        )
        cards[" ".join(law)] = card
        for name, rows in tables_of_part.items():
            made.setdefault(name, []).extend(asked | row for row in rows)
    for name, rows in made.items():
        table = pd.DataFrame(rows, columns=list(columns_of(name, names)))  # there may be no rows
        if name == "checks":
            table = mark(table, job["fit"]["confidence"])
        elif "p_value" in table:
            table = table.assign(**adjust_table(table["p_value"], table.get("left_out")))
        write_table(tables / f"{name}.csv", name, table)
    cards["versions"] = {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__}
    with written_whole(tables / "fits.json") as temporary:
        temporary.write_text(json.dumps(make_card(cards), indent=2) + "\n")
    note_written(tables / "fits.json")


def words_of(job: Mapping[str, Any]) -> Words:
    """Return the words of the statistics for the axis of a job."""
    axis = AXES[job["axis"]["name"]]
    return Words(axis.symbol, axis.values)


def analyse(
    runs: pd.DataFrame, thresholds: pd.DataFrame, job: Mapping[str, Any]
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """Return the rows of every table, and the fits behind them.

    Parameters
    ----------
    runs : DataFrame
        One row per curve, budget and seed; see `nstar.subjects.demand.selection.runs_by_seed`. A column
        `run` names the run of each, where they are looked at at several budgets.
    thresholds : DataFrame
        Thresholds by the rule ``seed``.
    job : mapping
        As `fit_exponents`.
    """
    confidence, lapses = job["fit"]["confidence"], fits_lapses(job["fit"])
    parts = {name: runs[runs["model"] == name] for name in dict.fromkeys(runs["model"])}
    words = words_of(job)
    fits = _fit_models(parts, confidence, words, lapses)
    forms = {name: _fit_forms(part, confidence, words, lapses) for name, part in parts.items()}
    demands = {
        name: fit_demand(**outcomes(part), confidence=confidence, lapses=lapses)
        for name, part in parts.items()
    }
    joint = None
    if len(parts) > 1:
        group = count_runs(runs)["model"]
        joint = fit_jointly(**scaling_data(runs), group=group, confidence=confidence, lapses=lapses)
    exponents = _rows(fits, thresholds, runs, confidence)
    checks, check_fits_by_name = check_fits(fits, joint, demands, exponents, parts, job, words)

    robustness, kept_fits = [], {}
    for left_out, kept in _selections(thresholds).items():
        kept_runs = runs.merge(kept[[*CURVE, "seed"]], on=[*CURVE, "seed"])
        kept_fits[left_out] = _fit_models(
            {name: kept_runs[kept_runs["model"] == name] for name in parts},
            confidence,
            words,
            lapses,
        )
        rows = _rows(kept_fits[left_out], kept, kept_runs, confidence)
        robustness += [{"left_out": left_out, "n_undecided": 0, **row} for row in rows]
    left_out = "no_lapse" if lapses else "fitted_lapse"
    kept_fits[left_out] = _fit_models(parts, confidence, words, not lapses)
    rows = _rows(kept_fits[left_out], thresholds, runs, confidence)
    robustness += [{"left_out": left_out, "n_undecided": 0, **row} for row in rows]

    tables = {
        "exponents": exponents,
        "robustness": robustness,
        "checks": checks,
        "forms": [row for name in parts for row in _form_rows(name, forms[name])],
        "demand": [
            row
            for name, part in parts.items()
            for row in _demand_rows(name, part, demands[name], thresholds)
        ],
    }
    cards = {
        "exponents": fits,
        "robustness": kept_fits,
        "joint": joint,
        "forms": forms,
        "demand": demands,
        "checks": check_fits_by_name,
    }
    return tables, cards


def fit_other_rule(
    cells: pd.DataFrame, thresholds: pd.DataFrame, job: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return rows of robustness by another rule of success, and the fits behind them.

    A run that the other rule would have trained on has not learnt with the steps that it had.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate of a stratum, along the axis.
    thresholds, job
        As of `analyse`.
    """
    confidence, other = job["fit"]["confidence"], job["other_rule"]
    axis = AXES[job["axis"]["name"]]
    judged = cells.assign(outcome=outcomes_by(other, cells))
    undecided = cells[f"{other}_outcome"].isin([UNDECIDED, UNDECIDED_NOT_FITTED])
    runs = runs_by_seed(judged)
    parts = {name: runs[runs["model"] == name] for name in dict.fromkeys(runs["model"])}
    fits = _fit_models(parts, confidence, words_of(job), fits_lapses(job["fit"]))
    rows = _rows(fits, thresholds_by_seed(judged, thresholds, axis), runs, confidence)
    left_out = f"{other}_rule"
    for row in rows:
        models = [row["model"], row["minus_model"]]
        row["n_undecided"] = int(undecided[cells["model"].isin(models)].sum())
    return [{"left_out": left_out, **row} for row in rows], {left_out: fits}


def _fit_models(
    parts: Mapping[str, pd.DataFrame], confidence: float, words: Words, lapses: bool
) -> dict[str, ScalingFit]:
    """Return the fit of log N* = a + alpha log n + beta log m to the runs of every model."""
    fits = {}
    for name, part in parts.items():
        data = scaling_data(part)
        fit = fit_scaling(**data, confidence=confidence, words=words, lapses=lapses)
        if len(part) and not part["fitted"].any():
            reason = f"All {len(part)} runs are left out: none fitted its training set."
            fit = replace(fit, reason=reason)
        fits[name] = fit
    return fits


def _selections(thresholds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what is left of the thresholds without the doubtful ones, where there are such.

    Whole curves, or places, are left out.  Seeds that are chosen by their own outcome would not do:
    those that happened to need little would be left at a length where others come near the space, and
    demand would seem to grow faster than it does.
    """
    doubtful = {
        "limited_by_steps": (thresholds["limited_by_steps"], CURVE),
        "near_space": (near_space(thresholds), ["task", "length"]),
        "near_floor": (near_floor(thresholds), CURVE),
    }
    return {
        name: thresholds[~mask.groupby([thresholds[key] for key in keys]).transform("any")]
        for name, (mask, keys) in doubtful.items()
        if mask.any()
    }


def _rows(
    fits: Mapping[str, ScalingFit],
    thresholds: pd.DataFrame,
    runs: pd.DataFrame,
    confidence: float,
) -> list[dict[str, Any]]:
    """Return the rows of the table of exponents: all models, then all pairs."""
    rows = [row for name, fit in fits.items() for row in _exponent_rows(name, fit)]
    pairs = []
    for first, second in itertools.combinations(fits, 2):
        names = [coefficient.name for coefficient in fits[second].coefficients]
        for quantity in (c.name for c in fits[first].coefficients if c.name in names):
            if quantity != "intercept":
                one, two = fits[first], fits[second]
                found = compare_coefficients(one, two, quantity, confidence)
                pairs.append(_difference_row(first, second, one, two, found))
    for row in rows + pairs:
        models = [row["model"], row["minus_model"]]
        part = thresholds[thresholds["model"].isin(models)]
        row["n_not_fitted"] = int((~runs.loc[runs["model"].isin(models), "fitted"]).sum())
        row["n_limited_by_steps"] = int(part["limited_by_steps"].sum())
        row["n_near_space"] = int(near_space(part).sum())
        row["n_small_sets"] = len(part[small_sets(part)].drop_duplicates(CURVE))
    return rows + pairs


def _exponent_rows(name: str, fit: ScalingFit) -> list[dict[str, Any]]:
    """Return one row per coefficient of a model."""
    shared = {"kind": "exponent", "model": name, "minus_model": ""}
    rows = [
        {**shared, "quantity": coefficient.name, **row}
        for coefficient, row in zip(fit.coefficients, fit.rows(EXPONENTS), strict=True)
    ]
    rows[0]["p_value"] = np.nan  # of an intercept, which nobody expects to be 0
    return rows


def _difference_row(
    first: str, second: str, one: ScalingFit, two: ScalingFit, difference: Difference
) -> dict[str, Any]:
    """Return the row of one difference between two models."""
    (row,) = difference.rows(EXPONENTS)
    return {
        "kind": "difference",
        "model": first,
        "minus_model": second,
        "quantity": difference.name,
        "confidence": one.confidence,
        **dict.fromkeys(("run_scale", "curve_scale", "lapse", "dispersion"), np.nan),
        "n_curves": one.n_curves + two.n_curves,
        "quantised": one.quantised or two.quantised,
        "converged": one.converged and two.converged,
        **row,
    }


def _fit_forms(
    runs: pd.DataFrame, confidence: float, words: Words, lapses: bool
) -> tuple[FormFit, ...]:
    """Return the forms of the law in n of one model; none where n does not vary."""
    data = scaling_data(runs)
    if "length" not in data["covariates"]:
        return ()
    length = np.exp(data["covariates"].pop("length"))
    return compare_forms(**data, length=length, confidence=confidence, words=words, lapses=lapses)


def _form_rows(model: str, forms: tuple[FormFit, ...]) -> list[dict[str, Any]]:
    """Return one row per form of the law of a model."""
    return [{"model": model, **row} for form in forms for row in form.rows(FORMS)]


def _demand_rows(
    model: str, runs: pd.DataFrame, demands: tuple[Demand, ...], thresholds: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return one row per curve of a model, with its demand and that of any of its seeds."""
    n_seeds = runs.groupby(PLACE)["seed"].nunique()
    n_not_fitted = (~runs["fitted"]).groupby([runs[name] for name in PLACE]).sum()
    least_sets = thresholds[thresholds["model"] == model].groupby(PLACE)["least_set"].min()
    rows = []
    for demand in demands:
        place = demand.curve[1:]
        any_seed = demand.any_of(int(n_seeds[place]))
        (row,) = demand.rows(DEMAND)
        rows.append(
            {
                "model": model,
                **dict(zip(PLACE, place, strict=True)),
                **row,
                "n_seeds": int(n_seeds[place]),
                "any_estimate": any_seed.estimate,
                "any_lower": any_seed.lower,
                "any_upper": any_seed.upper,
                "n_not_fitted": int(n_not_fitted[place]),
                "least_set": int(least_sets[place]),
            }
        )
    return rows
