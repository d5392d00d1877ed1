"""Check the exponents by other estimators, and mark those that the law does not explain.

A check is marked where its distance from the fit is larger than in studies drawn from the fitted law, in
which both estimators read the same outcomes.  Whether one of two intervals excludes 0 and the other does
not says nothing: near a power of one half that is a matter of chance.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from nstar.seeds import numpy_generator
from nstar.stats import (
    Demand,
    Difference,
    JointFit,
    ScalingFit,
    SeedChecks,
    SeedOutcomes,
    Words,
    adjust_table,
    compare_in_joint_fit,
    compare_pairs,
    compare_shift,
    fit_scaling,
    interval_of_draws,
)
from nstar.subjects.demand.columns import CHECKS
from nstar.subjects.demand.observations import covariates, fits_lapses, scaling_data
from nstar.tables.selection import CURVE_PLACE, PLACE

MARKED, AGREES, NOT_TESTED, NO_ANSWER = "marked", "agrees", "not tested", "no answer"

MOST_RESAMPLES = 200
"""Of seeds: their spread needs fewer than the tails of a bootstrap."""

BRACKETS = "normal law of the brackets of seeds, interval-censored; a point estimate"
SEEDS = "bootstrap over the seeds of each place, all budgets and models of a seed together"
INFLUENCE = "the fit without the curve that moves it most"


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
        ``fit``, options of the study.
    words : Words
        For reasons.
    """
    confidence, n_replicates = job["fit"]["confidence"], job["fit"]["bootstrap_replicates"]
    outcomes = {name: _seed_outcomes(part) for name, part in parts.items()}
    checks = {
        name: SeedChecks.of(
            fits[name], outcomes[name], numpy_generator("bootstrap", model=name), n_replicates
        )
        for name in parts
    }
    resampled = _resample(parts, outcomes, checks, min(n_replicates, MOST_RESAMPLES))
    without = {name: _without_each(parts[name], outcomes[name], checks[name]) for name in parts}
    bootstraps = {name: interval_of_draws(fits[name], checks[name].drawn) for name in parts}
    scatters = {
        name: _fit_growing_scatter(part, confidence, words, fits_lapses(job["fit"]))
        for name, part in parts.items()
        if part["length"].nunique() > 1
    }
    by_place = {name: _by_place(found) for name, found in demands.items()}
    rows = []
    for row in exponents:
        model, other, quantity = row["model"], row["minus_model"], row["quantity"]
        if quantity == "intercept":
            continue
        names = [name for name in (model, other) if name]
        places = [[one.name for one in fits[name].coefficients].index(quantity) for name in names]
        found = dict(_seed_rows(row, names, places, checks, resampled, without))
        if row["kind"] == "exponent":
            for name, others in (("bootstrap", bootstraps), ("scatter", scatters)):
                if model in others:
                    found[name] = others[model].row_of(quantity, CHECKS)
        else:
            found["joint"] = compare_in_joint_fit(joint, model, other, quantity).rows(CHECKS)[0]
            found["paired"] = _compare_places(
                by_place[model],
                by_place[other],
                list(covariates(parts[model])),
                quantity,
                confidence,
            ).rows(CHECKS)[0]
        rows += [_check_row(row, name, values) for name, values in found.items()]
    return rows, {"bootstrap": bootstraps, "scatter": scatters}


def mark(checks: pd.DataFrame, confidence: float) -> pd.DataFrame:
    """Return the table of checks of a study with adjusted p values and verdicts.

    Parameters
    ----------
    checks : DataFrame
        With the p values of all strata.
    confidence : float
        A check is marked where its adjusted p value is below one minus this.
    """
    checks = checks.assign(**adjust_table(checks["p_value"]))
    known = checks["p_value_holm"].notna()
    verdict = np.where(checks["check"] == "brackets", NO_ANSWER, NOT_TESTED)
    verdict = np.where(known, AGREES, verdict)
    verdict = np.where(known & (checks["p_value_holm"] < 1 - confidence), MARKED, verdict)
    return checks.assign(verdict=verdict)


def _seed_outcomes(runs: pd.DataFrame) -> SeedOutcomes:
    """Return what each seed made of each budget, without runs that say nothing."""
    fitted = runs[runs["fitted"]]
    names = covariates(runs)
    return SeedOutcomes(
        fitted["budget"],
        fitted["learnt"],
        list(fitted[CURVE_PLACE].itertuples(index=False, name=None)),
        fitted["seed"],
        {name: np.log(fitted[name].to_numpy(dtype=float)) for name in names},
        one_run="run" in runs,
    )


