"""Checks by the outcomes of seeds: brackets, drawn studies, and what a mark takes."""

import numpy as np
import pytest
from statistics_coverage import EXPONENT, simulate_runs

from nstar.stats import SeedChecks, SeedOutcomes, compare_shift, fit_intervals, fit_scaling


def outcomes(runs, **options):
    covariates = {"length": np.log(runs["length"].to_numpy(dtype=float))}
    columns = (runs[name].to_numpy() for name in ("budget", "learnt", "curve", "seed"))
    return SeedOutcomes(*columns, covariates, **options)


def fit_of(seen):
    obs = seen.observations
    covariates = {"length": seen.design[obs.curve, 1]}
    return fit_scaling(np.exp(obs.log_budget), obs.n_learnt, obs.n_runs, obs.curve, covariates)


def test_a_bracket_ends_at_the_first_success_of_a_seed():
    budget, learnt = np.tile([1, 2, 4], 4), np.array([0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    curve, seed = np.repeat(["a", "b"], 6), np.repeat([0, 1, 0, 1], 3)
    order = np.random.default_rng(0).permutation(12)  # the order of rows does not matter
    seen = SeedOutcomes(budget[order], learnt[order], curve[order], seed[order], {})
    lower, upper = np.exp(seen.brackets(seen.learnt))
    ends = set(zip(np.round(lower, 9), np.round(upper, 9), strict=True))
    assert ends == {(1, 2), (0, 1), (4, np.inf), (2, 4)}


def test_the_law_of_brackets_is_that_of_interval_regression():
    seen = outcomes(simulate_runs(0))
    lower, upper = seen.brackets(seen.learnt)
    length = seen.design[seen.curve[seen.first], 1]
    reference = fit_intervals(lower, upper, {"length": length})
    found = seen.fit_brackets(seen.learnt)
    expected = [one.estimate for one in reference.coefficients]
    assert found[:2] == pytest.approx(expected, abs=1e-3)
    assert np.exp(found[2]) == pytest.approx(reference.residual_scale, rel=1e-3)


@pytest.mark.parametrize("one_run", [False, True])
def test_drawn_studies_have_the_law_they_are_drawn_from(one_run):
    runs = simulate_runs(1)
    if one_run:
        runs["learnt"] = runs.groupby(["curve", "seed"])["learnt"].cummax()
    seen = outcomes(runs, one_run=one_run)
    obs = seen.observations
    fit = fit_scaling(
        np.exp(seen.log_budget),
        seen.learnt,
        np.ones(len(seen.learnt)),
        seen.curve,
        {"length": seen.design[seen.curve, 1]},
        run=seen.seed if one_run else None,
    )
    assert fit.n_curves == obs.n_curves
    checks = SeedChecks.of(fit, seen, np.random.default_rng(0), 40)
    estimates = np.array([pair[0, 1] for pair in checks.drawn if pair is not None])
    assert len(estimates) >= 38
    alpha = fit.coefficient("length")
    assert estimates.mean() == pytest.approx(alpha.estimate, abs=0.1)
    if not one_run:  # there a lapse is a whole bracket, which the normal law does not know
        assert np.nanstd(checks.drawn_shifts[:, 1]) < estimates.std()  # from the same outcomes
    assert abs(alpha.estimate - EXPONENT) < 0.3


def test_a_success_by_chance_far_below_marks_the_brackets():
    """At the longest length each seed learns once at a tiny budget, and not again until it should."""
    runs = simulate_runs(2)
    seen = outcomes(runs)
    clean = SeedChecks.of(fit_of(seen), seen, np.random.default_rng(0), 60)
    assert compare_shift(clean.shift[1], clean.drawn_shifts[:, 1])[1] > 0.01
    lucky = (runs["length"] == 64) & (runs["budget"] == runs["budget"].min())
    runs.loc[lucky, "learnt"] = True
    seen = outcomes(runs)
    odd = SeedChecks.of(fit_of(seen), seen, np.random.default_rng(0), 60)
    assert odd.shift[1] < -0.2
    assert compare_shift(odd.shift[1], odd.drawn_shifts[:, 1])[1] < 1e-3


def test_a_shift_needs_most_of_the_drawn_ones():
    drawn = np.random.default_rng(0).normal(0.1, 0.2, 100)
    error, p_value = compare_shift(0.1 + 2 * 0.2, drawn)
    assert error == pytest.approx(0.2, rel=0.15) and 0.01 < p_value < 0.1
    drawn[:11] = np.nan
    assert np.isnan(compare_shift(0.1, drawn)).all()
    assert np.isnan(compare_shift(np.nan, np.zeros(100))).all()
