"""Scaling fits: exact cases, invariance, censoring, and answers that are refusals."""

import numpy as np
import pytest
from passage_coverage import simulate_passages
from scipy import stats
from statistics_coverage import EXPONENT, LATTICE, MODULUS_EXPONENT, scaling_data, simulate_runs
from statsmodels.api import OLS, add_constant

from nstar.stats import fit_scaling
from nstar.stats.success_model import Optimum


def study(seed=0, **scenario):
    """Return the arguments of `fit_scaling` for a simulated study."""
    return scaling_data(simulate_runs(seed, **scenario))


def take_rows(data, rows):
    """Return a study with some of its rows, in the order given."""
    return {
        **{name: data[name][rows] for name in ("budget", "n_learnt", "n_runs", "curve")},
        "covariates": {name: values[rows] for name, values in data["covariates"].items()},
    }


def estimates_of(fit):
    return [coefficient.estimate for coefficient in fit.coefficients]


def ends_of(fit):
    return [(coefficient.lower, coefficient.upper) for coefficient in fit.coefficients]


# Estimates


def test_equally_well_known_curves_give_least_squares_with_its_interval():
    # Many runs on fine budgets: each curve's threshold is known alike, whatever the scatter tau.
    location = 1 + 1.8 * np.log(LATTICE) + np.array([0.4, -0.3, 0.1, -0.5, 0.3])
    log_budget = np.arange(-3, 12, 0.25)
    n_runs = 400
    share = 1 / (1 + np.exp(-(log_budget - location[:, None]) / 0.3))
    fit = fit_scaling(
        budget=np.tile(np.exp(log_budget), 5),
        n_learnt=np.round(n_runs * share).ravel(),
        n_runs=np.full(share.size, n_runs),
        curve=np.repeat(np.arange(5), len(log_budget)),
        covariates={"length": np.repeat(np.log(LATTICE), len(log_budget))},
    )
    reference = OLS(location, add_constant(np.log(LATTICE))).fit()

    assert estimates_of(fit) == pytest.approx(reference.params, abs=5e-3)
    assert np.array(ends_of(fit)) == pytest.approx(reference.conf_int(), abs=0.02)
    assert fit.degrees_of_freedom == reference.df_resid
    assert fit.run_scale == pytest.approx(0.3, rel=0.02)
    assert fit.lapse < 1e-3


def test_coefficients_and_scatter_are_found_on_many_curves():
    data = study(
        lengths=tuple(range(4, 44)), moduli=(2, 3, 5), curve_scale=0.4, lapse=0.1, n_budgets=14
    )
    fit = fit_scaling(**data)

    assert fit.coefficient("length").estimate == pytest.approx(EXPONENT, abs=0.15)
    assert fit.coefficient("modulus").estimate == pytest.approx(MODULUS_EXPONENT, abs=0.3)
    assert fit.curve_scale == pytest.approx(0.4, rel=0.2)
    assert fit.run_scale == pytest.approx(0.25, rel=0.2)
    assert fit.lapse == pytest.approx(0.1, abs=0.03)


def test_the_intercept_is_the_demand_where_covariates_vanish():
    data = study()
    fit = fit_scaling(**{**data, "covariates": {}})

    shifted = {**data, "budget": data["budget"] * 100}
    move = estimates_of(fit_scaling(**{**shifted, "covariates": {}}))[0] - estimates_of(fit)[0]
    assert move == pytest.approx(np.log(100), abs=1e-3)


def test_diagnostics_describe_the_fit():
    data = study(1, n_budgets=8)
    fit = fit_scaling(**data, confidence=0.9)

    assert [c.name for c in fit.coefficients] == ["intercept", "length"]
    assert (fit.converged, fit.identified, fit.reason) == (True, True, "")
    assert (fit.n_starts, fit.n_starts_agreeing) == (3, 3)
    assert (fit.n_used, fit.n_curves, fit.confidence) == (200, 5, 0.9)
    assert fit.n_bracketed + fit.n_left_censored + fit.n_right_censored == fit.n_curves
    assert fit.n_right_censored == 2 == fit.n_censored
    assert fit.degrees_of_freedom == fit.n_bracketed - 2
    length = fit.coefficient("length")
    margin = stats.t.ppf(0.95, fit.degrees_of_freedom) * length.standard_error
    assert (length.lower, length.upper) == pytest.approx(
        (length.estimate - margin, length.estimate + margin)
    )
    assert length.standard_error == pytest.approx(np.sqrt(fit.covariance[1][1]))
    assert fit.n_parameters == 5
    assert fit.aic == pytest.approx(10 - 2 * fit.log_likelihood)
    assert fit.bic == pytest.approx(5 * np.log(5) - 2 * fit.log_likelihood)


