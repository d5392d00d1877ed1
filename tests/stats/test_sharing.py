"""The sharing factor: exact cases, and bounds on the right side where demands are censored."""

import numpy as np
import pytest

from nstar.stats import find_sharing_factor

NAN, INF = np.nan, np.inf


def test_a_memoriser_shares_nothing():
    # It needs all sequences of every length, alone or jointly (papers' exact check: kappa = 1).
    demand = 5.0 ** np.arange(2, 6)
    joint = demand.sum()
    found = find_sharing_factor(
        [2, 3, 4, 5], demand, demand / 1.1, demand * 1.1, (joint, joint / 1.1, joint * 1.1)
    )

    assert found.estimate == pytest.approx(1.0)
    assert found.lower < 1 < found.upper
    assert (found.kind, found.n_used, found.n_censored) == ("estimate", 4, 0)


def test_interval_by_hand():
    found = find_sharing_factor([2, 3], [30, 60], [27, 56], [34, 65], (40, 32, 50))

    below, above = 90 - np.hypot(3, 4), 90 + np.hypot(4, 5)
    low = np.hypot(np.log(90 / below), np.log(50 / 40))
    high = np.hypot(np.log(above / 90), np.log(40 / 32))
    assert found.estimate == pytest.approx(90 / 40)
    assert (found.lower, found.upper) == pytest.approx((2.25 * np.exp(-low), 2.25 * np.exp(high)))


def test_the_interval_covers():
    generator = np.random.default_rng(0)
    truth, error = np.log([20.0, 45, 80, 150]), 0.2
    covered = 0
    for _ in range(400):
        drawn = truth + error * generator.normal(size=4)
        low, high = np.exp(drawn - 1.96 * error), np.exp(drawn + 1.96 * error)
        log_joint = np.log(100) + error * generator.normal()
        joint = tuple(np.exp(log_joint + error * np.array([0, -1.96, 1.96])))
        found = find_sharing_factor([2, 3, 4, 5], np.exp(drawn), low, high, joint)
        covered += found.lower <= np.exp(truth).sum() / 100 <= found.upper
    assert 0.93 <= covered / 400 <= 0.98


@pytest.mark.parametrize(
    ("estimate", "lower", "upper", "joint", "kind", "ends"),
    [
        ([NAN, 60], [20, 59], [INF, 61], (40, 39, 41), "lower bound", (79 / 41, INF)),
        ([30, 60], [29, 59], [31, 61], (NAN, 100, INF), "upper bound", (0, None)),
        ([NAN, 60], [0, 59], [10, 61], (40, 39, 41), "interval", (59 / 41, 71 / 39)),
        ([30, 60], [29, 59], [31, 61], (NAN, 0, 8), "lower bound", (None, INF)),
        ([NAN, 60], [20, 59], [INF, 61], (NAN, 100, INF), "unknown", (0, INF)),
    ],
)
def test_censored_demands_leave_bounds(estimate, lower, upper, joint, kind, ends):
    found = find_sharing_factor([2, 3], estimate, lower, upper, joint)

    assert np.isnan(found.estimate)
    assert found.kind == kind
    for end, expected in zip((found.lower, found.upper), ends, strict=True):
        if expected is not None:
            assert end == pytest.approx(expected, rel=1e-9)
    assert found.n_censored == np.isnan([*estimate, joint[0]]).sum()
    assert "censored" in found.reason


def test_a_demand_known_by_two_bounds_only_is_interval_censored():
    found = find_sharing_factor([2, 3], [NAN, 60], [15, 50], [27, 70], (40, 30, 50))
    assert found.reason == "Length 2 is interval-censored."
    assert found.kind == "interval"


def test_a_bound_holds_whatever_the_censored_demand_is():
    bound = find_sharing_factor([2, 3], [NAN, 60], [20, 55], [INF, 66], (40, 36, 44))
    for demand in (21, 40, 1000):
        known = find_sharing_factor(
            [2, 3], [demand, 60], [demand - 1, 55], [demand + 1, 66], (40, 36, 44)
        )
        assert bound.lower < known.estimate


def test_short_lengths_may_be_left_out():
    found = find_sharing_factor(
        [2, 3, 4], [NAN, 60, 80], [16, 50, 70], [INF, 72, 91], (70, 60, 82), smallest_length=3
    )
    assert (found.kind, found.estimate, found.n_used) == ("estimate", 2.0, 2)
    assert find_sharing_factor([2], [9], [8], [10], (5, 4, 6), smallest_length=3).reason == (
        "No length is left."
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": [2, 2]}, "a length occurs twice"),
        ({"length": [2, NAN]}, "row 1: the length is missing"),
        ({"estimate": [0, 60], "lower": [0, 50]}, "row 0: the estimate is 0: it must be positive"),
        ({"lower": [-1, 50]}, r"row 0: the demand lies in \(-1, 35\]"),
        ({"estimate": [36, 60]}, "row 0: the estimate 36 is outside"),
        ({"upper": [INF, 70]}, "row 0: the estimate 30 has no upper end: give NaN"),
        ({"joint": (40, 50, 45)}, r"row 0: the demand lies in \(50, 45\]"),
        ({"upper": [35]}, r"upper has shape \(1,\)"),
    ],
)
def test_wrong_input_is_named(changes, message):
    demands = {
        "length": [2, 3],
        "estimate": [30, 60],
        "lower": [25, 50],
        "upper": [35, 70],
        "joint": (40, 30, 50),
    }
    with pytest.raises(ValueError, match=message):
        find_sharing_factor(**{**demands, **changes})
