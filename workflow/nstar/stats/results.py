"""Results of fits: estimates with their diagnostics, as rows of tables and as fit cards."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

__all__ = [
    "Coefficient",
    "Difference",
    "Fit",
    "Result",
    "ScalingFit",
    "make_card",
    "t_interval",
    "tabulate",
]


@dataclass(frozen=True)
class Result:
    """Base of every result: it knows its rows in a table, and how its numbers were obtained."""

    def rows(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the rows of this result in a table.

        Parameters
        ----------
        names : iterable of str
            Columns of the table, such as ``TABLES["demand"]``.

        Returns
        -------
        list of dict
            One row with the columns that the result knows: fields and properties of these names. The
            caller adds the others, such as the model.

        Examples
        --------
        >>> Coefficient("length", 1.5, 0.2, 1.1, 1.9).rows(["model", "estimate", "lower"])
        [{'estimate': 1.5, 'lower': 1.1}]
        """
        return [{name: getattr(self, name) for name in names if hasattr(self, name)}]

    def summary(self) -> dict[str, Any]:
        """Return all fields, as JSON can hold them; see `make_card`."""
        return {
            field.name: make_card(getattr(self, field.name)) for field in dataclasses.fields(self)
        }


@dataclass(frozen=True)
class Coefficient(Result):
    """One estimated number with the ends of its interval; NaN where unknown."""

    name: str
    estimate: float
    standard_error: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Fit(Result):
    """Estimates by name, with the diagnostics of their fit."""

    coefficients: tuple[Coefficient, ...]

    def rows(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return one row per coefficient, each with the diagnostics of the fit.

        Parameters
        ----------
        names : iterable of str
            Columns of the table. ``coefficient`` is the name of the coefficient; ``p_value`` is known
            where the fit has `p_values`.

        Returns
        -------
        list of dict
            As `Result.rows`, in the order of the coefficients.
        """
        names = list(names)
        (shared,) = super().rows(name for name in names if name != "coefficient")
        rows = []
        for i, coefficient in enumerate(self.coefficients):
            row = shared | coefficient.rows(names)[0]
            if "coefficient" in names:
                row["coefficient"] = coefficient.name
            if "p_value" in names and hasattr(self, "p_values"):
                row["p_value"] = self.p_values[i]
            rows.append(row)
        return rows

    def row_of(self, name: str, names: Iterable[str]) -> dict[str, Any]:
        """Return the row of the coefficient called `name`, see `rows`; KeyError as `coefficient`."""
        return self.rows(names)[self.coefficients.index(self.coefficient(name))]

    def coefficient(self, name: str) -> Coefficient:
        """Return the coefficient called `name`, or raise KeyError with the names there are."""
        for coefficient in self.coefficients:
            if coefficient.name == name:
                return coefficient
        known = ", ".join(coefficient.name for coefficient in self.coefficients)
        raise KeyError(f"no coefficient is called {name!r}; there are: {known}")


@dataclass(frozen=True)
class ScalingFit(Fit):
    """A fitted scaling law with its diagnostics.

    Attributes
    ----------
    coefficients : tuple of Coefficient
        "intercept" first, then the covariates in the order given.
    covariance : tuple of tuple of float
        Covariance of the coefficients, dispersion included; rows and columns in their order.
    run_scale : float
        s, logistic scale of runs about their curve, in natural log units.
    run_scale_slopes : tuple of Coefficient
        Slopes of ln s in its covariates, with normal intervals; `run_scale` is then the geometric
        mean over curves.
    curve_scale : float
        tau, standard deviation of curves about the law, in natural log units.
    lapse : float
        Share of runs that fail however large the budget.
    dispersion : float
        q, squared residuals of the curves over what the likelihood expects, per degree of
        freedom; intervals are widened, or narrowed, by its square root.
    quantised : bool
        True where most bracketed curves jump from no run to all runs: runs differ by less than the
        budgets resolve.  The interval then depends on where thresholds fall between budgets, and
        a small q is not used in full.
    confidence : float
        Nominal coverage of the intervals.
    degrees_of_freedom : int
        C - p of the t quantiles; C counts the bracketed curves, p the coefficients.
    n_used : int
        Runs in the fit: outcomes of a seed at a budget.
    n_missing : int
        Rows left out because a number in them is NaN.
    n_curves, n_bracketed, n_left_censored, n_right_censored : int
        Curves in the fit; those with N* inside their budgets; of the others, those of whose runs
        at least half learnt, and those of whose runs fewer did.
    n_parameters : int
        Parameters estimated, the scatter and the lapse rate included.
    log_likelihood : float
        Log-likelihood at the estimate, without the penalties.
    score_norm : float
        Infinity norm of the gradient of the penalised log-likelihood at the estimate.
    n_starts, n_starts_agreeing : int
        Ascents made, and those that reached the best log-likelihood within 1e-4.
    converged : bool
        True when the gradient vanishes, two ascents agree and the curvature is that of a maximum.
    identified : bool
        False when the outcomes cannot determine the coefficients; all estimates are then NaN.
    reason : str
        Why the estimates or the intervals are missing; empty otherwise.
    method : str
        The method in one line.
    """

    covariance: tuple[tuple[float, ...], ...]
    run_scale: float
    run_scale_slopes: tuple[Coefficient, ...]
    curve_scale: float
    lapse: float
    dispersion: float
    quantised: bool
    confidence: float
    degrees_of_freedom: int
    n_used: int
    n_missing: int
    n_curves: int
    n_bracketed: int
    n_left_censored: int
    n_right_censored: int
    n_parameters: int
    log_likelihood: float
    score_norm: float
    n_starts: int
    n_starts_agreeing: int
    converged: bool
    identified: bool
    reason: str
    method: str

    @property
    def p_values(self) -> tuple[float, ...]:
        """Two-sided, of each coefficient being 0, by the t distribution of its interval."""
        errors = np.array([coefficient.standard_error for coefficient in self.coefficients])
        estimates = np.array([coefficient.estimate for coefficient in self.coefficients])
        degrees_of_freedom = max(
            self.degrees_of_freedom, 1
        )  # without an interval there is no error
        p_values = 2 * scipy.stats.t.sf(np.abs(estimates / errors), degrees_of_freedom)
        return tuple(map(float, p_values))

    @property
    def n_censored(self) -> int:
        """Curves with N* outside their budgets."""
        return self.n_left_censored + self.n_right_censored

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 ln L + 2 k, with every parameter counted."""
        return 2 * self.n_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, -2 ln L + k ln C, with every parameter counted and C curves."""
        return self.n_parameters * float(np.log(max(self.n_curves, 1))) - 2 * self.log_likelihood

    def summary(self) -> dict[str, Any]:
        """Return all fields and what follows from them, as JSON can hold them."""
        derived = {"n_censored": self.n_censored, "aic": self.aic, "bic": self.bic}
        return super().summary() | make_card(derived)


@dataclass(frozen=True)
class Difference(Result):
    """First minus second value of one coefficient.

    `p_value` is two-sided, against no difference.  Where `identified` is False the standard error
    and interval are NaN and `reason` says why.
    """

    name: str
    estimate: float
    standard_error: float
    lower: float
    upper: float
    degrees_of_freedom: float
    p_value: float
    n_used: int
    n_censored: int
    identified: bool
    reason: str
    method: str


def tabulate(names, estimates=None, errors=None, lower=None, upper=None) -> tuple[Coefficient, ...]:
    """Return one coefficient per name; numbers that are not given are NaN."""
    unknown = np.full(len(names), np.nan)
    columns = [
        unknown if values is None else values for values in (estimates, errors, lower, upper)
    ]
    return tuple(
        Coefficient(name, *map(float, row)) for name, *row in zip(names, *columns, strict=True)
    )


def t_interval(estimate, standard_error, degrees_of_freedom: float, confidence: float) -> tuple:
    """Return the ends of ``estimate -+ t standard_error``; NaN where the error is."""
    margin = standard_error * scipy.stats.t.ppf((1 + confidence) / 2, degrees_of_freedom)
    return estimate - margin, estimate + margin


def make_card(result: Any) -> Any:
    """Return results, and what holds them, as JSON can hold it: NaN and infinity become null.

    Parameters
    ----------
    result : Result, or numbers, text, lists, tuples and dicts of such

    Examples
    --------
    >>> make_card({"fit": Coefficient("length", 1.5, float("nan"), -float("inf"), float("inf"))})
    {'fit': {'name': 'length', 'estimate': 1.5, 'standard_error': None, 'lower': None, 'upper': None}}
    """
    if isinstance(result, Result):
        return result.summary()
    if isinstance(result, np.generic):
        return make_card(result.item())
    if isinstance(result, dict):
        return {key: make_card(value) for key, value in result.items()}
    if isinstance(result, list | tuple):
        return [make_card(value) for value in result]
    if isinstance(result, float) and not np.isfinite(result):
        return None
    return result
