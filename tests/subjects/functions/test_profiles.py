"""Insensitive inputs: which networks are counted, and what is said of them."""

import itertools

import numpy as np
import pandas as pd
import pytest
from support.function_tables import ASKED, make_measured, make_profile, table

from nstar.measures.sensitivity import sensitivity_profile
from nstar.subjects.functions.findings.insensitive import (
    LEAST_BY_CHANCE,
    MOST_BY_CHANCE,
    insensitive_lines,
)
from nstar.subjects.functions.profiles import insensitive_rows
from nstar.subjects.functions.selection import insensitive_inputs

N_SEEDS = 10


@pytest.fixture(scope="module")
def tables():
    sizes = {
        "models": ["b", "a"],
        "tasks": ["parity", "first"],
        "lengths": [4, 6],
        "steps": [500, 4000],
    }
    measures = make_measured(**sizes, seeds=range(N_SEEDS))["measures"]
    of_parity = measures["task"] == "parity"
    measures.loc[of_parity & (measures["seed"] == 3), "learnt"] = False
    return make_profile(measures), measures


@pytest.fixture(scope="module")
def rows(tables):
    return pd.DataFrame(insensitive_rows(*tables, ["b", "a"], 0.95))


def find(rows, **values):
    for key, value in values.items():
        rows = rows[rows[key] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_network_before_training_counts_once_for_all_tasks(tables, rows):
    inputs = insensitive_inputs(*tables)
    before = inputs[inputs["networks"] == "untrained"]
    assert len(before) == 2 * 2 * N_SEEDS * 2 and (before["task"] == "").all()
    row = find(rows, model="a", length=6, networks="untrained", cut="half")
    assert (row["n_networks"], row["n_insensitive"], row["n_constant"]) == (N_SEEDS, N_SEEDS, 1)
    assert (row["median_share"], row["least_share"], row["greatest_share"]) == (0.5, 0.5, 1.0)
    assert row["random_share"] == 1 / 64 and np.isnan(row["target_share"])
    assert find(rows, model="a", length=6, networks="untrained", cut="median")["n_constant"] == 0


def test_the_share_has_an_exact_interval(rows):
    """All of ten: the lower end is 0.025^(1/10), at which ten of ten have the probability 0.025."""
    row = find(rows, model="b", length=4, networks="untrained", cut="half")
    assert (row["estimate"], row["upper"]) == (1, 1)
    assert row["lower"] == pytest.approx(0.025**0.1)
    row = find(rows, model="b", length=4, networks="learnt", task="first", cut="half")
    assert (row["estimate"], row["lower"]) == (0, 0)
    assert row["upper"] == pytest.approx(1 - 0.025**0.1)


def test_runs_that_did_not_learn_are_counted_apart(rows):
    where = {"model": "b", "length": 4, "task": "parity", "cut": "median"}
    assert find(rows, networks="learnt", **where)["n_networks"] == N_SEEDS - 1
    assert find(rows, networks="not_learnt", **where)["n_networks"] == 1
    assert find(rows, networks="learnt", **where)["target_share"] == 0
    assert rows["model"].drop_duplicates().tolist() == ["b", "a"], "in the order of the study"


def test_nothing_is_counted_where_there_is_no_profile(tables):
    profile, measures = tables
    assert insensitive_inputs(profile.iloc[:0], measures).empty
    assert list(insensitive_rows(profile.iloc[:0], measures, ["b", "a"], 0.95)) == []


def test_findings_say_more_or_less_than_random_functions_where_the_interval_does(rows):
    whole = table("insensitive", [ASKED | row for row in rows.to_dict("records")])
    half, median = insensitive_lines(whole)
    assert (half["cut"], median["cut"]) == ("half", "median") and half["lengths"] == [4, 6]
    names = [(line["model"], line["networks"]) for line in half["lines"]]
    of_model = ["before training", "parity, learnt", "parity, not learnt", "first, learnt"]
    assert names == [(model, name) for model in "ba" for name in of_model]
    before, parity, lost, _ = half["lines"][:4]
    assert before["shares"] == ["0.5 (10/10)", "0.5 (10/10)"]
    assert before["reading"].endswith("insensitive inputs, more than of random functions.")
    assert parity["shares"] == ["0 (0/9)", "0 (0/9)"]
    assert parity["reading"].endswith("insensitive inputs, less than of random functions.")
    assert lost["reading"].endswith("does not exclude that of random functions.")


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_random_functions_of_few_bits_lie_within_the_bounds_that_findings_compare_with(n):
    tables = np.array(list(itertools.product([-1, 1], repeat=2**n)), dtype=np.int8)
    share = (sensitivity_profile(tables)[:, 0] > 0).mean()
    assert LEAST_BY_CHANCE <= share < MOST_BY_CHANCE < 0.6322
