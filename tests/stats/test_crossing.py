"""Crossings of the score with the threshold, and the law fitted to them."""

import numpy as np
import pytest
from scipy.special import logit
from statistics_coverage import EXPONENT, fit_crossing, simulate_runs

from nstar.stats import find_crossings

THRESHOLD = logit(0.9)


def cross(scores, budgets=(10, 20, 40, 80), threshold=0.0):
    """Return the crossing of one curve, with one row of scores for each run."""
    scores = np.atleast_2d(np.array(scores, dtype=float))
    found = find_crossings(
        np.tile(budgets, len(scores)), scores.ravel(), ["a"] * scores.size, threshold
    )
    return [(np.exp(one.log_lower), np.exp(one.log_upper)) for one in found]


def test_it_interpolates_the_score_in_the_log_of_the_budget():
    (found,) = cross([-3, -1, 1, 3])
    assert found == pytest.approx((np.sqrt(20 * 40),) * 2)


def test_the_median_run_decides():
    (found,) = cross([[-3, -1, 1, 3], [-3, -1, 1, 3], [-3, 9, 9, 9]])
    assert found == pytest.approx((np.sqrt(20 * 40),) * 2)


def test_a_fall_of_the_score_is_pooled():
    (found,) = cross([-2, 1, -1, 2])  # the two middle budgets share the score 0
    assert found == pytest.approx((20, 20))


def test_open_ends():
    assert cross([1, 2, 3, 4]) == [(0, pytest.approx(10))]
    assert cross([-4, -3, -2, -1]) == [(pytest.approx(80), np.inf)]
    assert cross([np.nan] * 4) == []


def test_a_run_without_a_score_is_left_out():
    assert cross([[-3, -1, 1, 3], [np.nan, -1, 1, np.nan]]) == cross([-3, -1, 1, 3])


def test_budgets_have_to_be_positive():
    with pytest.raises(ValueError, match="row 0: the budget is 0"):
        find_crossings([0], [1.0], ["a"], 0.0)


def test_scores_have_to_be_finite():
    with pytest.raises(ValueError, match="row 1: the score is inf: cut it to a finite one"):
        find_crossings([1, 2], [0.5, np.inf], ["a", "a"], 0.0)


def test_the_law_of_the_crossings_is_that_of_the_data():
    estimates = [fit_crossing(simulate_runs(seed, n_budgets=9)) for seed in range(30)]
    length = [fit.coefficient("length") for fit in estimates]

    assert np.mean([one.estimate for one in length]) == pytest.approx(EXPONENT, abs=0.06)
    assert np.mean([one.lower <= EXPONENT <= one.upper for one in length]) >= 0.85
    assert any(fit.n_censored for fit in estimates)
    assert estimates[0].method.startswith("crossing of the median score")
