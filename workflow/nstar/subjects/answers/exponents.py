"""Find the width that networks need to answer questions, and fit how it grows."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from nstar.stats import (
    ScalingFit,
    Threshold,
    Words,
    adjust_table,
    compare_coefficients,
    find_slope_range,
    find_threshold,
    fit_scaling,
)
from nstar.subjects.answers.columns import WIDTH_EXPONENTS, WIDTHS
from nstar.subjects.axis import WIDTH
from nstar.subjects.demand.thresholds import thresholds_by_rule
from nstar.tables import read_table, write_table
from nstar.tables.selection import SIZE, STRATUM, of_measure, runs_by_width

ANSWER_MEASURES = ("answer", "chain")
WORDS = Words(WIDTH.symbol, WIDTH.values)
COUNTS = ("n_curves", "n_bracketed", "n_left_censored", "n_right_censored")

TASK_SIZE = [name for name in SIZE if name != "locality"]
"""The columns that name a problem size of a task; the task decides its locality."""

THEORY = {
    ("longest_increasing_subsequence", "softmax"): {"width": 0.0, "flops": 2.0},
    ("longest_increasing_subsequence", "sparse"): {"width": 0.5, "flops": 2.0},
    ("longest_increasing_subsequence", "linear"): {"width": 0.5, "flops": 2.0},
    ("edit_distance", "softmax"): {"width": 0.0, "flops": 2.0},
    ("edit_distance", "sparse"): {"width": 0.0, "flops": 1.5},
    ("edit_distance", "linear"): {"width": 0.25, "flops": 1.5},
    ("arithmetic", "softmax"): {"width": 0.0, "flops": 2.0},
    ("arithmetic", "sparse"): {"width": 0.0, "flops": 1.5},
    ("arithmetic", "linear"): {"width": 0.25, "flops": 1.5},
}
"""Exponents of L by kind of task and of attention: with b(L) bits to carry past the end of a question, a
state of D^2 numbers needs ``D^2 >= b``, and sqrt(L) tokens of D numbers that are still seen
``D sqrt(L) >= b``. These are b = L for a subsequence and sqrt(L) for the others, whose steps need no more
than the last sqrt(L) tokens. They are of texts with their steps, and of no answer alone. Derived by us
from the argument of Yang et al. (2024), arXiv:2402.13934."""


def fit_widths(job: Mapping[str, Any], results: Path) -> None:
    """Write the tables widths and width_exponents.

    Parameters
    ----------
    job : mapping
        ``thresholds`` (accuracies), ``confidence`` (nominal coverage of the intervals), ``tasks`` (the
        kind of each) and ``families`` (of each its kind of attention: "softmax", "sparse", "linear" or,
        where it has none, "").
    results : Path
    """
    tables = results / "tables"
    answers = read_table(tables / "answers.parquet", "answers")
    runs = runs_by_width(answers)
    widths = pd.DataFrame(find_widths(runs, job["thresholds"]), columns=list(WIDTHS))
    write_table(tables / "widths.csv", "widths", widths)
    exponents = pd.DataFrame(fit_exponents(runs, widths, job), columns=list(WIDTH_EXPONENTS))
    exponents = exponents.assign(**adjust_table(exponents["p_value"]))
    write_table(tables / "width_exponents.csv", "width_exponents", exponents)


def find_widths(runs: pd.DataFrame, thresholds: list[float]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table of widths: D* by seed, of any seed, and of the mean over seeds."""
    keys = [*SIZE, "family"]
    for key, part in runs.groupby(keys, sort=False, dropna=False):
        shared = dict(zip(keys, key, strict=True)) | {"n_tokens": part["n_tokens"].iloc[0]}
        flops = part.groupby("width")["flops"].first()
        for measure, threshold in itertools.product(ANSWER_MEASURES, thresholds):
            named = shared | {"measure": measure, "threshold": threshold}
            reached = part.assign(
                budget=part["width"], learnt=part[measure] >= threshold, fitted=True
            )
            for rule, _, found in thresholds_by_rule(reached):
                yield named | rule | _bracket(found, flops)
            means = part.groupby("width")[measure].mean()
            rule = {"rule": "mean", "seed": pd.NA}
            yield named | rule | _bracket(_threshold_of_mean(means, threshold), flops)


def _threshold_of_mean(means: pd.Series, threshold: float) -> Threshold:
    """Return D* of mean accuracies by width, made monotone; ``monotone`` says whether they were."""
    raw, rising = (
        find_threshold(means.index, values >= threshold)
        for values in (means.to_numpy(), isotonic_regression(means.to_numpy()).x)
    )
    return replace(rising, monotone=raw.monotone)


def _bracket(found: Threshold, flops: pd.Series) -> dict[str, Any]:
    """Return the columns of a threshold, with the operations at the width D*."""
    return {
        "d_star": found.n_star,
        "lower": found.lower,
        "upper": found.upper,
        "censoring": found.censoring,
        "monotone": found.monotone,
        "n_widths": found.n_budgets,
        "least_flops": flops.get(found.n_star, np.nan),
    }


