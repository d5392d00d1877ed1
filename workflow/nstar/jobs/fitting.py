"""Fit the scaling law of every model to the brackets of its seeds, and compare the models."""

import dataclasses
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nstar.files import written_whole
from nstar.selection import near_space
from nstar.stats import Difference, ScalingFit, compare_coefficients, fit_scaling
from nstar.tables import TABLES, read_table, write_table


def fit_exponents(job: Mapping[str, Any], results: Path) -> None:
    """Write the tables exponents and sensitivity, and fits.json, the fit cards.

    Parameters
    ----------
    job : mapping
        ``models`` (names in the order of the study) and ``fit`` (options).
    results : Path
    """
    thresholds = read_table(results / "tables" / "thresholds.csv", "thresholds")
    by_seed = thresholds[(thresholds["rule"] == "seed") & (thresholds["censoring"] != "unknown")]
    confidence = job["fit"]["confidence"]
    fits = _fit_models(by_seed, job["models"], confidence)
    exponents = _rows(fits, by_seed, confidence)
    sensitivity = [
        {"left_out": name, **row}
        for name, kept in _selections(by_seed).items()
        for row in _rows(_fit_models(kept, job["models"], confidence), kept, confidence)
    ]
    for name, rows in (("exponents", exponents), ("sensitivity", sensitivity)):
        table = pd.DataFrame(rows, columns=list(TABLES[name]))  # there may be no rows
        write_table(results / "tables" / f"{name}.csv", name, table)
    cards = {name: dataclasses.asdict(fit) for name, fit in fits.items()}
    with written_whole(results / "tables" / "fits.json") as temporary:
        temporary.write_text(json.dumps(_without_nan(cards), indent=2) + "\n")


def _selections(thresholds: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what is left of the thresholds without the doubtful ones, where there are such."""
    near = near_space(thresholds)
    places = pd.MultiIndex.from_frame(thresholds[["task", "length"]])
    doubtful = {
        "limited_by_steps": thresholds["limited_by_steps"],
        "near_space": near,
        "near_space_lengths": pd.Series(places.isin(places[near]), index=thresholds.index),
    }
    return {name: thresholds[~mask] for name, mask in doubtful.items() if mask.any()}


def _fit_models(
    thresholds: pd.DataFrame, models: list[str], confidence: float
) -> dict[str, ScalingFit]:
    """Return the fit of every model that has thresholds, in the order of the study."""
    parts = {name: thresholds[thresholds["model"] == name] for name in models}
    return {name: _fit_model(part, confidence) for name, part in parts.items() if len(part)}


def _rows(
    fits: Mapping[str, ScalingFit], thresholds: pd.DataFrame, confidence: float
) -> list[dict[str, Any]]:
    """Return the rows of the table of exponents: all models, then all pairs."""
    rows = [row for name, fit in fits.items() for row in _exponent_rows(name, fit)]
    for first, second in itertools.combinations(fits, 2):
        rows += _difference_rows(first, second, fits, confidence)
    for row in rows:
        part = thresholds[thresholds["model"].isin([row["model"], row["minus_model"]])]
        row["n_limited_by_steps"] = int(part["limited_by_steps"].sum())
        row["n_near_space"] = int(near_space(part).sum())
    return rows


def _fit_model(thresholds: pd.DataFrame, confidence: float) -> ScalingFit:
    """Fit log N* = a + alpha log n + beta log m; a covariate with one value is left out."""
    covariates = {
        name: np.log(thresholds[name].to_numpy())
        for name in ("length", "n_states")
        if thresholds[name].nunique() > 1
    }
    curve = list(zip(thresholds["task"], thresholds["length"], strict=True))
    return fit_scaling(
        thresholds["lower"].to_numpy(),
        thresholds["upper"].to_numpy(),
        covariates,
        curve,
        confidence,
    )


def _exponent_rows(name: str, fit: ScalingFit) -> list[dict[str, Any]]:
    return [
        {
            "kind": "exponent",
            "model": name,
            "minus_model": "",
            "quantity": coefficient.name,
            "estimate": coefficient.estimate,
            "standard_error": coefficient.standard_error,
            "lower": coefficient.lower,
            "upper": coefficient.upper,
            "p_value": np.nan,
            "degrees_of_freedom": fit.degrees_of_freedom,
            **_shared(fit),
        }
        for coefficient in fit.coefficients
    ]


def _difference_rows(
    first: str, second: str, fits: Mapping[str, ScalingFit], confidence: float
) -> list[dict[str, Any]]:
    names = [coefficient.name for coefficient in fits[second].coefficients]
    shared = [c.name for c in fits[first].coefficients if c.name in names and c.name != "intercept"]
    rows = []
    for quantity in shared:
        difference = compare_coefficients(fits[first], fits[second], quantity, confidence)
        rows.append(_difference_row(first, second, fits, difference))
    return rows


def _difference_row(
    first: str, second: str, fits: Mapping[str, ScalingFit], difference: Difference
) -> dict[str, Any]:
    pair = [fits[first], fits[second]]
    return {
        "kind": "difference",
        "model": first,
        "minus_model": second,
        "quantity": difference.name,
        **{
            name: getattr(difference, name)
            for name in (
                *("estimate", "standard_error", "lower", "upper", "p_value"),
                "degrees_of_freedom",
            )
        },
        **_shared(pair[0]),
        "n_used": sum(fit.n_used for fit in pair),
        "n_censored": sum(fit.n_censored for fit in pair),
        "n_curves": sum(fit.n_curves for fit in pair),
        "residual_scale": np.nan,
        "curve_scale": np.nan,
        "identified": difference.identified,
        "converged": all(fit.converged for fit in pair),
        "reason": difference.reason,
        "method": "difference of two fits, Welch-Satterthwaite t interval",
    }


def _shared(fit: ScalingFit) -> dict[str, Any]:
    names = (
        *("confidence", "n_used", "n_censored", "n_curves", "residual_scale", "curve_scale"),
        *("identified", "converged", "reason", "method"),
    )
    return {name: getattr(fit, name) for name in names}


def _without_nan(value: Any) -> Any:
    """Return the value with NaN and infinity as null, which is what JSON has for them."""
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
