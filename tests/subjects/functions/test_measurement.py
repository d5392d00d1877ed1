"""Networks measured as functions: from trained stores to tables."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from support.stores import finish
from support.studies import FUNCTIONS, changed, study_in

from nstar.cells import pool_of, training_slices
from nstar.jobs.collection import collect_results
from nstar.jobs.generation import task_of_seed
from nstar.jobs.networks import model_of, rounded_outputs
from nstar.measures.sensitivity import average_sensitivity
from nstar.measures.sharpness import parameter_norm
from nstar.measures.truth_table import truth_table
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.plan.states import network_of
from nstar.plan.stores import data_store
from nstar.reading.check import load_study
from nstar.seeds import derive_seed
from nstar.store.archive import read_store, specification_of
from nstar.store.parts import read_parts
from nstar.store.schemas import DATA, EVALUATION
from nstar.store.view import view
from nstar.subjects.functions import measurement
from nstar.tables import read_table
from nstar.tasks.functions.boolean_function import all_inputs

ENCODER = {
    "kind": "transformer",
    "width": 8,
    "depth": 1,
    "heads": 2,
    "perceptron_width": 8,
    "embedding": "concatenated",
    "norm": "post",
    "activation": "relu",
    "causal": False,
    "initialisation": "torch",
}
STUDY = changed(
    FUNCTIONS,
    **{
        "models.encoder": ENCODER,
        "replicates.learning_rates": [0.01],
        "training.snapshot_every": 40,
        "evaluation.function": {
            "gaussian": [0.02, 0.1],
            "relative": [0.05],
            "draws": 3,
            "converged_loss": 0.2,
            "untrained": True,
            "profile": True,
            "training_set": True,
        },
    },
)
DRAWS = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The stores and tables of the study, made in this process."""
    results = tmp_path_factory.mktemp("functions")
    study = load_study(STUDY)
    plan = finish(study, results)
    collect_results({"study": study.model_dump(mode="json")}, results)
    return plan, results


@pytest.fixture
def measures(made):
    return read_table(study_in(made[1]) / "tables/measures.csv", "measures")


def blocks_of(plan, **coordinates):
    return [
        block
        for block in plan.blocks
        if all(getattr(block.cell, key) == value for key, value in coordinates.items())
    ]


def test_every_replicate_is_measured_before_training_at_its_snapshots_and_at_its_end(measures):
    assert len(measures) == 3 * 3 * 2 * 4  # models, cells of a model, seeds, moments
    assert sorted(measures["step"].unique()) == [0, 40, 80, 100]
    assert (measures["final"] == (measures["step"] == 100)).all()
    assert (measures["loss"].notna() == (measures["step"] > 0)).all()


def test_a_network_before_training_is_that_of_its_initial_weights(made, measures):
    plan, _ = made
    (block,) = blocks_of(plan, model="encoder", task="parity")
    model = model_of(specification_of(read_parts([plan.stores.cell(block)])))
    flat = model.initialise([1])
    rows = measures[(measures["model"] == "encoder") & (measures["seed"] == 1)]
    before = rows[rows["step"] == 0]
    assert sorted(before["task"]) == ["learnt", "parity", "random"]
    assert before["parameter_norm"].nunique() == 1, "all tasks start from it"
    assert before["parameter_norm"].iloc[0] == parameter_norm(model, flat).item()
    table = truth_table(model, model.views(flat), 5).numpy()
    assert before["average_sensitivity"].iloc[0] == average_sensitivity(table)[0]


def counted(table, n=5):
    """Return how many inputs have 0 .. n neighbours of another value, of a table of booleans."""
    flips = [sum(table[x] != table[x ^ 2**i] for i in range(n)) for x in range(2**n)]
    return [flips.count(s) for s in range(n + 1)]


def test_profiles_are_those_of_outputs_cut_at_one_half_and_at_their_median(made):
    plan, results = made
    profile = read_table(
        study_in(results) / "tables/sensitivity_profile.csv", "sensitivity_profile"
    )
    assert len(profile) == 3 * 3 * 2 * 4 * 2 * 6  # as measures, cuts, sensitivities
    expected = np.array([1, 5, 10, 10, 5, 1])[profile["sensitivity"]] / 32
    np.testing.assert_array_equal(profile["random_share"], expected)
    (block,) = blocks_of(plan, model="encoder", task="parity")
    training = plan.study.training
    trained = view(read_parts([plan.stores.cell(block)]), training.rule, training.snapshot_every)
    model = model_of(specification_of(trained))
    flat = torch.from_numpy(trained["parameters"].values)
    rows = profile[(profile["model"] == "encoder") & (profile["task"] == "parity")]
    for step, weights in ((0, model.initialise([0, 1])), (100, flat)):
        for seed in (0, 1):
            outputs = truth_table(model, model.views(weights), 5)[seed].numpy()
            for cut, threshold in (("half", 0.0), ("median", np.median(outputs))):
                of_one = rows[
                    (rows["step"] == step) & (rows["seed"] == seed) & (rows["cut"] == cut)
                ]
                assert of_one["sensitivity"].tolist() == list(range(6))
                assert of_one["count"].tolist() == counted(outputs > threshold)
                np.testing.assert_array_equal(of_one["share"], of_one["count"] / 32)
    assert rows.groupby("sensitivity")["target_count"].max().tolist() == [0, 0, 0, 0, 0, 32]


