"""The design of a set of curves: one row of covariates for each, and whether it suffices."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nstar.stats.checks import as_columns, refuse_rows
from nstar.stats.observations import Observations, observe

__all__ = [
    "OF_DATA",
    "Words",
    "curve_design",
    "observe_complete",
    "orthonormalise",
    "why_not_identified",
]


def observe_complete(budget, n_learnt, n_runs, curve, covariates, run=None) -> Observations:
    """Return the observations of rows whose covariates are all known; see `observe`."""
    columns = as_columns(budget=budget, n_learnt=n_learnt, n_runs=n_runs, **covariates)
    unknown = np.zeros(len(columns["budget"]), dtype=bool)
    for name in covariates:
        values = columns[name]
        refuse_rows(
            np.isinf(values),
            lambda i, name=name, values=values: (
                f"covariate {name!r} is {values[i]}: it must be finite"
            ),
        )
        unknown |= np.isnan(values)
    return observe(np.where(unknown, np.nan, columns["budget"]), n_learnt, n_runs, curve, run)


def curve_design(observations: Observations, covariates: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return one row of the design per curve, intercept first, shape (C, p).

    Raises
    ------
    ValueError
        If a covariate is called "intercept", or differs between rows of one curve.
    """
    columns = [np.ones(observations.n_curves)]
    for name, values in covariates.items():
        if name == "intercept":
            raise ValueError("a covariate is called 'intercept': that name is taken")
        by_row = np.asarray(values, dtype=float)[observations.row]
        by_curve = by_row[observations.first_rows]
        differs = by_row != by_curve[observations.curve]
        if differs.any():
            label = observations.labels[observations.curve[np.flatnonzero(differs)[0]]]
            raise ValueError(
                f"covariate {name!r} varies within curve {label!r}: a curve has one value of it"
            )
        columns.append(by_curve)
    return np.column_stack(columns)


class Words(NamedTuple):
    """What sentences call the demand that is sought, and the values at which runs were made."""

    demand: str = "N*"
    values: str = "budgets"


OF_DATA = Words()

GREATEST_CONDITION = 1000.0
"""Standard errors are then hundreds of times those of each covariate alone."""


def why_not_identified(
    design: np.ndarray, names: tuple[str, ...], n_curves: int, words: Words
) -> str:
    """Return a sentence on what the bracketed curves leave open, or "" when they suffice."""
    n_bracketed, n_coefficients = design.shape
    if not n_curves:
        return "There is no run to fit a law to."
    inside = f"{words.demand} inside their {words.values}"
    for name, column in zip(names[1:], design[:, 1:].T, strict=True):
        if n_bracketed and np.ptp(column) == 0:
            return (
                f"{name} has one value, {column[0]:.4g}, in the {n_bracketed} of {n_curves} curves "
                f"with {inside}: its effect cannot be told from the intercept."
            )
    if n_bracketed < n_coefficients + 1:
        return (
            f"Only {n_bracketed} of {n_curves} curves have {inside}, and "
            f"{n_coefficients} coefficients need at least {n_coefficients + 1} such curves."
        )
    rank = np.linalg.matrix_rank(design)
    if rank < n_coefficients:
        return (
            f"The {n_bracketed} curves with {inside} vary in too few directions to "
            f"separate {n_coefficients} coefficients (rank {rank})."
        )
    number = condition_number(design)
    if number > GREATEST_CONDITION:
        return (
            f"{' and '.join(names[1:])} are nearly collinear in the {n_bracketed} curves with {inside}: "
            f"the condition number is {number:.2g}, and above {GREATEST_CONDITION:g} their effects "
            "cannot be told apart."
        )
    return ""


def condition_number(design: np.ndarray) -> float:
    """Return the largest singular value of centred and scaled covariates over the smallest.

    It is 1 where covariates are uncorrelated, and about twice the factor by which the standard error
    of the worse of two covariates is larger than that of one alone (Belsley, Kuh and Welsch 1980,
    Regression Diagnostics, section 3.2).
    """
    centred = design[:, 1:] - design[:, 1:].mean(axis=0)
    if not centred.shape[1]:
        return 1.0
    values = np.linalg.svd(centred / np.linalg.norm(centred, axis=0), compute_uv=False)
    return float(values[0] / values[-1])


def orthonormalise(design: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a design with orthogonal columns, which shortens the climb, and the way back.

    The coefficients of `design` are ``back @ coefficients`` of the first array, shape (C, p).
    """
    orthonormal, triangle = np.linalg.qr(design)
    scale = np.sqrt(len(design))
    return orthonormal * scale, np.linalg.inv(triangle) * scale