def fit_exponents(
    runs: pd.DataFrame, widths: pd.DataFrame, job: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the table of exponents.

    Parameters
    ----------
    runs : DataFrame
        From `runs_by_width`.
    widths : DataFrame
        The table of widths.
    job : mapping
        As `fit_widths`.
    """
    means = widths[widths["rule"] == "mean"]
    for named, covariate, part in _growths(runs):
        if part[covariate].nunique() < 2:
            continue
        places = part[TASK_SIZE].drop_duplicates()
        for measure, threshold, quantity in itertools.product(
            ANSWER_MEASURES, job["thresholds"], ("width", "flops")
        ):
            asked = {"measure": measure, "threshold": threshold}
            chosen = of_measure(means, **asked).merge(places, on=TASK_SIZE)
            shared = named | asked | {"quantity": quantity, "covariate": covariate}
            fits = {}
            for family, own in part.groupby("family", sort=False):
                if own[quantity].isna().any():  # operations are counted of transformers alone
                    continue
                fits[family] = _fit(own, quantity, covariate, measure, threshold, job["confidence"])
                brackets = chosen[chosen["family"] == family]
                slopes = _slope_range(brackets, own, quantity, covariate)
                theory = np.nan
                if covariate == "n_tokens" and _is_of_the_paper(own):
                    kinds = job["tasks"][named["task"]], job["families"][family]
                    theory = THEORY.get(kinds, {}).get(quantity, np.nan)
                yield _row(shared, fits[family], family=family, theory=theory, **slopes)
            for first, second in itertools.combinations(fits, 2):
                yield _difference(shared, fits, first, second, job["confidence"])


def _is_of_the_paper(runs: pd.DataFrame) -> bool:
    """Return whether texts have their steps, and these no bound on what they depend on."""
    return (runs["supervision"] == "chain_of_thought").all() and runs["locality"].isna().all()


def _growths(runs: pd.DataFrame) -> Iterator[tuple[dict[str, Any], str, pd.DataFrame]]:
    """Yield what grows with what: the columns that name it, the covariate, and the runs."""
    keys = [*STRATUM, "budget", "task"]
    for key, part in runs.groupby(keys, sort=False):
        named = dict(zip(keys, key, strict=True)) | {"length": pd.NA}
        for covariate in ("n_tokens", "length"):
            yield named, covariate, part
    local = runs[runs["locality"].notna()]
    names = [
        task.removesuffix(f"_{locality}")
        for task, locality in zip(local["task"], local["locality"], strict=True)
    ]
    keys = [*STRATUM, "budget", "shared", "length"]
    for key, part in local.assign(shared=names).groupby(keys, sort=False):
        named = dict(zip([*STRATUM, "budget", "task", "length"], key, strict=True))
        yield named, "locality", part


def _fit(
    runs: pd.DataFrame,
    quantity: str,
    covariate: str,
    measure: str,
    threshold: float,
    confidence: float,
) -> ScalingFit:
    """Return the fit of the logarithm of D*, or of operations at D*, to the outcomes of seeds."""
    reached = runs.assign(reached=runs[measure] >= threshold)
    counts = reached.groupby([covariate, quantity])["reached"].agg(["sum", "size"]).reset_index()
    return fit_scaling(
        counts[quantity],
        counts["sum"],
        counts["size"],
        counts[covariate],
        {covariate: np.log(counts[covariate].to_numpy(dtype=np.float64))},
        confidence,
        words=WORDS,
    )


def _slope_range(
    brackets: pd.DataFrame, runs: pd.DataFrame, quantity: str, covariate: str
) -> dict[str, float]:
    """Return the ends of the slopes of all lines that pass through the brackets of the means."""
    ends = brackets[["lower", "upper"]]
    if quantity == "flops":
        flops = runs.groupby([covariate, "width"])["flops"].first()
        ends = pd.DataFrame(
            {
                side: [
                    flops.get((place, width), width)  # 0 and infinity stay what they are
                    for place, width in zip(brackets[covariate], brackets[side], strict=True)
                ]
                for side in ("lower", "upper")
            }
        )
    with np.errstate(divide="ignore"):
        lower, upper = np.log(ends.to_numpy(dtype=np.float64)).T
    found = find_slope_range(np.log(brackets[covariate].to_numpy(dtype=np.float64)), lower, upper)
    return {"slope_lower": found.lower, "slope_upper": found.upper}


def _row(shared: Mapping[str, Any], fit: ScalingFit, **others: Any) -> dict[str, Any]:
    """Return the row of one exponent."""
    row = fit.row_of(shared["covariate"], WIDTH_EXPONENTS)
    return {**row, **shared, "minus_family": "", **others}


def _difference(
    shared: Mapping[str, Any],
    fits: Mapping[str, ScalingFit],
    first: str,
    second: str,
    confidence: float,
) -> dict[str, Any]:
    """Return the row of the difference of two families."""
    one, two = fits[first], fits[second]
    found = compare_coefficients(one, two, shared["covariate"], confidence)
    row = {name: getattr(one, name) + getattr(two, name) for name in COUNTS}
    row |= found.rows(WIDTH_EXPONENTS)[0]
    converged = one.converged and two.converged
    nothing = dict.fromkeys(("slope_lower", "slope_upper", "theory"), np.nan)
    families = {"family": first, "minus_family": second}
    return {
        **shared,
        **families,
        **row,
        **nothing,
        "converged": converged,
        "confidence": confidence,
    }
