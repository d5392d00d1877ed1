"""Differences between models: by hand, and three ways that have to agree."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statistics_coverage import LATTICE, scaling_data, simulate_runs
from statsmodels.stats.multitest import multipletests

from nstar.stats import (
    Coefficient,
    adjust_by_holm,
    compare_coefficients,
    compare_in_joint_fit,
    compare_pairs,
    fit_demand,
    fit_jointly,
    fit_scaling,
)


def fit_with(estimate, standard_error, degrees_of_freedom):
    """Return a fit that holds one given coefficient."""
    coefficient = Coefficient("length", estimate, standard_error, np.nan, np.nan)
    fit = fit_scaling([], [], [], [], {})
    return replace(fit, coefficients=(coefficient,), degrees_of_freedom=degrees_of_freedom)


def two_models(seed, exponents=(1.83, 1.0), **scenario):
    """Return the outcomes of two models with given exponents."""
    return [
        scaling_data(simulate_runs(2 * seed + k, exponent=exponent, **scenario))
        for k, exponent in enumerate(exponents)
    ]


def joined(studies, names=("transformer", "lstm")):
    """Return the arguments of `fit_jointly` for several studies."""
    parts = [
        pd.DataFrame({**{k: v for k, v in data.items() if k != "covariates"}, **data["covariates"]})
        .assign(group=name)
        .assign(curve=lambda rows, name=name: [f"{name} {c}" for c in rows["curve"]])
        for name, data in zip(names, studies, strict=True)
    ]
    rows = pd.concat(parts, ignore_index=True)
    return {
        **{name: rows[name] for name in ("budget", "n_learnt", "n_runs", "curve", "group")},
        "covariates": {"length": rows["length"]},
    }


def test_p_values_are_adjusted_as_by_statsmodels():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 10, 40):
        for p_values in (rng.random(n), rng.random(n) ** 8, rng.integers(0, 4, n) / 4):
            expected = multipletests(p_values, method="holm")[1]
            assert adjust_by_holm(p_values).tolist() == expected.tolist()


def test_difference_by_hand():
    difference = compare_coefficients(
        fit_with(2.0, 0.3, 4), fit_with(1.5, 0.4, 9), "length", confidence=0.9
    )

    # Welch-Satterthwaite: 0.25^2 / (0.09^2 / 4 + 0.16^2 / 9) = 12.8351...
    degrees_of_freedom = 0.0625 / (0.0081 / 4 + 0.0256 / 9)
    assert difference.estimate == pytest.approx(0.5)
    assert difference.standard_error == pytest.approx(0.5)
    assert difference.degrees_of_freedom == pytest.approx(degrees_of_freedom)
    margin = 0.5 * stats.t.ppf(0.95, degrees_of_freedom)
    assert (difference.lower, difference.upper) == pytest.approx((0.5 - margin, 0.5 + margin))
    assert difference.p_value == pytest.approx(2 * stats.t.sf(1.0, degrees_of_freedom))
    assert (difference.identified, difference.reason) == (True, "")


def test_difference_changes_sign_with_the_order():
    one, two = fit_with(2.0, 0.3, 4), fit_with(1.5, 0.4, 9)
    forth = compare_coefficients(one, two, "length")
    back = compare_coefficients(two, one, "length")

    assert (back.estimate, back.lower, back.p_value) == pytest.approx(
        (-forth.estimate, -forth.upper, forth.p_value)
    )


def test_difference_with_an_unidentified_fit_is_not_identified():
    unidentified = fit_scaling([], [], [], [], {"length": []})
    difference = compare_coefficients(fit_with(2.0, 0.3, 4), unidentified, "length")

    assert not difference.identified
    assert difference.reason.startswith(
        "The second fit has no interval for length: There is no run"
    )
    assert np.isnan([difference.estimate, difference.lower, difference.p_value]).all()


def test_difference_of_an_unknown_coefficient_lists_the_known_ones():
    fit = fit_with(2.0, 0.3, 4)
    with pytest.raises(KeyError, match="no coefficient is called 'depth'; there are: length"):
        compare_coefficients(fit, fit, "depth")


def test_a_joint_fit_holds_the_differences_of_separate_fits():
    studies = two_models(1, lengths=tuple(range(4, 40)))
    separate = [fit_scaling(**data) for data in studies]
    joint = fit_jointly(**joined(studies))
    fit = joint.fit

    assert joint.groups == ("transformer", "lstm")
    assert [c.name for c in fit.coefficients] == ["intercept", "length", "lstm", "length:lstm"]
    one = compare_coefficients(*separate, "length")
    two = compare_in_joint_fit(joint, "transformer", "lstm", "length")
    assert two.estimate == pytest.approx(-fit.coefficient("length:lstm").estimate)
    assert two.estimate == pytest.approx(one.estimate, abs=0.02)
    assert two.standard_error == pytest.approx(one.standard_error, rel=0.1)
    assert two.degrees_of_freedom == fit.degrees_of_freedom == 2 * 36 - 4
    back = compare_in_joint_fit(joint, "lstm", "transformer", "length")
    assert (back.estimate, back.upper) == pytest.approx((-two.estimate, -two.lower))


def test_a_joint_fit_of_three_groups_compares_any_two():
    studies = two_models(2, exponents=(1.8, 1.0, 0.4))
    joint = fit_jointly(**joined(studies, names=("a", "b", "c")))
    differences = {
        pair: compare_in_joint_fit(joint, *pair, "length").estimate
        for pair in (("a", "b"), ("b", "c"), ("a", "c"))
    }
    assert differences["a", "b"] + differences["b", "c"] == pytest.approx(differences["a", "c"])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (("a", "typo", "length"), "no group is called 'typo'; there are: a, b"),
        (("a", "b", "typo"), "no covariate is called 'typo'; there are: length"),
    ],
)
def test_a_joint_fit_knows_its_groups_and_covariates(wanted, message):
    joint = fit_jointly(**joined(two_models(2), names=("a", "b")))
    with pytest.raises(KeyError, match=message):
        compare_in_joint_fit(joint, *wanted)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (["a", "b"], "group has 2 labels: one for each of the 4 rows"),
        (["a", None, "b", "b"], "the group label of row 1 is missing"),
        (["a", "a", "length", "length"], "a group is called 'length', as a covariate is"),
    ],
)
def test_wrong_groups_are_named(group, message):
    rows = {"budget": [1, 2, 3, 4], "n_learnt": [0, 1, 2, 3], "n_runs": [5] * 4}
    with pytest.raises(ValueError, match=message):
        fit_jointly(**rows, curve=list("abcd"), covariates={"length": [1, 2, 3, 4]}, group=group)


def test_pairs_cancel_what_the_curves_of_a_place_share():
    covariates = {"length": np.log(LATTICE)}
    shared = np.array([3.0, -2.0, 5.0, 1.0, -4.0])
    own = 0.01 * np.array([1, -1, 0, 1, -1])
    first, second = np.exp(shared + 1.5 * covariates["length"] + own), np.exp(shared)
    difference = compare_pairs(first, second, covariates, "length")

    assert difference.estimate == pytest.approx(1.5, abs=0.01)
    assert difference.upper - difference.lower < 0.05
    assert difference.degrees_of_freedom == 3


def test_pairs_with_a_censored_curve_are_left_out_and_counted():
    covariates = {"length": np.log(LATTICE)}
    first = np.array([10, 20, 41, 79, np.nan])
    difference = compare_pairs(first, np.full(5, 3.0), covariates, "length")

    assert (difference.n_used, difference.n_censored) == (4, 1)
    assert difference.estimate == pytest.approx(1.0, abs=0.05)
    too_few = compare_pairs(np.where(first > 30, np.nan, first), first, covariates, "length")
    assert not too_few.identified
    assert too_few.reason.startswith("2 rows are too few")


def test_all_three_ways_agree_on_a_simulated_study():
    studies = two_models(3, curve_scale=0.15)
    fits = [fit_scaling(**data) for data in studies]
    outcomes = ("budget", "n_learnt", "n_runs", "curve")
    demands = [[d.estimate for d in fit_demand(*(data[k] for k in outcomes))] for data in studies]
    found = [
        compare_coefficients(*fits, "length"),
        compare_in_joint_fit(fit_jointly(**joined(studies)), "transformer", "lstm", "length"),
        compare_pairs(*demands, {"length": np.log(LATTICE)}, "length"),
    ]
    for one in found:
        assert one.lower < 0.83 < one.upper
        for two in found:
            assert one.lower < two.estimate < one.upper
