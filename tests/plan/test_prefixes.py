"""What a change of the study makes of runs that are there: nothing, a refit, a replay, or more steps."""

import copy
import itertools
import shutil

import numpy as np
import pytest
from support.evidence import learns_at, make, trajectory
from support.studies import tiny

from nstar.cells import Block
from nstar.errors import ArtifactError
from nstar.plan.forecast import STATES, forecast
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.plan.prefixes import Prefix
from nstar.plan.work import Stretch
from nstar.reading.check import load_study
from nstar.store.evidence import pack
from nstar.verdicts import Rule

EVERY = 20
ONE = {
    "models": {"lstm": {"kind": "lstm", "width": 8}},
    "grid.0": {"lengths": [5], "budgets": [2, 4, 8, 16]},
    "replicates": {"seeds": [0], "learning_rates": [0.01]},
    "training.patience": 4,
    "training.max_steps": 200,
}
LONG = 40


def rising(*values):
    """Return a fitted run whose accuracies on both sets are the values, the last of them from then on."""
    values = np.array([*values, *[values[-1]] * (LONG - len(values))])
    return trajectory(LONG, train=1.0, validation=values, confirmation=values)


RUNS = {
    2: rising(0.5),  # no new best: patience ends it at its fifth evaluation
    4: rising(0.5, 0.85, 0.86, 0.92, 0.98),  # learns at 80
    8: learns_at(LONG, 3, confirmed_at=5),  # passes at 60, is confirmed at 100
    16: trajectory(LONG, validation=0.5, confirmation=0.5),  # never fitted, so that patience waits
}
"""Trajectories by budget."""


def run(cell, seed, rate):
    return RUNS[cell.budget]


def plan_of(results, **changes):
    return make_plan(load_study(tiny(**{**copy.deepcopy(ONE), **changes})), results)


def training_of(plan):
    """Return the budgets in each state of the forecast of the one curve, empty ones left out."""
    (curve,) = forecast(plan, plan_jobs(plan))["curves"]
    return {name: curve["training"][name] for name in STATES if curve["training"][name]}


ALL = [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, {"cached": ALL}),
        # 4 goes on from 80 to 100; 8 has .92 and goes on until max_steps
        ({"training.success.threshold": 0.97}, {"refit": [2, 16], "continue": [4, 8]}),
        # 4 has passed at 40, where nothing was kept
        ({"training.success.threshold": 0.8}, {"refit": [2, 8, 16], "replay": [4]}),
        ({"training.success.confirm": False}, {"refit": ALL}),
        ({"training.patience": 8}, {"refit": [4, 8, 16], "continue": [2]}),
        ({"training.patience": 2}, {"refit": [4, 8, 16], "replay": [2]}),
        ({"training.patience": None}, {"refit": [4, 8, 16], "continue": [2]}),
        ({"training.max_steps": 400}, {"refit": [2, 4, 8], "continue": [16]}),
        ({"training.max_steps": 100}, {"refit": [2, 4, 8], "replay": [16]}),
        ({"training.schedule": {"decay": "linear"}}, {"missing": ALL}),
        ({"training.snapshot_every": 40}, {"replay": ALL}),
        ({"models": {"renamed": {"kind": "lstm", "width": 8}}}, {"cached": ALL}),
        ({"models.lstm.weight_decay": 0.0}, {"cached": ALL}),  # what the optimiser has
        ({"models.lstm.weight_decay": 0.1}, {"missing": ALL}),
        ({"training.batch_size": 4}, {"cached": [2, 4], "missing": [8, 16]}),
        ({"training.fitted_examples": 4}, {"cached": [2, 4], "missing": [8, 16]}),
        ({"evaluation.test_examples": 7}, {"cached": ALL}),
        ({"replicates.seeds": [0, 1]}, {"partial": ALL}),
    ],
    ids=lambda part: "+".join(part) or "nothing",
)
def test_what_a_change_makes_of_finished_runs(changes, wanted, tmp_path):
    make(plan_of(tmp_path), run)
    plan = plan_of(tmp_path, **changes)
    assert training_of(plan) == wanted
    before = plan.cell_stores, plan.evaluation_stores
    make(plan, run)
    plan = plan_of(tmp_path, **changes)
    assert plan.finished and not plan.missing_data
    assert before == (plan.cell_stores, plan.evaluation_stores), "inputs of the tables"
    first = plan_of(tmp_path)
    assert first.finished and training_of(first).keys() <= {"cached", "refit"}


def test_a_stricter_form_of_a_rule_goes_on_where_the_laxer_one_ended(tmp_path):
    confirm = {"training.success.confirm": False}
    make(plan_of(tmp_path, **confirm), run)
    plan = plan_of(tmp_path)
    assert training_of(plan) == {"refit": [2, 4, 16], "continue": [8]}
    (work,) = plan.missing
    assert work.part == 1
    assert work.stretches == (Stretch(0, 0.01, start=60),)
    make(plan, run)
    assert plan_of(tmp_path).finished and plan_of(tmp_path, **confirm).finished


