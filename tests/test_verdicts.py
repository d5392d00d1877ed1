"""Verdicts on curves written by hand, and against a loop that follows one run at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nstar.verdicts import (
    LEARNT,
    NOT_FITTED,
    NOT_GENERALISED,
    QUANTITIES,
    SETS,
    Rule,
    verdicts,
)

EVERY = 10


def rule(**changes):
    default = {
        "measure": "sequence_accuracy",
        "threshold": 0.9,
        "fitted_measure": "sequence_accuracy",
        "fitted_threshold": 0.9,
        "max_steps": 1000,
    }
    return Rule(**{**default, **changes})


def numbers(quantity=("sequence_accuracy", "mean"), **curves):
    """Return the evidence of one run in which the sets have the curves given, and 0 elsewhere."""
    n = max(map(len, curves.values()))
    found = np.zeros((1, n, len(SETS), len(QUANTITIES)), np.float32)
    for name, curve in curves.items():
        found[0, :, SETS.index(name), QUANTITIES.index(quantity)] = curve
    return found


def judge(evidence, **changes):
    """Return the verdict on one run, as a dict of plain numbers."""
    found = verdicts(evidence, np.array([evidence.shape[1]]), EVERY, rule(**changes))
    return {name: values[0].item() for name, values in vars(found).items()}


def test_a_pass_counts_where_the_confirmation_set_passes_too():
    curves = numbers(validation=[0.5, 0.95, 0.92, 1.0], confirmation=[1.0, 0.8, 0.9, 1.0])
    confirmed = judge(curves)
    assert (confirmed["outcome"], confirmed["learnt_at"], confirmed["end"]) == (LEARNT, 2, 2)
    assert confirmed["n_confirmations"] == 2
    alone = judge(curves, confirm=False)
    assert (alone["learnt_at"], alone["end"], alone["n_confirmations"]) == (1, 1, 0)


def test_a_run_that_goes_on_after_success_has_learnt_where_it_first_passed():
    curves = numbers(validation=[0.95, 0.5, 1.0, 0.5], confirmation=[1.0] * 4)
    found = judge(curves, stop_on_success=False, max_steps=40)
    assert (found["learnt_at"], found["end"], found["best_at"]) == (0, 3, 2)
    assert found["ended"] and found["outcome"] == LEARNT and found["n_confirmations"] == 2


@pytest.mark.parametrize(("last", "outcome"), [(0.95, LEARNT), (0.5, NOT_GENERALISED)])
def test_the_final_evaluation_alone_decides_where_the_rule_says_so(last, outcome):
    curves = numbers(train=[1, 1], validation=[1.0, last], confirmation=[1, 1])
    found = judge(curves, at="final", stop_on_success=False, max_steps=20)
    assert found["outcome"] == outcome
    assert found["learnt_at"] == (1 if outcome == LEARNT else -1)


@pytest.mark.parametrize("over", ["mean", "every_length", "every_position"])
def test_the_rule_reads_the_quantity_it_names(over):
    curves = numbers(("token_accuracy", over), validation=[0.95], confirmation=[0.95], train=[0.95])
    for asked in ("mean", "every_length", "every_position"):
        found = judge(curves, measure="token_accuracy", fitted_measure="token_accuracy", over=asked)
        assert (found["outcome"] == LEARNT) == (asked == over)
        assert (found["fitted_at"] == 0) == (asked == over)


def test_a_loss_passes_from_above():
    curves = numbers(("loss", "mean"), validation=[0.2, 0.1], confirmation=[0, 0], train=[0.2, 0.1])
    found = judge(
        curves, measure="loss", fitted_measure="loss", threshold=0.1, fitted_threshold=0.1
    )
    assert (found["learnt_at"], found["fitted_at"], found["best_at"]) == (1, 1, 1)


def test_forty_five_of_fifty_are_nine_tenths():
    assert judge(numbers(validation=[45 / 50], confirmation=[45 / 50]))["outcome"] == LEARNT
    assert judge(numbers(validation=[44 / 50], confirmation=[1]))["outcome"] != LEARNT


@pytest.mark.parametrize(
    ("train", "end"),
    [
        ([1, 1, 1, 1, 1, 1], 3),  # the best is at 1, and two evaluations pass without a better one
        ([0, 0, 0, 1, 1, 1], 4),  # waiting starts where the training set is fitted
        ([0, 0, 0, 0, 0, 0], None),
    ],
)
def test_patience_counts_from_the_best_or_from_the_fit(train, end):
    curves = numbers(train=train, validation=[0.3, 0.5, 0.4, 0.5, 0.2, 0.1])
    found = judge(curves, patience=2)
    assert found["ended"] == (end is not None)
    assert found["end"] == (5 if end is None else end)
    assert found["outcome"] == (NOT_FITTED if end is None else NOT_GENERALISED)


def test_one_evaluation_of_weights_that_fit_is_a_fit():
    found = judge(numbers(train=[0, 0.95, 0.1]), max_steps=30)
    assert (found["outcome"], found["fitted_at"], found["end"]) == (NOT_GENERALISED, 1, 2)


def test_a_row_of_nan_ends_the_run():
    curves = numbers(train=[0.5, 0.5, 1.0], validation=[0.5, 0.5, 1.0], confirmation=[1, 1, 1])
    curves[0, 1] = np.nan
    found = judge(curves)
    assert found["diverged"] and found["ended"]
    assert (found["end"], found["outcome"], found["best_at"]) == (1, NOT_FITTED, 0)


def test_a_run_short_of_steps_has_not_ended():
    found = judge(numbers(train=[1, 1]))
    assert not found["ended"] and found["end"] == 1 and found["outcome"] == NOT_GENERALISED


def test_a_run_without_an_evaluation_has_not_ended():
    empty = np.zeros((2, 0, len(SETS), len(QUANTITIES)), np.float32)
    found = verdicts(empty, np.zeros(2, int), EVERY, rule(patience=1))
    assert not found.ended.any() and (found.end == -1).all() and (found.learnt_at == -1).all()


def test_other_forms_of_a_rule():
    own = rule(over="every_position", measure="token_accuracy", fitted_measure="token_accuracy")
    assert (own.published().over, own.published().confirm) == ("mean", False)
    assert own.strict() == own
    assert rule(confirm=False).strict() == rule(over="every_length")
    assert Rule(**own.as_dict()) == own


def test_only_what_can_end_a_run_is_in_its_ending():
    assert rule(stop_on_success=False).ending() == {"max_steps": 1000}
    assert rule(stop_on_success=False, threshold=0.5, patience=3).ending() == {
        "max_steps": 1000,
        "measure": "sequence_accuracy",
        "over": "mean",
        "fitted_measure": "sequence_accuracy",
        "fitted_threshold": 0.9,
        "patience": 3,
    }
    assert rule().ending().keys() == {"max_steps", "measure", "over", "threshold", "confirm"}


def test_a_sequence_has_no_position():
    with pytest.raises(ValueError, match="no sequence_accuracy over every_position"):
        rule(over="every_position")


def judged_step_by_step(evidence, chosen):
    """Follow one run, evaluation by evaluation; return outcome, end, learnt, fitted, looks, ended."""
    sign = -1 if chosen.measure == "loss" else 1

    def passes(value, measure, threshold):
        value, threshold = float(value), float(np.float32(threshold))
        return value <= threshold if measure == "loss" else value >= threshold

    def success(value):
        return passes(value, chosen.measure, chosen.threshold)

    success_column = QUANTITIES.index((chosen.measure, chosen.over))
    fitted_column = QUANTITIES.index((chosen.fitted_measure, chosen.over))
    learnt = fitted = -1
    best, waited, looks, ended = -np.inf, 0, 0, False
    for e, row in enumerate(evidence):
        train, validation, confirmation = row
        if fitted < 0 and passes(
            train[fitted_column], chosen.fitted_measure, chosen.fitted_threshold
        ):
            fitted = e
        own = success(validation[success_column])
        looks += own and chosen.confirm
        passed = own and (not chosen.confirm or success(confirmation[success_column]))
        if chosen.at == "final":
            learnt = e if passed else -1
        elif passed and learnt < 0:
            learnt = e
        gain = sign * validation[success_column]
        waited = 0 if gain > best or fitted < 0 else waited + 1
        best = max(best, gain) if not np.isnan(gain) else best
        if (
            np.isnan(validation[0])
            or EVERY * (e + 1) >= chosen.max_steps
            or (passed and chosen.stop_on_success)
            or (chosen.patience is not None and waited >= chosen.patience)
        ):
            ended = True
            break
    outcome = LEARNT if learnt >= 0 else NOT_GENERALISED if fitted >= 0 else NOT_FITTED
    return outcome, e, learnt, fitted, looks, ended


@st.composite
def cases(draw):
    """Draw evidence of some runs, how many evaluations of each are known, and a rule."""
    n_runs, n = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (n_runs, n, len(SETS), len(QUANTITIES))
    evidence = generator.integers(0, 5, shape).astype(np.float32) / 4
    evidence[generator.random((n_runs, n)) < 0.03] = np.nan
    measure, over = draw(st.sampled_from(QUANTITIES))
    others = [one for one, its_over in QUANTITIES if its_over == over]
    chosen = Rule(
        measure=measure,
        threshold=draw(st.sampled_from([0.25, 0.5, 0.75, 1.0])),
        fitted_measure=draw(st.sampled_from(others)),
        fitted_threshold=draw(st.sampled_from([0.25, 0.75, 1.0])),
        max_steps=EVERY * draw(st.integers(1, 15)),
        over=over,
        at=draw(st.sampled_from(["best", "final"])),
        confirm=draw(st.booleans()),
        patience=draw(st.none() | st.integers(1, 5)),
        stop_on_success=draw(st.booleans()),
    )
    return evidence, generator.integers(1, n + 1, n_runs), chosen


@given(cases())
@settings(max_examples=500, deadline=None)
def test_verdicts_are_those_of_a_loop(case):
    evidence, n_known, chosen = case
    found = verdicts(evidence, n_known, EVERY, chosen)
    for r, n in enumerate(n_known):
        expected = judged_step_by_step(evidence[r, :n], chosen)
        names = ("outcome", "end", "learnt_at", "fitted_at", "n_confirmations", "ended")
        assert tuple(getattr(found, name)[r] for name in names) == expected


@given(cases())
@settings(max_examples=200, deadline=None)
def test_a_longer_prefix_changes_no_verdict_that_has_ended(case):
    evidence, n_known, chosen = case
    short = verdicts(evidence, n_known, EVERY, chosen)
    long = verdicts(evidence, np.full(len(evidence), evidence.shape[1]), EVERY, chosen)
    for name in vars(short):
        known, later = getattr(short, name)[short.ended], getattr(long, name)[short.ended]
        np.testing.assert_array_equal(known, later)
