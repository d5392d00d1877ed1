"""Variance components of a complete factorial within curves, by the method of moments."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from nstar.stats.checks import as_columns, check_confidence, check_labels
from nstar.stats.results import Result

__all__ = ["Component", "divide_variance"]

RESIDUAL = "residual"


@dataclass(frozen=True)
class Component(Result):
    """The variance that one factor, or an interaction of several, adds to a value.

    Attributes
    ----------
    component : str
        Name of the factor, ``"first x second"`` of an interaction, or ``"residual"`` for that of all
        factors, which also holds everything else.
    n_levels : int
        Levels of the factor; of an interaction, their product.
    mean_square : float
        Over its degrees of freedom, pooled over the curves.
    degrees_of_freedom : int
        Those of all curves.
    variance : float
        Estimate by the method of moments, 0 where that is negative.
    negative : bool
        Whether it is.
    share : float
        Of the sum of all components; NaN where all are 0.
    lower, upper : float
        Interval of the variance, not below 0; NaN where unknown.
    confidence : float
        Nominal coverage of the interval.
    n_curves, n_left_out : int
        Curves used, and those with a value missing.
    reason, method : str
        Why there is no interval, and how the rest was obtained.
    """

    component: str
    n_levels: int
    mean_square: float
    degrees_of_freedom: int
    variance: float
    negative: bool
    share: float
    lower: float
    upper: float
    confidence: float
    n_curves: int
    n_left_out: int
    reason: str
    method: str = (
        "analysis of variance within curves, method of moments, modified large-sample interval"
    )


def divide_variance(
    value, curve, factors: Mapping[str, Sequence], confidence: float = 0.95
) -> tuple[Component, ...]:
    """Divide the variance of a value within curves between crossed random factors.

    Parameters
    ----------
    value : array_like of float, shape (n,)
        One for each curve and combination of levels, as ln N*; NaN where it is not known. A curve with
        one of these is left out.
    curve : array_like, shape (n,)
        Labels of the curves, whose means are theirs.
    factors : Mapping of str to array_like, shape (n,)
        Levels of each factor. Those with a single one are passed over.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).

    Returns
    -------
    tuple of Component
        Factors, then interactions, the largest last. None if no factor has two levels.

    Raises
    ------
    ValueError
        If lengths differ, a label is missing, or a curve has not every combination once.

    Notes
    -----
    1. y = mean of the curve + effects of all factors and of all their interactions, independent between
       curves, with mean 0 and the variances sigma_T^2, T a set of factors. With one value for each
       combination, the interaction of all factors cannot be told from the scatter of single values:
       both are the residual.
    2. The mean square of T, pooled over curves, estimates the sum over all U that contain T of sigma_U^2
       times the number of values behind each level of U (Searle, Casella and McCulloch 1992, section
       5.2). Solved for sigma_T^2: the alternating sum of the mean squares of all U that contain T, over
       that number.
    3. The interval of that sum, whose mean squares are independent chi-squares for normal effects, is
       the modified large-sample interval (Ting et al. 1990; Burdick and Graybill 1992, section 3.3).

    References
    ----------
    Searle, Casella and McCulloch (1992), Variance Components.
    Ting, Burdick, Graybill, Jeyaratnam and Lu (1990), Journal of Statistical Computation and Simulation
    35, 135-143.
    Burdick and Graybill (1992), Confidence Intervals on Variance Components.

    Examples
    --------
    >>> levels = {"data": [0, 0, 1, 1], "order": [0, 1, 0, 1]}
    >>> [(c.component, c.variance) for c in divide_variance([0.0, 1.0, 4.0, 5.0], ["a"] * 4, levels)]
    [('data', 8.0), ('order', 0.5), ('residual', 0.0)]
    """
    check_confidence(confidence)
    values, n_levels, n_left_out = _complete(value, curve, factors)
    varied = [name for name, n in n_levels.items() if n > 1]
    values = values.reshape(len(values), *(n_levels[name] for name in varied))
    sets = [
        chosen
        for size in range(1, len(varied) + 1)
        for chosen in itertools.combinations(range(len(varied)), size)
    ]
    squares = {chosen: _mean_square(values, chosen) for chosen in sets}
    found = {chosen: _estimate(chosen, squares, values.shape, confidence) for chosen in sets}
    total = sum(max(estimate, 0.0) for estimate, _, _ in found.values())
    components = []
    for chosen, (estimate, lower, upper) in found.items():
        mean_square, degrees_of_freedom = squares[chosen]
        reason = ""
        if not len(values):
            reason = "No curve has a value for every combination."
        elif lower == upper:
            reason = "All mean squares behind it are 0: such differences are not resolved."
        components.append(
            Component(
                component=_name([varied[axis] for axis in chosen], len(varied)),
                n_levels=int(np.prod([values.shape[1 + axis] for axis in chosen])),
                mean_square=mean_square,
                degrees_of_freedom=degrees_of_freedom,
                variance=estimate if np.isnan(estimate) else max(estimate, 0.0),
                negative=estimate < 0,
                share=max(estimate, 0.0) / total if total > 0 else np.nan,
                lower=np.nan if reason else max(lower, 0.0),
                upper=np.nan if reason else max(upper, 0.0),
                confidence=confidence,
                n_curves=len(values),
                n_left_out=n_left_out,
                reason=reason,
            )
        )
    return tuple(components)


def _complete(value, curve, factors) -> tuple[np.ndarray, dict[str, int], int]:
    """Return the values of whole curves (C, combinations), levels by factor, and curves left out."""
    (value,) = as_columns(value=value).values()
    code, _ = check_labels(curve, len(value))
    levels = {name: check_labels(labels, len(value), name) for name, labels in factors.items()}
    n_levels = {name: len(labels) for name, (_, labels) in levels.items()}
    table = pd.DataFrame({"curve": code, **{name: codes for name, (codes, _) in levels.items()}})
    table = table.assign(value=value).sort_values([*table.columns], kind="stable")
    size = int(np.prod(list(n_levels.values())))
    counts = table.groupby("curve").size()
    if table.duplicated(["curve", *factors]).any() or (counts != size).any():
        raise ValueError(
            f"{int((counts != size).sum())} curves have not each of the {size} combinations of "
            f"{', '.join(factors)} once: complete curves are needed"
        )
    values = table["value"].to_numpy().reshape(-1, size)
    known = ~np.isnan(values).any(axis=1)
    return values[known], n_levels, int((~known).sum())


def _mean_square(values: np.ndarray, chosen: tuple[int, ...]) -> tuple[float, int]:
    """Return the mean square of a set of factors, pooled over curves, and its degrees of freedom."""
    effect = values
    for axis in range(values.ndim - 1):
        mean = effect.mean(axis=1 + axis, keepdims=True)
        effect = effect - mean if axis in chosen else mean
    n_behind = np.prod([n for axis, n in enumerate(values.shape[1:]) if axis not in chosen])
    each = np.prod([values.shape[1 + axis] - 1 for axis in chosen])
    degrees_of_freedom = int(len(values) * each)
    if not degrees_of_freedom:
        return np.nan, 0
    return float(n_behind * (effect**2).sum() / degrees_of_freedom), degrees_of_freedom


def _estimate(
    chosen: tuple[int, ...],
    squares: Mapping[tuple[int, ...], tuple[float, int]],
    shape: tuple[int, ...],
    confidence: float,
) -> tuple[float, float, float]:
    """Return the variance of a set of factors, before it is cut at 0, and its interval."""
    n_behind = np.prod([n for axis, n in enumerate(shape[1:]) if axis not in chosen])
    above = [other for other in squares if set(chosen) <= set(other)]
    signs = np.array([(-1.0) ** (len(other) - len(chosen)) for other in above])
    mean_squares, degrees_of_freedom = map(np.array, zip(*(squares[o] for o in above), strict=True))
    if not degrees_of_freedom.all():
        return np.nan, np.nan, np.nan
    terms = signs * mean_squares / n_behind
    return float(terms.sum()), *large_sample_interval(terms, degrees_of_freedom, confidence)


def large_sample_interval(
    terms: np.ndarray, degrees_of_freedom: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Return the modified large-sample interval of a sum of scaled independent mean squares.

    Parameters
    ----------
    terms : ndarray, shape (k,)
        Mean squares times their coefficients, which may be negative.
    degrees_of_freedom : ndarray of int, shape (k,)
    confidence : float

    Notes
    -----
    Burdick and Graybill (1992), equations 3.3.5 to 3.3.8 (Ting et al. 1990): exact where all degrees of
    freedom but one are infinite, or all mean squares but one vanish.
    """
    tail = (1 - confidence) / 2
    positive = terms > 0
    plus, minus = (np.abs(terms[side]) for side in (positive, ~positive))
    of_plus, of_minus = (degrees_of_freedom[side] for side in (positive, ~positive))
    below = _variance_of_end(plus, of_plus, minus, of_minus, tail)
    above = _variance_of_end(minus, of_minus, plus, of_plus, tail)
    centre = float(terms.sum())
    return centre - float(np.sqrt(max(below, 0))), centre + float(np.sqrt(max(above, 0)))


