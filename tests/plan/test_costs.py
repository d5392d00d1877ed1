"""What cells are expected to take, and what experience does to it."""

import json

import numpy as np
import pytest
from support.evidence import learns_at, make
from support.studies import tiny

from nstar.cells import Block, Cell
from nstar.kinds.size import Shape
from nstar.plan.costs import evaluation_cost, planned_device, training_cost
from nstar.plan.experience import LARGEST_SAMPLE, Experience, TrainingTime, read_experience
from nstar.plan.forecast import forecast
from nstar.plan.forecast_text import as_text, compare_with_truth
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.plan.work import EvaluationWork, Stretch, Work
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


CELL = Cell("lstm", "parity", "aligned", "fixed", 4, 8)
BLOCK = Block(CELL, (0, 1), (0.01,))


def size_of(study, length):
    shape = Shape(n_symbols=2, n_classes=2, n_positions=length, length=length, batch_size=8)
    return study.models["lstm"].size(shape)


def test_steps_and_operations_by_hand():
    study = load_study(tiny())
    cost, size = training_cost(study, Work.whole(BLOCK), "cpu"), size_of(study, 4)
    looked_at = 8 + 3 + 1  # the training set, a fifth and a tenth of 16 sequences
    evaluations = 2 * 5 * looked_at * size.forward_flops / 8
    assert cost.steps == 2 * 100
    assert cost.flops == pytest.approx(2 * 100 * size.step_flops + evaluations)
    assert cost.evaluation_share == pytest.approx(evaluations / cost.flops)
    kept_and_moments = 4 * (1.7 + 2) * 2 * size.n_parameters
    assert kept_and_moments < cost.disk_bytes < kept_and_moments + 2**16


def test_stretches_cost_their_own_steps():
    study = load_study(tiny())
    stretches = (Stretch(0, 0.01, start=60), Stretch(1, 0.01, start=20, until=40, keep=(40,)))
    part, whole = (
        training_cost(study, work, "cpu") for work in (Work(BLOCK, 1, stretches), Work.whole(BLOCK))
    )
    assert part.steps == 40 + 20
    assert part.flops == pytest.approx(whole.flops * 60 / 200)


def test_an_evaluation_costs_what_its_rows_do():
    study = load_study(tiny())
    pairs = tuple((seed, 0.01) for seed in BLOCK.seeds)
    both = evaluation_cost(study, EvaluationWork(BLOCK, 0, pairs, (0, 8), (0,), ()), "cpu")
    one = evaluation_cost(study, EvaluationWork(BLOCK, 1, pairs[:1], (0, 8), (0,), (0,)), "cpu")
    longer = evaluation_cost(study, EvaluationWork(BLOCK, 1, pairs, (8, 40), (0,), (0,)), "cpu")
    forward = 3 * size_of(study, 4).forward_flops + 50 * size_of(study, 8).forward_flops
    assert both.flops == pytest.approx(2 * forward / 8)
    assert one.flops == pytest.approx(both.flops / 2)
    alone = 50 * (size_of(study, 8).forward_flops + size_of(study, 40).forward_flops)
    assert longer.flops == pytest.approx(2 * alone / 8)
    assert longer.memory_bytes > both.memory_bytes


def test_a_plan_says_when_evaluations_take_more_than_the_steps_between_them(tmp_path):
    words = "of the operations of training are those of its evaluations"
    changes = {
        "grid.0.lengths": [14],
        "grid.0.budgets": [2000],
        "training.max_steps": 100,
    }
    plan = make_plan(load_study(tiny(**changes, **{"training.evaluate_every": 50})), tmp_path)
    assert words in as_text(forecast(plan, plan_jobs(plan)))
    rare = {"training.max_steps": 100_000, "training.evaluate_every": 50_000}
    plan = make_plan(load_study(tiny(**changes | rare)), tmp_path)
    assert words not in as_text(forecast(plan, plan_jobs(plan)))


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
    """Make all that is missing, with so many seconds for each block."""
    make(
        plan,
        lambda cell, seed, rate: learns_at(10, 2),
        {"device": device, "wall_time_s": wall_time_s},
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
    assert planned(tmp_path, **{"training.batch_size": 1})[1].n_experience == 8


def test_a_plan_learns_nothing_from_the_time_of_further_parts(tmp_path):
    finish(planned(tmp_path)[0], 7.0)
    stricter = {"training.success.threshold": 0.95}
    finish(planned(tmp_path, **stricter)[0], 1000.0)
    plan, jobs = planned(tmp_path, **stricter, **{"grid.0.lengths": [4, 5, 6]})
    assert len(plan.cell_stores) == 8 + 8 + 4
    assert jobs.n_experience == 8
    assert max(float(np.median(draws)) for draws in jobs.seconds.values()) < 16


def test_only_a_sample_is_read(tmp_path):
    study = load_study(tiny(**{"grid.0.lengths": [9], "grid.0.budgets": list(range(1, 205))}))
    finish(make_plan(study, tmp_path), 1.0)
    found = read_experience(study, tmp_path, "cpu")
    assert len(found) == 2 * LARGEST_SAMPLE  # two models
    assert {1, 204} <= {cell.budget for cell in found}


def test_a_damaged_store_is_passed_over(tmp_path):
    plan, _ = planned(tmp_path)
    finish(plan, 1.0)
    path = plan.stores.cell(next(plan.missing).block)
    with open(path, "wb") as file:
        file.write(b"nothing")
    assert len(read_experience(plan.study, tmp_path, "cpu")) == 7


def test_forecast_says_what_is_cached_missing_partial_and_stale(tmp_path, monkeypatch):
    finish(planned(tmp_path)[0], 1.0)
    plan, jobs = planned(tmp_path, **{"grid.0.budgets": [2, 4, 8], "replicates.seeds": [0, 1, 2]})
    found = forecast(plan, jobs)
    training = found["curves"][0]["training"]
    others = {name: [] for name in ("cached", "refit", "continue", "replay")}
    assert training == {**others, "partial": [2, 8], "missing": [4], "stale": {}}
    assert json.loads(json.dumps(found)) == found
    monkeypatch.setitem(RECIPES, "training", RECIPES["training"] + 1)
    plan, jobs = planned(tmp_path)
    found = forecast(plan, jobs)
    why = f"training recipe {RECIPES['training'] - 1} -> {RECIPES['training']}"
    assert found["curves"][0]["training"]["stale"] == {"2": why, "8": why}
    assert f"stale: trained before, but {why}" in as_text(found)


def test_another_option_is_no_reason_to_call_a_cell_stale(tmp_path):
    finish(planned(tmp_path)[0], 1.0)
    plan, jobs = planned(tmp_path, **{"training.optimiser": {"epsilon": 1e-7}})
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


def test_a_plan_says_what_stores_of_the_last_version_cost(tmp_path):
    path = tmp_path / "cells/model~lstm/task~parity/supervision~aligned/0123456789ab.zarr.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(3 * 2**20))
    text = as_text(forecast(*planned(tmp_path)))
    assert "hold 1 stores of nstar 0.1: this version names and fills stores anew" in text
    assert "scripts/prune_results.py --remove frees 3 MiB" in text
    path.unlink()
    assert "nstar 0.1" not in as_text(forecast(*planned(tmp_path)))
