"""Ratios of demands: by hand, the other way round, and bounds where a demand is censored."""

import numpy as np
import pytest

from nstar.stats import bracket_ratio, bracket_sharing_factor, find_ratio

NAN, INF = np.nan, np.inf


def test_interval_by_hand():
    found = find_ratio((80, 50, 110), (20, 16, 26))

    low = np.hypot(np.log(80 / 50), np.log(26 / 20))
    high = np.hypot(np.log(110 / 80), np.log(20 / 16))
    assert (found.kind, found.estimate) == ("estimate", 4)
    assert (found.lower, found.upper) == pytest.approx((4 * np.exp(-low), 4 * np.exp(high)))


@pytest.mark.parametrize("find", [find_ratio, bracket_ratio])
def test_the_other_way_round_is_the_reciprocal(find):
    one, two = (80, 50, 110), (20, 16, 26)
    there, back = find(one, two), find(two, one)

    assert (there.estimate, there.lower, there.upper) == pytest.approx(
        (1 / back.estimate, 1 / back.upper, 1 / back.lower)
    )


@pytest.mark.parametrize("find", [find_ratio, bracket_ratio])
@pytest.mark.parametrize(
    ("numerator", "denominator", "kind", "ends"),
    [
        ((NAN, 64, INF), (8, 4, 16), "lower bound", (4, INF)),
        ((8, 4, 16), (NAN, 64, INF), "upper bound", (0, 0.25)),
        ((NAN, 0, 4), (8, 4, 16), "upper bound", (0, 1)),
        ((8, 4, 16), (NAN, 0, 4), "lower bound", (1, INF)),
        ((NAN, 3, 6), (8, 4, 16), "interval", (3 / 16, 1.5)),
        ((NAN, 64, INF), (NAN, 64, INF), "unknown", (0, INF)),
        ((NAN, 0, INF), (8, 4, 16), "unknown", (0, INF)),
    ],
)
def test_censored_demands_leave_bounds(find, numerator, denominator, kind, ends):
    found = find(numerator, denominator)

    assert np.isnan(found.estimate)
    assert (found.kind, found.lower, found.upper) == (kind, *ends)


def test_brackets_bound_the_sharing_factor_whatever_the_demands_within_them():
    lower, upper, joint = np.array([8, 32, 16]), np.array([16, 64, 32]), (48.0, 24.0, 48.0)
    found = bracket_sharing_factor([2, 3, 4], upper, lower, upper, joint)

    assert (found.kind, found.n_used, found.n_censored) == ("estimate", 3, 0)
    assert (found.estimate, found.lower, found.upper) == (112 / 48, 56 / 48, 112 / 24)
    generator = np.random.default_rng(0)
    for _ in range(100):
        truth = lower + (upper - lower) * generator.random(3)
        kappa = truth.sum() / generator.uniform(24, 48)
        assert found.lower <= kappa <= found.upper


def test_a_censored_bracket_leaves_a_bound():
    found = bracket_sharing_factor([2, 3], [NAN, 64], [20, 32], [INF, 64], (40.0, 20.0, 40.0))

    assert (found.kind, found.lower, found.n_censored) == ("lower bound", 52 / 40, 1)
    assert found.reason == "Length 2 is right-censored."
