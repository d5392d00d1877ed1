"""Learning curves: parameters found, ends known, and curves that budgets do not show."""

import numpy as np
import pytest

from nstar.stats import fit_learning_curve

BUDGETS = np.geomspace(4, 4096, 11)


def errors(exponent=1.5, floor=0.05, chance=0.8, midpoint=128.0, seeds=5, noise=0.01, seed=0):
    """Return budget, error and seed of runs about a known curve, noise in proportion to the error."""
    budget = np.tile(BUDGETS, seeds)
    error = floor + (chance - floor) / (1 + (budget / midpoint) ** exponent)
    noise = noise * np.random.default_rng(seed).normal(size=len(budget))
    error = np.clip(error * (1 + noise), 0, 1)
    return budget, error, np.repeat(np.arange(seeds), len(BUDGETS))


@pytest.mark.parametrize("variance", ["binomial", "relative"])
def test_the_parameters_are_found(variance):
    curve = fit_learning_curve(*errors(), chance=0.8, variance=variance)

    assert curve.identified and curve.converged and curve.reason == ""
    assert curve.coefficient("log_midpoint").estimate == pytest.approx(np.log(128), abs=0.03)
    assert curve.coefficient("exponent").estimate == pytest.approx(1.5, abs=0.03)
    assert curve.coefficient("floor").estimate == pytest.approx(0.05, abs=0.002)
    exponent = curve.coefficient("exponent")
    assert exponent.lower < 1.5 < exponent.upper < exponent.lower + 0.2
    assert variance in curve.method
    assert (curve.n_used, curve.n_budgets, curve.n_seeds) == (55, 11, 5)


@pytest.mark.parametrize("variance", ["binomial", "relative"])
def test_the_exponent_is_the_slope_of_the_logarithms_far_above_the_midpoint(variance):
    curve = fit_learning_curve(*errors(floor=0.0, noise=0.0), chance=0.8, variance=variance)
    far = np.log(curve.predict([1e6, 1e7]))

    assert (far[0] - far[1]) / np.log(10) == pytest.approx(1.5, abs=0.01)


def test_the_interval_of_the_exponent_is_that_of_the_jackknife_by_hand():
    """Seeds that deviate as a whole: the jackknife is the wider of the two intervals."""
    budget, error, seed = errors(floor=0.0, noise=0.0)
    error = error * (budget / 128) ** (0.1 * (seed - 2))
    curve = fit_learning_curve(budget, error, seed, 0.8, "relative").coefficient("exponent")
    left_out = np.array(
        [
            np.log(
                fit_learning_curve(
                    budget[seed != one], error[seed != one], seed[seed != one], 0.8, "relative"
                )
                .coefficient("exponent")
                .estimate
            )
            for one in range(5)
        ]
    )
    error_of_log = np.sqrt(4 / 5 * ((left_out - left_out.mean()) ** 2).sum())
    ends = np.log([curve.lower, curve.upper])

    assert np.diff(ends) / 2 == pytest.approx(2.776 * error_of_log, rel=1e-2)  # t(4)
    assert ends.mean() == pytest.approx(np.log(curve.estimate), abs=1e-6)


def test_rows_that_scatter_more_than_seeds_decide_the_interval():
    """Two seeds that happen to agree: the jackknife alone would say that the exponent is known."""
    budget, error, seed = errors(seeds=1, noise=0.2)
    budget, error, seed = np.tile(budget, 2), np.tile(error, 2), np.repeat([0, 1], len(budget))
    curve = fit_learning_curve(budget, error, seed, 0.8, "relative").coefficient("exponent")

    assert curve.upper - curve.lower > 0.1


def test_predictions_run_from_chance_to_the_floor():
    curve = fit_learning_curve(*errors(), chance=0.8, variance="relative")
    found = curve.predict([1e-6, 128, 1e9])

    assert found == pytest.approx([0.8, (0.8 + 0.05) / 2, 0.05], abs=0.01)
    assert curve.holdout_error < 0.02


