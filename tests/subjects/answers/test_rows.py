"""A study of questions from its configuration to the table of answers, small."""

import math

import numpy as np
import pandas as pd
import pytest
from support.stores import make_stores
from support.studies import QUESTIONS, changed, study_in

from nstar.jobs.collection import collect_results
from nstar.measures.flops import forward_flops
from nstar.models import build_model
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.store.schemas import EVALUATION
from nstar.subjects.answers.columns import ANSWERS
from nstar.tables import read_table
from nstar.tables.selection import CURVE

LOCAL = {"kind": "longest_increasing_subsequence", "numbers": 20, "locality": 2}
SPARSE = QUESTIONS["models"]["standard"] | {"width": 4, "attention": {"kind": "sparse"}}
EVERYWHERE = QUESTIONS["grid"][0] | {"models": ["standard", "lstm"], "tasks": ["lis", "arithmetic"]}
WITH_STEPS = {"supervisions": ["chain_of_thought"], "lengths": [4]}
STUDY = changed(
    QUESTIONS,
    **{
        "tasks.local": LOCAL,
        "models.sparse": SPARSE,
        "grid": [
            EVERYWHERE,
            EVERYWHERE | WITH_STEPS | {"models": ["standard"], "tasks": ["local"]},
            EVERYWHERE | WITH_STEPS | {"models": ["sparse"], "tasks": ["arithmetic"]},
        ],
        "training.max_steps": 20,
    },
)
ACCURACIES = ("answer_accuracy", "chain_accuracy", "exact_accuracy", "end_rate", "chance")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The study, its plan before anything was made, and the folder of results."""
    results = tmp_path_factory.mktemp("questions")
    study = load_study(STUDY)
    plan = make_plan(study, results)
    make_stores(plan_jobs(plan), results)
    collect_results({"study": study.model_dump(mode="json")}, results)
    return study, plan, results


@pytest.fixture
def rows(made):
    return read_table(study_in(made[2]) / "tables/answers.csv", "answers")


@pytest.fixture
def cells(made):
    return read_table(study_in(made[2]) / "tables/cells.csv", "cells")


def test_every_replicate_has_a_row_with_the_documented_columns(made, rows):
    _, plan, _ = made
    assert list(rows) == list(ANSWERS)
    n_models, n_tasks, n_supervisions, n_lengths, n_widths, n_seeds = 3, 2, 2, 2, 2, 2
    n_blocks = n_models * n_tasks * n_supervisions * n_lengths + n_widths + 1
    assert len(list(plan.blocks)) == n_blocks and len(rows) == n_blocks * n_seeds
    assert not rows.duplicated([*CURVE, "budget", "seed"]).any()
    assert set(rows["outcome"]) <= {"learnt", "not_generalised", "not_fitted"}


def test_models_of_one_block_are_a_family_of_widths(rows):
    found = {tuple(row) for row in rows[["model", "family", "width"]].values}
    assert found == {
        ("standard_4", "standard", 4),
        ("standard_8", "standard", 8),
        ("sparse", "sparse", 4),
        ("lstm", "lstm", 8),
    }


@pytest.mark.parametrize(
    ("supervision", "task", "length", "n_tokens"),
    [
        ("chain_of_thought", "lis", 3, 9),
        ("chain_of_thought", "lis", 4, 11),
        ("chain_of_thought", "local", 4, 11),
        ("outcome", "lis", 3, 5),
        ("outcome", "lis", 4, 6),
    ],
)
def test_tokens_are_counted(rows, supervision, task, length, n_tokens):
    """2 n + 3 with steps; numbers, separator and answer without."""
    part = rows[
        (rows["supervision"] == supervision) & (rows["task"] == task) & (rows["length"] == length)
    ]
    assert len(part) >= 4 and (part["n_tokens"] == n_tokens).all()


def test_tokens_of_arithmetic_are_those_of_the_longest_text_of_its_data(rows):
    """At most 2 n^2 + 2 n + 1 with steps, and that many only where brackets are everywhere."""
    part = rows[(rows["task"] == "arithmetic") & (rows["supervision"] == "chain_of_thought")]
    for length, among in part.groupby("length"):
        bound = 2 * length**2 + 2 * length + 1
        assert among["n_tokens"].max() <= bound and (among["n_tokens"] % 2 == 1).all()
        assert among["n_tokens"].min() > 2 * length + 1
    assert part.groupby(["length", "seed"])["n_tokens"].nunique().eq(1).all()


def test_localities_are_those_of_tasks_that_have_one(rows):
    assert rows.loc[rows["task"] == "local", "locality"].eq(2).all()
    assert rows.loc[rows["task"] != "local", "locality"].isna().all()


def test_operations_and_parameters_are_those_of_the_model(made, rows):
    """Blocks of sparse attention are those of the longest text that there might be."""
    study = made[0]
    for row in rows.itertuples():
        options, task = study.models[row.model].model_dump(mode="json"), study.tasks[row.task]
        if row.family == "lstm":
            assert math.isnan(row.forward_flops)
        else:
            assert row.forward_flops == forward_flops(
                options, row.n_tokens, task.most_tokens(row.length)
            )
        shapes = {"n_symbols": task.n_symbols, "n_classes": task.n_symbols, "n_positions": 50}
        assert row.n_parameters == build_model(options, **shapes).n_parameters


def test_accuracies_are_those_of_the_evaluations(made, rows):
    _, plan, _ = made
    for block in plan.blocks:
        evaluated = read_store(plan.stores.evaluation(block), EVALUATION)
        coordinates = {name: getattr(block.cell, name) for name in [*CURVE, "budget"]}
        part = rows[(rows[list(coordinates)] == pd.Series(coordinates)).all(axis=1)]
        part = part.set_index("seed").loc[evaluated["seed"].values]
        for name in ACCURACIES:
            np.testing.assert_array_equal(part[name], evaluated[name].values, name)


def test_accuracies_are_shares_of_the_validation_set(rows):
    for name in ACCURACIES:
        shares = rows[name] * STUDY["data"]["validation_examples"]
        np.testing.assert_allclose(shares, shares.round(), atol=1e-9)
        assert rows[name].between(0, 1).all()
    assert (rows["exact_accuracy"] <= rows["chain_accuracy"]).all()
    assert (rows["exact_accuracy"] <= rows["answer_accuracy"]).all()
    assert (rows["answer_accuracy"] <= rows["end_rate"]).all()
    assert (rows["chance"] > 0).all()
    assert rows.groupby(["task", "length", "seed"])["chance"].nunique().eq(1).all()


def test_nothing_is_said_of_longer_questions(made, cells):
    results = made[2]
    assert read_table(study_in(results) / "tables/longer.csv", "longer").empty
    assert not list(results.glob("data/**/split~longer/**/*.zip"))
    assert cells["validation_decoded_sequence_accuracy"].notna().all()


def test_a_study_that_asks_for_other_thresholds_makes_no_store(made):
    _, _, results = made
    other = load_study(changed(STUDY, **{"evaluation.answers": {"thresholds": [0.5]}}))
    plan = make_plan(other, results)
    assert not list(plan.missing)
    assert not plan.missing_data and not plan.missing_evaluations


def test_nothing_is_left_to_do(made):
    study, plan, results = made
    assert len(list(plan.missing)) == len(list(plan.blocks)) == 27
    done = make_plan(study, results)
    assert not list(done.missing) and not done.missing_data
    assert not done.missing_evaluations
