"""The demand of single curves: its interval, its censoring, and how it depends on replicates."""

import warnings

import numpy as np
import pytest
from passage_coverage import simulate_passages
from statistics_coverage import assess_demand, scaling_data, simulate_runs

from nstar.stats import fit_demand

BUDGETS = [25, 50, 100, 200]


def demand_of(n_learnt, n_runs=5, budgets=BUDGETS, curve=None):
    """Return the demands of one or several curves of equal budgets."""
    n_learnt = np.atleast_2d(n_learnt)
    n_curves, n_budgets = n_learnt.shape
    return fit_demand(
        np.tile(budgets, n_curves),
        n_learnt.ravel(),
        np.broadcast_to(n_runs, n_learnt.shape).ravel(),
        np.repeat(np.arange(n_curves), n_budgets) if curve is None else curve,
    )


def study(seed, **scenario):
    data = scaling_data(simulate_runs(seed, **scenario))
    del data["covariates"]
    return data


def test_symmetric_outcomes_centre_on_the_middle():
    (demand,) = demand_of([[0, 10, 40, 50]], n_runs=50)

    assert demand.estimate == pytest.approx(np.sqrt(50 * 100), rel=0.02)
    assert demand.lower < demand.estimate < demand.upper
    assert demand.censoring == "interval"
    assert demand.n_used == 200


def test_many_runs_give_the_location_the_scale_and_the_lapse_rate():
    log_budget = np.arange(0, 8, 0.5)
    share = 0.9 / (1 + np.exp(-(log_budget - 4.0) / 0.4))
    (demand,) = demand_of(np.round(2000 * share), 2000, np.exp(log_budget))

    assert np.log(demand.estimate) == pytest.approx(4.0, abs=0.02)
    assert demand.run_scale == pytest.approx(0.4, rel=0.05)
    assert demand.lapse == pytest.approx(0.1, abs=0.01)
    # The error of a location from binomial data, by the Fisher information.
    slope = share * (1 - share / 0.9) / 0.4
    error = 1 / np.sqrt((2000 * slope**2 / (share * (1 - share))).sum())
    assert demand.log_error == pytest.approx(error, rel=0.03)


@pytest.mark.parametrize(
    ("n_learnt", "n_runs", "censoring", "open_below", "open_above"),
    [
        ([5, 5, 5, 5], 5, "left", True, False),
        ([0, 0, 0, 0], 5, "right", False, True),
        ([0, 0, 0, 0], 0, "unknown", True, True),
        ([0, 0, 5, 5], 5, "interval", False, False),
    ],
)
def test_censoring_opens_one_end(n_learnt, n_runs, censoring, open_below, open_above):
    (demand,) = demand_of([n_learnt], n_runs)

    assert demand.censoring == censoring
    assert (demand.lower == 0) == open_below
    assert np.isinf(demand.upper) == open_above
    assert np.isnan(demand.estimate) == (censoring != "interval")
    if censoring == "left":
        assert demand.upper < 50
    if censoring == "right":
        assert demand.lower > 100


def test_demand_of_any_run_falls_with_their_number():
    (demand,) = demand_of([[0, 10, 40, 50]], n_runs=50)
    falling = [demand.any_of(k).estimate for k in (1, 2, 5, 15)]

    assert falling == sorted(falling, reverse=True)
    for k in (2, 5, 15):
        found = demand.any_of(k)
        p = (1 - demand.lapse) / (1 + (found.estimate / demand.estimate) ** (-1 / demand.run_scale))
        assert 1 - (1 - p) ** k == pytest.approx(0.5)
        # s and the lapse rate are not known exactly: the interval grows with the shift.
        assert found.upper / found.estimate > demand.upper / demand.estimate
        assert found.estimate / found.lower > demand.estimate / demand.lower


def test_a_single_run_that_lapses_half_of_the_time_has_no_demand():
    (demand,) = demand_of([[0, 20, 22, 19, 21, 20, 20]], 50, [25, 50, 100, 200, 400, 800, 1600])

    assert demand.lapse > 0.5
    never = demand.any_of(1)
    assert (never.estimate, never.upper, never.censoring) == (np.inf, np.inf, "right")
    assert np.isfinite(demand.any_of(5).estimate)
    for wrong in (0, float("nan")):
        with pytest.raises(ValueError, match=f"n_replicates is {wrong}: at least one run"):
            demand.any_of(wrong)


