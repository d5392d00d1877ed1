"""How a measured quantity depends on covariates: least squares with honest intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.regression.linear_model import OLS

from nstar.stats.checks import as_columns, check_confidence, check_labels
from nstar.stats.results import Fit, tabulate

__all__ = ["LinearFit", "fit_linear"]


@dataclass(frozen=True)
class LinearFit(Fit):
    """A linear fit of a measured quantity.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        "intercept" first, then the covariates; intervals of the kind that `method` names.
    p_values : tuple of float
        Two-sided, against zero, in their order.
    r : float
        Pearson correlation of the fitted and the measured values, with the sign of the slope where
        there is one covariate.
    residual_scale : float
        Standard deviation of the residuals.
    aic : float
        Akaike's criterion n ln(RSS / n) + 2 (p + 1), the residual scale counted.
    confidence, degrees_of_freedom : float
        Nominal coverage, and degrees of freedom of the t quantiles.
    n_used, n_missing, n_clusters : int
        Rows in the fit, rows left out because a number in them is NaN, and clusters (the rows
        themselves where none are given).
    identified : bool
        False where the rows cannot determine the coefficients; `reason` says why.
    reason, method : str
        Why there is no estimate, and how it was obtained.
    """

    p_values: tuple[float, ...]
    r: float
    residual_scale: float
    aic: float
    confidence: float
    degrees_of_freedom: float
    n_used: int
    n_missing: int
    n_clusters: int
    identified: bool
    reason: str
    method: str


def fit_linear(
    values, covariates: Mapping[str, np.ndarray], cluster=None, confidence: float = 0.95
) -> LinearFit:
    """Fit ``values = a + sum_k b_k x_k`` by least squares.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        The measured quantity; NaN where it was not measured.
    covariates : Mapping of str to array_like of float, shape (n,)
        Covariates.
    cluster : array_like, shape (n,), optional
        Labels of rows that share what makes them deviate, as all runs of one length do.  Intervals
        and p values then allow any dependence inside of a cluster; without, rows are independent.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).

    Returns
    -------
    LinearFit
        Not identified where fewer rows than coefficients + 1 remain, a covariate is constant or
        follows from others, clusters are not more than the coefficients, or one of them alone
        carries a coefficient.

    Raises
    ------
    ValueError
        If lengths differ, a cluster label is missing, a covariate is called "intercept", or
        `confidence` is outside (0, 1).

    Notes
    -----
    Clustered standard errors are the jackknife over clusters (CR3), with t quantiles at G - 1
    degrees of freedom, G clusters.  The usual sandwich (CR1) covers too little with few clusters.

    References
    ----------
    MacKinnon, Nielsen and Webb (2023), Journal of Econometrics 232, 272-299.

    Examples
    --------
    >>> fit = fit_linear([1.0, 3.1, 4.9, 7.0], {"n": [0, 1, 2, 3]})
    >>> round(fit.coefficient("n").estimate, 2), round(fit.r, 4)
    (1.98, 0.9995)
    """
    check_confidence(confidence)
    design, values, code, n_missing = complete_rows(values, covariates, cluster)
    names = ("intercept", *covariates)
    n_clusters = len(np.unique(code))
    method = (
        "least squares, t interval"
        if cluster is None
        else "least squares, CR3 by cluster, t(G - 1)"
    )
    shared = {
        "confidence": confidence,
        "n_used": len(values),
        "n_missing": n_missing,
        "n_clusters": n_clusters,
        "method": method,
    }
    reason = _why_not_identified(design, code, cluster is not None)
    if reason:
        nan = np.nan
        return LinearFit(
            coefficients=tabulate(names),
            p_values=(nan,) * len(names),
            r=nan,
            residual_scale=nan,
            aic=nan,
            degrees_of_freedom=nan,
            identified=False,
            reason=reason,
            **shared,
        )
    plain = OLS(values, design).fit()
    fit = plain
    if cluster is not None:
        fit = plain.get_robustcov_results("cluster-crv3", groups=code, use_t=True)
    ends = fit.conf_int(1 - confidence)
    return LinearFit(
        coefficients=tabulate(names, fit.params, fit.bse, *ends.T),
        p_values=tuple(map(float, fit.pvalues)),
        r=_correlation(plain.fittedvalues, values, plain.params),
        residual_scale=float(np.sqrt(plain.scale)),
        aic=gaussian_aic(plain.ssr, len(values), len(names)),
        degrees_of_freedom=float(n_clusters - 1 if cluster is not None else plain.df_resid),
        identified=True,
        reason="",
        **shared,
    )


def gaussian_aic(sum_of_squares: float, n_rows: int, n_coefficients: int) -> float:
    """Return n ln(RSS / n) + 2 (p + 1), the residual scale counted.

    An RSS of zero counts as the smallest number there is, so that criteria stay finite.
    """
    smallest = np.finfo(float).tiny
    mean_square = max(sum_of_squares, smallest) / n_rows
    return float(n_rows * np.log(mean_square) + 2 * (n_coefficients + 1))


def complete_rows(values, covariates, cluster):
    """Return design, values and cluster codes of the rows without NaN, and how many had one."""
    if "intercept" in covariates:
        raise ValueError("a covariate is called 'intercept': that name is taken")
    columns = as_columns(values=values, **covariates)
    table = np.column_stack(list(columns.values()))
    code = (
        np.arange(len(table))
        if cluster is None
        else check_labels(cluster, len(table), "cluster")[0]
    )
    kept = np.isfinite(table).all(axis=1)
    design = np.column_stack([np.ones(kept.sum()), table[kept, 1:]])
    return design, table[kept, 0], pd.factorize(code[kept])[0], int((~kept).sum())


def _why_not_identified(design: np.ndarray, code: np.ndarray, clustered: bool) -> str:
    """Return a sentence on what the rows leave open, or "" when they suffice."""
    n_rows, n_coefficients = design.shape
    clusters = np.unique(code)
    if n_rows <= n_coefficients:
        return f"{n_rows} rows are too few for {n_coefficients} coefficients and their errors."
    if np.linalg.matrix_rank(design) < n_coefficients:
        return (
            f"The {n_rows} rows cannot separate {n_coefficients} coefficients: a covariate is "
            "constant, or follows from the others."
        )
    if clustered and len(clusters) <= n_coefficients:
        return (
            f"{len(clusters)} clusters are too few for {n_coefficients} coefficients: dependence "
            "inside of clusters cannot be told from the effect."
        )
    without = (np.linalg.matrix_rank(design[code != one]) for one in clusters if clustered)
    if any(rank < n_coefficients for rank in without):
        return "A coefficient rests on one cluster alone: its error cannot be told."
    return ""


def _correlation(fitted, values, params) -> float:
    """Return Pearson's r of fitted and measured values; NaN where either is constant."""
    if np.ptp(fitted) == 0 or np.ptp(values) == 0:
        return np.nan
    r = float(stats.pearsonr(fitted, values).statistic)
    return float(np.copysign(r, params[1])) if len(params) == 2 else r
