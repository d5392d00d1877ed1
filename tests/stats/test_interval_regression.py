"""Laws fitted to bounds: agreement with other software, and the slopes that bounds allow."""

import warnings

import numpy as np
import pandas as pd
import pytest
from statsmodels.api import OLS, add_constant
from statsmodels.tools.numdiff import approx_fprime

from nstar.stats import find_slope_range, fit_intervals
from nstar.stats.interval_regression import IntervalRegression, log_interval_probability

COVARIATES = {"length": np.tile(np.log([4, 8, 16, 32, 64]), 8)}


def simulate(seed=0, lowest=-np.inf, highest=np.inf):
    """Return the bounds that factor-2 budgets put around values with scatter."""
    generator = np.random.default_rng(seed)
    value = 0.5 + 1.8 * COVARIATES["length"] + 0.5 * generator.normal(size=40)
    step = np.log(2)
    lower, upper = np.floor(value / step) * step, np.ceil(value / step) * step
    lower, upper = (
        np.where(upper > highest, highest, lower),
        np.where(upper > highest, np.inf, upper),
    )
    return np.where(upper <= lowest, -np.inf, lower), np.where(upper <= lowest, lowest, upper)


@pytest.mark.parametrize(
    ("z_lower", "z_upper"),
    [(-1.0, 1.0), (-np.inf, 0.0), (0.0, np.inf), (8.0, 9.0), (-40.0, -39.0), (40.0, np.inf)],
)
def test_interval_probability_is_symmetric_and_never_cancels(z_lower, z_upper):
    found = log_interval_probability(z_lower, z_upper)

    assert np.isfinite(found)
    assert found == pytest.approx(log_interval_probability(-z_upper, -z_lower), rel=1e-12)
    if z_lower == -1:
        assert found == pytest.approx(np.log(0.6826894921370859), rel=1e-12)


def test_score_is_the_derivative_of_the_log_likelihood():
    lower, upper = simulate(lowest=2.5, highest=6.0)
    lower[:5] = upper[:5] = 4.0
    design = add_constant(COVARIATES["length"])
    model = IntervalRegression(lower, upper, design)
    params = np.array([0.3, 1.6, -0.4])

    numerical = approx_fprime(params, model.loglikeobs, centered=True)
    assert model.score_obs(params) == pytest.approx(numerical, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("lowest", "highest"), [(-np.inf, np.inf), (2.5, 6.0)])
def test_it_agrees_with_lifelines(lowest, highest):
    lifelines = pytest.importorskip("lifelines")
    lower, upper = simulate(1, lowest, highest)
    positive = np.maximum(np.exp(lower), 1e-9)  # lifelines has no derivative at 0
    rows = pd.DataFrame({"lower": positive, "upper": np.exp(upper), **COVARIATES})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = lifelines.LogNormalAFTFitter().fit_interval_censoring(rows, "lower", "upper")
    fit = fit_intervals(lower, upper, COVARIATES)

    widening = np.sqrt((fit.degrees_of_freedom + 2) / fit.degrees_of_freedom)
    for name, coefficient in (("Intercept", "intercept"), ("length", "length")):
        mine, theirs = fit.coefficient(coefficient), ("mu_", name)
        assert mine.estimate == pytest.approx(other.params_[theirs], rel=1e-3)
        assert mine.standard_error == pytest.approx(
            widening * other.standard_errors_[theirs], rel=2e-3
        )
    assert np.log(fit.residual_scale) == pytest.approx(
        other.params_["sigma_", "Intercept"], abs=1e-3
    )
    assert fit.log_likelihood == pytest.approx(other.log_likelihood_, abs=1e-3)
    assert fit.n_censored == (np.isinf(lower) | np.isinf(upper)).sum()


def test_known_values_give_least_squares():
    value = 0.5 + 1.8 * COVARIATES["length"] + np.random.default_rng(2).normal(size=40)
    fit = fit_intervals(value, value, COVARIATES)
    reference = OLS(value, add_constant(COVARIATES["length"])).fit()

    assert [c.estimate for c in fit.coefficients] == pytest.approx(reference.params, abs=1e-5)
    assert [c.standard_error for c in fit.coefficients] == pytest.approx(reference.bse, rel=1e-3)
    length = fit.coefficient("length")
    assert (length.lower, length.upper) == pytest.approx(reference.conf_int()[1], rel=1e-3)


def test_one_sided_rows_alone_are_not_identified():
    fit = fit_intervals(np.full(40, -np.inf), simulate()[1], COVARIATES)

    assert not fit.identified
    assert fit.reason == "0 closed rows are too few for 2 coefficients and their errors."
    assert np.isnan([c.estimate for c in fit.coefficients]).all()


@pytest.mark.parametrize("width", [0.0, 1.0, 2.0])
def test_rows_that_a_law_passes_through_leave_no_scatter_to_judge_by(width):
    x = np.arange(5.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_intervals(x, x + width, {"x": x})

    assert not fit.identified
    assert fit.reason.startswith("A law without scatter passes through every row")


def test_rows_without_information_count_as_missing():
    lower, upper = simulate()
    lower[0], upper[0], lower[1] = -np.inf, np.inf, np.nan
    assert fit_intervals(lower, upper, COVARIATES).n_missing == 2


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match=r"row 0: the bounds \(2, 1\] are no range"):
        fit_intervals([2], [1], {})


# Slopes that bounds allow


def test_slope_range_by_hand():
    found = find_slope_range([0, 1, 2], [0, 1, 2], [1, 2, 3])
    assert (found.lower, found.upper) == pytest.approx((0.5, 1.5))


def test_open_bounds_leave_the_slope_open():
    inf = np.inf
    assert find_slope_range([0, 1], [0, 1], [1, inf]).upper == inf
    assert find_slope_range([0, 1], [0, 1], [1, inf]).lower == pytest.approx(0)
    assert find_slope_range([0, 1], [-inf, -inf], [1, 1]).lower == -inf
    assert find_slope_range([], [], []).upper == inf


def test_bounds_that_no_line_fits_are_infeasible():
    found = find_slope_range([0, 1, 2], [0, 5, 0], [1, 6, 1])

    assert not found.feasible
    assert np.isnan([found.lower, found.upper]).all()


def test_a_slope_range_refuses_what_is_no_interval():
    with pytest.raises(ValueError, match=r"row 1: \(3, 2\] is no range"):
        find_slope_range([0, 1], [0, 3], [1, 2])
    with pytest.raises(ValueError, match="row 1: x is inf: it must be finite"):
        find_slope_range([0, np.inf], [0, 0], [1, 1])
    with pytest.raises(ValueError, match="that name is taken"):
        fit_intervals([0], [1], {"intercept": [1]})
