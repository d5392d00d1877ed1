"""Joined parts, cut by the rule of a study."""

import numpy as np
import pytest
import xarray as xr
from support.parts import (
    EVERY,
    PAIRS,
    SIZES,
    WHOLE,
    name_of,
    rule_that_ends,
    weights_of,
    whole_of,
    write_part,
)

from nstar.errors import ArtifactError
from nstar.store.parts import read_parts
from nstar.store.view import outcomes_so_far, view
from nstar.verdicts import LEARNT, QUANTITIES, SETS, Rule, verdicts


@pytest.fixture
def whole(tmp_path):
    return whole_of(tmp_path)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_view_is_what_a_shorter_run_would_have_left(tmp_path, whole, n):
    """What lies behind the end of a run by the rule of the study changes nothing."""
    rule = rule_that_ends(EVERY * n)
    shorter = read_parts([write_part(name_of(tmp_path, 0), {pair: (0, n) for pair in PAIRS})])
    xr.testing.assert_equal(view(whole, rule), view(shorter, rule))
    assert (view(whole, rule)["n_steps"] == EVERY * n).all()


def test_a_view_says_what_the_evidence_says(whole):
    rule = rule_that_ends(40, threshold=0.5, confirm=False)
    cut = view(whole, rule)
    for row, pair in enumerate(PAIRS):
        shares = WHOLE[pair]["whole_right"][:4] / SIZES[:3]
        passed = np.flatnonzero(shares[:, 1] >= 0.5)
        end = passed[0] if len(passed) else 3
        assert cut["n_steps"][row] == EVERY * (end + 1)
        assert cut["learnt_at"][row] == (EVERY * (end + 1) if len(passed) else -1)
        assert (cut["outcome"][row] == LEARNT) == bool(len(passed))
        assert cut["published_outcome"][row] == cut["outcome"][row]
        np.testing.assert_array_equal(cut["parameters"][row], weights_of(pair, EVERY * (end + 1)))
        for i, name in enumerate(SETS):
            curve = cut[f"{name}_sequence_accuracy"].values[row]
            np.testing.assert_array_equal(curve[: end + 1], shares[: end + 1, i])
            assert np.isnan(curve[end + 1 :]).all()
            assert cut[f"{name}_right"][row] == WHOLE[pair]["whole_right"][end, i]
            assert cut[f"{name}_of"][row] == SIZES[i]
        assert (cut["test_right"][row], cut["test_of"][row]) == (end + 1, SIZES[3])
        assert cut["test_sequence_accuracy"][row] == (end + 1) / SIZES[3]


def test_a_run_that_another_form_of_the_rule_would_go_on_with_is_undecided(tmp_path):
    whole = read_parts([write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 6)})])
    accuracy = QUANTITIES.index(("sequence_accuracy", "mean"))
    numbers = whole["numbers"].values
    numbers[:] = 0.0
    numbers[0, 2, SETS.index("validation"), accuracy] = 1.0  # passes once, and is not confirmed
    cut = view(whole, rule_that_ends(60, threshold=0.9, confirm=False))
    assert (cut["n_steps"], cut["outcome"], cut["strict_outcome"]) == (30, LEARNT, -2)
    cut = view(whole, rule_that_ends(60, threshold=0.9, confirm=True))
    assert (cut["n_steps"], cut["outcome"]) == (60, 2)
    assert (cut["published_outcome"], cut["n_confirmations"]) == (LEARNT, 1)


@pytest.mark.parametrize(("at", "code"), [("best", LEARNT), ("final", -1)])
def test_a_pass_is_final_where_the_best_evaluation_decides(at, code):
    """A run of 60 steps goes on after its pass at 20; another one has fitted, the third has not."""
    numbers = np.zeros((3, 2, len(SETS), len(QUANTITIES)), dtype=np.float32)
    column = QUANTITIES.index(("sequence_accuracy", "mean"))
    numbers[0, :, :, column] = 1
    numbers[1, 0, 0, column] = 1
    names = ("measure", "fitted_measure")
    rule = Rule(
        **dict.fromkeys(names, "sequence_accuracy"),
        **dict.fromkeys(("threshold", "fitted_threshold"), 0.9),
        **{"max_steps": 60, "at": at, "stop_on_success": False},
    )
    judged = verdicts(numbers, np.array([2, 2, 2]), 20, rule)
    assert not judged.ended.any()
    assert outcomes_so_far(judged, rule).tolist() == [code, -1, -2]


def test_snapshots_are_kept_weights_before_the_end(whole):
    cut = view(whole, rule_that_ends(40), keep_every=10)
    assert cut["snapshot_step"].values.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(cut["snapshot_parameters"][0, 1], weights_of(PAIRS[0], 20))


def test_weights_that_are_wanted_and_not_kept_are_named(tmp_path):
    path = write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 3)}, kept=[(PAIRS[0], 30)])
    view(read_parts([path]), rule_that_ends(30))
    with pytest.raises(ArtifactError, match="no weights of replicate 0 at step 20"):
        view(read_parts([path]), rule_that_ends(20))
    with pytest.raises(ArtifactError, match="no weights of replicate 0 at step 10"):
        view(read_parts([path]), rule_that_ends(30), keep_every=10)
