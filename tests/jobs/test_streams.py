"""Data, initialisation and order have seeds of their own, and one number still stands for all three."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from support.evidence import learns_at, make
from support.stores import finish
from support.studies import FUNCTIONS, changed, study_in, tiny

from nstar.cells import task_options
from nstar.cells.paths import decode
from nstar.jobs.collection import collect_results
from nstar.jobs.verification import verify_results
from nstar.plan.missing import make_plan
from nstar.plan.pruning import find_surplus
from nstar.reading.check import load_study
from nstar.seeds import Seed, seed_of
from nstar.store.archive import read_store
from nstar.store.replicates import pairs_of
from nstar.store.schemas import CELL
from nstar.tables import read_table

TWO = {"data": [0, 1], "initialisation": [0, 1], "order": [0, 1]}
ATTENTION = {"kind": "transformer", "width": 8, "depth": 1, "heads": 2, "dropout": 0.1}


def study_of(replicates, rate=0.01, **changes):
    """Return a study on mixed lengths; batches are parts of one training set, and all of the other."""
    options = {
        "models": {"attention": ATTENTION, "lstm": {"kind": "lstm", "width": 8}},
        "grid": [{"lengths": [6], "length_distributions": ["uniform"], "budgets": [5, 40]}],
        "data.shortest_length": 5,
        "training.max_steps": 20,
        "training.evaluate_every": 10,
        "replicates": replicates | {"learning_rates": [rate]},
        **changes,
    }
    return load_study(tiny(**options))


def replicates_in(results):
    """Return the arrays of every trained replicate by folder of the cell, seed and learning rate."""
    found = {}
    for path in sorted(results.glob("cells/**/*.zarr.zip")):
        store = read_store(path, CELL).drop_attrs(deep=False)
        cell = str(path.parents[2].relative_to(results))
        for row, pair in enumerate(pairs_of(store)):
            kept = np.flatnonzero(store["kept_replicate"].values == row)
            states = np.flatnonzero(store["state_replicate"].values == row)
            one = store.isel(replicate=row, kept=kept, state=states)
            one = one.drop_vars(["streams", "kept_replicate", "state_replicate"], errors="ignore")
            found[cell, *pair] = one
    return found


def names_of(results, stage):
    """Return the paths of the stores of a stage."""
    return {str(path.relative_to(results)) for path in results.glob(f"{stage}/**/*.zarr.zip")}


@pytest.fixture(scope="module")
def crossed(tmp_path_factory):
    """All stores of the study of two seeds for each stream."""
    results = tmp_path_factory.mktemp("crossed")
    finish(study_of({"streams": TWO}), results)
    return results


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Those of the study of two seeds."""
    results = tmp_path_factory.mktemp("plain")
    finish(study_of({"seeds": [0, 1]}), results)
    return results


def test_a_combination_of_one_number_is_the_replicate_of_that_seed(crossed, plain):
    wanted, found = replicates_in(plain), replicates_in(crossed)
    assert {seed for _, seed, _ in wanted} == {0, 1}
    assert {seed for _, seed, _ in found} == {
        seed_of(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)
    }
    for key, replicate in wanted.items():
        xr.testing.assert_identical(found[key], replicate)


def test_data_are_stored_once_for_each_of_their_seeds(crossed, plain):
    assert names_of(crossed, "data") == names_of(plain, "data") != set()


def test_each_study_reads_what_the_other_has_trained(crossed, plain):
    assert make_plan(study_of({"seeds": [1, 0]}), crossed).finished
    missing = {
        (stretch.seed, stretch.learning_rate)
        for work in make_plan(study_of({"streams": TWO}), plain).missing
        for stretch in work.stretches
    }
    assert {seed for seed, _ in missing} == {
        Seed(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1) if not a == b == c
    }


def test_a_new_level_trains_the_new_combinations_alone(crossed):
    plan = make_plan(study_of({"streams": TWO | {"order": [0, 1, 2]}}), crossed)
    for state in plan.cells:
        (work,) = state.missing
        assert work.block.seeds == tuple(Seed(a, b, 2) for a in (0, 1) for b in (0, 1))
    assert not [piece for piece in plan.missing_data if piece.split != "longer"]
    fewer = make_plan(
        study_of({"streams": {"data": [1], "initialisation": [0, 1], "order": [0]}}), crossed
    )
    assert fewer.finished
    assert all(len(state.finished[0].replicates) == 2 for state in fewer.cells)


def test_stores_of_streams_are_verified_and_none_is_surplus(crossed):
    found = verify_results(crossed)
    assert not found.problems and found.n_good
    assert not find_surplus([study_of({"streams": TWO})], crossed)
    one = study_of({"streams": {"data": [0], "initialisation": [0], "order": [0]}})
    assert {part.kind for part in find_surplus([one], crossed)} <= {"data"}


def test_more_seeds_than_a_folder_can_name_are_several_blocks(tmp_path):
    streams = {"data": [10, 11, 12], "initialisation": [20, 21, 22], "order": [30, 31, 32, 33]}
    study = study_of({"streams": streams})
    plan = make_plan(study, tmp_path)
    for state in plan.cells:
        blocks = [work.block for work in state.missing]
        assert len(blocks) > 1
        assert [seed for block in blocks for seed in block.seeds] == list(study.replicates.runs)
        assert all(decode(plan.stores.cell(block))["seeds"] == block.seeds for block in blocks)
    make(plan, lambda cell, seed, rate: learns_at(2, 2))
    again = make_plan(study, tmp_path)
    assert again.finished and all(len(state.finished) > 1 for state in again.cells)


