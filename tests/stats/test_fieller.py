"""Ratios of two estimates: by hand, where the denominator may be zero, and their coverage."""

import numpy as np
import pytest
from scipy import stats

from nstar.stats import ratio_of_estimates

NAN, INF = np.nan, np.inf


def test_at_its_ends_numerator_and_multiple_of_the_denominator_just_differ():
    x, s_x, y, s_y, freedom = 5.0, 0.8, -2.0, 0.3, 7
    found = ratio_of_estimates(x, s_x, y, s_y, freedom, 0.9)
    t = stats.t.ppf(0.95, freedom)

    assert found.estimate == -2.5
    assert found.lower < -2.5 < found.upper
    for end in (found.lower, found.upper):
        assert abs(x - end * y) / np.hypot(s_x, end * s_y) == pytest.approx(t)


def test_a_known_denominator_scales_the_interval_of_the_numerator():
    found = ratio_of_estimates(6, 0.5, 2, 0, 10)
    margin = stats.t.ppf(0.975, 10) * 0.25
    assert (found.lower, found.upper) == pytest.approx((3 - margin, 3 + margin))
    assert found.reason == ""
    certain = ratio_of_estimates(6, 0, 2, 0)
    assert (certain.lower, certain.estimate, certain.upper) == (3, 3, 3)


def test_signs_and_scale_of_both_do_not_matter():
    one = ratio_of_estimates(5, 0.8, 2, 0.3, 7)
    assert ratio_of_estimates(-5, 0.8, -2, 0.3, 7) == one
    minus = ratio_of_estimates(-5, 0.8, 2, 0.3, 7)
    assert (minus.lower, minus.upper) == (-one.upper, -one.lower)
    small = ratio_of_estimates(5e-9, 0.8e-9, 2e-9, 0.3e-9, 7)
    assert (small.lower, small.upper) == pytest.approx((one.lower, one.upper))


@pytest.mark.parametrize("error", [0.52, 0.6, 5.0])
def test_a_denominator_that_may_be_zero_bounds_nothing(error):
    found = ratio_of_estimates(5, 0.1, 1, error)
    assert (found.estimate, found.lower, found.upper) == (5, -INF, INF)
    assert found.identified and "its interval holds 0" in found.reason


def test_the_interval_grows_without_a_jump_until_the_denominator_may_be_zero():
    critical = 1 / stats.norm.ppf(0.975)
    widths = [
        (found := ratio_of_estimates(5, 0.1, 1, critical * share)).upper - found.lower
        for share in (0.5, 0.9, 0.99, 0.9999)
    ]
    assert np.all(np.diff(widths) > 0) and widths[-1] > 1e4
    assert ratio_of_estimates(5, 0.1, 1, critical * 1.0001).upper == INF


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((NAN, NAN, 2, 1), "No estimate with a standard error of the numerator."),
        ((1, 1, 2, NAN), "of the denominator."),
        ((NAN, 1, NAN, 1), "of the numerator and the denominator."),
        ((1, 1, INF, 1), "of the denominator."),
        ((1, 1, 0, 0), "The denominator is 0."),
        ((1, 1, 0, 1), "The denominator is 0."),
    ],
)
def test_what_is_not_known_has_no_ratio(numbers, reason):
    found = ratio_of_estimates(*numbers)
    assert not found.identified and reason in found.reason
    assert np.isnan([found.estimate, found.lower, found.upper]).all()


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="denominator_se is -1"):
        ratio_of_estimates(1, 1, 1, -1)
    with pytest.raises(ValueError, match="degrees_of_freedom is 0"):
        ratio_of_estimates(1, 1, 1, 1, 0)
    with pytest.raises(ValueError, match="confidence is 2"):
        ratio_of_estimates(1, 1, 1, 1, confidence=2)


@pytest.mark.parametrize("denominator", [4.0, 1.0, 0.3])
def test_intervals_cover_whether_the_denominator_is_near_zero_or_not(denominator):
    """Means of 8 runs each, unequal in spread; the fewer degrees of freedom of the two."""
    generator = np.random.default_rng(4)
    size, n_studies, truth = 8, 2000, 3 * denominator
    above = truth + generator.normal(size=(n_studies, size))
    below = denominator + 0.7 * generator.normal(size=(n_studies, size))
    means = above.mean(axis=1), below.mean(axis=1)
    errors = (part.std(axis=1, ddof=1) / np.sqrt(size) for part in (above, below))
    found = [
        ratio_of_estimates(x, s_x, y, s_y, size - 1)
        for x, y, s_x, s_y in zip(*means, *errors, strict=True)
    ]
    covered = np.mean([one.lower <= 3 <= one.upper for one in found])
    assert covered > 0.935  # falls below it once in 1,000 at a coverage of 95 %
    n_open = sum(one.upper == INF for one in found)
    assert (n_open == 0) == (denominator == 4.0)
    if denominator == 4.0:
        assert covered < 0.985, "covered by being useless"
