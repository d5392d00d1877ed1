"""Thresholds: the smallest successful budget and the bracket around it."""

import math

import pytest

from nstar.stats import find_threshold


@pytest.mark.parametrize(
    ("budgets", "successful", "n_star", "lower", "upper", "censoring"),
    [
        ([10, 20, 40], [False, True, True], 20, 10, 20, "interval"),
        ([40, 10, 20], [True, False, True], 20, 10, 20, "interval"),
        ([10, 20, 40], [True, True, True], 10, 0, 10, "left"),
        ([7], [True], 7, 0, 7, "left"),
        ([10, 20, 40], [0, 0, 1], 40, 20, 40, "interval"),
    ],
)
def test_threshold_is_the_smallest_successful_budget(
    budgets, successful, n_star, lower, upper, censoring
):
    threshold = find_threshold(budgets, successful)

    assert (threshold.n_star, threshold.lower, threshold.upper) == (n_star, lower, upper)
    assert threshold.censoring == censoring
    assert threshold.monotone
    assert threshold.n_budgets == len(budgets)


def test_no_success_is_right_censored_at_the_largest_budget():
    threshold = find_threshold([20, 40, 10], [False, False, False])

    assert math.isnan(threshold.n_star)
    assert (threshold.lower, threshold.upper) == (40, math.inf)
    assert threshold.censoring == "right"
    assert threshold.monotone


@pytest.mark.parametrize(
    ("successful", "fitted", "lower", "upper", "censoring"),
    [
        ([False, False, True], [True, False, True], 10, 40, "interval"),
        ([False, False, True], [False, False, True], 0, 40, "left"),
        ([False, False, False], [True, True, False], 20, math.inf, "right"),
        ([False, False, False], [False, False, False], 0, math.inf, "unknown"),
        ([True, False, True], [True, False, True], 0, 10, "left"),
    ],
)
def test_failure_without_a_fitted_training_set_bounds_nothing(
    successful, fitted, lower, upper, censoring
):
    threshold = find_threshold([10, 20, 40], successful, fitted)

    assert (threshold.lower, threshold.upper) == (lower, upper)
    assert threshold.censoring == censoring


def test_a_later_failure_is_reported_and_leaves_n_star_alone():
    threshold = find_threshold([10, 20, 40, 80], [False, True, False, True])

    assert (threshold.n_star, threshold.lower) == (20, 10)
    assert not threshold.monotone


@pytest.mark.parametrize(
    ("budgets", "successful", "message"),
    [
        ([], [], "empty: at least one budget"),
        ([10, 20], [True], r"shape \(2,\).*shape \(1,\).*same length"),
        ([[10, 20]], [[True, False]], "one-dimensional"),
        ([10, -4], [True, True], r"budgets\[1\] is -4: .* positive"),
        ([0, 10], [True, True], r"budgets\[0\] is 0: .* positive"),
        ([10, math.nan], [True, True], r"budgets\[1\] is nan: .* finite"),
        ([10, math.inf], [True, True], r"budgets\[1\] is inf: .* finite"),
        ([10, 20, 10], [True, True, False], "budget 10 occurs 2 times: each budget may occur once"),
        ([10, 20], [0.9, 1.0], r"successful\[0\] is .*0.9.*: .* True or False"),
    ],
)
def test_wrong_input_names_the_value_and_the_rule(budgets, successful, message):
    with pytest.raises(ValueError, match=message):
        find_threshold(budgets, successful)
