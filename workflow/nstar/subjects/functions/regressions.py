"""Regressions of what was measured of networks as functions: growth, learning, trade-off, sensitivity.

All functions take one row per run, with the columns of `runs_at_moments` in
`nstar.subjects.functions.analysis`, and yield rows of the table of regressions.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from nstar.stats import LinearFit, LogisticFit, fit_linear, fit_logistic
from nstar.subjects.functions.columns import REGRESSIONS

MANY_LENGTHS = 8
"""With more lengths than these, those of a trade-off are clusters: its fit has four coefficients."""

MANY_TASKS = 3
"""With more tasks than these, those of a fit over tasks are clusters: it has two coefficients."""

Rows = Iterable[dict[str, Any]]


def growth_rows(runs: pd.DataFrame, place: dict, quantities: list[str], confidence: float) -> Rows:
    """Yield how each quantity of one model and task grows with length; none for a single length."""
    if runs["length"].nunique() < 2:
        return
    learnt = runs[runs["learnt"]]
    n, n_left_out = learnt["length"].astype(float), len(runs) - len(learnt)
    for quantity in quantities:
        fits = {
            "growth": fit_growth(learnt, quantity, confidence),
            "log_growth": fit_linear(
                np.log(_positive(learnt[quantity])), {"log_n": np.log(n)}, n, confidence
            ),
        }
        for regression, fit in fits.items():
            named = place | {"regression": regression, "quantity": quantity}
            yield from _linear_rows(named, fit, n_left_out, "lengths")


def fit_growth(learnt: pd.DataFrame, quantity: str, confidence: float) -> LinearFit:
    """Return the straight line of a quantity in n, runs of one length dependent."""
    n = learnt["length"].astype(float)
    return fit_linear(learnt[quantity], {"n": n}, n, confidence)


def learning_rows(runs: pd.DataFrame, place: dict, confidence: float) -> Rows:
    """Yield how the chance to learn depends on length; none for a single length."""
    if runs["length"].nunique() < 2:
        return
    fit = fit_logistic(runs["learnt"], {"n": runs["length"]}, confidence)
    named = place | {"regression": "learning", "quantity": "learnt"}
    named |= {"r": np.nan, "n_clusters": fit.n_used, "method": f"{fit.method}; runs independent"}
    yield from _coefficient_rows(named, fit, 0)


def tradeoff_rows(runs: pd.DataFrame, place: dict, confidence: float) -> Rows:
    """Yield how parameter norm and blow-up of one model and task stand in for each other.

    First over all lengths, in both directions, with n among the covariates where there are several;
    then within each length, the norm on log10 of the blow-up alone, whose r is their correlation.
    None where no run has a blow-up, as without LayerNorm.

    Notes
    -----
    Over all lengths, runs of one length count as dependent where there are more than `MANY_LENGTHS`:
    the jackknife over clusters needs several times as many as the four coefficients.  With fewer
    lengths, and within one, runs count as independent, and the intervals may be too narrow; `method`
    says which it was.
    """
    if runs["plain_blowup"].isna().all():
        return
    learnt = runs[runs["learnt"]]
    n_left_out = len(runs) - len(learnt)
    n, norm = learnt["length"].astype(float), learnt["parameter_norm"]
    log_blowup = np.log10(_positive(learnt["plain_blowup"]))
    n_lengths = n[log_blowup.notna() & norm.notna()].nunique()
    length = {"n": n} if n_lengths > 1 else {}
    cluster, unit = (n, "lengths") if n_lengths > MANY_LENGTHS else (None, "")
    by_blowup = {"log10_blowup": log_blowup, "log10_blowup_squared": log_blowup**2}
    by_norm = {"parameter_norm": norm, "parameter_norm_squared": norm**2}
    fits = {
        ("tradeoff", "parameter_norm"): fit_linear(norm, by_blowup | length, cluster, confidence),
        ("reverse_tradeoff", "plain_blowup"): fit_linear(
            log_blowup, by_norm | length, cluster, confidence
        ),
    }
    for (regression, quantity), fit in fits.items():
        named = place | {"regression": regression, "quantity": quantity}
        yield from _linear_rows(named, fit, n_left_out, unit)
    named = place | {"regression": "tradeoff", "quantity": "parameter_norm"}
    for length, part in runs.groupby("length"):
        kept = learnt["length"] == length
        fit = fit_linear(norm[kept], {"log10_blowup": log_blowup[kept]}, None, confidence)
        yield from _linear_rows(named | {"length": length}, fit, len(part) - kept.sum(), "")


def sensitivity_rows(
    runs: pd.DataFrame, place: dict, of_sharpness: list[str], confidence: float
) -> Rows:
    """Yield how sharpness depends on average sensitivity, over all tasks of a model at each length.

    Runs of one task count as dependent where there are more than `MANY_TASKS`; with fewer they count
    as independent, and the intervals may be too narrow. None for a length at which fewer than two
    tasks were learnt: the runs of one differ in sensitivity by chance alone.
    """
    for length, part in runs.groupby("length"):
        learnt = part[part["learnt"]]
        if learnt["task"].nunique() < 2:
            continue
        many = learnt["task"].nunique() > MANY_TASKS
        cluster, unit = (learnt["task"], "tasks") if many else (None, "")
        covariates = {"average_sensitivity": learnt["average_sensitivity"]}
        for quantity in of_sharpness:
            fit = fit_linear(learnt[quantity], covariates, cluster, confidence)
            named = place | {"regression": "sensitivity", "task": "", "length": length}
            named |= {"quantity": quantity}
            yield from _linear_rows(named, fit, len(part) - len(learnt), unit)


def _positive(values: pd.Series) -> pd.Series:
    """Return the values that have a logarithm, NaN for the others."""
    return values.where(values > 0)


def _linear_rows(named: dict, fit: LinearFit, n_left_out: int, clusters: str) -> Rows:
    """Yield one row per coefficient; `clusters` is what the clusters are, "" for none."""
    method = f"{fit.method}; {f'clusters are {clusters}' if clusters else 'runs independent'}"
    yield from _coefficient_rows(named | {"method": method}, fit, n_left_out)


def _coefficient_rows(named: dict, fit: LinearFit | LogisticFit, n_left_out: int) -> Rows:
    for row in fit.rows(REGRESSIONS):
        yield {"length": pd.NA, "n_left_out": n_left_out, **row, **named}
