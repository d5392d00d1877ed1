"""Which shape describes a measured quantity best: straight, bent or saturating."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import expit

from nstar.stats.checks import as_columns, refuse_rows
from nstar.stats.linear import gaussian_aic
from nstar.stats.results import Result

__all__ = ["SHAPES", "ShapeFit", "compare_shapes"]


@dataclass(frozen=True)
class Shape:
    """A formula, its parameters, and where the search for them starts."""

    formula: str
    function: Callable[..., np.ndarray]
    starts: Callable[[np.ndarray, np.ndarray], list[list[float]]]


SHAPES: Mapping[str, Shape] = {
    "linear": Shape("a + b x", lambda x, a, b: a + b * x, lambda x, y: [[y.mean(), 0.0]]),
    "square_root": Shape(
        "a + b sqrt(x)", lambda x, a, b: a + b * np.sqrt(x), lambda x, y: [[y.mean(), 0.0]]
    ),
    "power": Shape(
        "a x^b",
        lambda x, a, b: a * x**b,
        lambda x, y: [[y.mean() / x.mean() ** b, b] for b in (0.0, 0.5, 1.0, 2.0)],
    ),
    "saturating": Shape(
        "a + b (1 - exp(-x / c))",
        lambda x, a, b, c: a - b * np.expm1(-x / c),
        lambda x, y: [[y.min(), np.ptp(y), c] for c in np.ptp(x) * np.array([0.2, 0.5, 1.0, 3.0])],
    ),
    "logistic": Shape(
        "a / (1 + exp(-(x - b) / c))",
        lambda x, a, b, c: a * expit((x - b) / c),
        lambda x, y: [[y.max(), b, np.ptp(x) / 6] for b in np.quantile(x, [0.25, 0.5, 0.75])],
    ),
}
"""Shapes by name, each with every parameter counted in its criteria."""


@dataclass(frozen=True)
class ShapeFit(Result):
    """One shape, fitted by least squares.

    Attributes
    ----------
    shape, formula : str
        Name, and the formula in x with parameters a, b, c.
    params, standard_errors : tuple of float
        Estimates in the order a, b, c; NaN where the shape could not be fitted.
    n_parameters, n_used, n_missing : int
        Parameters of the formula and the residual scale, rows in the fit, rows left out for a NaN.
    aic, bic, delta_aic : float
        n ln(RSS / n) + 2 k and + k ln n, and the distance of `aic` from the least of all shapes.
    n_starts, n_starts_agreeing : int
        Searches that ended, and those that reached the least sum of squares within 1e-6 of it.
    identified : bool
        False where rows are too few or no search ended; `reason` says why.
    reason : str
        Empty where all is well.
    """

    shape: str
    formula: str
    params: tuple[float, ...]
    standard_errors: tuple[float, ...]
    n_parameters: int
    n_used: int
    n_missing: int
    aic: float
    bic: float
    delta_aic: float
    n_starts: int
    n_starts_agreeing: int
    identified: bool
    reason: str


def compare_shapes(x, y, shapes: tuple[str, ...] = tuple(SHAPES)) -> tuple[ShapeFit, ...]:
    """Fit several shapes to the same rows, and compare them by information criteria.

    Parameters
    ----------
    x : array_like of float, shape (n,)
        Covariate, as the sequence length; positive.
    y : array_like of float, shape (n,)
        Measured quantity.
    shapes : tuple of str, optional
        Names in `SHAPES`.

    Returns
    -------
    tuple of ShapeFit
        In the order of `shapes`.  `delta_aic` below 2 does not tell shapes apart.

    Raises
    ------
    ValueError
        If lengths differ or an x is not positive.
    KeyError
        If a shape has no such name.
    """
    columns = as_columns(x=x, y=y)
    refuse_rows(columns["x"] <= 0, lambda i: f"x is {columns['x'][i]:g}: it must be positive")
    kept = np.isfinite(columns["x"]) & np.isfinite(columns["y"])
    x, y = columns["x"][kept], columns["y"][kept]
    found = [_fit_shape(name, SHAPES[name], x, y, int((~kept).sum())) for name in shapes]
    least = min((shape.aic for shape in found if shape.identified), default=np.nan)
    return tuple(replace(shape, delta_aic=shape.aic - least) for shape in found)


def _fit_shape(name: str, shape: Shape, x, y, n_missing: int) -> ShapeFit:
    """Return the best of the searches for one shape."""
    n_letters = len(inspect.signature(shape.function).parameters) - 1
    unknown = {
        "shape": name,
        "formula": shape.formula,
        "params": (np.nan,) * n_letters,
        "standard_errors": (np.nan,) * n_letters,
        "n_parameters": n_letters + 1,
        "n_used": len(x),
        "n_missing": n_missing,
        **dict.fromkeys(("aic", "bic", "delta_aic"), np.nan),
        "n_starts": 0,
        "n_starts_agreeing": 0,
        "identified": False,
        "reason": f"{len(np.unique(x))} different x are too few for {n_letters} parameters.",
    }
    if len(np.unique(x)) <= n_letters:
        return ShapeFit(**unknown)
    ends = [end for start in shape.starts(x, y) if (end := _search(shape, x, y, start))]
    if not ends:
        return ShapeFit(**unknown | {"reason": "No search for the least squares ended."})
    sums = np.array([((shape.function(x, *params) - y) ** 2).sum() for params, _ in ends])
    params, covariance = ends[int(np.argmin(sums))]
    aic = gaussian_aic(sums.min(), len(x), n_letters)
    return ShapeFit(
        **unknown
        | {
            "params": tuple(map(float, params)),
            "standard_errors": tuple(map(float, np.sqrt(np.diag(covariance)))),
            "aic": aic,
            "bic": aic + (n_letters + 1) * (np.log(len(x)) - 2),
            "n_starts": len(ends),
            "n_starts_agreeing": int((sums <= sums.min() * (1 + 1e-6)).sum()),
            "identified": True,
            "reason": "",
        }
    )


def _search(shape: Shape, x, y, start) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the least-squares parameters and their covariance; None where the search fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            params, covariance = curve_fit(shape.function, x, y, start, maxfev=20_000)
        except RuntimeError:  # the search did not end
            return None
    return (params, covariance) if np.isfinite(params).all() else None
