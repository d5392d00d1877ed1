"""Scaling fits: exact cases, derivatives, censoring, coverage, and answers that are refusals."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statistics_coverage import (
    LENGTHS,
    TRUTH,
    least_squares,
    simulate_study,
)
from statsmodels.api import OLS, add_constant
from statsmodels.tools.numdiff import approx_fprime

from nstar.stats import Coefficient, compare_coefficients, fit_scaling
from nstar.stats.interval_model import IntervalModel, Optimum, log_interval_probability


def exact_study(log_n_star, log_length, curve, relative_width):
    """Return the arguments of `fit_scaling` for brackets centred on known thresholds."""
    half = relative_width / 2
    return {
        "lower": np.exp(log_n_star - half),
        "upper": np.exp(log_n_star + half),
        "covariates": {"log_length": log_length},
        "curve": curve,
    }


def take_rows(study, rows):
    """Return the study with some of its rows."""
    return {
        "lower": study["lower"][rows],
        "upper": study["upper"][rows],
        "covariates": {name: values[rows] for name, values in study["covariates"].items()},
        "curve": study["curve"][rows],
    }


def model_of(study):
    """Return the likelihood of a study."""
    design = np.column_stack([np.ones(len(study["curve"])), *study["covariates"].values()])
    with np.errstate(divide="ignore"):
        return IntervalModel(np.log(study["lower"]), np.log(study["upper"]), design, study["curve"])


# The likelihood


@pytest.mark.parametrize(
    ("z_lower", "z_upper", "expected"),
    [
        (-1.0, 1.0, np.log(0.6826894921370859)),
        (-np.inf, 0.0, np.log(0.5)),
        (0.0, np.inf, np.log(0.5)),
        (8.0, 9.0, stats.norm.logsf(8.0) + np.log1p(-stats.norm.sf(9.0) / stats.norm.sf(8.0))),
        (-40.0, -39.0, stats.norm.logcdf(-39.0)),
        (40.0, np.inf, stats.norm.logsf(40.0)),
    ],
)
def test_interval_probability(z_lower, z_upper, expected):
    assert log_interval_probability(z_lower, z_upper) == pytest.approx(expected, rel=1e-12)


def test_likelihood_of_one_narrow_row_per_curve_is_normal():
    # With one row per curve the scatters add up: log N* ~ Normal(x b, sigma^2 + tau^2).
    log_length = np.log(LENGTHS)
    log_n_star = 0.5 + 1.5 * log_length + np.array([0.3, -0.2, 0.1, -0.4, 0.2])
    width = 1e-4
    model = model_of(exact_study(log_n_star, log_length, np.arange(5), width))
    params = np.array([0.5, 1.5, np.log(0.4), np.log(0.3)])

    scale = np.hypot(model.sigma(params), 0.3)
    expected = stats.norm.logpdf(log_n_star - 0.5 - 1.5 * log_length, scale=scale) + np.log(width)
    penalty = np.log(0.3) / 5
    assert model.loglikeobs(params) == pytest.approx(expected + penalty, abs=1e-6)


@pytest.mark.parametrize("log_sigma", [-4.0, -1.0])
@pytest.mark.parametrize("log_tau", [-3.0, -1.0, 1.0])
def test_score_is_the_derivative_of_the_log_likelihood(log_sigma, log_tau):
    model = model_of(simulate_study(seed=0, largest_budget=2**8))
    params = np.array([-0.7, 1.7, 0.6, log_sigma, log_tau])

    numerical = approx_fprime(params, model.loglikeobs, centered=True)
    assert model.score_obs(params) == pytest.approx(numerical, rel=1e-5, abs=1e-4)
    assert model.score(params) == pytest.approx(numerical.sum(axis=0), rel=1e-5, abs=1e-4)


# Estimates


def test_narrow_brackets_give_least_squares():
    # Eight curves whose residuals have zero mean in each curve: no scatter between curves.
    log_length = np.repeat(np.log([4, 6, 8, 12, 16, 24, 32, 48]), 6)
    residual = np.tile([-0.5, 0.5, -0.3, 0.3, -0.1, 0.1], 8)
    log_n_star = 1 + 1.8 * log_length + residual
    study = exact_study(log_n_star, log_length, np.repeat(np.arange(8), 6), relative_width=1e-4)

    fit = fit_scaling(**study)
    reference = least_squares(study)

    estimates = [coefficient.estimate for coefficient in fit.coefficients]
    assert estimates == pytest.approx(reference.params, abs=1e-5)
    assert fit.residual_scale == pytest.approx(np.sqrt(reference.scale), rel=0.05)
    # The penalty keeps tau above zero, so the standard error lies somewhat above that of OLS.
    ratio = fit.coefficient("log_length").standard_error / reference.bse[1]
    assert 1.0 < ratio < 1.5


def test_balanced_narrow_brackets_give_the_variance_components():
    # Balanced design: the coefficients are those of OLS, the error follows the curve means.
    generator = np.random.default_rng(7)
    curve = np.repeat(np.arange(40), 5)
    log_length = np.log(np.tile(LENGTHS, 8))[curve]
    log_n_star = 2 * log_length + 0.5 * generator.standard_normal(40)[curve]
    log_n_star += 0.2 * generator.standard_normal(200)
    study = exact_study(log_n_star, log_length, curve, relative_width=1e-3)

    fit = fit_scaling(**study)
    of_means = OLS(log_n_star.reshape(40, 5).mean(axis=1), add_constant(log_length[::5])).fit()

    assert fit.coefficient("log_length").estimate == pytest.approx(of_means.params[1], abs=1e-4)
    assert fit.coefficient("log_length").standard_error == pytest.approx(of_means.bse[1], rel=0.05)
    assert fit.residual_scale == pytest.approx(0.2, rel=0.15)
    assert fit.curve_scale == pytest.approx(0.5, rel=0.25)
    assert fit.degrees_of_freedom == 38


def test_diagnostics_describe_the_fit():
    fit = fit_scaling(**simulate_study(seed=1, largest_budget=2**8), confidence=0.9)

    assert [c.name for c in fit.coefficients] == ["intercept", "log_length", "log_modulus"]
    assert (fit.converged, fit.identified, fit.reason) == (True, True, "")
    assert fit.score_norm < 1e-3
    assert (fit.n_starts, fit.n_starts_agreeing) == (3, 3)
    assert (fit.n_used, fit.n_curves, fit.confidence) == (50, 10, 0.9)
    assert 0 < fit.n_censored < 25
    length = fit.coefficient("log_length")
    margin = stats.t.ppf(0.95, fit.degrees_of_freedom) * length.standard_error
    assert (length.lower, length.upper) == pytest.approx(
        (length.estimate - margin, length.estimate + margin)
    )
    with pytest.raises(KeyError, match=r"'width'; there are: intercept, log_length, log_modulus"):
        fit.coefficient("width")


@pytest.mark.parametrize(
    "curve_scale", [0.0, 3.0], ids=["curves on the law", "curves far from the law"]
)
@pytest.mark.parametrize("residual_scale", [0.0, 1.0])
def test_extreme_scatter_converges(curve_scale, residual_scale):
    fit = fit_scaling(**simulate_study(2, curve_scale, residual_scale, largest_budget=2**30))

    assert fit.converged, fit.reason
    assert np.isfinite([c.standard_error for c in fit.coefficients]).all()


# Invariance


def test_row_order_does_not_matter():
    study = simulate_study(seed=3, largest_budget=2**9)
    shuffled = take_rows(study, np.random.default_rng(3).permutation(50))

    for one, two in zip(
        fit_scaling(**study).coefficients, fit_scaling(**shuffled).coefficients, strict=True
    ):
        assert (one.estimate, one.lower) == pytest.approx((two.estimate, two.lower), abs=1e-5)


def test_curve_labels_are_only_names():
    study = simulate_study(seed=3)
    names = [("transformer", f"curve {number}") for number in study["curve"]]

    assert fit_scaling(**{**study, "curve": names}) == fit_scaling(**study)


def test_rescaled_budgets_shift_only_the_intercept():
    study = simulate_study(seed=4, largest_budget=2**9)
    rescaled = {**study, "lower": 1000 * study["lower"], "upper": 1000 * study["upper"]}
    one, two = fit_scaling(**study), fit_scaling(**rescaled)

    shifts = [
        after.estimate - before.estimate
        for before, after in zip(one.coefficients, two.coefficients, strict=True)
    ]
    assert shifts == pytest.approx([np.log(1000), 0, 0], abs=1e-4)
    assert two.residual_scale == pytest.approx(one.residual_scale, abs=1e-5)
    assert two.curve_scale == pytest.approx(one.curve_scale, abs=1e-5)


# Statistics


def test_right_censoring_does_not_bias_the_exponent():
    studies = [simulate_study(100 + number, largest_budget=2**9) for number in range(40)]
    censored_share = np.mean([np.isinf(study["upper"]).mean() for study in studies])
    fits = [fit_scaling(**study) for study in studies]

    bias = np.mean([fit.coefficient("log_length").estimate for fit in fits]) - 1.8
    naive_bias = np.mean([least_squares(study).params[1] for study in studies]) - 1.8
    assert 0.3 < censored_share < 0.4
    assert abs(bias) < 0.05
    assert naive_bias < -0.1


def test_intervals_cover_and_those_without_curve_scatter_do_not():
    studies = [simulate_study(1000 + number) for number in range(200)]
    fits = [fit_scaling(**study) for study in studies]
    naive_intervals = [least_squares(study).conf_int()[1] for study in studies]

    assert all(fit.converged for fit in fits)
    for name, truth in TRUTH.items():
        coefficients = [fit.coefficient(name) for fit in fits]
        # At a coverage of 95 % the count of 200 falls below 176 once in 10,000.
        assert 176 <= sum(c.lower <= truth <= c.upper for c in coefficients)
    widths = [c.upper - c.lower for c in (fit.coefficient("log_length") for fit in fits)]
    assert np.median(widths) < 0.7, "covered by being useless"
    assert sum(low <= 1.8 <= high for low, high in naive_intervals) < 176


# Refusals that are answers


def test_too_few_bracketed_curves_are_not_identified():
    study = simulate_study(seed=5)
    censored = study["curve"] >= 3
    study["upper"] = np.where(censored, np.inf, study["upper"])
    study["lower"] = np.where(censored, 1, study["lower"])

    fit = fit_scaling(**study)

    assert not fit.identified
    assert not fit.converged
    assert fit.reason.startswith("Only 3 of 10 curves have a run whose threshold is bracketed")
    assert "35 of 50 runs are censored" in fit.reason
    assert "3 coefficients need at least 4 such curves" in fit.reason
    assert [c.name for c in fit.coefficients] == ["intercept", *TRUTH]
    assert np.isnan([(c.estimate, c.standard_error, c.lower) for c in fit.coefficients]).all()
    assert np.isnan([fit.residual_scale, fit.curve_scale, fit.log_likelihood]).all()


def test_covariate_constant_among_bracketed_rows_is_not_identified():
    study = simulate_study(seed=5)
    second_modulus = study["covariates"]["log_modulus"] > np.log(3)
    study["upper"] = np.where(second_modulus, np.inf, study["upper"])
    study["lower"] = np.where(second_modulus, 1, study["lower"])

    fit = fit_scaling(**study)

    assert not fit.identified
    assert fit.reason.startswith("The 25 runs bracketed on both sides, on 5 curves")
    assert "rank 2" in fit.reason


def test_proportional_covariates_are_not_identified():
    study = simulate_study(seed=5)
    study["covariates"]["log_area"] = 2 * study["covariates"]["log_length"]

    assert "rank 3" in fit_scaling(**study).reason


def test_no_rows_are_not_identified():
    fit = fit_scaling([], [], {"log_length": []}, [])

    assert not fit.identified
    assert fit.reason.startswith("Only 0 of 0 curves")


@pytest.mark.parametrize(("score_norm", "n_agreeing"), [(0.5, 3), (1e-6, 1)])
def test_fit_that_did_not_converge_has_estimates_without_intervals(
    monkeypatch, score_norm, n_agreeing
):
    params = np.array([-0.5, 1.8, 0.7, -1.0, -1.0])
    optimum = Optimum(params, -60.0, score_norm, n_starts=3, n_starts_agreeing=n_agreeing)
    monkeypatch.setattr("nstar.stats.scaling.find_optimum", lambda model: optimum)

    fit = fit_scaling(**simulate_study(seed=6))

    assert fit.identified
    assert not fit.converged
    assert f"{n_agreeing} of 3 ascents" in fit.reason
    length = fit.coefficient("log_length")
    assert length.estimate == 1.8
    assert np.isnan([length.standard_error, length.lower, length.upper]).all()


# Wrong input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lower": [1, 2, -3, 4]}, r"row 2: the bracket \(-3, 8\].*0 <= lower < upper"),
        ({"lower": [1, np.nan, 3, 4]}, r"row 1: the bracket \(nan, 8\]"),
        ({"upper": [8, 8, 8, 4]}, r"row 3: the bracket \(4, 4\]"),
        ({"lower": [0, 1, 1, 1], "upper": [np.inf, 8, 8, 8]}, r"row 0: .* no information"),
        ({"upper": [8, 8]}, r"shape \(4,\) and upper has shape \(2,\)"),
        ({"covariates": {"log_modulus": [2, 2, 2, 2]}}, "'log_modulus' is 2 in every row"),
        ({"covariates": {"log_length": [1, 2, np.inf, 3]}}, "'log_length' is inf in row 2"),
        ({"covariates": {"log_length": [1, 2]}}, "one value for each of the 4 rows"),
        ({"covariates": {"intercept": [1, 2, 3, 4]}}, "that name is taken"),
        ({"curve": ["a", "b"]}, "curve has 2 labels: one for each of the 4 rows"),
        ({"curve": ["a", None, "b", "c"]}, "label of row 1 is missing"),
        ({"confidence": 95}, "confidence is 95: it must lie between 0 and 1"),
    ],
)
def test_wrong_input_names_the_row_and_the_value(changes, message):
    study = {
        "lower": [1, 2, 3, 4],
        "upper": [8, 8, 8, 8],
        "covariates": {"log_length": [1, 2, 3, 4]},
        "curve": ["a", "b", "c", "d"],
    }
    with pytest.raises(ValueError, match=message):
        fit_scaling(**{**study, **changes})


# Comparison


def fit_with(estimate, standard_error, degrees_of_freedom):
    """Return a fit that holds one given coefficient."""
    coefficient = Coefficient("log_length", estimate, standard_error, np.nan, np.nan)
    fit = fit_scaling([], [], {}, [])
    return replace(fit, coefficients=(coefficient,), degrees_of_freedom=degrees_of_freedom)


def test_difference_by_hand():
    difference = compare_coefficients(
        fit_with(2.0, 0.3, 4), fit_with(1.5, 0.4, 9), "log_length", confidence=0.9
    )

    # Welch-Satterthwaite: 0.25^2 / (0.09^2 / 4 + 0.16^2 / 9) = 12.8351...
    degrees_of_freedom = 0.0625 / (0.0081 / 4 + 0.0256 / 9)
    assert difference.estimate == pytest.approx(0.5)
    assert difference.standard_error == pytest.approx(0.5)
    assert difference.degrees_of_freedom == pytest.approx(degrees_of_freedom)
    margin = 0.5 * stats.t.ppf(0.95, degrees_of_freedom)
    assert (difference.lower, difference.upper) == pytest.approx((0.5 - margin, 0.5 + margin))
    assert difference.p_value == pytest.approx(2 * stats.t.sf(1.0, degrees_of_freedom))
    assert (difference.identified, difference.reason) == (True, "")


def test_difference_changes_sign_with_the_order():
    one, two = fit_with(2.0, 0.3, 4), fit_with(1.5, 0.4, 9)
    forth = compare_coefficients(one, two, "log_length")
    back = compare_coefficients(two, one, "log_length")

    assert (back.estimate, back.lower, back.p_value) == pytest.approx(
        (-forth.estimate, -forth.upper, forth.p_value)
    )


def test_difference_with_an_unidentified_fit_is_not_identified():
    unidentified = fit_scaling([], [], {"log_length": []}, [])
    difference = compare_coefficients(fit_with(2.0, 0.3, 4), unidentified, "log_length")

    assert not difference.identified
    assert difference.reason.startswith("The second fit has no interval for log_length: Only 0")
    assert np.isnan([difference.estimate, difference.lower, difference.p_value]).all()


def test_difference_of_an_unknown_coefficient_lists_the_known_ones():
    fit = fit_with(2.0, 0.3, 4)
    with pytest.raises(KeyError, match="no coefficient is called 'depth'; there are: log_length"):
        compare_coefficients(fit, fit, "depth")
