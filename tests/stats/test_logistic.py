"""Logistic regression: against statsmodels and by hand, its coverage, and separation."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chi2
from statsmodels.api import GLM, add_constant, families

from nstar.stats import fit_logistic


def simulate(seed, slope=-0.4, middle=16.0, n_seeds=4):
    """Return whether runs of lengths 4 to 30 learn."""
    n = np.repeat(np.arange(4.0, 31.0), n_seeds)
    return np.random.default_rng(seed).random(len(n)) < expit(slope * (n - middle)), n


def test_it_is_the_likelihood_of_statsmodels():
    learnt, n = simulate(0)
    other = np.random.default_rng(1).normal(size=len(n)) * 1000
    fit = fit_logistic(learnt, {"n": n, "other": other})
    design = add_constant(np.column_stack([n, other]))
    reference = GLM(learnt.astype(float), design, family=families.Binomial()).fit(tol=1e-12)

    found = np.array([[c.estimate, c.standard_error] for c in fit.coefficients]).T
    assert found[0] == pytest.approx(reference.params, rel=1e-5)
    assert found[1] == pytest.approx(reference.bse, rel=1e-5)
    assert fit.log_likelihood == pytest.approx(reference.llf)
    assert (fit.n_used, fit.n_successes, fit.n_missing) == (108, learnt.sum(), 0)
    assert fit.score_norm < 1e-6

    without = GLM(learnt.astype(float), design[:, [0, 1]], family=families.Binomial()).fit()
    assert fit.p_values[2] == pytest.approx(chi2.sf(2 * (reference.llf - without.llf), 1), rel=1e-4)


def test_ends_of_the_interval_lie_where_the_profile_of_statsmodels_has_fallen():
    learnt, n = simulate(2)
    fit = fit_logistic(learnt, {"n": n}, confidence=0.9)
    slope = fit.coefficient("n")
    for end in (slope.lower, slope.upper):
        held = GLM(learnt.astype(float), np.ones(len(n)), families.Binomial(), offset=end * n).fit()
        assert 2 * (fit.log_likelihood - held.llf) == pytest.approx(2.705543, rel=1e-4)
    assert slope.lower < slope.estimate < slope.upper < 0


def test_two_groups_by_hand():
    # 8 of 10 against 3 of 10: the slope is the log odds ratio, its variance the sum of 1 / counts.
    learnt = [1] * 8 + [0] * 2 + [1] * 3 + [0] * 7
    fit = fit_logistic(learnt, {"group": [0] * 10 + [1] * 10})

    assert fit.coefficient("intercept").estimate == pytest.approx(np.log(4), rel=1e-6)
    assert fit.coefficient("group").estimate == pytest.approx(np.log(3 / 7 / 4), rel=1e-6)
    by_hand = np.sqrt(1 / 8 + 1 / 2 + 1 / 3 + 1 / 7)
    assert fit.coefficient("group").standard_error == pytest.approx(by_hand, rel=1e-6)


def test_intervals_cover():
    intervals = []
    for seed in range(100):
        learnt, n = simulate(seed, slope=-0.3, n_seeds=2)
        intervals.append(fit_logistic(learnt, {"n": n}).coefficient("n"))
    covered = sum(one.lower <= -0.3 <= one.upper for one in intervals)
    assert 87 <= covered < 100  # below 87 once in 1,000 at a coverage of 95 %
    assert np.median([one.upper - one.lower for one in intervals]) < 0.5


def test_p_values_are_uniform_where_nothing_depends_on_n():
    n = np.repeat(np.arange(4.0, 14.0), 4)
    learnt = np.random.default_rng(3).random((60, len(n))) < 0.5
    p_values = np.array([fit_logistic(row, {"n": n}).p_values[1] for row in learnt])
    assert (p_values < 0.05).sum() <= 9  # more once in 1,000
    assert 0.38 < p_values.mean() < 0.62


@pytest.mark.parametrize(
    ("learnt", "n", "reason"),
    [
        ([], [], "There are no rows."),
        ([1], [4], "All 1 runs succeeded"),
        ([1, 1, 1], [4, 5, 6], "All 3 runs succeeded: what success depends on cannot be told."),
        ([0, 0, np.nan], [4, 5, 6], "None of 2 runs succeeded"),
        ([1, 0, 1], [4, 4, 4], "a covariate is constant"),
        ([1, 1, 0, 0], [4, 5, 6, 7], "The covariates split the runs"),
        ([0, 0, 1, 1], [4, 5, 6, 7], "The covariates split the runs"),
        ([1, 1, 1, 0, 0], [4, 5, 5, 5, 6], "but for ties at most"),
        ([1, 1, 0, 1], [4, 5, 6, 6], "but for ties at most"),
    ],
)
def test_what_has_no_maximum_is_not_identified(learnt, n, reason):
    fit = fit_logistic(learnt, {"n": n})

    assert not fit.identified
    assert reason in fit.reason
    numbers = [fit.log_likelihood, *fit.p_values]
    for one in fit.coefficients:
        numbers += [one.estimate, one.standard_error, one.lower, one.upper]
    assert np.isnan(numbers).all()


def test_two_covariates_may_split_what_neither_splits_alone():
    a, b = [0, 1, 2, 3, 4, 5], [1, 3, 2, 5, 3, 6]
    learnt = np.array(b) - np.array(a) > 0.5
    assert fit_logistic(learnt, {"a": a}).identified
    assert fit_logistic(learnt, {"b": b}).identified
    assert "split" in fit_logistic(learnt, {"a": a, "b": b}).reason


def test_one_run_out_of_order_suffices():
    fit = fit_logistic([1, 1, 0, 1, 0, 0], {"n": [4, 5, 6, 7, 8, 9]})
    slope = fit.coefficient("n")
    assert fit.identified and slope.lower < slope.estimate < 0
    assert np.isfinite([slope.lower, slope.upper]).all()


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="row 1: the success is 2: it must be 0 or 1"):
        fit_logistic([1, 2], {"n": [4, 5]})
    with pytest.raises(ValueError, match="called 'intercept'"):
        fit_logistic([1, 0], {"intercept": [4, 5]})
    with pytest.raises(ValueError, match="confidence is 1"):
        fit_logistic([1, 0], {"n": [4, 5]}, confidence=1)
