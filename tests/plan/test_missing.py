"""What is cached, what is missing, and which jobs make it."""

import shutil
from pathlib import Path

import pytest
from support.evidence import learns_at, make, trajectory
from support.studies import tiny

from nstar.cells import Block, Cell, cells_of, slices_of
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import _run_counts, make_plan
from nstar.plan.states import state_of
from nstar.reading.check import load_study
from nstar.study.search import RunCounts


def plan_of(results, **changes):
    return make_plan(load_study(tiny(**changes)), results)


def finish(plan):
    """Make everything that is missing; all runs learn at their second evaluation."""
    make(plan, lambda cell, seed, rate: learns_at(10, 2))


def missing_files(plan):
    for job in plan_jobs(plan).every:
        yield from map(Path, job.outputs)


def trained(plan):
    """Return the blocks that a plan would train."""
    return {work.block for work in plan.missing}


def test_empty_folder_misses_everything(tmp_path):
    plan = plan_of(tmp_path)
    assert len(plan.cells) == 8
    assert len(trained(plan)) == 8
    assert len(plan.missing_evaluations) == 8


def test_nothing_is_missing_once_made(tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path)
    assert not list(missing_files(plan))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (
            {"grid.0.lengths": [4, 5, 6]},
            {
                Cell(m, "parity", "aligned", "fixed", 6, b)
                for m in ("dense", "lstm")
                for b in (2, 8)
            },
        ),
        (
            {"grid.0.budgets": [2, 4, 8]},
            {
                Cell(m, "parity", "aligned", "fixed", n, 4)
                for m in ("dense", "lstm")
                for n in (4, 5)
            },
        ),
        (
            {"models.wide": {"kind": "lstm", "width": 16}},
            {Cell("wide", "parity", "aligned", "fixed", n, b) for n in (4, 5) for b in (2, 8)},
        ),
        (
            {"tasks.sum3": {"kind": "modular_addition", "modulus": 3}},
            {
                Cell(m, "sum3", "aligned", "fixed", n, b)
                for m in ("dense", "lstm")
                for n in (4, 5)
                for b in (2, 8)
            },
        ),
    ],
)
def test_extending_the_grid_misses_exactly_the_new_cells(changes, wanted, tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path, **changes)
    assert {block.cell for block in trained(plan)} == wanted
    assert len(trained(plan)) == len(wanted)
    assert len(plan.missing_evaluations) == len(wanted)


def test_new_seed_is_a_block_beside_the_finished_one(tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path, **{"replicates.seeds": [0, 1, 2]})
    assert {block.seeds for block in trained(plan)} == {(2,)}
    assert len(trained(plan)) == 8
    assert all(state.finished for state in plan.cells)


def test_an_evaluation_needs_data_of_the_seeds_of_the_study_alone(tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path, **{"replicates.seeds": [0], "evaluation.test_examples": 12})
    assert {work.data_seeds for work in plan.missing_evaluations} == {(0,)}
    assert {(piece.split, piece.seed) for piece in plan.missing_data} == {("longer", 0)}


def test_data_that_nothing_needs_are_not_missed(tmp_path):
    finish(plan_of(tmp_path))
    shutil.rmtree(tmp_path / "data")
    assert not plan_of(tmp_path).missing_data


def test_new_seed_and_new_learning_rate_together(tmp_path):
    finish(plan_of(tmp_path))
    changes = {"replicates.seeds": [0, 1, 2], "replicates.learning_rates": [0.003, 0.01, 0.03]}
    plan = plan_of(tmp_path, **changes)
    blocks = {(b.seeds, b.learning_rates) for b in trained(plan)}
    assert blocks == {((0, 1), (0.03,)), ((2,), (0.003, 0.01, 0.03))}
    finish(plan)
    assert not trained(plan_of(tmp_path, **changes))


def test_fewer_seeds_need_nothing(tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path, **{"replicates.seeds": [1]})
    assert not trained(plan)
    assert not plan.missing_evaluations