def _variance_of_end(near, of_near, far, of_far, tail: float) -> float:
    """Return the squared distance of the end of the interval on which `near` terms bear less weight.

    Of the lower end near terms are the positive ones, of the upper end the negative ones.
    """
    shrink = _shrink(of_near, tail)  # G
    grow = of_far / stats.chi2.ppf(tail, of_far) - 1  # H: 1 / F(tail; n, infinity) - 1
    total = (shrink**2 * near**2).sum() + (grow**2 * far**2).sum()
    f = stats.f.ppf(1 - tail, of_near[:, None], of_far)
    cross = ((f - 1) ** 2 - shrink[:, None] ** 2 * f**2 - grow**2) / f
    total += near @ cross @ far
    for i, j in itertools.combinations(range(len(near)), 2):
        both = of_near[i] + of_near[j]
        joint = _shrink(both, tail) ** 2 * both**2 / (of_near[i] * of_near[j])
        joint -= shrink[i] ** 2 * of_near[i] / of_near[j] + shrink[j] ** 2 * of_near[j] / of_near[i]
        total += joint / (len(near) - 1) * near[i] * near[j]
    return float(total)


def _shrink(degrees_of_freedom, tail: float):
    """Return 1 - 1 / F(1 - tail; n, infinity)."""
    return 1 - degrees_of_freedom / stats.chi2.ppf(1 - tail, degrees_of_freedom)


def _name(factors: Sequence[str], n_varied: int) -> str:
    return RESIDUAL if len(factors) == n_varied > 1 else " x ".join(factors)
