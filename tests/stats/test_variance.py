"""Variance components against other computations, and against simulations with known components."""

import itertools

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from nstar.stats import divide_variance
from nstar.stats.variance import large_sample_interval

FACTORS = ("data", "initialisation", "order")
SETS = [s for size in (1, 2, 3) for s in itertools.combinations(FACTORS, size)]
NAMES = [" x ".join(s) if len(s) < 3 else "residual" for s in SETS]


def factorial(n_curves, levels):
    """Return curve and level of each factor of every value of complete curves."""
    places = itertools.product(range(n_curves), *(range(levels[name]) for name in FACTORS))
    return pd.DataFrame(places, columns=["curve", *FACTORS])


def draw(table, variances, generator):
    """Return values with a mean for each curve and normal effects of known variances."""
    value = table["curve"].to_numpy(dtype=float)
    for chosen, variance in zip(SETS, variances, strict=True):
        codes = table.groupby(["curve", *chosen]).ngroup().to_numpy()
        value += np.sqrt(variance) * generator.standard_normal(codes.max() + 1)[codes]
    return value


def divide(table, value, **options):
    return divide_variance(value, table["curve"], table[[*FACTORS]], **options)


LEVELS = {"data": 4, "initialisation": 3, "order": 2}


def test_mean_squares_are_those_of_statsmodels():
    table = factorial(3, LEVELS)
    value = draw(table, [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.2], np.random.default_rng(1))
    found = divide(table, value)
    assert [one.component for one in found] == NAMES
    totals = dict.fromkeys(NAMES, 0.0)
    for _, curve in table.assign(value=value).groupby("curve"):
        # the interaction of all three is what is left of the model without it
        model = ols("value ~ (C(data) + C(initialisation) + C(order)) ** 2", curve).fit()
        squares = anova_lm(model)["sum_sq"]
        squares.index = squares.index.str.replace(r"C\((\w+)\)", r"\1", regex=True)
        squares.index = squares.index.str.replace(":", " x ").str.lower()
        for name in NAMES:
            totals[name] += squares[name]
    for one in found:
        np.testing.assert_allclose(one.mean_square, totals[one.component] / one.degrees_of_freedom)


def test_expected_mean_squares_give_back_the_components():
    """Expectations of quadratic forms, tr(A Cov), with matrices that are made another way."""
    table, wanted = factorial(2, LEVELS), [0.5, 0.25, 0.0, 0.1, 0.05, 0.02, 0.3]
    covariance = np.zeros((len(table), len(table)))
    for chosen, variance in zip(SETS, wanted, strict=True):
        effects = pd.get_dummies(table.groupby(["curve", *chosen]).ngroup()).to_numpy(float)
        covariance += variance * effects @ effects.T
    # An estimate is y'Ay: its matrix follows from values at unit vectors and their sums.
    n, root = len(table), np.linalg.cholesky(covariance + 1e-12 * np.eye(len(table)))
    expected = np.zeros(len(SETS))
    for column in root.T:  # E y'Ay = tr(A L L') = sum of l'Al over the columns l of L
        expected += _estimates(table, column)
    np.testing.assert_allclose(expected, wanted, atol=1e-8)
    assert n == 48


def _estimates(table, value):
    """Return the estimates before they are cut at 0, from the mean squares that the result holds."""
    squares = {s: one.mean_square for s, one in zip(SETS, divide(table, value), strict=True)}
    estimates = []
    for chosen in SETS:
        n_behind = np.prod([LEVELS[name] for name in FACTORS if name not in chosen])
        above = [s for s in SETS if set(chosen) <= set(s)]
        signed = sum((-1) ** (len(s) - len(chosen)) * squares[s] for s in above)
        estimates.append(signed / n_behind)
    return np.array(estimates)


def test_variance_is_the_estimate_cut_at_zero_and_shares_sum_to_one():
    table = factorial(2, LEVELS)
    value = draw(table, [0.5, 0, 0, 0, 0, 0, 0.5], np.random.default_rng(3))
    found, raw = divide(table, value), _estimates(table, value)
    assert any(one.negative for one in found)
    for one, estimate in zip(found, raw, strict=True):
        assert one.negative == (estimate < 0)
        assert one.variance == pytest.approx(max(estimate, 0))
        assert one.lower <= one.variance <= one.upper or one.negative
    assert sum(one.share for one in found) == pytest.approx(1)


def test_a_curve_that_is_censored_somewhere_is_left_out_and_counted():
    table = factorial(3, LEVELS)
    value = draw(table, [0.3] * 7, np.random.default_rng(4))
    censored = np.where((table["curve"] == 1) & (table.index % 7 == 0), np.nan, value)
    kept = table["curve"] != 1
    for one, alone in zip(divide(table, censored), divide(table[kept], value[kept]), strict=True):
        assert (one.n_curves, one.n_left_out) == (2, 1)
        assert (one.variance, one.upper) == (alone.variance, alone.upper)


def test_streams_with_one_seed_are_passed_over():
    table = factorial(3, {"data": 3, "initialisation": 1, "order": 2})
    value = draw(table, [0.3] * 7, np.random.default_rng(5))
    assert [one.component for one in divide(table, value)] == ["data", "order", "residual"]
    only = factorial(3, {"data": 3, "initialisation": 1, "order": 1})
    (one,) = divide(only, draw(only, [0.3] * 7, np.random.default_rng(5)))
    assert one.component == "data" and one.share == 1
    none = factorial(3, dict.fromkeys(FACTORS, 1))
    assert divide(none, np.zeros(3)) == ()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (np.zeros(48), "not resolved"),
        (np.full(48, np.nan), "No curve has a value for every combination."),
    ],
)
def test_without_differences_or_curves_there_is_a_reason(value, reason):
    for one in divide(factorial(2, LEVELS), value):
        assert reason in one.reason
        assert np.isnan([one.lower, one.upper, one.share]).all()


def test_incomplete_curves_are_refused():
    table = factorial(2, LEVELS)
    with pytest.raises(ValueError, match="1 curves have not each of the 24 combinations"):
        divide(table.iloc[1:], np.zeros(47))
    twice = pd.concat([table.iloc[:1], table.iloc[:-1]])
    with pytest.raises(ValueError, match="complete curves are needed"):
        divide(twice, np.zeros(48))


def test_the_interval_of_one_mean_square_is_that_of_chi_square():
    from scipy import stats

    lower, upper = large_sample_interval(np.array([2.0]), np.array([5]), 0.9)
    assert lower == pytest.approx(5 * 2 / stats.chi2.ppf(0.95, 5))
    assert upper == pytest.approx(5 * 2 / stats.chi2.ppf(0.05, 5))


def test_intervals_cover_known_components():
    """Of the data; `benchmarks/variance_coverage.py` has more scenarios, and all components."""
    generator, n_studies = np.random.default_rng(6), 100
    table = factorial(3, LEVELS)
    covered = 0
    for _ in range(n_studies):
        value = draw(table, [0.3, 0.15, 0.05, 0.05, 0.02, 0.0, 0.1], generator)
        data = divide(table, value)[0]
        covered += data.lower <= 0.3 <= data.upper
    assert covered / n_studies >= 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / n_studies)