@pytest.mark.parametrize(
    ("changes", "data", "training", "evaluation"),
    [
        ({"training.max_steps": 200}, False, False, False),
        ({"training.schedule": {"decay": "linear"}}, False, True, True),
        ({"training.evaluate_every": 10}, False, True, True),
        ({"replicates.learning_rates": [0.005]}, False, True, True),
        ({"models.lstm.width": 16}, False, True, True),
        ({"evaluation.test_examples": 60}, True, False, True),
        ({"data.validation_share": 0.1}, True, True, True),
        ({"data.test_share": 0.2}, True, True, True),
        ({"data.validation_examples": 1500}, False, False, False),  # these spaces are smaller
        ({"figures.width_inches": 5}, False, False, False),
        ({"fit.confidence": 0.9}, False, False, False),
        ({"device": "cpu"}, False, False, False),
    ],
)
def test_what_a_change_makes_again(changes, data, training, evaluation, tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path, **changes)
    missing = (plan.missing_data, trained(plan), plan.missing_evaluations)
    assert [bool(part) for part in missing] == [data, training, evaluation]


def test_cells_stand_once_where_blocks_of_the_grid_overlap():
    study = load_study(
        tiny(grid=[{"lengths": [4], "budgets": [2, 4]}, {"lengths": [4], "budgets": [4]}])
    )
    assert len(cells_of(study)) == 4


def test_budgets_nest_and_larger_ones_add_shards():
    study = load_study(tiny(**{"grid.0.lengths": [16], "grid.0.budgets": [1000, 3000]}))
    small, large = (
        [
            piece
            for piece in slices_of(
                study, Cell("lstm", "parity", "aligned", "fixed", 16, budget), [0]
            )
        ]
        for budget in (1000, 3000)
    )
    assert set(small) < set(large)
    bounds = [(piece.start, piece.stop) for piece in large if piece.split == "train"]
    assert bounds == [(0, 1024), (1024, 2048), (2048, 4096)]


def test_replicates_of_a_block():
    block = Block(Cell("lstm", "parity", "aligned", "fixed", 8, 4), (0, 1), (0.1,))
    assert block.replicates == {(0, 0.1), (1, 0.1)}


SEARCH = {
    "models": {"lstm": {"kind": "lstm", "width": 8}},
    "grid.0": {"lengths": [10, 12], "budgets": {"smallest": 1, "largest": 512}},
    "search": "bracket",
}


def answer(plan, demand):
    """Make the missing cells of a plan: a replicate learns from the demand of its length on."""
    fails = trajectory(10, train=1.0, validation=0.5, confirmation=0.5)

    def run(cell, seed, rate):
        return learns_at(10, 3) if cell.budget >= demand[cell.length] else fails

    make(plan, run)


def search(results, demand, **changes):
    """Run a search to its end; return the plan of every round."""
    plans = [plan_of(results, **SEARCH, **changes)]
    while plans[-1].searching:
        answer(plans[-1], demand)
        plans.append(plan_of(results, **SEARCH, **changes))
        assert len(plans) < 20
    return plans


def test_a_search_asks_in_rounds_for_a_part_of_the_grid(tmp_path):
    *rounds, end = search(tmp_path, {10: 16, 12: 64})
    assert not trained(end)
    budgets = {n: [c.cell.budget for c in end.cells if c.cell.length == n] for n in (10, 12)}
    assert {8, 16} <= set(budgets[10]) and {32, 64} <= set(budgets[12])
    assert len(end.cells) < 20
    assert 1 < len(rounds) <= 5
    asked = [state.cell for plan in rounds for state in plan.cells if state.missing]
    assert len(asked) == len(set(asked)) == len(end.cells)


def test_a_search_does_not_depend_on_what_else_is_there(tmp_path):
    demand = {10: 16, 12: 64}
    alone = search(tmp_path / "alone", demand)[-1]
    answer(plan_of(tmp_path / "grid", **(SEARCH | {"search": "all"})), demand)
    (cached,) = search(tmp_path / "grid", demand)
    assert [state.cell for state in cached.cells] == [state.cell for state in alone.cells]


def test_a_search_waits_for_replicates_added_later(tmp_path):
    search(tmp_path, {10: 16, 12: 64})
    plan = plan_of(tmp_path, **SEARCH, **{"replicates.seeds": [0, 1, 2]})
    assert plan.searching
    assert {block.seeds for block in trained(plan) if block.cell.budget == 1} <= {(2,)}


def test_a_run_has_learnt_if_any_of_its_rates_has(tmp_path):
    never = trajectory(10)

    def run(cell, seed, rate):  # seed 0: learnt, not fitted; seed 1: not fitted at all
        return learns_at(10, 3) if (seed, rate) == (0, 0.003) else never

    plan = plan_of(tmp_path, **SEARCH)
    make(plan, run)
    states = [state_of(plan.stores, state.cell) for state in plan.cells]
    assert {_run_counts(plan.stores, state) for state in states} == {RunCounts(1, 1, 2)}
