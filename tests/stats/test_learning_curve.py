"""Learning curves: parameters found, ends known, and curves that budgets do not show."""

import numpy as np
import pytest

from nstar.stats import fit_learning_curve

BUDGETS = np.geomspace(4, 4096, 11)


def errors(midpoint=128.0, steepness=1.5, floor=0.05, chance=0.8, seeds=5, noise=0.01, seed=0):
    """Return budgets and noisy errors of a known curve."""
    budget = np.tile(BUDGETS, seeds)
    error = floor + (chance - floor) / (1 + (budget / midpoint) ** steepness)
    noise = noise * np.random.default_rng(seed).normal(size=len(budget))
    return budget, np.clip(error + noise * np.sqrt(error * (1 - error)), 0, 1)


def test_the_parameters_are_found():
    curve = fit_learning_curve(*errors(), chance=0.8)

    assert curve.identified
    assert curve.coefficient("log_midpoint").estimate == pytest.approx(np.log(128), abs=0.03)
    assert curve.coefficient("log_steepness").estimate == pytest.approx(np.log(1.5), abs=0.03)
    assert curve.coefficient("floor").estimate == pytest.approx(0.05, abs=0.01)
    assert curve.dispersion == pytest.approx(0.01**2, rel=0.4)
    assert curve.score_norm < 1e-2
    assert curve.n_starts_agreeing >= 2
    assert (curve.n_used, curve.degrees_of_freedom) == (55, 52)


def test_intervals_cover():
    covered = 0
    for seed in range(150):
        curve = fit_learning_curve(*errors(noise=0.1, seed=seed), chance=0.8)
        middle = curve.coefficient("log_midpoint")
        covered += middle.lower <= np.log(128) <= middle.upper
    assert 134 <= covered <= 150  # nominal 142.5; below 134 once in 500


def test_predictions_run_from_chance_to_the_floor():
    curve = fit_learning_curve(*errors(), chance=0.8)
    found = curve.predict([1e-6, 128, 1e9])

    assert found == pytest.approx([0.8, (0.8 + 0.05) / 2, 0.05], abs=0.01)
    assert curve.holdout_error < 0.02


def test_a_floor_of_zero_counts_as_known():
    curve = fit_learning_curve(*errors(floor=0.0, noise=0.0), chance=0.8)

    assert curve.floor_at_zero
    floor = curve.coefficient("floor")
    assert (floor.estimate, floor.standard_error) == (pytest.approx(0, abs=1e-6), 0)


@pytest.mark.parametrize(
    ("budget", "error", "reason"),
    [
        ([], [], "0 budgets are too few for the 3 parameters"),
        ([1, 2, 4], [0.8, 0.4, 0.1], "3 budgets are too few"),
        (BUDGETS, np.full(11, np.nan), "0 budgets are too few"),
        (BUDGETS, np.full(11, 0.8), "outside of the budgets"),
        (BUDGETS, errors(midpoint=1e6, seeds=1, noise=0)[1], "outside of the budgets"),
        (BUDGETS, errors(midpoint=0.01, seeds=1, noise=0)[1], "outside of the budgets"),
    ],
)
def test_a_fall_that_budgets_do_not_show_is_not_identified(budget, error, reason):
    curve = fit_learning_curve(budget, error, chance=0.8)

    assert not curve.identified
    assert reason in curve.reason
    assert np.isnan([c.estimate for c in curve.coefficients]).all()
    assert np.isnan(curve.predict([10.0])).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": [0, 1]}, "row 0: the budget is 0"),
        ({"error": [0.5, 1.5]}, "row 1: the error is 1.5: it must lie in"),
        ({"chance": 1.5}, "chance is 1.5"),
        ({"error": [0.5]}, r"error has shape \(1,\)"),
    ],
)
def test_wrong_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        fit_learning_curve(**{"budget": [1, 2], "error": [0.5, 0.4], "chance": 0.8} | changes)