def test_a_diverged_network_has_no_profile(made):
    plan, _ = made
    (block,) = blocks_of(plan, model="encoder", task="parity")
    model = model_of(specification_of(read_parts([plan.stores.cell(block)])))
    flat = model.initialise([0, 1])
    flat[0] = torch.nan
    sets = SimpleNamespace(exact=True, one_output=True, n_bits=5)
    found = measurement._profiles(model, flat, sets)
    assert np.isnan(found[0]).all() and (found[1].sum(axis=-1) == 32).all()


def test_sharpness_on_a_training_set_is_the_mean_over_it(made):
    """Of eight sequences of random, and of the same eight where what was learnt from them is taught."""
    plan, results = made
    sharpness = read_table(study_in(results) / "tables/sharpness.csv", "sharpness")
    known = sharpness["training_sharpness"].notna()
    assert (known == sharpness["task"].isin(["random", "learnt"])).all(), "parity had fresh batches"
    rows = sharpness[
        (sharpness["model"] == "encoder") & sharpness["final"] & (sharpness["size"] == 0.02)
    ]
    (block,) = blocks_of(plan, model="encoder", task="random")
    piece = next(training_slices(pool_of(plan.study, block.cell), "random", 1, 8))
    store = data_store(plan.stores.tasks["random"], piece, results)
    seen = torch.from_numpy(read_store(store, DATA)["symbols"].values[:8].astype(np.int64))
    for task in ("random", "learnt"):
        (block,) = blocks_of(plan, model="encoder", task=task)
        joined = read_parts([plan.stores.cell(block)])
        model = model_of(specification_of(joined))
        flat = torch.from_numpy(view(joined, plan.study.training.rule)["parameters"].values[1:])
        key = {"training": joined.attrs["digest"], "seed": 1, "rate": 0.01, "step": 100}
        expected = []
        for draw in range(DRAWS):
            own = derive_seed("perturbation", seed=derive_seed("measures", **key), draw=draw)
            generator = torch.Generator().manual_seed(own)
            step = torch.zeros_like(flat)
            step[:, : model.n_parameters].normal_(generator=generator)
            model.views(step)["position_embedding"].zero_()
            before, after = (
                model.forward(model.views(weights), seen[None], 4).double()
                for weights in (flat, flat + 0.02 * step)
            )
            expected.append(4 * (after - before).square().mean().item())
        row = rows[(rows["task"] == task) & (rows["seed"] == 1)]
        assert row["training_sharpness"].item() == pytest.approx(np.mean(expected), rel=1e-6)
        error = np.std(expected, ddof=1) / DRAWS**0.5
        assert row["training_sharpness_error"].item() == pytest.approx(error, rel=1e-6)
        assert row["training_sharpness"].item() != pytest.approx(row["sharpness"].item(), rel=1e-3)


def test_what_was_taught_has_its_exact_sensitivity(measures):
    assert (measures.loc[measures["task"] == "parity", "target_sensitivity"] == 5).all()
    random = measures.loc[measures["task"] == "random", "target_sensitivity"]
    assert random.nunique() == 1 and 1.5 < random.iloc[0] < 3.5


def test_a_learnt_function_is_what_its_source_computes(made, measures):
    plan, results = made
    source = measures[
        (measures["task"] == "random") & (measures["model"] == "lstm") & measures["final"]
    ].set_index("seed")
    learnt = measures[measures["task"] == "learnt"]
    for row in learnt.itertuples():
        assert row.target_sensitivity == source.loc[row.seed, "rounded_sensitivity"]
        assert row.source_outcome in ("learnt", "not_generalised", "not_fitted")
    assert (measures.loc[measures["task"] != "learnt", "source_outcome"] == "").all()
    (block,) = blocks_of(plan, model="lstm", task="random")
    for seed in (0, 1):
        task = task_of_seed(plan.stores.tasks["learnt"], "learnt", seed, results)
        table = rounded_outputs(network_of(plan.stores, block.cell, seed), 5)
        assert task.labels(all_inputs(5))[:, -1].tolist() == table.tolist()