def test_sharp_transitions_are_quantised_and_their_interval_not_too_narrow():
    sharp, mixed = (fit_scaling(**study(4, run_scale=scale)) for scale in (0.02, 0.3))

    assert (sharp.quantised, mixed.quantised) == (True, False)
    # Nothing but the budgets limits what is known: a step of ln 2 over a range of ln 16.
    width = sharp.coefficient("length").upper - sharp.coefficient("length").lower
    assert 0.2 < width < 1.0


def test_tied_counts_do_not_make_an_exponent_exact():
    # The same counts on every curve: residuals vanish, what is known of each curve does not.
    fit = fit_scaling(
        budget=np.tile([25, 50, 100, 200], 5),
        n_learnt=np.tile([0, 1, 4, 5], 5),
        n_runs=np.full(20, 5),
        curve=np.repeat(LATTICE, 4),
        covariates={"length": np.log(np.repeat(LATTICE, 4))},
    )
    length = fit.coefficient("length")

    assert fit.dispersion < 1e-6
    assert not fit.quantised
    assert length.estimate == pytest.approx(0, abs=1e-6)
    # Five curves, each known to about 0.18, over ln 4 to ln 64: half of a normal interval.
    normal = 2 * 1.96 * 0.18 / np.sqrt(((np.log(LATTICE) - np.log(16)) ** 2).sum())
    assert 0.5 * normal < length.upper - length.lower < normal


def test_a_curve_that_may_have_lapsed_or_missed_does_not_blow_the_interval_up():
    """Above gaps between budgets 4 of 5 are a near miss or a lapse: the likelihood is flat there."""
    budgets = [2, 4, 16, 32, 128, 256, 1024, 2048]
    learnt = {
        4: [0, 0, 3, 5, 5, 5, 5, 5],
        8: [0, 0, 0, 5, 5, 5, 5, 5],
        16: [0, 0, 0, 1, 5, 5, 5, 5],
        32: [0, 0, 0, 0, 4, 5, 5, 5],
        64: [0, 0, 0, 0, 4, 5, 5, 5],
    }
    length = np.repeat(list(learnt), 8)
    fit = fit_scaling(
        np.tile(budgets, 5),
        np.concatenate(list(learnt.values())),
        np.full(40, 5),
        length,
        {"length": np.log(length)},
    )
    alpha = fit.coefficient("length")
    assert fit.dispersion == pytest.approx(0.38, abs=0.02)  # a mean of ratios is 12.8
    assert (alpha.upper - alpha.lower) / 2 == pytest.approx(0.20, abs=0.01)  # and gives 1.15


def test_a_curve_that_only_lapses_brackets_nothing():
    data = study(5)
    first = data["curve"] == 0
    lapsed = {**data, "n_learnt": np.where(first, data["n_runs"], data["n_learnt"])}
    lapsed["n_learnt"][np.flatnonzero(first)[-1]] -= 1
    fit, without = fit_scaling(**lapsed), fit_scaling(**take_rows(data, ~first))

    assert (fit.n_bracketed, fit.n_left_censored) == (4, 1)
    assert fit.degrees_of_freedom == without.degrees_of_freedom == 2
    everywhere = {**data, "n_learnt": data["n_runs"] - (data["budget"] == data["budget"].max())}
    assert fit_scaling(**everywhere).reason.startswith("Only 0 of 5 curves")


def test_a_failure_far_above_the_threshold_is_a_lapse():
    data = study(5)
    top = (data["curve"] == 0) & (data["budget"] == data["budget"].max())
    failed = {**data, "n_learnt": np.where(top, data["n_learnt"] - 2, data["n_learnt"])}
    before, after = fit_scaling(**data), fit_scaling(**failed)

    assert after.lapse > 2 * before.lapse
    assert estimates_of(after) == pytest.approx(estimates_of(before), abs=0.1)


def test_scatter_that_grows_with_the_length_is_found():
    data = study(7, lengths=tuple(range(4, 64, 2)), noise_growth=0.6, n_budgets=16, n_seeds=10)
    growing = {"length": data["covariates"]["length"]}
    plain, fit = fit_scaling(**data), fit_scaling(**data, scale_covariates=growing)
    (slope,) = fit.run_scale_slopes

    assert slope.lower < 0.6 < slope.upper
    assert slope.lower > 0.3
    assert fit.n_parameters == plain.n_parameters + 1
    assert fit.aic < plain.aic - 10
    assert fit.run_scale == pytest.approx(
        0.25 * np.exp(0.6 * np.log(np.arange(4, 64, 2) / 4).mean()), rel=0.15
    )
    assert plain.run_scale_slopes == ()


