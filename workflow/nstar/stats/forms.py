"""Which form of the law describes demand best: power, exponential or broken power."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from nstar.stats.checks import as_columns, check_confidence, refuse_rows
from nstar.stats.design import OF_DATA, Words
from nstar.stats.observations import observe
from nstar.stats.results import Result, ScalingFit
from nstar.stats.scaling import fit_scaling

__all__ = ["FormFit", "compare_forms"]

FEWEST_LENGTHS_BESIDE_KNOT = 2


@dataclass(frozen=True)
class FormFit(Result):
    """One form of the law, fitted, with its place among the others.

    Attributes
    ----------
    form : str
        "power": ln N* = a + alpha ln n; "exponential": ln N* = a + gamma n; "broken_power":
        ln N* = a + alpha ln n + delta max(0, ln n - ln knot).  Other covariates enter alike.
    knot : float
        Length at which the broken law bends; NaN for the others.
    n_parameters : int
        All that is estimated: coefficients, knot, s, tau and lapse rate.
    aic, bic, delta_aic : float
        Criteria at the estimate, and the distance of `aic` from the least of the forms.
    identified : bool
        False where the curves cannot determine the form; `reason` says why.
    reason : str
        Empty where all is well.
    fit : ScalingFit or None
        The fit itself.
    """

    form: str
    knot: float
    n_parameters: int
    aic: float
    bic: float
    delta_aic: float
    identified: bool
    reason: str
    fit: ScalingFit | None


def compare_forms(
    budget,
    n_learnt,
    n_runs,
    curve,
    length,
    covariates: Mapping[str, np.ndarray] | None = None,
    confidence: float = 0.95,
    words: Words = OF_DATA,
    run=None,
    lapses: bool = True,
) -> tuple[FormFit, ...]:
    """Fit a power law, an exponential and a broken power law in the length.

    Parameters
    ----------
    budget, n_learnt, n_runs, curve, run
        Outcomes by curve and budget; see `fit_scaling`.
    length : array_like of float, shape (n,)
        Sequence length n, positive, constant within a curve.
    covariates : Mapping of str to array_like of float, optional
        Further covariates, as they stand, in every form.
    confidence : float, optional
        Nominal coverage of the intervals, in (0, 1).
    words : Words, optional
        What `reason` calls the demand and the budgets; those of data where left out.
    lapses : bool, optional
        As in `fit_scaling`.

    Returns
    -------
    tuple of FormFit
        The three forms in the order above.  `delta_aic` below 2 does not tell forms apart.

    Raises
    ------
    ValueError
        As `fit_scaling`, if a length is not positive and finite, and if a covariate is called
        "length" or "bend".

    Notes
    -----
    The criteria take the log-likelihood without penalties and count every parameter; the knot is
    one of them.  The knot is the midpoint, in ln n, of two neighbouring lengths with the best
    likelihood; at least two bracketed lengths must lie on either side, else a bend cannot be told
    from the scatter of a single length, and the form is not identified.
    """
    check_confidence(confidence)
    length = as_columns(budget=budget, length=length)["length"]
    taken = {"length", "bend"} & set(covariates or {})
    if taken:
        raise ValueError(f"a covariate is called {min(taken)!r}: the forms use that name")
    refuse_rows(
        ~((length > 0) & np.isfinite(length)) & ~np.isnan(length),
        lambda i: f"the length is {length[i]:g}: it must be positive and finite",
    )
    others, log_length = dict(covariates or {}), np.log(length)
    outcomes = (budget, n_learnt, n_runs, curve)

    def fit(**own: np.ndarray) -> ScalingFit:
        return fit_scaling(*outcomes, own | others, confidence, words=words, run=run, lapses=lapses)

    broken, knot = _best_bend(fit, log_length, _knots(*outcomes, length))
    candidates = [
        ("power", fit(length=log_length), np.nan),
        ("exponential", fit(length=length), np.nan),
        ("broken_power", broken, knot),
    ]
    found = [_describe(*candidate, words) for candidate in candidates]
    least = min((form.aic for form in found if form.identified), default=np.nan)
    return tuple(replace(form, delta_aic=form.aic - least) for form in found)


def _knots(budget, n_learnt, n_runs, curve, length: np.ndarray) -> list[float]:
    """Return the knots that have enough bracketed lengths on either side."""
    observations = observe(np.where(np.isnan(length), np.nan, budget), n_learnt, n_runs, curve)
    if not observations.n_curves:
        return []
    by_curve = length[observations.row][observations.first_rows]
    lengths = np.unique(by_curve[observations.bracketed])
    beside = FEWEST_LENGTHS_BESIDE_KNOT
    return [
        float(np.sqrt(lengths[i - 1] * lengths[i]))
        for i in range(beside, len(lengths) - beside + 1)
    ]


def _best_bend(
    fit: Callable[..., ScalingFit], log_length: np.ndarray, knots: list[float]
) -> tuple[ScalingFit | None, float]:
    """Return the broken law with the best likelihood, and its knot; None where there is none."""
    bends = {
        knot: fit(length=log_length, bend=np.maximum(0, log_length - np.log(knot)))
        for knot in knots
    }
    usable = {knot: bend for knot, bend in bends.items() if bend.converged}
    if not usable:
        return next(iter(bends.values()), None), np.nan
    knot = max(usable, key=lambda knot: usable[knot].log_likelihood)
    return usable[knot], knot


def _describe(form: str, fit: ScalingFit | None, knot: float, words: Words) -> FormFit:
    """Return a form with its criteria, the knot counted as a parameter."""
    if fit is None:
        reason = (
            f"A bend needs at least {FEWEST_LENGTHS_BESIDE_KNOT} lengths on either side of it that "
            f"have a curve with {words.demand} inside its {words.values}."
        )
        return FormFit(form, np.nan, 0, np.nan, np.nan, np.nan, False, reason, None)
    n_knots = int(np.isfinite(knot))
    known = fit.identified and fit.converged
    return FormFit(
        form=form,
        knot=knot,
        n_parameters=fit.n_parameters + n_knots,
        aic=fit.aic + 2 * n_knots if known else np.nan,
        bic=fit.bic + n_knots * np.log(fit.n_curves) if known else np.nan,
        delta_aic=np.nan,
        identified=known,
        reason=fit.reason,
        fit=fit,
    )
