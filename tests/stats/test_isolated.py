"""The null of the sharing factor: by hand, against mixtures that are drawn, and its exact ends."""

import numpy as np
import pytest

from nstar.stats import find_isolated_sharing

NAN, INF = np.nan, np.inf
MANY = 1e9


def null(demands, available=None, order="uniform", shows_shorter=False):
    available = [MANY] * len(demands) if available is None else available
    return find_isolated_sharing(demands, demands, demands, available, order, shows_shorter)


@pytest.mark.parametrize(
    ("longest", "power", "expected"),
    [
        *((6, 0, 1.0), (8, 0, 1.0), (10, 0, 1.0)),
        *((6, 1, 0.83), (8, 1, 0.75), (10, 1, 0.70)),
        *((6, 2, 0.71), (8, 2, 0.59), (10, 2, 0.53)),
    ],
)
def test_aligned_demands_that_grow_with_a_power_of_the_length(longest, power, expected):
    """Position k needs k^power sequences, which (L - k + 1) / (L - 3) of lengths 4 to L reach."""
    demands = [100.0 * n**power for n in range(4, longest + 1)]
    assert null(demands, shows_shorter=True).null == pytest.approx(expected, abs=0.005)


def test_lengths_that_are_learnt_one_by_one():
    """A fifth of the sequences has each length: the dearest length sets the demand."""
    found = null([64.0, 128, 128, 128, 128])
    assert (found.null, found.joint) == (0.9, 640)
    assert null([10.0, 10, 10]).null == pytest.approx(1)


def test_a_short_length_that_runs_out_leaves_its_place_to_the_others():
    """Of 3 sequences of the first length nobody can have more: 40 of the others come with 3 of it."""
    found = null([3.0, 40, 40], [3, MANY, MANY])
    assert found.joint == pytest.approx(83)
    # 40 reach the last position when 40 of it are drawn, the middle one is then reached by 80.
    assert null([3.0, 80, 40], [3, MANY, MANY], shows_shorter=True).joint == pytest.approx(83)
    assert null([3.0, 90, 40], [3, MANY, MANY], shows_shorter=True).joint == pytest.approx(93)


def test_from_short_to_long_the_longest_comes_last():
    assert null([3.0, 4, 5], [9, 27, 81], "short_to_long").joint == 9 + 27 + 5
    assert null([3.0, 30, 1], [9, 27, 81], "short_to_long", True).joint == 9 + 30
    assert null([3.0, 4, 5], [9, 27, 81], "short_to_long", True).joint == 9 + 27 + 5
    # The first length is shown by all sequences.
    assert null([40.0, 1, 1], [9, 27, 81], "short_to_long", True).joint == 40


def drawn_mixture(available, n, seed):
    """Return lengths by number, each next one uniform among those with sequences left."""
    generator = np.random.default_rng(seed)
    left, order = list(available), []
    for _ in range(n):
        open_lengths = [i for i, count in enumerate(left) if count]
        order.append(generator.choice(open_lengths))
        left[order[-1]] -= 1
    return np.array(order)


@pytest.mark.parametrize("shows_shorter", [False, True])
def test_a_learner_that_shares_nothing_needs_what_the_null_says(shows_shorter):
    """Drawn mixtures in which lengths run out; the learner counts what it has seen of each length."""
    available, demands = [30, 200, 900], np.array([25.0, 120, 300])
    needed = []
    for seed in range(40):
        order = drawn_mixture(available, 1100, seed)
        kinds = np.arange(3)[:, None]
        seen = np.cumsum(order >= kinds if shows_shorter else order == kinds, axis=1)
        learnt = (seen >= demands[:, None]).all(axis=0)
        needed.append(np.flatnonzero(learnt)[0] + 1)
    found = null(demands, available, shows_shorter=shows_shorter)
    assert found.joint == pytest.approx(np.mean(needed), rel=0.03)
    assert found.null == pytest.approx(demands.sum() / np.mean(needed), rel=0.03)


@pytest.mark.parametrize("order", ["uniform", "short_to_long"])
@pytest.mark.parametrize("shows_shorter", [False, True])
def test_the_ends_are_the_least_and_the_greatest_that_the_demands_allow(order, shows_shorter):
    generator = np.random.default_rng(1)
    for number in range(5):
        available = np.sort(generator.integers(20, 400, 3)).astype(float)
        lower = available * generator.uniform(0.05, 0.5, 3)
        upper = lower * generator.uniform(1, 2, 3)
        middle = np.sqrt(lower * upper)
        found = find_isolated_sharing(middle, lower, upper, available, order, shows_shorter)
        grid = [np.linspace(*ends, 9) for ends in zip(lower, upper, strict=True)]
        values = [
            null(demands, available, order, shows_shorter)
            for demands in np.stack(np.meshgrid(*grid), -1).reshape(-1, 3)[
                :: 1 if number < 2 else 17
            ]
        ]
        kappas, joints = [v.null for v in values], [v.joint for v in values]
        assert found.null_lower <= min(kappas) + 1e-9 and max(kappas) <= found.null_upper + 1e-9
        assert found.joint_lower <= min(joints) + 1e-9 and max(joints) <= found.joint_upper + 1e-9
        if number < 2:  # the whole grid comes close to the ends
            assert found.null_lower == pytest.approx(min(kappas), rel=0.08)
            assert found.null_upper == pytest.approx(max(kappas), rel=0.08)


def test_brackets_of_equal_demands_keep_the_null_of_isolated_lengths_at_one():
    """Their sum is at most the sum of what the mixture shows, which is the joint demand itself."""
    found = find_isolated_sharing([64.0] * 5, [32.0] * 5, [64.0] * 5, [MANY] * 5, "uniform", False)
    assert found.null == found.null_upper == pytest.approx(1)
    assert found.null_lower == pytest.approx((4 * 32 + 64) / 320)


def test_a_censored_demand_leaves_the_ends():
    found = find_isolated_sharing([NAN, 60], [20, 50], [INF, 70], [90, 900], "uniform", False)
    assert np.isnan(found.null) and np.isnan(found.joint)
    assert 0 < found.null_lower < found.null_upper == pytest.approx(1)
    assert (found.joint_lower, found.joint_upper) == (100, 180)
    nothing = find_isolated_sharing([NAN] * 2, [0, 0], [INF] * 2, [90, 900], "uniform", False)
    assert 0 <= nothing.null_lower < nothing.null_upper <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lower": [-1, 50]}, r"row 0: the demand lies in \(-1, 35\]"),
        ({"estimate": [0, 50]}, "row 0: the estimate is 0: it must be positive"),
        ({"lower": [36, 50]}, r"row 0: the demand lies in \(36, 35\]"),
        ({"available": [9, 0]}, "row 1: 0 sequences are available"),
        ({"upper": [35]}, r"upper has shape \(1,\)"),
        ({"order": "fixed"}, "order is 'fixed': it must be uniform or short_to_long"),
    ],
)
def test_wrong_input_is_named(changes, message):
    given = {"estimate": [30, 60], "lower": [25, 50], "upper": [35, 70], "available": [99, 999]}
    with pytest.raises(ValueError, match=message):
        find_isolated_sharing(**{**given, "order": "uniform", "shows_shorter": False, **changes})
