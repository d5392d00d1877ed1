"""N* by another route: where the median score of the runs crosses the success threshold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression

from nstar.stats.checks import as_columns, check_labels, refuse_rows
from nstar.stats.interval_regression import IntervalFit, fit_intervals
from nstar.stats.results import Result

__all__ = ["Crossing", "find_crossings", "fit_crossings"]

METHOD = (
    "crossing of the median score over runs, isotonic in the budget, with the threshold; "
    "censored normal regression on the curves, t(uncensored - p)"
)


@dataclass(frozen=True)
class Crossing(Result):
    """Where a curve crosses the threshold: ln N* in (log_lower, log_upper], or both equal."""

    curve: object
    log_lower: float
    log_upper: float


def find_crossings(budget, score, curve, threshold: float) -> tuple[Crossing, ...]:
    """Find where the median score of each curve reaches a threshold.

    Parameters
    ----------
    budget : array_like of float, shape (n,)
        N of each run, positive.
    score : array_like of float, shape (n,)
        Score of each run on an unbounded scale on which more is better, as the logit of an
        accuracy or minus the logarithm of a loss.  NaN where a run has none; it is left out.
    curve : array_like, shape (n,)
        Labels of the curves.
    threshold : float
        Score at which a run counts as having learnt, on the same scale.

    Returns
    -------
    tuple of Crossing
        One per curve with a score, in the order of first appearance.  Open below where the
        smallest budget reaches the threshold, open above where the largest does not.

    Raises
    ------
    ValueError
        If lengths differ, a budget is not positive and finite, or a score is infinite.

    Notes
    -----
    1. The median over the runs of a budget, so that one failed run moves nothing.
    2. Isotonic regression over ln N, weighted by runs: more data may not hurt.
    3. Linear interpolation of the score in ln N between the budgets around the crossing.
    """
    budget, score = as_columns(budget=budget, score=score).values()
    refuse_rows(
        ~((budget > 0) & np.isfinite(budget)),
        lambda i: f"the budget is {budget[i]:g}: it must be positive and finite",
    )
    refuse_rows(np.isinf(score), lambda i: f"the score is {score[i]}: cut it to a finite one")
    code, labels = check_labels(curve, len(budget))
    runs = pd.DataFrame({"curve": code, "log_budget": np.log(budget), "score": score}).dropna()
    return tuple(
        _cross(labels[number], points, threshold)
        for number, points in runs.groupby("curve", sort=True)
    )


def _cross(label, runs: pd.DataFrame, threshold: float) -> Crossing:
    """Return the crossing of one curve."""
    points = runs.groupby("log_budget")["score"].agg(["median", "size"])
    log_budget = points.index.to_numpy()
    monotone = isotonic_regression(points["median"], weights=points["size"].astype(float)).x
    reached = np.flatnonzero(monotone >= threshold)
    if not reached.size:
        return Crossing(label, float(log_budget[-1]), np.inf)
    first = int(reached[0])
    if first == 0:
        return Crossing(label, -np.inf, float(log_budget[0]))
    place = np.interp(threshold, monotone[[first - 1, first]], log_budget[[first - 1, first]])
    return Crossing(label, float(place), float(place))


def fit_crossings(
    crossings: tuple[Crossing, ...],
    covariates: Mapping[str, np.ndarray],
    confidence: float = 0.95,
) -> IntervalFit:
    """Fit log N* to the crossings of a set of curves.

    Parameters
    ----------
    crossings : tuple of Crossing
        From `find_crossings`.
    covariates : Mapping of str to array_like of float, shape (C,)
        Covariates of the curves, in their order.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).

    Returns
    -------
    IntervalFit
        Of another kind than `fit_scaling`: it reads scores instead of successes, has no model of
        single runs and no curve effect, and one point for each curve.
    """
    fit = fit_intervals(
        [crossing.log_lower for crossing in crossings],
        [crossing.log_upper for crossing in crossings],
        covariates,
        confidence,
    )
    return replace(fit, method=METHOD)
