"""When a replicate has learnt: at its best evaluation or at its last, and whether it goes on after."""

import numpy as np
import pytest
from support.packs import rules, run
from support.variants import VARIANTS

from nstar.outcomes import LEARNT

LSTM = VARIANTS["lstm"]
MEMBERS = [(0, 0.03), (1, 0.03), (2, 0.03), (0, 0.001), (1, 1e-9), (2, float("inf"))]
LIMITS = {"max_steps": 200, "success_threshold": 0.9}


@pytest.fixture(scope="module")
def by_rules():
    """Return packs of the same members: with an end at the first success, without, and judged last."""
    others = {
        "stops": {},
        "goes on": {"stop_on_success": False},
        "final": {"stop_on_success": False, "success_at": "final"},
    }
    return {
        name: run(LSTM, MEMBERS, rules(**LIMITS, **changes), budget=40)
        for name, changes in others.items()
    }


def test_an_end_at_the_first_success_changes_no_outcome(by_rules):
    stops, goes_on = by_rules["stops"], by_rules["goes on"]
    learnt = stops.outcome == LEARNT
    np.testing.assert_array_equal(goes_on.outcome == LEARNT, learnt)
    np.testing.assert_array_equal(goes_on.diverged, stops.diverged)
    assert 0 < learnt.sum() < len(MEMBERS)
    assert (stops.n_steps[learnt] < goes_on.n_steps[learnt]).any()
    assert (goes_on.n_steps[~stops.diverged] == 200).all()


def test_it_ends_at_the_evaluation_that_it_passes(by_rules):
    stops, goes_on = by_rules["stops"], by_rules["goes on"]
    accuracy = np.stack(goes_on.curves["validation_sequence_accuracy"])
    for r in np.flatnonzero(stops.outcome == LEARNT):
        assert stops.n_steps[r] == 10 * (np.argmax(accuracy[:, r] >= 0.9) + 1)


@pytest.mark.parametrize("last_is_best", [True, False])
def test_final_looks_at_the_last_evaluation_only(by_rules, last_is_best):
    """Runs that end at an evaluation of a longer one, and have to be as good as its best up to there."""
    accuracy = np.nan_to_num(np.stack(by_rules["goes on"].curves["validation_sequence_accuracy"]))
    best = np.maximum.accumulate(accuracy, axis=0)
    end, r = np.argwhere((best > 0.5) & ((accuracy == best) == last_is_best))[-1]
    limits = {
        "max_steps": 10 * (int(end) + 1),
        "success_threshold": best[end, r],
        "stop_on_success": False,
    }
    outcomes = {
        at: run(LSTM, [MEMBERS[r]], rules(**limits, success_at=at), budget=40).outcome[0]
        for at in ("best", "final")
    }
    assert outcomes["best"] == LEARNT
    assert (outcomes["final"] == LEARNT) == last_is_best


def test_final_and_best_see_the_same_run(by_rules):
    for name, curve in by_rules["final"].curves.items():
        np.testing.assert_array_equal(curve, by_rules["goes on"].curves[name])
