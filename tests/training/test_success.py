"""When a replicate has learnt: at its best evaluation or at its last, and whether it goes on after."""

import numpy as np
import pytest
from support.packs import curve, judged, rules, run
from support.variants import VARIANTS

from nstar.verdicts import LEARNT

LSTM = VARIANTS["lstm"]
MEMBERS = [(0, 0.03), (1, 0.03), (2, 0.03), (0, 0.001), (1, 1e-9), (2, float("inf"))]
LIMITS = {"max_steps": 200, "threshold": 0.9}


@pytest.fixture(scope="module")
def by_rules():
    """Return packs of the same members: with an end at the first success, without, and judged last."""
    others = {
        "stops": {},
        "goes on": {"stop_on_success": False},
        "final": {"stop_on_success": False, "at": "final"},
    }
    chosen = {name: rules(**LIMITS, **changes) for name, changes in others.items()}
    states = {name: run(LSTM, MEMBERS, rule, budget=40) for name, rule in chosen.items()}
    return {name: (state, judged(state, chosen[name])) for name, state in states.items()}


def test_an_end_at_the_first_success_changes_no_outcome(by_rules):
    (stops, of_stops), (goes_on, of_goes_on) = by_rules["stops"], by_rules["goes on"]
    learnt = of_stops.outcome == LEARNT
    np.testing.assert_array_equal(of_goes_on.outcome == LEARNT, learnt)
    np.testing.assert_array_equal(of_goes_on.learnt_at, of_stops.learnt_at)
    np.testing.assert_array_equal(of_goes_on.diverged, of_stops.diverged)
    assert 0 < learnt.sum() < len(MEMBERS)
    assert (stops.n_steps[learnt] < goes_on.n_steps[learnt]).any()
    assert (goes_on.n_steps[~of_stops.diverged] == 200).all()


def test_it_ends_at_the_evaluation_that_it_passes(by_rules):
    (stops, of_stops), (goes_on, _) = by_rules["stops"], by_rules["goes on"]
    accuracy = curve(goes_on, "validation", "sequence_accuracy")
    for r in np.flatnonzero(of_stops.outcome == LEARNT):
        assert stops.n_steps[r] == 10 * (np.argmax(accuracy[r] >= np.float32(0.9)) + 1)


@pytest.mark.parametrize("last_is_best", [True, False])
def test_final_looks_at_the_last_evaluation_only(by_rules, last_is_best):
    """Runs that end at an evaluation of a longer one, and have to be as good as its best up to there."""
    loss = np.nan_to_num(curve(by_rules["goes on"][0], "validation", "loss"), nan=np.inf)
    best = np.minimum.accumulate(loss, axis=1)
    r, end = np.argwhere(np.isfinite(loss) & ((loss == best) == last_is_best))[-1]
    limits = {
        "measure": "loss",
        "max_steps": 10 * (int(end) + 1),
        "threshold": float(best[r, end]),
        "stop_on_success": False,
    }
    outcomes = {}
    for at in ("best", "final"):
        chosen = rules(**limits, at=at)
        outcomes[at] = judged(run(LSTM, [MEMBERS[r]], chosen, budget=40), chosen).outcome[0]
    assert outcomes["best"] == LEARNT
    assert (outcomes["final"] == LEARNT) == last_is_best


def test_final_and_best_see_the_same_run(by_rules):
    numbers = [by_rules[name][0].evidence.numbers for name in ("final", "goes on")]
    np.testing.assert_array_equal(*numbers)