def test_a_floor_of_zero_counts_as_known():
    curve = fit_learning_curve(*errors(floor=0.0, noise=0.0), chance=0.8, variance="binomial")

    assert curve.floor_at_zero
    floor = curve.coefficient("floor")
    assert (floor.estimate, floor.standard_error) == (0, 0)


def test_runs_that_learn_or_do_not_have_a_curve_of_their_mean():
    """Errors are 0.8 or 0: none of them lies on the curve."""
    budget, error, seed = errors(floor=0.0, noise=0.0, seeds=400)
    drawn = np.where(np.random.default_rng(0).random(len(error)) < error / 0.8, 0.8, 0.0)
    curve = fit_learning_curve(budget, drawn, seed % 20, chance=0.8, variance="binomial")

    assert curve.coefficient("exponent").estimate == pytest.approx(1.5, abs=0.1)


STEP = np.where(BUDGETS < 100, 0.8, 0.0)


@pytest.mark.parametrize("variance", ["binomial", "relative"])
@pytest.mark.parametrize(
    ("budget", "error", "reason"),
    [
        ([], [], "0 budgets are too few for the 3 parameters"),
        ([1, 2, 4], [0.8, 0.4, 0.1], "3 budgets are too few"),
        (BUDGETS, np.full(11, np.nan), "0 budgets are too few"),
        (BUDGETS, np.full(11, 0.8), "lies above the budgets"),
        (BUDGETS, errors(midpoint=1e6, seeds=1, noise=0)[1], "lies above the budgets"),
        (BUDGETS, np.full(11, 1e-3), "lies below the budgets"),
        (BUDGETS, STEP + 1e-3, "lies between two budgets"),
    ],
)
def test_a_fall_that_budgets_do_not_show_is_not_identified(budget, error, reason, variance):
    curve = fit_learning_curve(budget, error, [0] * len(budget), 0.8, variance)

    assert not curve.identified
    assert reason in curve.reason
    assert np.isnan([c.estimate for c in curve.coefficients]).all()
    assert np.isnan(curve.predict([10.0])).all()


def test_a_single_seed_has_an_estimate_and_no_interval():
    curve = fit_learning_curve(*errors(seeds=1), chance=0.8, variance="relative")

    assert curve.identified and curve.reason == "One seed has no interval."
    assert curve.coefficient("exponent").estimate == pytest.approx(1.5, abs=0.05)
    assert np.isnan(curve.coefficient("exponent").lower)


def test_a_curve_that_rests_on_one_seed_has_no_interval():
    """The other seed alone falls between two budgets."""
    budget, error, _ = errors(seeds=1, noise=0)
    budget, error = np.tile(budget, 2), np.concatenate([error, STEP + 1e-3])
    curve = fit_learning_curve(budget, error, np.repeat([0, 1], 11), 0.8, "relative")

    assert curve.identified and curve.reason == "The curve rests on one seed."
    assert np.isnan(curve.coefficient("exponent").upper)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": [0, 1]}, "row 0: the budget is 0"),
        ({"error": [0.5, 1.5]}, "row 1: the error is 1.5: it must be finite and lie in"),
        ({"error": [-0.5, 0.5], "variance": "relative"}, "row 0: the error is -0.5"),
        ({"chance": 1.5}, "chance is 1.5"),
        ({"chance": float("nan")}, "chance is nan"),
        ({"variance": "gamma"}, "variance is 'gamma'"),
        ({"error": [0.5]}, r"error has shape \(1,\)"),
        ({"seed": [1]}, "seed has 1 labels"),
    ],
)
def test_wrong_input_is_named(changes, message):
    rows = {"budget": [1, 2], "error": [0.5, 0.4], "seed": [0, 0]}
    with pytest.raises(ValueError, match=message):
        fit_learning_curve(**rows | {"chance": 0.8, "variance": "binomial"} | changes)
