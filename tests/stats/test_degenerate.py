"""Whatever the outcomes, every fit returns its result object: numbers that hold, or a reason."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nstar.stats import (
    compare_forms,
    compare_shapes,
    find_isolated_sharing,
    find_slope_range,
    fit_demand,
    fit_intervals,
    fit_learning_curve,
    fit_linear,
    fit_logistic,
    fit_scaling,
    make_card,
    ratio_of_estimates,
)

LENGTHS, BUDGETS = [4, 8, 16, 32], [1.0, 2.0, 4.0, 8.0, 1e6]
number = st.one_of(st.floats(-1e6, 1e6), st.just(float("nan")), st.just(0.0))

not_tiny = number.filter(lambda y: not 0 < abs(y) < 1e-200)  # as a denominator it would overflow


@st.composite
def outcomes(draw):
    """Up to 20 rows of any outcomes on a few curves, budgets repeated, numbers missing."""
    n_rows = draw(st.integers(0, 20))
    runs = [draw(st.integers(0, 5)) for _ in range(n_rows)]
    rows = {
        "budget": [draw(st.sampled_from([*BUDGETS, float("nan")])) for _ in range(n_rows)],
        "n_learnt": [draw(st.sampled_from(sorted({0, n, draw(st.integers(0, n))}))) for n in runs],
        "n_runs": runs,
    }
    length = [draw(st.sampled_from(LENGTHS)) for _ in range(n_rows)]
    return rows | {"curve": length, "covariates": {"length": np.log(np.array(length, dtype=float))}}


def check(fit, names):
    """Assert that a fit holds finite numbers in order, or NaN with a reason."""
    for name in names:
        one = fit.coefficient(name)
        if np.isfinite(one.lower):
            assert fit.identified
            assert fit.reason == ""
            assert one.lower <= one.estimate <= one.upper
            assert one.standard_error >= 0
        else:
            assert fit.reason
            assert np.isnan([one.standard_error, one.lower, one.upper]).all()
    json.dumps(make_card(fit), allow_nan=False)


def test_cards_take_labels_of_numpy():
    demands = fit_demand([1, 2, 4], [0, 1, 2], [2, 2, 2], np.array([4, 4, 4]))
    assert json.loads(json.dumps(make_card(demands)))[0]["curve"] == 4


@settings(max_examples=60, deadline=None)
@given(outcomes())
def test_scaling_and_demand(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_scaling(**rows)
        check(fit, ["intercept", "length"])
        if np.isfinite(fit.coefficient("length").lower):
            # A few runs on four lengths leave neither nothing nor everything known.
            assert fit.coefficient("length").standard_error > 1e-3
        del rows["covariates"]
        for demand in fit_demand(**rows):
            assert 0 <= demand.lower < demand.upper
            if demand.censoring == "interval":
                assert demand.lower <= demand.estimate <= demand.upper
            else:
                assert np.isnan(demand.estimate)
    assert fit.n_bracketed + fit.n_censored == fit.n_curves
    assert fit.n_missing == np.isnan(rows["budget"]).sum()


@settings(max_examples=10, deadline=None)
@given(outcomes())
def test_forms(rows):
    covariates = rows.pop("covariates")
    for form in compare_forms(**rows, length=np.exp(covariates["length"])):
        assert form.identified == np.isfinite(form.aic)
        assert form.identified or form.reason


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(number, number, st.integers(0, 4)), max_size=15))
def test_linear_fits_and_shapes(rows):
    values, x, cluster = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 3
    for clusters in (None, cluster):
        check(fit_linear(values, {"x": x}, clusters), ["intercept", "x"])
    for shape in compare_shapes(np.abs(x) + 1, values, ("linear", "square_root")):
        assert shape.identified or shape.reason


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 1.0, float("nan")]), st.sampled_from([*BUDGETS, 1e6 + 1]), number
        ),
        max_size=15,
    )
)
def test_logistic_regression(rows):
    learnt, x, z = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(fit_logistic(learnt, {}), ["intercept"])
        check(fit_logistic(learnt, {"x": x}), ["intercept", "x"])
        check(fit_logistic(learnt, {"x": x, "z": z}), ["intercept", "x", "z"])


@settings(max_examples=200, deadline=None)
@given(number, number.map(abs), not_tiny, number.map(abs), st.floats(1, 100))
def test_ratios_of_estimates(x, x_error, y, y_error, degrees_of_freedom):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ratio_of_estimates(x, x_error, y, y_error, degrees_of_freedom)
    if found.identified:
        assert found.lower <= found.estimate <= found.upper
        assert np.isfinite(found.upper - found.lower) == (not found.reason)
    else:
        assert found.reason
        assert np.isnan([found.estimate, found.lower, found.upper]).all()


bounds = st.tuples(st.floats(-5, 5), st.floats(0, 3), st.booleans(), st.booleans())


@settings(max_examples=60, deadline=None)
@given(st.lists(bounds, max_size=10))
def test_bounds(rows):
    lower = [-np.inf if below else low for low, _, below, _ in rows]
    upper = [np.inf if above else low + width for low, width, _, above in rows]
    x = np.arange(len(rows), dtype=float)
    check(fit_intervals(lower, upper, {"x": x}), ["intercept", "x"])
    slopes = find_slope_range(x, lower, upper)
    assert not slopes.feasible or slopes.lower <= slopes.upper + 1e-6


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*BUDGETS, float("nan")]),
            st.sampled_from([0.0, 1e-12, 0.3, 0.9, 1.0, float("nan")]) | st.floats(0, 1),
            st.integers(0, 3),
        ),
        max_size=20,
    ),
    st.sampled_from(["binomial", "relative"]),
)
def test_learning_curves(rows, variance):
    budget, error, seed = zip(*rows, strict=True) if rows else ((), (), ())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        curve = fit_learning_curve(budget, error, seed, chance=0.9, variance=variance)
    check(curve, ["log_midpoint", "exponent", "floor"])
    exponent = curve.coefficient("exponent")
    if np.isfinite(exponent.lower) and curve.n_missing + curve.n_used == len(rows):
        assert 0 <= exponent.lower <= exponent.estimate < 1e3


ALL, NONE = [5, 5, 5, 5], [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("learnt_by_curve", "reason"),
    [
        ({}, "There is no run to fit a law to."),
        ({4: [0, 0, 5, 5]}, "length has one value, 1.386, in the 1 of 1 curves"),
        ({4: ALL, 8: ALL, 16: ALL}, "Only 0 of 3 curves"),
        ({4: NONE, 8: NONE, 16: NONE}, "Only 0 of 3 curves"),
        ({4: ALL, 8: NONE, 16: ALL}, "Only 0 of 3 curves"),
        ({4: [5, 5, 5, 4], 8: [5, 5, 4, 5], 16: [5, 5, 5, 4]}, "Only 0 of 3 curves"),
        ({4: [0, 0, 5, 5], 8: NONE, 16: NONE}, "length has one value, 1.386, in the 1 of 3 curves"),
    ],
)
def test_outcomes_that_say_too_little_have_a_reason(learnt_by_curve, reason):
    length = np.repeat(list(learnt_by_curve), 4).astype(float)
    fit = fit_scaling(
        np.tile([1, 2, 4, 8], len(learnt_by_curve)),
        [n for learnt in learnt_by_curve.values() for n in learnt],
        np.full(len(length), 5),
        length,
        {"length": np.log(length)},
    )
    assert not fit.identified
    assert fit.reason.startswith(reason)


def test_seeds_that_all_do_the_same_still_have_an_interval():
    # Constant seeds: each curve jumps from none to all at one budget.
    jump = {4: 1, 8: 2, 16: 2, 32: 3, 64: 3}
    budgets = 2.0 ** np.arange(5)
    length = np.repeat(list(jump), 5).astype(float)
    learnt = np.concatenate([5 * (np.arange(5) >= k) for k in jump.values()])
    fit = fit_scaling(
        np.tile(budgets, 5), learnt, np.full(25, 5), length, {"length": np.log(length)}
    )
    slope = fit.coefficient("length")

    assert fit.quantised
    assert 0.3 < slope.estimate < 1.0
    assert slope.upper - slope.lower > 0.2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50), st.integers(1, 60)), min_size=1),
    st.sampled_from(["uniform", "short_to_long"]),
    st.booleans(),
)
def test_isolated_sharing(lengths, order, shows_shorter):
    lower, wider, available = np.array(lengths, dtype=float).T
    upper = np.where(wider == 50, np.inf, lower + wider)
    estimate = np.where(np.isinf(upper), np.nan, upper)
    found = find_isolated_sharing(estimate, lower, upper, available, order, shows_shorter)
    if not np.isnan(found.null):
        assert found.null_lower <= found.null * (1 + 1e-9) <= found.null_upper * (1 + 2e-9)
    assert 0 <= found.null_lower <= found.null_upper
    assert 0 <= found.joint_lower <= found.joint_upper <= available.sum() * (1 + 1e-9)