def test_scatter_that_does_not_grow_has_a_slope_around_zero():
    data = study(8, lengths=tuple(range(4, 24)))
    fit = fit_scaling(**data, scale_covariates={"length": data["covariates"]["length"]})
    (slope,) = fit.run_scale_slopes

    assert slope.lower < 0 < slope.upper
    assert estimates_of(fit) == pytest.approx(estimates_of(fit_scaling(**data)), abs=0.05)


# Invariance


def test_row_order_and_labels_do_not_matter():
    data = study(3, n_budgets=9)
    order = np.random.default_rng(3).permutation(len(data["budget"]))
    shuffled = take_rows(data, order)
    named = {**shuffled, "curve": [("lstm", f"curve {c}") for c in shuffled["curve"]]}
    one, two = fit_scaling(**data), fit_scaling(**named)

    assert estimates_of(two) == pytest.approx(estimates_of(one), abs=1e-5)
    assert np.array(ends_of(two)) == pytest.approx(np.array(ends_of(one)), abs=1e-4)


def test_runs_may_stand_in_one_row_or_in_several():
    data = study(3)
    halves = take_rows(data, np.repeat(np.arange(len(data["budget"])), 2))
    learnt, runs = halves["n_learnt"].copy(), halves["n_runs"].copy()
    learnt[::2], runs[::2] = np.minimum(learnt[::2], 2), 2
    learnt[1::2], runs[1::2] = halves["n_learnt"][1::2] - learnt[::2], runs[1::2] - 2
    split = {**halves, "n_learnt": np.minimum(learnt, runs), "n_runs": runs}

    assert split["n_learnt"].sum() == data["n_learnt"].sum()
    assert estimates_of(fit_scaling(**split)) == pytest.approx(
        estimates_of(fit_scaling(**data)), abs=1e-4
    )


def test_looking_at_the_same_runs_more_often_makes_no_number_surer():
    widths = {}
    for every in (2, 20):
        data, _ = simulate_passages(0, curve_scale=0.3, evaluate_every=every)
        widths[every] = np.ptp(ends_of(fit_scaling(**data))[1])
    assert widths[2] == pytest.approx(widths[20], rel=0.05)


def test_runs_seen_at_several_budgets_are_counted_once_in_any_order():
    data, _ = simulate_passages(0, max_steps=60)
    fit = fit_scaling(**data)
    assert (fit.n_used, fit.n_curves) == (25, 5)
    order = np.random.default_rng(0).permutation(len(data["budget"]))
    again = fit_scaling(**take_rows(data, order), run=data["run"][order])
    assert estimates_of(again) == pytest.approx(estimates_of(fit), abs=1e-6)


def test_rows_without_runs_say_nothing():
    data = study(3)
    empty = {name: np.append(data[name], 0) for name in ("n_learnt", "n_runs", "curve")}
    empty["budget"] = np.append(data["budget"], data["budget"].max())
    empty["covariates"] = {"length": np.append(data["covariates"]["length"], np.log(LATTICE[0]))}

    assert estimates_of(fit_scaling(**empty)) == pytest.approx(
        estimates_of(fit_scaling(**data)), abs=1e-5
    )


# Refusals that are answers


def test_too_few_bracketed_curves_are_not_identified():
    data = study(5, moduli=(2, 3))
    data["n_learnt"] = np.where(data["curve"] >= 3, 0, data["n_learnt"])
    fit = fit_scaling(**data)

    assert (fit.identified, fit.converged) == (False, False)
    assert fit.reason.startswith("modulus has one value, 0.6931, in the 3 of 10 curves")
    assert np.isnan([(c.estimate, c.standard_error, c.lower) for c in fit.coefficients]).all()
    assert np.isnan([fit.run_scale, fit.curve_scale, fit.log_likelihood, fit.aic]).all()
    assert (fit.n_bracketed, fit.n_right_censored) == (3, 7)

    without = fit_scaling(**take_rows(data, (data["curve"] < 2) | (data["curve"] > 8)))
    assert without.reason.startswith("Only 2 of 3 curves") or "one value" in without.reason


def test_two_curves_cannot_carry_an_exponent_and_its_error():
    data = study(5)
    fit = fit_scaling(**take_rows(data, data["curve"] < 2))

    assert fit.reason == (
        "Only 2 of 2 curves have N* inside their budgets, and 2 coefficients need at least 3 such "
        "curves."
    )


def test_proportional_covariates_are_not_identified():
    data = study(5)
    data["covariates"]["area"] = 2 * data["covariates"]["length"]

    assert "(rank 2)" in fit_scaling(**data).reason


