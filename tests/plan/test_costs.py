"""What cells are expected to take, and what experience does to it."""

import json

import numpy as np
import pytest
from support.studies import tiny, write_header_only

from nstar.cells import Block, Cell, training_specification
from nstar.kinds.size import Shape
from nstar.plan.costs import block_cost, planned_device
from nstar.plan.experience import LARGEST_SAMPLE, Experience, TrainingTime, read_experience
from nstar.plan.forecast import forecast
from nstar.plan.forecast_text import as_text, compare_with_truth
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.specification import RECIPES

LENGTHS, BUDGETS = (8, 16, 32, 64), (16, 64, 256, 1024)


def simulated(generator, n_cells=16, factor=3.0, noise=0.3, slope=0.2):
    """Return the experience of cells whose seconds are the guess times a law with noise."""
    grid = [(n, budget) for n in LENGTHS for budget in BUDGETS][:n_cells]
    return [
        Experience(
            model="a",
            length=n,
            budget=budget,
            guessed_seconds=0.1 * n,
            seconds=0.1 * n * factor * (n / 16) ** slope * np.exp(generator.normal(0, noise)),
        )
        for n, budget in grid
    ]


def test_steps_and_operations_by_hand(tmp_path):
    study = load_study(tiny())
    cost = block_cost(
        study, Block(Cell("lstm", "parity", "aligned", "fixed", 4, 8), (0, 1), (0.01,)), "cpu"
    )
    shape = Shape(n_symbols=2, n_classes=2, n_positions=8, length=4, batch_size=8)
    size = study.models["lstm"].size(shape)
    validation = 3 * size.forward_flops / 8  # a fifth of 16 sequences
    assert cost.steps == 2 * 100
    assert cost.flops == 2 * (100 * size.step_flops + 5 * validation)
    assert cost.disk_bytes > 2 * 4 * size.n_parameters


def test_interval_holds_what_was_not_seen():
    """Of 200 devices, learnt from half of the cells, 90 % intervals hold the total of the others."""
    generator, inside = np.random.default_rng(0), 0
    for _ in range(200):
        factor = np.exp(generator.normal(0, 1.0))
        cells = simulated(generator, factor=factor, slope=generator.normal(0, 0.3))
        seen, unseen = cells[::2], cells[1::2]
        draws = TrainingTime(["a"], seen).draw(
            ["a"] * len(unseen),
            [cell.length for cell in unseen],
            [cell.budget for cell in unseen],
            [cell.guessed_seconds for cell in unseen],
        )
        low, high = np.quantile(draws.sum(axis=0), (0.05, 0.95))
        inside += low <= sum(cell.seconds for cell in unseen) <= high
    assert 0.85 <= inside / 200 <= 1.0


def test_experience_narrows_the_interval():
    generator = np.random.default_rng(1)
    widths = []
    for n_cells in (0, 2, 16):
        time = TrainingTime(["a"], simulated(generator, n_cells))
        low, high = np.quantile(time.draw(["a"], [16], [64], [1.0]), (0.05, 0.95))
        widths.append(high / low)
    assert widths[0] > 20 and widths[0] > 2 * widths[1] > 2 * widths[2]


def test_another_model_of_the_device_says_something():
    seen = simulated(np.random.default_rng(2), factor=40)
    blind, taught = (
        np.median(TrainingTime(["b"], cells).draw(["b"], [16], [64], [1.0])) for cells in ([], seen)
    )
    assert abs(np.log(taught / 40)) < abs(np.log(blind / 40)) / 2


def finish(plan, wall_time_s, device="cpu"):
    """Make the stores of all missing blocks, with so many seconds for each."""
    for block in plan.missing_blocks:
        write_header_only(
            plan.stores.cell(block),
            training_specification(plan.study, block.cell),
            {"device": device, "wall_time_s": wall_time_s},
            {"outcome": ["learnt"] * len(block.replicates)},
        )


def planned(results, **changes):
    plan = make_plan(load_study(tiny(device="cpu", **changes)), results)
    return plan, plan_jobs(plan)


