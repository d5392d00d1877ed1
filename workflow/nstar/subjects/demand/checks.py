"""Check the exponents by other estimators, and say where they disagree."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nstar.seeds import numpy_generator
from nstar.stats import (
    Demand,
    Difference,
    IntervalFit,
    JointFit,
    ScalingFit,
    Words,
    bootstrap_scaling,
    compare_coefficients,
    compare_in_joint_fit,
    compare_pairs,
    find_crossings,
    fit_crossings,
    fit_scaling,
)
from nstar.subjects.demand.columns import CHECKS
from nstar.subjects.demand.observations import covariates, scaling_data
from nstar.subjects.demand.selection import as_score
from nstar.tables.selection import PLACE

AGREES, OTHER_CONCLUSION, DISAGREES, NO_ANSWER = (
    "agrees",
    "other conclusion",
    "disagrees",
    "no answer",
)


def check_fits(
    fits: Mapping[str, ScalingFit],
    joint: JointFit | None,
    demands: Mapping[str, tuple[Demand, ...]],
    exponents: list[dict[str, Any]],
    parts: Mapping[str, pd.DataFrame],
    job: Mapping[str, Any],
    words: Words,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows of the table of checks, and the fit cards behind them.

    Parameters
    ----------
    fits : mapping of str to ScalingFit
        The fit of each model.
    joint : JointFit or None
        The fit of all models with one scatter.
    demands : mapping of str to tuple of Demand
        The demand of each curve of each model.
    exponents : list of dict
        Rows of the table of exponents: what is checked.
    parts : mapping of str to DataFrame
        The runs of each model: one row per curve, budget and seed.
    job : mapping
        ``success`` and ``fit``, options of the study.
    words : Words
        For reasons.
    """
    confidence = job["fit"]["confidence"]
    crossings = {
        name: _fit_crossings(part, job["success"], confidence)
        for name, part in parts.items()
        if "run" not in part  # the best score of a run is that of no single budget
    }
    bootstraps = {
        name: bootstrap_scaling(
            fits[name],
            **scaling_data(part),
            generator=numpy_generator("bootstrap", model=name),
            n_replicates=job["fit"]["bootstrap_replicates"],
        )
        for name, part in parts.items()
    }
    scatters = {
        name: _fit_growing_scatter(part, confidence, words)
        for name, part in parts.items()
        if part["length"].nunique() > 1
    }
    by_place = {name: _by_place(found) for name, found in demands.items()}
    rows = []
    for row in exponents:
        model, other, quantity = row["model"], row["minus_model"], row["quantity"]
        if quantity == "intercept":
            continue
        if row["kind"] == "exponent":
            others = {"crossing": crossings, "bootstrap": bootstraps, "scatter": scatters}
            found = {name: fits[model] for name, fits in others.items() if model in fits}
            for name, fit in found.items():
                rows.append(_check_row(row, name, fit.row_of(quantity, CHECKS)))
            continue
        found = {}
        if crossings:
            pair = crossings[model], crossings[other]
            found["crossing"] = compare_coefficients(*pair, quantity, confidence)
        found |= {
            "joint": compare_in_joint_fit(joint, model, other, quantity),
            "paired": _compare_places(
                by_place[model],
                by_place[other],
                list(covariates(parts[model])),
                quantity,
                confidence,
            ),
        }
        rows += [_check_row(row, name, found[name].rows(CHECKS)[0]) for name in found]
    return rows, {"crossing": crossings, "bootstrap": bootstraps, "scatter": scatters}


def _fit_crossings(
    runs: pd.DataFrame, success: Mapping[str, Any], confidence: float
) -> IntervalFit:
    """Return the law fitted to where the median score of each curve passes the threshold."""
    fitted = runs[runs["fitted"]]
    crossings = find_crossings(
        fitted["budget"],
        fitted["score"],
        list(fitted[PLACE].itertuples(index=False, name=None)),
        float(as_score(success["threshold"], success["measure"])),
    )
    places = pd.DataFrame([crossing.curve for crossing in crossings], columns=PLACE)
    names = covariates(runs)  # a covariate of the fit stays one where few curves have a score
    return fit_crossings(
        crossings, {name: np.log(places[name].to_numpy(dtype=float)) for name in names}, confidence
    )


def _fit_growing_scatter(runs: pd.DataFrame, confidence: float, words: Words) -> ScalingFit:
    """Return the same law with a scatter of runs that grows, or shrinks, with the length."""
    data = scaling_data(runs)
    growing = {"length": data["covariates"]["length"]}
    return fit_scaling(**data, confidence=confidence, scale_covariates=growing, words=words)


def _by_place(demands: tuple[Demand, ...]) -> pd.Series:
    """Return N* of each curve of a model by place; NaN where it is censored."""
    places = pd.MultiIndex.from_tuples([demand.curve[1:] for demand in demands], names=PLACE)
    return pd.Series([demand.estimate for demand in demands], index=places)


def _compare_places(
    first: pd.Series, second: pd.Series, names: list[str], quantity: str, confidence: float
) -> Difference:
    """Return the difference of a coefficient from the places that both models have."""
    pairs = pd.concat({"first": first, "second": second}, axis=1, join="inner").reset_index()
    logarithms = {name: np.log(pairs[name].to_numpy(dtype=float)) for name in names}
    return compare_pairs(pairs["first"], pairs["second"], logarithms, quantity, confidence)


def _check_row(row: Mapping[str, Any], check: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one check of one row of the table of exponents."""
    shared = ("kind", "model", "minus_model", "quantity", "confidence")
    named = {name: row[name] for name in shared}
    return {**found, **named, "check": check, "verdict": _compare(row, found)}


def _compare(row: Mapping[str, float], check: Mapping[str, float]) -> str:
    """Return what a check says of a row.

    It disagrees where either estimate lies outside of the other's interval, and comes to another
    conclusion where only one of the two intervals excludes 0, or on the other side.
    """
    ends = [row["lower"], row["upper"], check["lower"], check["upper"]]
    if not np.isfinite(ends).all():
        return NO_ANSWER
    inside = (
        check["lower"] <= row["estimate"] <= check["upper"]
        and row["lower"] <= check["estimate"] <= row["upper"]
    )
    sides = [(found["lower"] > 0) - (found["upper"] < 0) for found in (row, check)]
    return DISAGREES if not inside else AGREES if sides[0] == sides[1] else OTHER_CONCLUSION
