"""Do the exponents of two models differ? From separate fits, a joint fit, and pairs of curves."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from nstar.stats.checks import check_confidence, check_labels
from nstar.stats.linear import fit_linear
from nstar.stats.results import Difference, Result, ScalingFit, t_interval
from nstar.stats.scaling import fit_scaling

__all__ = [
    "JointFit",
    "adjust_by_holm",
    "adjust_table",
    "compare_coefficients",
    "compare_in_joint_fit",
    "compare_pairs",
    "fit_jointly",
]


@dataclass(frozen=True)
class JointFit(Result):
    """One law fitted to several groups at once: the groups and covariates, and the fit."""

    groups: tuple[str, ...]
    covariates: tuple[str, ...]
    fit: ScalingFit


def compare_coefficients(
    first: ScalingFit, second: ScalingFit, name: str, confidence: float = 0.95
) -> Difference:
    """Compare one coefficient between two fits to independent data.

    Parameters
    ----------
    first, second : ScalingFit
        Fits that share no training run; anything with `coefficient`, `degrees_of_freedom`,
        `n_used`, `n_censored` and `reason` will do.
    name : str
        Name of a coefficient that both have.
    confidence : float, optional
        Nominal coverage of the interval, in (0, 1).

    Returns
    -------
    Difference
        First minus second; not identified when either fit lacks the coefficient's interval.

    Raises
    ------
    KeyError
        If a fit has no coefficient of that name.
    ValueError
        If `confidence` is outside (0, 1).

    Notes
    -----
    The standard error is sqrt(s1^2 + s2^2); the degrees of freedom are those of Welch and
    Satterthwaite, (s1^2 + s2^2)^2 / (s1^4 / d1 + s2^4 / d2), with d the degrees of freedom of a
    fit.  The two likelihoods multiply, so this is also the joint fit of both models in which each
    has a scatter of its own.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35.
    """
    check_confidence(confidence)
    one, two = first.coefficient(name), second.coefficient(name)
    counts = {"n_used": first.n_used + second.n_used}
    counts |= {"n_censored": first.n_censored + second.n_censored}
    counts |= {"method": "difference of two fits, Welch-Satterthwaite t interval"}
    for place, fit in (("first", first), ("second", second)):
        if not np.isfinite(fit.coefficient(name).standard_error):
            reason = f"The {place} fit has no interval for {name}: {fit.reason}"
            return _difference(name, one.estimate - two.estimate, reason=reason, **counts)

    variances = np.array([one.standard_error, two.standard_error]) ** 2
    degrees = np.array([first.degrees_of_freedom, second.degrees_of_freedom])
    return _difference(
        name,
        one.estimate - two.estimate,
        standard_error=float(np.sqrt(variances.sum())),
        degrees_of_freedom=float(variances.sum() ** 2 / (variances**2 / degrees).sum()),
        confidence=confidence,
        **counts,
    )


def adjust_by_holm(p_values: np.ndarray) -> np.ndarray:
    """Return p values adjusted for their number.

    Parameters
    ----------
    p_values : ndarray of float, shape (k,)
        Finite, in [0, 1].

    Returns
    -------
    ndarray of float, shape (k,)
        At most 1, in the order of the input: each p value times the number of those that are not smaller,
        or the adjusted one before it where that is larger.

    Notes
    -----
    The same numbers as statsmodels' ``multipletests(method="holm")``, which collects the garbage of
    the whole process in every call, a third of a second each.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> adjust_by_holm(np.array([0.5, 0.25, 0.125])).tolist()
    [0.5, 0.5, 0.375]
    """
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    factors = np.arange(len(p_values), 0, -1)
    adjusted[order] = np.maximum.accumulate(p_values[order] * factors)
    return np.minimum(adjusted, 1.0)


def adjust_table(p_values: pd.Series, family: pd.Series | None = None) -> pd.DataFrame:
    """Return the p values of a table adjusted by Holm, and for how many tests.

    Parameters
    ----------
    p_values : Series of float
        One per row; NaN where nothing is tested.
    family : Series, optional
        Rows with the same value are adjusted together; all rows where left out.

    Returns
    -------
    DataFrame
        `p_value_holm`, NaN where `p_values` is, and `n_tests`, the number of p values in the family.

    Examples
    --------
    >>> adjust_table(pd.Series([0.5, np.nan, 0.125])).to_dict("list")
    {'p_value_holm': [0.5, nan, 0.25], 'n_tests': [2, 2, 2]}
    """
    p_values = p_values.astype("float64")
    family = pd.Series(0, index=p_values.index) if family is None else family
    adjusted = pd.Series(np.nan, index=p_values.index)
    for _, part in p_values.dropna().groupby(family):
        adjusted[part.index] = adjust_by_holm(part.to_numpy())
    n_tests = p_values.groupby(family).transform("count").astype("int64")
    return pd.DataFrame({"p_value_holm": adjusted, "n_tests": n_tests})


def fit_jointly(
    budget,
    n_learnt,
    n_runs,
    curve,
    covariates: Mapping[str, np.ndarray],
    group,
    confidence: float = 0.95,
    run=None,
    lapses: bool = True,
) -> JointFit:
    """Fit one law with interactions to several groups that share their scatter and lapse rate.

    Parameters
    ----------
    budget, n_learnt, n_runs, curve, covariates, confidence, run, lapses
        As `nstar.stats.fit_scaling`.
    group : array_like of str, shape (n,)
        Group (model) of each row; constant within a curve.

    Returns
    -------
    JointFit
        The fit, whose "intercept" and covariates are those of the first group; "G" is the intercept
        of group G minus that of the first, "x:G" its coefficient of x minus that of the first.

    Raises
    ------
    ValueError
        As `fit_scaling`, and if a label is missing or a group is called as a covariate is.
    """
    code, groups = check_labels(group, len(np.atleast_1d(budget)), "group")
    groups = tuple(map(str, groups))
    design = {name: np.asarray(values, dtype=float) for name, values in covariates.items()}
    taken = set(groups) & {"intercept", *design}
    if taken:
        raise ValueError(f"a group is called {min(taken)!r}, as a covariate is: rename one of them")
    interactions = {}
    for number, other in list(enumerate(groups))[1:]:
        member = (code == number).astype(float)
        interactions[other] = member
        interactions |= {f"{name}:{other}": values * member for name, values in design.items()}
    outcomes = budget, n_learnt, n_runs, curve
    fit = fit_scaling(*outcomes, design | interactions, confidence, run=run, lapses=lapses)
    return JointFit(groups, tuple(design), fit)


def compare_in_joint_fit(joint: JointFit, first: str, second: str, name: str) -> Difference:
    """Compare one coefficient between two groups of a joint fit.

    Parameters
    ----------
    joint : JointFit
        From `fit_jointly`.
    first, second : str
        Groups.
    name : str
        Name of a covariate.

    Returns
    -------
    Difference
        First minus second, with the fit's covariance and degrees of freedom.

    Raises
    ------
    KeyError
        If the fit has no such group or covariate.
    """
    fit = joint.fit
    for kind, wanted, known in (
        ("group", first, joint.groups),
        ("group", second, joint.groups),
        ("covariate", name, joint.covariates),
    ):
        if wanted not in known:
            raise KeyError(f"no {kind} is called {wanted!r}; there are: {', '.join(known)}")
    names = [coefficient.name for coefficient in fit.coefficients]
    weights = np.zeros(len(names))
    for group, sign in ((first, 1.0), (second, -1.0)):
        if group != joint.groups[0]:  # the one that the others are set against
            weights[names.index(f"{name}:{group}")] += sign
    estimates = np.array([coefficient.estimate for coefficient in fit.coefficients])
    return _difference(
        name,
        float(weights @ estimates),
        standard_error=float(np.sqrt(weights @ np.array(fit.covariance) @ weights)),
        degrees_of_freedom=fit.degrees_of_freedom,
        confidence=fit.confidence,
        n_used=fit.n_used,
        n_censored=fit.n_censored,
        reason=fit.reason,
        method="joint fit with interactions, scatter and lapse rate shared, t(C - p) interval",
    )


def compare_pairs(
    first, second, covariates: Mapping[str, np.ndarray], name: str, confidence: float = 0.95
) -> Difference:
    """Compare one coefficient by the differences of curves that saw the same data.

    Parameters
    ----------
    first, second : array_like of float, shape (n,)
        N* of the two models at each place (task and length); NaN where one is not known.
    covariates : Mapping of str to array_like of float, shape (n,)
        Covariates of the places, as in the laws that are compared.
    name : str
        The covariate whose coefficient is compared.
    confidence : float, optional
        Nominal coverage of the interval, in (0, 1).

    Returns
    -------
    Difference
        First minus second coefficient, from least squares of ln N*_1 - ln N*_2.

    Notes
    -----
    What the two curves of a place share, the sequences among it, cancels.  Places at which
    a curve is censored are left out, which biases the answer if they are many: this is a check of
    the likelihood's answer, not a replacement.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    fit = fit_linear(np.log(first) - np.log(second), covariates, confidence=confidence)
    slope = fit.coefficient(name)
    return _difference(
        name,
        slope.estimate,
        standard_error=slope.standard_error,
        degrees_of_freedom=fit.degrees_of_freedom,
        confidence=confidence,
        n_used=fit.n_used,
        n_censored=fit.n_missing,
        reason=fit.reason,
        method="least squares of ln N* differences at the same task and length",
    )


def _difference(
    name: str,
    estimate: float,
    standard_error: float = np.nan,
    degrees_of_freedom: float = np.nan,
    confidence: float = 0.95,
    reason: str = "",
    **counts,
) -> Difference:
    """Return a difference with its t interval; not identified without a standard error."""
    lower, upper = t_interval(estimate, standard_error, degrees_of_freedom, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stats.t.sf(abs(estimate) / standard_error, degrees_of_freedom)
    return Difference(
        name=name,
        estimate=estimate,
        standard_error=standard_error,
        lower=float(lower),
        upper=float(upper),
        degrees_of_freedom=degrees_of_freedom,
        p_value=float(p_value),
        identified=bool(np.isfinite(standard_error)),
        reason=reason,
        **counts,
    )