def test_a_plan_learns_from_finished_cells_of_the_device(tmp_path):
    finish(planned(tmp_path)[0], 7.0)
    plan, jobs = planned(tmp_path, **{"grid.0.lengths": [4, 5, 6]})
    assert jobs.n_experience == 8
    expected = [float(np.median(draws)) for draws in jobs.seconds.values()]
    assert 4 < min(expected) and max(expected) < 16  # a blind guess is below a second
    assert "learnt from 8 finished stores" in as_text(forecast(plan, jobs))


def test_a_plan_learns_nothing_from_another_device(tmp_path):
    finish(planned(tmp_path)[0], 7.0, device="NVIDIA A100")
    plan, jobs = planned(tmp_path, **{"grid.0.lengths": [4, 5, 6]})
    assert jobs.n_experience == 0
    assert "no finished cell to learn from: a guess" in as_text(forecast(plan, jobs))


def test_a_plan_learns_from_stores_of_other_options_of_training(tmp_path):
    finish(planned(tmp_path)[0], 7.0)
    assert planned(tmp_path, **{"training.max_steps": 200})[1].n_experience == 8


def test_only_a_sample_is_read(tmp_path):
    study = load_study(tiny(**{"grid.0.lengths": [8], "grid.0.budgets": list(range(1, 205))}))
    finish(make_plan(study, tmp_path), 1.0)
    found = read_experience(study, tmp_path, "cpu")
    assert len(found) == 2 * LARGEST_SAMPLE  # two models
    assert {1, 204} <= {cell.budget for cell in found}


def test_a_damaged_store_is_passed_over(tmp_path):
    plan, _ = planned(tmp_path)
    finish(plan, 1.0)
    path = plan.stores.cell(next(plan.missing_blocks))
    with open(path, "wb") as file:
        file.write(b"nothing")
    assert len(read_experience(plan.study, tmp_path, "cpu")) == 7


def test_forecast_says_what_is_cached_missing_partial_and_stale(tmp_path, monkeypatch):
    finish(planned(tmp_path)[0], 1.0)
    plan, jobs = planned(tmp_path, **{"grid.0.budgets": [2, 4, 8], "replicates.seeds": [0, 1, 2]})
    found = forecast(plan, jobs)
    training = found["curves"][0]["training"]
    assert training == {"cached": [], "partial": [2, 8], "missing": [4], "stale": {}}
    assert json.loads(json.dumps(found)) == found
    monkeypatch.setitem(RECIPES, "training", RECIPES["training"] + 1)
    plan, jobs = planned(tmp_path)
    found = forecast(plan, jobs)
    why = f"training recipe {RECIPES['training'] - 1} -> {RECIPES['training']}"
    assert found["curves"][0]["training"]["stale"] == {"2": why, "8": why}
    assert f"stale: trained before, but {why}" in as_text(found)


def test_another_option_is_no_reason_to_call_a_cell_stale(tmp_path):
    finish(planned(tmp_path)[0], 1.0)
    plan, jobs = planned(tmp_path, **{"training.max_steps": 200})
    assert forecast(plan, jobs)["curves"][0]["training"]["missing"] == [2, 8]


def test_a_plan_is_compared_with_the_truth(tmp_path):
    plan, jobs = planned(tmp_path)
    assert compare_with_truth(plan, jobs) is None
    expected = sum(float(np.median(draws)) for draws in jobs.seconds.values())
    finish(plan, 3 * expected / 8)
    text = compare_with_truth(plan, jobs)
    assert text.startswith("training of 8 blocks took ") and "inside of the interval" in text
    finish(plan, 1e6)
    assert "outside of the interval" in compare_with_truth(plan, jobs)


@pytest.mark.parametrize(
    ("device", "planned_for"), [("cpu", "cpu"), ("auto", "cpu"), ("cuda", "gpu")]
)
def test_device_where_there_is_no_gpu(device, planned_for, monkeypatch):
    monkeypatch.setattr("nstar.plan.costs._first_gpu", lambda: None)
    assert planned_device(load_study(tiny(device=device))) == planned_for


def test_name_of_the_gpu_is_that_of_the_stores(monkeypatch):
    monkeypatch.setattr("nstar.plan.costs._first_gpu", lambda: "NVIDIA A100")
    assert planned_device(load_study(tiny(device="cuda"))) == "NVIDIA A100"
