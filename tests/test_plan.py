"""What is cached, what is missing, and which jobs make it."""

import json
from pathlib import Path

import pytest
from studies import tiny

from nstar.config_check import load_study
from nstar.grid import Block, Cell, cells_of, slices_of
from nstar.plan import make_plan


def plan_of(results, **changes):
    return make_plan(load_study(tiny(**changes)), results)


def finish(plan):
    """Make empty files of everything that is missing."""
    for batch in (*plan.generation, *plan.training, *plan.evaluation):
        for path in map(Path, batch.outputs):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def trained(plan):
    """Return the blocks that a plan would train."""
    return {block for state in plan.cells for block in state.missing}


def test_empty_folder_misses_everything(tmp_path):
    plan = plan_of(tmp_path)
    assert len(plan.cells) == 8
    assert len(trained(plan)) == 8
    assert [batch.name for batch in plan.training] == [
        "model~dense/task~parity/length~4",
        "model~dense/task~parity/length~5",
        "model~lstm/task~parity/length~4",
        "model~lstm/task~parity/length~5",
    ]
    assert len(plan.evaluation) == 2


def test_nothing_is_missing_once_made(tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path)
    assert not (plan.generation or plan.training or plan.evaluation or trained(plan))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (
            {"grid.0.lengths": [4, 5, 6]},
            {Cell(m, "parity", 6, b) for m in ("dense", "lstm") for b in (2, 8)},
        ),
        (
            {"grid.0.budgets": [2, 4, 8]},
            {Cell(m, "parity", n, 4) for m in ("dense", "lstm") for n in (4, 5)},
        ),
        (
            {"models.wide": {"kind": "lstm", "width": 16}},
            {Cell("wide", "parity", n, b) for n in (4, 5) for b in (2, 8)},
        ),
        (
            {"tasks.sum3": {"kind": "modular_addition", "modulus": 3}},
            {Cell(m, "sum3", n, b) for m in ("dense", "lstm") for n in (4, 5) for b in (2, 8)},
        ),
    ],
)
def test_extending_the_grid_misses_exactly_the_new_cells(changes, wanted, tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path, **changes)
    assert {block.cell for block in trained(plan)} == wanted
    assert len(trained(plan)) == len(wanted)
    made = {path for batch in plan.evaluation for path in batch.outputs}
    assert len(made) == len(wanted)


def test_new_seed_is_a_block_beside_the_finished_one(tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path, **{"replicates.seeds": [0, 1, 2]})
    assert {block.seeds for block in trained(plan)} == {(2,)}
    assert len(trained(plan)) == 8
    assert all(state.finished for state in plan.cells)


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
    assert not plan.evaluation


@pytest.mark.parametrize(
    ("changes", "data", "training", "evaluation"),
    [
        ({"training.max_steps": 200}, False, True, True),
        ({"replicates.learning_rates": [0.005]}, False, True, True),
        ({"models.lstm.width": 16}, False, True, True),
        ({"evaluation.test_examples": 60}, True, False, True),
        ({"data.validation_share": 0.1}, True, True, True),
        ({"data.validation_examples": 1500}, False, False, False),  # these spaces are smaller
        ({"figures.width_inches": 5}, False, False, False),
        ({"fit.confidence": 0.9}, False, False, False),
        ({"device": "cpu"}, False, False, False),
    ],
)
def test_what_a_change_makes_again(changes, data, training, evaluation, tmp_path):
    finish(plan_of(tmp_path))
    plan = plan_of(tmp_path, **changes)
    found = [bool(batches) for batches in (plan.generation, plan.training, plan.evaluation)]
    assert found == [data, training, evaluation]


def test_a_batch_does_not_depend_on_what_other_batches_have_made(tmp_path):
    before = plan_of(tmp_path)
    for path in map(Path, (*before.generation[0].outputs, *before.training[0].outputs)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert plan_of(tmp_path).training == before.training[1:]


def test_jobs_are_pure_json(tmp_path):
    for batch in plan_of(tmp_path).training:
        assert json.loads(batch.specification)["specification"]["recipes"] == {
            "data": 1,
            "training": 2,
        }


def test_cells_stand_once_where_blocks_of_the_grid_overlap():
    study = load_study(
        tiny(grid=[{"lengths": [4], "budgets": [2, 4]}, {"lengths": [4], "budgets": [4]}])
    )
    assert len(cells_of(study)) == 4


def test_budgets_nest_and_larger_ones_add_shards():
    study = load_study(tiny(**{"grid.0.lengths": [16], "grid.0.budgets": [1000, 3000]}))
    small, large = (
        [piece for piece in slices_of(study, Cell("lstm", "parity", 16, budget), [0])]
        for budget in (1000, 3000)
    )
    assert set(small) < set(large)
    bounds = [(piece.start, piece.stop) for piece in large if piece.split == "train"]
    assert bounds == [(2000, 3024), (3024, 4048), (4048, 6096)]


def test_replicates_of_a_block():
    block = Block(Cell("lstm", "parity", 8, 4), (0, 1), (0.1,))
    assert block.replicates == {(0, 0.1), (1, 0.1)}