def _seed_rows(
    row: Mapping[str, Any],
    names: list[str],
    places: list[int],
    checks: Mapping[str, SeedChecks],
    resampled: Mapping[str, np.ndarray],
    without: Mapping[str, list[tuple[str, np.ndarray]]],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the checks of an exponent, or a difference, by brackets, seeds and influence.

    `names` are the one or two models, and `places` those of the coefficient in their fits.
    """
    signs = (1.0, -1.0)
    models = list(zip(signs, names, places, strict=False))
    counts = {
        "n_used": sum(checks[name].fit.n_used for name in names),
        "n_censored": sum(checks[name].fit.n_censored for name in names),
    }
    brackets = sum(sign * checks[name].brackets[i] for sign, name, i in models)
    shift = sum(sign * checks[name].shift[i] for sign, name, i in models)
    drawn = sum(sign * checks[name].drawn_shifts[:, i] for sign, name, i in models)
    shift_error, p_value = compare_shift(shift, drawn)
    reason = (
        "" if np.isfinite(p_value) else "One of the two estimates, or its spread, is not known."
    )
    tested = {"shift": shift, "shift_error": shift_error, "p_value": p_value, "reason": reason}
    yield "brackets", counts | {"estimate": brackets, "method": BRACKETS} | tested
    if all(name in resampled for name in names):
        estimates = sum(sign * resampled[name][:, i] for sign, name, i in models)
        error = _spread(estimates)
        yield (
            "seeds",
            counts
            | _interval(row, row["estimate"], error, np.inf)
            | {"method": SEEDS, "reason": ""},
        )
    found = [
        (sign * (pair[0, i] - checks[name].fit.coefficients[i].estimate), name, i, curve, pair)
        for sign, name, i in models
        for curve, pair in without[name]
    ]
    if found:
        move, name, i, curve, pair = max(found, key=lambda one: abs(one[0]))
        errors = [
            pair[1, i] if one == name else checks[one].fit.coefficients[place].standard_error
            for one, place in zip(names, places, strict=True)
        ]
        left = {"curve": curve, "shift": move, "method": INFLUENCE, "reason": ""}
        degrees = max(row["degrees_of_freedom"] - 1, 1)
        error = float(np.sqrt(np.square(errors).sum()))
        yield "influence", counts | _interval(row, row["estimate"] + move, error, degrees) | left


def _interval(
    row: Mapping[str, Any], estimate: float, error: float, degrees: float
) -> dict[str, float]:
    margin = error * stats.t.ppf((1 + row["confidence"]) / 2, degrees)
    ends = {"lower": estimate - margin, "upper": estimate + margin}
    return {"estimate": estimate, "standard_error": error} | ends


def _spread(estimates: np.ndarray) -> float:
    """Return the standard deviation of estimates; NaN where fewer than nine in ten are known."""
    known = estimates[np.isfinite(estimates)]
    return float(known.std(ddof=1)) if len(known) >= max(2, 0.9 * len(estimates)) else np.nan


def _resample(
    parts: Mapping[str, pd.DataFrame],
    outcomes: Mapping[str, SeedOutcomes],
    checks: Mapping[str, SeedChecks],
    n_resamples: int,
) -> dict[str, np.ndarray]:
    """Return the coefficients of each model with the seeds of every place drawn anew.

    The models see the same sequences at a place, so that they get the same seeds.  Where each seed is
    one run that was looked at again and again, there is no such check.
    """
    parts = {name: part[part["fitted"]] for name, part in parts.items() if "run" not in part}
    parts = {name: part for name, part in parts.items() if checks[name].law is not None}
    if not parts:
        return {}
    generator = numpy_generator("bootstrap", model="seeds")
    keys = pd.concat(parts.values())[[*PLACE, "seed"]].drop_duplicates()
    groups = keys.groupby(PLACE, sort=False).ngroup().to_numpy()
    index = pd.MultiIndex.from_frame(keys)
    where = {
        name: index.get_indexer(pd.MultiIndex.from_frame(part[[*PLACE, "seed"]]))
        for name, part in parts.items()
    }
    sizes = np.bincount(groups)
    widest = np.sqrt(np.mean(sizes / np.maximum(sizes - 1, 1)))  # of a variance with few seeds
    found = {name: [] for name in parts}
    for _ in range(n_resamples):
        times = np.zeros(len(keys))
        for group, size in enumerate(sizes):
            times[groups == group] = generator.multinomial(size, np.full(size, 1 / size))
        for name in parts:
            seen = outcomes[name]
            weight = times[where[name]][seen.order]
            pair = checks[name].law.refit(seen.count(seen.learnt, weight))
            centre = np.array([one.estimate for one in checks[name].fit.coefficients])
            nothing = np.full(len(centre), np.nan)
            found[name].append(nothing if pair is None else centre + widest * (pair[0] - centre))
    return {name: np.array(estimates) for name, estimates in found.items()}


def _without_each(
    runs: pd.DataFrame, outcomes: SeedOutcomes, checks: SeedChecks
) -> list[tuple[str, np.ndarray]]:
    """Return the name of each curve, with estimates and errors of the fit without it."""
    if checks.law is None:
        return []
    labels = runs[runs["fitted"]].drop_duplicates(CURVE_PLACE)
    found = []
    for number, row in enumerate(labels.itertuples()):
        kept = np.arange(len(labels)) != number
        pair = checks.law.refit(outcomes.leave_out(number), kept)
        if pair is not None:
            found.append((f"{row.model}, {row.task}, length {row.length}", pair))
    return found


def _fit_growing_scatter(
    runs: pd.DataFrame, confidence: float, words: Words, lapses: bool
) -> ScalingFit:
    """Return the same law with a scatter of runs that grows, or shrinks, with the length."""
    data = scaling_data(runs)
    growing = {"length": data["covariates"]["length"]}
    options = {"confidence": confidence, "words": words, "lapses": lapses}
    return fit_scaling(**data, scale_covariates=growing, **options)


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
    unknown = dict.fromkeys(("standard_error", "lower", "upper", "shift", "shift_error"), np.nan)
    tested = {"p_value": found["p_value"] if check == "brackets" else np.nan}
    return {
        **unknown,
        "curve": "",
        **found,
        **{name: row[name] for name in shared},
        **tested,
        "check": check,
    }