def test_a_study_reads_no_part_that_another_has_added(tmp_path):
    make(plan_of(tmp_path), run)
    before = plan_of(tmp_path)
    stricter = plan_of(tmp_path, **{"training.success.threshold": 0.97})
    make(stricter, run)
    after = plan_of(tmp_path)
    assert before.cells == after.cells
    assert before.cell_stores == after.cell_stores
    assert before.evaluation_stores == after.evaluation_stores
    assert set(stricter.cell_stores) > set(before.cell_stores)


@pytest.mark.parametrize("order", [*itertools.permutations([0.9, 0.97, 0.8])])
def test_outcomes_and_ends_are_those_of_a_study_alone_whatever_was_there(order, tmp_path):
    def read(plan):
        return [
            (state.cell, reading.replicates, reading.outcomes, reading.n_steps)
            for state in plan.cells
            for reading in state.finished
        ]

    for number, threshold in enumerate(order):
        changes = {"training.success.threshold": threshold}
        make(plan_of(tmp_path / "all", **changes), run)
        make(plan_of(tmp_path / str(number), **changes), run)
    for number, threshold in enumerate(order):
        changes = {"training.success.threshold": threshold}
        found = plan_of(tmp_path / "all", **changes)
        assert found.finished
        assert read(found) == read(plan_of(tmp_path / str(number), **changes))


def test_of_two_blocks_with_a_replicate_the_one_that_needs_least_is_read(tmp_path):
    """Two results folders that were made for other seeds, copied into one."""
    both = {"replicates.seeds": [0, 1]}
    strict = {"training.success.threshold": 0.97}
    make(plan_of(tmp_path / "both", **both), run)
    for changes in ({}, strict):
        make(plan_of(tmp_path / "one", **changes), run)
    shutil.copytree(tmp_path / "one", tmp_path / "both", dirs_exist_ok=True)
    plan = plan_of(tmp_path / "both", **both, **strict)
    works = {work.cell.budget: work.replicates for work in plan.missing}
    assert works == {4: [(1, 0.01)], 8: [(1, 0.01)]}
    make(plan, run)
    plan = plan_of(tmp_path / "both", **both, **strict)
    assert plan.finished
    read = {
        state.cell.budget: [(found.block.seeds, found.replicates) for found in state.finished]
        for state in plan.cells
    }
    split = [((0, 1), ((1, 0.01),)), ((0,), ((0, 0.01),))]
    whole = [((0, 1), ((0, 0.01), (1, 0.01)))]
    assert read == {2: whole, 4: split, 8: split, 16: whole}


def test_only_some_replicates_of_a_block_go_on(tmp_path):
    runs = {(0, 0.01): RUNS[4], (1, 0.01): learns_at(LONG, 2), (2, 0.01): RUNS[8]}
    changes = {"grid.0.budgets": [8], "replicates.seeds": [0, 1, 2]}

    def own(cell, seed, rate):
        return runs[seed, rate]

    make(plan_of(tmp_path, **changes), own)
    stricter = {**changes, "training.success.threshold": 0.97, "training.patience": None}
    plan = plan_of(tmp_path, **stricter)
    (work,) = plan.missing
    assert [(part.seed, part.start) for part in work.stretches] == [(0, 80), (1, 40), (2, 100)]
    laxer = plan_of(tmp_path, **changes, **{"training.success.threshold": 0.8})
    (work,) = laxer.missing
    assert work.stretches == (Stretch(0, 0.01, until=40, keep=(40,)),)
    assert work.stretches[0].kind == "replay"
    (job,) = plan_jobs(laxer).training
    assert laxer.stores.cell(work.block) in job.inputs
    assert job.outputs == (laxer.stores.cell(work.block, 1),)


def test_a_missing_replicate_of_a_learnt_model_costs_no_second_store_under_another_name(tmp_path):
    two = {"models": {name: {"kind": "lstm", "width": 8} for name in ("one", "two")}}
    plan = plan_of(tmp_path, **two)
    assert len(plan.cells) == 8
    planned = plan_jobs(plan)
    made = [path for job in planned.every for path in job.outputs]
    assert len(made) == len(set(made))
    assert len(plan.cell_stores) == 4
    found = forecast(plan, planned)
    assert found["totals"]["steps"] == 4 * 200
    make(plan, run)
    assert plan_of(tmp_path, **two).finished


RULE = Rule("sequence_accuracy", 0.9, "sequence_accuracy", 0.9, max_steps=200)
BLOCK = Block(None, (0, 1), (0.1,))


def part_of(first, *runs, kept, states, replicates=((0, 0.1), (1, 0.1))):
    longest = max(map(len, runs))
    numbers = np.zeros((len(runs), longest, 3, 8), np.float32)
    for i, own in enumerate(runs):
        numbers[i, : len(own)] = own
    packed = pack(numbers, np.array(first), np.array([len(own) for own in runs]))
    others = {"replicates": list(map(list, replicates)), "rule": RULE.as_dict()}
    return {**packed, "kept": kept, "states": states, **others}