def curves_at_rest(tmp_path_factory):
    """Return weights, validation loss and batch loss by model, budget and streams; nothing is learnt."""
    results = tmp_path_factory.mktemp("rest")
    study = study_of({"streams": TWO}, rate=1e-30, **{"training.max_steps": 10})
    finish(study, results)
    found = {}
    for (cell, seed, _), one in replicates_in(results).items():
        place = decode(cell)
        found[place["model"].partition("-")[0], place["budget"], seed] = {
            "weights": one["weights"].values[-1],
            "validation": one["numbers"].values[-1, 1, 0],
            "batch": one["batch_loss"].values[-1],
        }
    return found


def test_each_stream_decides_what_is_its_own(tmp_path_factory):
    """At a learning rate of almost 0 weights stay the initial ones, and losses tell what is seen."""
    found = curves_at_rest(tmp_path_factory)
    for model, budget in {key[:2] for key in found}:
        by_stream = {
            Seed(a, b, c): found[model, budget, seed_of(a, b, c)]
            for a in (0, 1)
            for b in (0, 1)
            for c in (0, 1)
        }
        for (a, b, c), one in by_stream.items():
            for other in ((1 - a, b, c), (a, 1 - b, c), (a, b, 1 - c)):
                two = by_stream[Seed(*other)]
                same_weights = np.allclose(one["weights"], two["weights"], atol=1e-20, rtol=0)
                assert same_weights == (other[1] == b)
                assert (one["validation"] == two["validation"]) == (other[:2] == (a, b))
                whole_batches = (
                    budget == 5 and model == "lstm"
                )  # in any order, and nothing drops out
                same_batches = other[:2] == (a, b) and whole_batches
                assert np.isclose(one["batch"], two["batch"], rtol=1e-6) == same_batches


def test_tables_have_the_seeds_of_the_streams(crossed, monkeypatch):
    monkeypatch.chdir(crossed)
    study = study_of({"streams": TWO})
    collect_results({"study": study.model_dump(mode="json")}, Path())
    cells = read_table(study_in(".") / Path("tables/cells.parquet"), "cells")
    seeds = ["data_seed", "initialisation_seed", "order_seed"]
    places = cells[["seed", *seeds]].drop_duplicates().sort_values("seed")
    assert places["seed"].tolist() == [*range(8)]
    assert [*places[seeds].itertuples(index=False, name=None)] == [
        (a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)
    ]
    counts = read_table(study_in(".") / Path("tables/lengths.csv"), "lengths")
    assert set(counts["seed"]) == {0, 1}
    assert not counts.duplicated(["length_distribution", "seed", "budget", "sequence_length"]).any()
    thresholds = read_table(study_in(".") / Path("tables/thresholds.csv"), "thresholds")
    assert set(thresholds.loc[thresholds["rule"] == "seed", "seed"]) == {*range(8)}
    store = xr.open_zarr(study_in(".") / "tables/study.zarr")
    assert store.sizes["replicate"] == len(cells) and {*range(8)} == {*store["seed"].values}
    assert "data_seed" in store


def test_tables_of_seeds_are_as_before(plain, monkeypatch):
    monkeypatch.chdir(plain)
    collect_results({"study": study_of({"seeds": [0, 1]}).model_dump(mode="json")}, Path())
    cells = read_table(study_in(".") / Path("tables/cells.parquet"), "cells")
    assert not [name for name in cells if name.endswith("_seed")]
    assert set(cells["seed"]) == {0, 1}


def test_a_learnt_function_is_what_its_source_with_the_first_other_streams_computes(tmp_path):
    streams = {"data": [0, 1], "initialisation": [3, 4], "order": [5]}
    replicates = {"streams": streams, "learning_rates": [0.01]}
    study = load_study(changed(FUNCTIONS, replicates=replicates))
    assert [study.replicates.source_of(data) for data in (0, 1)] == [Seed(0, 3, 5), Seed(1, 3, 5)]
    finish(study, tmp_path)
    collect_results({"study": study.model_dump(mode="json")}, tmp_path)
    measures = read_table(study_in(tmp_path) / "tables/measures.csv", "measures")
    assert set(measures["seed"]) == {0, 1, 2, 3}
    source = measures[(measures["task"] == "random") & (measures["model"] == "lstm")]
    source = source.set_index("seed")["rounded_sensitivity"]
    learnt = measures[measures["task"] == "learnt"]
    for row in learnt.itertuples():
        assert row.target_sensitivity == source[2 * (row.seed // 2)]
    assert (learnt["source_outcome"] != "").all()


def test_another_first_stream_is_another_learnt_function():
    def source(*initialisations):
        streams = {"data": [0], "initialisation": initialisations, "order": [0]}
        replicates = {"streams": streams, "learning_rates": [0.01]}
        return task_options(load_study(changed(FUNCTIONS, replicates=replicates)), "learnt")

    assert source(0, 1) == source(0) != source(1, 0)