def test_nearly_proportional_covariates_are_not_identified():
    """They would be told apart, by the rank, with coefficients of -+2e5."""
    data = study(5)
    noise = np.array([0.3, -1.1, 0.4, 0.9, -0.6])[data["curve"]]
    length = data["covariates"]["length"]
    data["covariates"]["area"] = area = length + 1e-6 * noise
    reason = fit_scaling(**data).reason
    assert reason.startswith("length and area are nearly collinear in the 5 curves")
    number = float(reason.split("the condition number is ")[1].split(",")[0])
    # Of two covariates it follows from their correlation, here the same at every budget.
    distance = area - area.mean() - np.polyval(np.polyfit(length, area - area.mean(), 1), length)
    assert number == pytest.approx(2 * length.std() / distance.std(), rel=0.1)


def test_missing_numbers_are_left_out_and_counted():
    data = study(5)
    data["budget"] = data["budget"].copy()
    data["budget"][0] = np.nan
    data["covariates"] = {
        "length": np.where(data["curve"] == 4, np.nan, data["covariates"]["length"])
    }
    fit = fit_scaling(**data)

    assert fit.n_missing == 1 + 12
    assert fit.n_curves == 4
    assert fit.identified


@pytest.mark.parametrize(("score_norm", "n_agreeing"), [(0.5, 3), (1e-6, 1)])
def test_fit_that_did_not_converge_has_estimates_without_intervals(
    monkeypatch, score_norm, n_agreeing
):
    params = np.array([3.0, 1.8, -1.0, -1.0, -3.0])
    optimum = Optimum(params, score_norm, n_starts=3, n_starts_agreeing=n_agreeing)
    monkeypatch.setattr("nstar.stats.scaling.find_optimum", lambda model: optimum)
    fit = fit_scaling(**study(6))

    assert (fit.identified, fit.converged) == (True, False)
    assert f"{n_agreeing} of 3 ascents" in fit.reason
    length = fit.coefficient("length")
    assert np.isfinite(length.estimate)
    assert np.isnan([length.standard_error, length.lower, length.upper]).all()


# Wrong input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": [1, 2, -3, 4]}, "row 2: the budget is -3: it must be positive"),
        ({"budget": [0, 2, 3, 4]}, "row 0: the budget is 0: it must be positive"),
        ({"budget": [1, 2, 3, np.inf]}, "row 3: the budget is inf: .* finite"),
        ({"n_learnt": [0, 6, 1, 1]}, "row 1: 6 of 5 runs learnt"),
        ({"n_learnt": [0, -1, 1, 1]}, "row 1: -1 of 5 runs learnt"),
        ({"n_learnt": [0, 0.5, 1, 1]}, "row 1: 0.5 of 5 runs learnt: counts are whole numbers"),
        ({"n_runs": [5, 5]}, r"budget has shape \(4,\) and n_runs has shape \(2,\)"),
        ({"covariates": {"length": [1, np.inf, 2, 3]}}, "row 1: covariate 'length' is inf"),
        ({"covariates": {"length": [1, 2]}}, r"length has shape \(2,\)"),
        ({"covariates": {"intercept": [1, 2, 3, 4]}}, "that name is taken"),
        ({"curve": ["a", "a", "b", "b"]}, "'length' varies within curve 'a'"),
        ({"curve": ["a", "b"]}, "curve has 2 labels: one for each of the 4 rows"),
        ({"curve": ["a", None, "b", "c"]}, "label of row 1 is missing"),
        ({"confidence": 95}, "confidence is 95: it must lie between 0 and 1"),
        ({"scale_covariates": {"length": [1, np.inf, 2, 3]}}, r"'length \(of ln s\)' is inf"),
    ],
)
def test_wrong_input_names_the_row_and_the_value(changes, message):
    data = {
        "budget": [1, 2, 3, 4],
        "n_learnt": [0, 1, 2, 3],
        "n_runs": [5, 5, 5, 5],
        "curve": ["a", "b", "c", "d"],
        "covariates": {"length": [1, 2, 3, 4]},
    }
    with pytest.raises(ValueError, match=message):
        fit_scaling(**{**data, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_runs": [1, 2, 1]}, "run 'one' has n_runs 2 in a row: it must be 1"),
        ({"budget": [5, 5, 6]}, "run 'one' has two outcomes at one curve and budget"),
        ({"run": ["one", None, "two"]}, "the run label of row 1 is missing"),
    ],
)
def test_wrong_runs_are_refused_with_the_row(changes, message):
    data = {
        "budget": [5, 6, 6],
        "n_learnt": [0, 1, 0],
        "n_runs": [1, 1, 1],
        "curve": ["a", "a", "a"],
        "covariates": {},
        "run": ["one", "one", "two"],
    }
    with pytest.raises(ValueError, match=message):
        fit_scaling(**{**data, **changes})