def test_degree_weights_sum_to_mean_squares_and_their_mean_degree_is_the_sensitivity(
    made, measures
):
    degrees = read_table(study_in(made[1]) / "tables/degrees.csv", "degrees")
    keys = ["model", "task", "seed", "step", "budget"]
    parts = degrees.assign(product=degrees["degree"] * degrees["weight"]).groupby(keys)
    sums = parts["product"].sum().rename("by_degrees").reset_index()
    joined = measures.merge(sums, on=keys)
    assert len(joined) == len(measures)
    np.testing.assert_allclose(joined["by_degrees"], joined["average_sensitivity"], atol=1e-10)
    taught = degrees[degrees["task"] == "parity"].groupby("degree")["target_weight"].max()
    assert taught.tolist() == [0, 0, 0, 0, 0, 1]


def test_blow_up_is_measured_where_there_is_a_layernorm(measures):
    encoder = measures[measures["model"] == "encoder"]
    assert (encoder["blowup"] > encoder["plain_blowup"] * 0.9).all()
    assert measures.loc[measures["model"] != "encoder", "blowup"].isna().all()


def test_sharpness_has_a_row_for_each_size(made):
    sharpness = read_table(study_in(made[1]) / "tables/sharpness.csv", "sharpness")
    kinds = sharpness.groupby(["perturbation", "size"]).size()
    assert set(kinds.index) == {("gaussian", 0.02), ("gaussian", 0.1), ("relative", 0.05)}
    assert kinds.nunique() == 1
    small, large = (
        sharpness[(sharpness["perturbation"] == "gaussian") & (sharpness["size"] == size)]
        for size in (0.02, 0.1)
    )
    np.testing.assert_allclose(large["radius"], 5 * small["radius"].to_numpy(), rtol=1e-6)


def measure_again(made, task="parity", **options):
    plan, _ = made
    (block,) = blocks_of(plan, model="encoder", task=task)
    training = plan.study.training
    trained = view(read_parts([plan.stores.cell(block)]), training.rule, training.snapshot_every)
    specification = specification_of(trained)
    own = plan.study.tasks[task]
    function = plan.study.evaluation.function.model_dump() | options
    found = measurement.measure_functions(
        function,
        trained,
        dict.fromkeys(block.seeds, own),
        model_of(specification),
        specification,
        torch.device("cpu"),
    )
    return found, read_store(plan.stores.evaluation(block), EVALUATION)


def test_how_many_are_measured_together_changes_no_number(made, monkeypatch):
    monkeypatch.setattr(measurement, "NETWORKS_AT_ONCE", 1)
    found, stored = measure_again(made)
    for name in ("sharpness", "loss_increase", "blowup", "average_sensitivity", "parameter_norm"):
        np.testing.assert_array_equal(found[name], stored[name], err_msg=name)


def test_a_further_size_does_not_change_the_others(made):
    found, stored = measure_again(made, sphere=(1.0,))
    assert found["perturbation_kind"].values.tolist() == [0, 0, 1, 2]
    chosen = found["sharpness"].isel(perturbation=[0, 1, 3])
    np.testing.assert_array_equal(chosen, stored["sharpness"])


def test_from_samples_sensitivity_is_within_its_error_of_the_exact_one(made):
    found, stored = measure_again(made, exact_bits=4, inputs=2000)
    assert np.isnan(found["degree_weight"]).all()
    error = found["average_sensitivity_error"]
    assert (error >= 0).all() and (found["target_sensitivity"] == 5).all()
    difference = np.abs(found["average_sensitivity"] - stored["average_sensitivity"])
    assert (difference <= 4 * error + 1e-6).all()


def test_jobs_come_in_stages_that_wait_for_each_other(tmp_path):
    plan = make_plan(load_study(STUDY), tmp_path)
    planned = plan_jobs(plan)
    (block,) = blocks_of(plan, model="lstm", task="random")
    source = plan.stores.cell(block)
    tables = [job for job in planned.generation if source in job.inputs]
    assert [output for job in tables for output in job.outputs if "split~table" in output]
    made_first = {output for job in tables for output in job.outputs}
    for job in planned.training:
        learnt = {"learnt" in output for output in job.outputs}
        assert len(learnt) == 1  # a job that waits for networks trains none of them
        assert bool(made_first & set(job.inputs)) == learnt.pop()


def test_average_sensitivity_of_a_row_is_that_of_its_table(made, measures):
    plan, _ = made
    (block,) = blocks_of(plan, model="lstm", task="random")
    table = 2.0 * rounded_outputs(network_of(plan.stores, block.cell, 1), 5) - 1
    row = measures[
        (measures["model"] == "lstm")
        & (measures["task"] == "random")
        & (measures["seed"] == 1)
        & measures["final"]
    ]
    assert isinstance(row, pd.DataFrame) and len(row) == 1
    assert row["rounded_sensitivity"].item() == average_sensitivity(table)