def test_the_any_demand_predicts_the_smallest_budget_of_any_seed():
    # Budgets so dense that the smallest successful one hardly depends on the grid are not needed:
    # by definition, at this budget any of five runs learns half of the time.
    share = []
    for seed in range(40):
        runs = simulate_runs(seed, lengths=(4, 8, 16))
        for demand in fit_demand(**study(seed, lengths=(4, 8, 16))):
            location = runs[runs["curve"] == demand.curve]["log_demand"].iloc[0]
            eta = (np.log(demand.any_of(5).estimate) - location) / 0.25
            share.append(1 - (1 - 1 / (1 + np.exp(-eta))) ** 5)
    assert np.mean(share) == pytest.approx(0.5, abs=0.08)


def test_curves_share_the_shape_and_not_the_location():
    far = demand_of([[0, 1, 4, 5], [0, 0, 1, 4]])
    near = demand_of([[0, 1, 4, 5], [1, 4, 5, 5]])

    assert far[0].run_scale == far[1].run_scale
    assert far[0].estimate == pytest.approx(near[0].estimate, rel=0.05)
    assert far[1].estimate > 1.8 * far[0].estimate


def test_intervals_cover():
    *covered, total = np.sum([assess_demand(seed, {}) for seed in range(60)], axis=0)

    assert total == 300
    for n_covered in covered:  # of half of the runs, of any of 5, of any of 15; nominal 285
        assert 270 <= n_covered <= 297


def test_fine_budgets_over_a_shallow_curve_of_success():
    log_budget = np.arange(0, 2, 0.05)
    share = 1 / (1 + np.exp(-(log_budget - 1.0) / 0.8))
    (demand,) = demand_of(np.round(200 * share), 200, np.exp(log_budget))

    assert demand.censoring == "interval"
    # No budget is far enough above to tell the lapse rate: its penalty moves N* a little.
    assert np.log(demand.estimate) == pytest.approx(1.0, abs=0.15)
    assert demand.run_scale == pytest.approx(0.8, rel=0.3)


def test_the_search_for_the_shape_says_how_it_ended():
    (demand,) = demand_of([[0, 1, 4, 5]])

    assert demand.converged
    assert demand.score_norm < 1e-2
    assert (demand.n_starts, demand.n_starts_agreeing) == (3, 3)
    variances = np.diag(demand.shape_covariance)
    assert 0 < variances[0] < 1


def test_outcomes_that_do_not_bound_the_shape_give_no_demand():
    """One success in all: the shallower success is, the likelier; any N* then fits."""
    demands = fit_demand(
        [32, 65, 128, 256, 64, 256, 512, 128, 256],
        [0, 0, 0, 0, 0, 0, 1, 0, 0],
        [3, 3, 3, 3, 3, 3, 2, 3, 3],
        ["a", "a", "b", "b", "c", "c", "c", "d", "d"],
    )
    for demand in demands:
        assert not demand.converged
        assert (demand.lower, demand.upper, demand.censoring) == (0, np.inf, "unknown")
        assert np.isnan(demand.estimate) and np.isnan(demand.any_of(3).estimate)


def test_no_rows_are_no_demands():
    assert fit_demand([], [], [], []) == ()


@pytest.mark.parametrize(
    "rows",
    [
        [("a", 1, 0, 13), ("a", 8, 0, 3), ("b", 1, 5, 8), ("b", 8, 0, 0)],
        [("a", 1, 3, 9), ("a", 2, 0, 1)],
    ],
)
def test_success_that_does_not_grow_with_the_budget(rows):
    """The search stays within what floats hold, and estimates within their intervals."""
    curve, budget, n_learnt, n_runs = zip(*rows, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        demands = fit_demand(budget, n_learnt, n_runs, curve)
    for demand in demands:
        assert demand.run_scale < 20
        if demand.censoring == "interval":
            assert demand.lower <= demand.estimate <= demand.upper


def test_looking_at_the_same_runs_more_often_makes_no_demand_surer():
    def errors(every, **changes):
        data, _ = simulate_passages(0, evaluate_every=every)
        del data["covariates"]
        return np.array([demand.log_error for demand in fit_demand(**{**data, **changes})])

    assert errors(2) == pytest.approx(errors(20), rel=0.15)
    assert (errors(2, run=None) < 0.7 * errors(20)).all()  # each look taken for a run of its own


def test_runs_seen_at_several_budgets_are_counted_once():
    data, truth = simulate_passages(0, lengths=(4, 8), n_seeds=200)
    del data["covariates"]
    for demand, steps in zip(fit_demand(**data), truth, strict=True):
        assert demand.n_used == 200
        assert demand.lower < steps < demand.upper < 1.2 * demand.lower
        assert demand.run_scale == pytest.approx(0.25, rel=0.1)