def test_joined_parts_are_one_part():
    whole = [learns_at(10, 8), learns_at(10, 3)]
    one = part_of([0, 0], whole[0][:8], whole[1][:3], kept=[[160], [60]], states=[160, 60])
    parts = [
        part_of([0, 0], whole[0][:4], whole[1][:3], kept=[[80], [60]], states=[80, 60]),
        part_of([4], whole[0][4:8], kept=[[160]], states=[160], replicates=[(0, 0.1)]),
    ]
    alone, joined = Prefix(BLOCK, "a", [one]), Prefix(BLOCK, "ab", parts)
    np.testing.assert_array_equal(alone.joint.n_known, joined.joint.n_known)
    np.testing.assert_array_equal(alone.numbers, joined.numbers)
    judged = joined.judge(EVERY, RULE, None)
    for one, other in zip(alone.judge(EVERY, RULE, None), judged, strict=True):
        assert (one.ended, one.outcome, one.n_steps) == (other.ended, other.outcome, other.n_steps)
        assert one.stretch is other.stretch is None
    assert [found.parts for found in judged] == [{0, 1}, {0}]


def test_a_prefix_ends_before_a_hole():
    whole = learns_at(10, 8)
    first = part_of([0, 0], whole[:4], whole[:4], kept=[[80], [80]], states=[80, 80])
    third = part_of([6], whole[6:8], kept=[[160]], states=[160], replicates=[(0, 0.1)])
    prefix = Prefix(BLOCK, "ab", [first, third])
    assert prefix.joint.n_known.tolist() == [4, 4]
    assert prefix.judge(EVERY, RULE, None)[0].stretch == Stretch(0, 0.1, start=80)


def test_a_hole_is_filled_by_any_later_part():
    whole = learns_at(10, 8)
    others = {"states": [None], "replicates": [(0, 0.1)]}
    parts = [
        part_of([0, 0], whole[:4], whole[:8], kept=[[80], [160]], states=[80, 160]),
        part_of([6], whole[6:8], kept=[[160]], **others),
        part_of([4], whole[4:6], kept=[[120]], **others),
    ]
    prefix = Prefix(BLOCK, "abc", parts)
    assert prefix.joint.n_known.tolist() == [8, 8]
    np.testing.assert_array_equal(prefix.numbers[0], prefix.numbers[1])
    judged = prefix.judge(EVERY, RULE, None)
    assert judged[0].ended and judged[0].parts == {0, 1, 2} and judged[0].stretch is None


def test_a_run_without_a_state_is_trained_from_the_start():
    whole = learns_at(10, 8)
    part = part_of([0, 0], whole[:4], whole[:8], kept=[[80], [160]], states=[None, None])
    judged = Prefix(BLOCK, "a", [part]).judge(EVERY, RULE, None)
    assert judged[0].stretch == Stretch(0, 0.1)
    assert judged[0].stretch.kind == "train"
    assert judged[1].stretch is None


def test_a_replay_begins_at_the_latest_state_before_what_is_wanted():
    whole = learns_at(10, 8)
    parts = [
        part_of([0, 0], whole[:4], whole[:4], kept=[[80], [80]], states=[80, 80]),
        part_of([4, 4], whole[4:8], whole[4:8], kept=[[], []], states=[160, 160]),
    ]
    stretches = [found.stretch for found in Prefix(BLOCK, "ab", parts).judge(EVERY, RULE, None)]
    assert stretches[0] == Stretch(0, 0.1, start=80, until=160, keep=(160,))
    snapshots = Prefix(BLOCK, "ab", parts).judge(EVERY, RULE, 40)[0].stretch
    assert snapshots == Stretch(0, 0.1, until=160, keep=(40, 120, 160))


def test_a_run_that_diverged_has_ended():
    whole = learns_at(10, 8)
    whole[3] = np.nan
    part = part_of([0, 0], whole[:4], learns_at(10, 3)[:3], kept=[[80], [60]], states=[None, 60])
    judged = Prefix(BLOCK, "a", [part]).judge(EVERY, RULE, None)
    assert judged[0].ended and judged[0].stretch is None


@pytest.mark.parametrize(
    "damage",
    [
        {"numbers": "?"},
        {"kept": [[80]]},
        {"states": []},
        {"n": [4]},
        {"n": [4, 10**9]},
        {"replicates": [[0, 0.1], [7, 0.1]]},
    ],
    ids=str,
)
def test_a_header_of_other_replicates_or_without_evidence_is_refused(damage):
    whole = learns_at(10, 8)
    part = part_of([0, 0], whole[:4], whole[:4], kept=[[80], [80]], states=[80, 80])
    with pytest.raises(ArtifactError, match=r"store b .*; set it aside and run again, .* -- b"):
        Prefix(BLOCK, "ab", [part, part | damage])
