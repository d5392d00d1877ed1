"""Tests at longer lengths, against plain loops over single sequences; only missing ones are made."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.stores import finish, make_stores
from support.studies import study_in, tiny

from nstar.jobs.collection import collect_results
from nstar.jobs.networks import model_of
from nstar.models import lengthen
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store, specification_of
from nstar.store.header import read_header
from nstar.store.parts import read_parts
from nstar.store.schemas import DATA, EVALUATION, OWN_SETS
from nstar.store.view import view
from nstar.tables import read_table

SUPERVISIONS = ["outcome", "aligned", "chain_of_thought"]


def study_of(*lengths, **changes):
    options = {
        "models": {"attention": {"kind": "transformer", "width": 8, "depth": 1, "heads": 2}},
        "grid.0": {"supervisions": SUPERVISIONS, "lengths": [5], "budgets": [8]},
        "replicates": {"seeds": [0, 1], "learning_rates": [0.01]},
        "training.max_steps": 40,
        "evaluation": {"test_lengths": list(lengths), "test_examples": 7},
        **changes,
    }
    return load_study(tiny(**options))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    results = tmp_path_factory.mktemp("longer")
    study = study_of("2x", 8)
    finish(study, results)
    collect_results({"study": study.model_dump(mode="json")}, results)
    return results


def answers(supervision, network, symbols, true_states):
    """Return the answers of a network to one sequence, and those after its own answers."""
    model, parameters = network
    separator = 2

    def after(read):
        return model.forward(parameters, torch.tensor([[read]]))[0, 0].argmax(-1).tolist()

    if supervision != "chain_of_thought":
        return after(symbols), None
    forced = after([*symbols, separator, *true_states[:-1]])[len(symbols) :]
    own = []
    for _ in symbols:
        own.append(after([*symbols, separator, *own])[-1])
    return forced, own


def test_accuracies_are_those_of_single_sequences(results):
    """Total, by sequence and by state, with true states and own answers, of states beyond the fifth."""
    study = study_of("2x", 8)
    plan, table = (
        make_plan(study, results),
        read_table(study_in(results) / "tables/longer.csv", "longer"),
    )
    assert len(table) == 3 * 2 * 2 + 2 * 2  # chains of thought are read in two ways
    for state in plan.cells:
        (reading,), supervision = state.finished, state.cell.supervision
        trained = view(read_parts([plan.stores.cell(reading.block)]), study.training.rule)
        evaluated = read_store(plan.stores.evaluation(reading.block), EVALUATION)
        for r, seed in enumerate((0, 1)):
            flat = torch.from_numpy(trained["parameters"].values[r : r + 1])
            for i, length in enumerate((8, 10)):
                (path,) = results.glob(f"data/**/length~{length}/seed~{seed}/split~longer/**/*.zip")
                data = read_store(path, DATA)
                symbols, states = (data[name].values.tolist() for name in ("symbols", "states"))
                assert len(symbols) == 7
                built = model_of(specification_of(trained))
                model, weights = lengthen(built, flat, 2 * length, [seed])
                network = model, model.views(weights)
                pairs = zip(symbols, states, strict=True)
                said = [answers(supervision, network, *pair) for pair in pairs]
                for way, name in enumerate(("symbols", "decoded")):
                    if said[0][way] is None:
                        continue
                    if way == 0 and supervision == "chain_of_thought":
                        name = "teacher_forced"
                    right = np.array([own[way] for own in said]) == np.array(states)
                    if supervision == "outcome":
                        right = right[:, -1:]
                    where = (table["supervision"] == supervision) & (table["reading"] == name)
                    (row,) = table[
                        where & (table["seed"] == seed) & (table["test_length"] == length)
                    ].itertuples()
                    assert row.token_accuracy == pytest.approx(right.mean())
                    assert row.sequence_accuracy == pytest.approx(right.all(axis=1).mean())
                    beyond = right if supervision == "outcome" else right[:, 5:]
                    assert row.above_chance == pytest.approx(2 * beyond.mean() - 1)
                    prefix = "longer_decoded" if way else "longer"
                    by_state = evaluated[f"{prefix}_state_accuracy"].values[r, i]
                    asked = by_state[~np.isnan(by_state)]
                    np.testing.assert_allclose(asked, right.mean(axis=0))


def test_a_longer_test_evaluates_that_length_alone(results):
    """No trained cell is touched, and what was measured at other lengths is read from where it is."""
    before = {path: path.stat().st_mtime_ns for path in results.rglob("*.zip")}
    more = study_of("2x", 8, 13)
    plan = make_plan(more, results)
    assert not list(plan.missing)
    assert {work.tests for work in plan.missing_evaluations} == {(13,)}
    assert {piece.length for piece in plan.missing_data} == {13}
    finish(more, results)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    added = [path for path in results.rglob("*-1.zarr.zip")]
    assert len(added) == 3
    for path in added:
        assert read_header(path)["summary"]["tests"] == [13]
        assert "validation_loss" not in read_store(path, EVALUATION)
    collect_results({"study": more.model_dump(mode="json")}, results)
    with_more = read_table(study_in(results) / "tables/longer.csv", "longer")
    collect_results({"study": study_of("2x", 8).model_dump(mode="json")}, results)
    without = read_table(study_in(results) / "tables/longer.csv", "longer")
    assert set(with_more["test_length"]) == {8, 10, 13}
    kept = with_more[with_more["test_length"] != 13].reset_index(drop=True)
    assert kept.equals(without)


def test_other_lengths_train_nothing_and_need_nothing_that_is_there(results):
    shorter = make_plan(study_of(8), results)
    assert shorter.finished and not shorter.missing_data
    ends = [summary_of(path)["tests"] for path in shorter.evaluation_stores]
    assert all({OWN_SETS, 8, 10} == set(tests) for tests in ends)


def summary_of(path):
    return read_header(Path(path))["summary"]


def test_the_network_is_the_same_bit_for_bit_whatever_it_is_tested_at(results, tmp_path):
    study = study_of(30)
    make_stores(plan_jobs(make_plan(study, tmp_path)), tmp_path)
    for path in tmp_path.glob("cells/**/*.zip"):
        mine, other = (
            read_parts([root / path.relative_to(tmp_path)]) for root in (tmp_path, results)
        )
        assert np.array_equal(mine["weights"], other["weights"])
