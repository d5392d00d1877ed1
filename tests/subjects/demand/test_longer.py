"""Horizons and accuracies by position, from accuracies written by hand."""

import numpy as np
import pandas as pd
import pytest

from nstar.subjects.demand.longer import (
    chosen_networks,
    horizon,
    longer_along,
    median_horizon,
    position_tables,
)
from nstar.tables.cells import LONGER
from nstar.tasks import build_task

TASKS = {"sum": build_task({"kind": "modular_addition", "modulus": 4})}
NAN = np.nan


def row(seed=0, test_length=8, accuracies=(), **changes):
    """Return a row of the table of longer lengths, with the accuracy of each state."""
    fields = dict.fromkeys(LONGER, 0) | {"model": "lstm", "task": "sum", "supervision": "aligned"}
    fields |= {"length_distribution": "fixed", "n_states": 4, "length": 4, "budget": 64}
    fields |= {"seed": seed, "learning_rate": 0.1, "role": "demand", "reading": "symbols"}
    fields |= {"validation_sequence_accuracy": 1.0, "test_length": test_length}
    return fields | {"by_position": np.array(accuracies)} | changes


def tables(rows, threshold=0.9):
    return position_tables(TASKS, threshold, pd.DataFrame(rows))


FALLS = [1, 1, 1, 1, 0.95, 0.8, 0.95, 0.4]
HOLDS = [1, 1, 1, 1, 0.95, 0.95, 0.9, 0.9]


def test_the_horizon_is_the_first_position_below_the_threshold():
    found = tables([row(0, accuracies=FALLS), row(1, accuracies=HOLDS), row(2, accuracies=HOLDS)])
    shown = found["horizons"][["rule", "seed", "horizon", "censoring", "longest", "over"]]
    beyond = [NAN, "beyond", 8, "position"]
    expected = [["seed", 0, 6, "exact", 8, "position"], ["seed", 1, *beyond], ["seed", 2, *beyond]]
    expected += [["median", pd.NA, *beyond]]
    pd.testing.assert_frame_equal(
        shown, pd.DataFrame(expected, columns=list(shown)), check_dtype=False
    )
    positions = found["positions"]
    assert positions["position"].tolist() == list(range(1, 9))
    assert positions["median"].tolist() == HOLDS
    assert positions["least"].tolist() == np.minimum(FALLS, HOLDS).tolist()
    assert (positions["chance"] == 0.25).all() and (positions["n_seeds"] == 3).all()


def test_only_the_longest_test_is_looked_at():
    rows = [row(test_length=6, accuracies=[0] * 6), row(accuracies=HOLDS)]
    assert tables(rows)["horizons"]["censoring"].tolist() == ["beyond", "beyond"]


def test_where_one_state_is_asked_for_the_horizon_is_over_test_lengths():
    def tested(length, accuracy):
        return row(test_length=length, token_accuracy=accuracy, supervision="outcome")

    found = tables([tested(8, 0.95), tested(12, 0.7), tested(50, 0.95)])
    first = found["horizons"].iloc[0]
    assert (first["horizon"], first["over"], first["longest"]) == (12, "test_length", 50)
    assert found["positions"]["position"].tolist() == [8, 12, 50]
    assert found["positions"]["median"].tolist() == [0.95, 0.7, 0.95]


def test_a_network_without_accuracies_has_no_horizon_and_does_not_count():
    found = tables([row(0, accuracies=[NAN] * 8), row(1, accuracies=FALLS)])
    assert found["horizons"]["censoring"].tolist() == ["unknown", "exact", "exact"]
    assert found["horizons"]["horizon"].tolist()[1:] == [6, 6]
    assert (found["positions"]["n_seeds"] == 1).all()


@pytest.mark.parametrize(
    ("found", "median"),
    [
        ([5, 7], (5, "exact")),
        ([5, "beyond"], (5, "exact")),
        (["beyond", "beyond", 5, 6], (6, "exact")),
        (["beyond", "beyond", 5], (NAN, "beyond")),
        (["unknown"], (NAN, "unknown")),
    ],
)
def test_median_of_horizons(found, median):
    pairs = [(NAN, one) if isinstance(one, str) else (one, "exact") for one in found]
    np.testing.assert_equal(median_horizon(pairs), median)


def test_a_horizon_does_not_depend_on_what_follows_it():
    at, accuracies = np.arange(1, 101), np.linspace(1, 0, 100)
    first, _ = horizon(at, accuracies, 0.5)
    assert accuracies[int(first) - 1] < 0.5 <= accuracies[int(first) - 2]
    assert horizon(at, np.where(at > first, 1, accuracies), 0.5) == (first, "exact")


def test_networks_of_the_role_stand_for_a_curve_that_has_them():
    rows = pd.DataFrame(
        [
            row(budget=64),
            row(budget=16, role="extrapolation", learning_rate=0.1),
            row(budget=32, role="extrapolation", learning_rate=0.1),
            row(budget=32, role="extrapolation", learning_rate=0.2, validation_loss=-1.0),
            row(budget=64, model="gru"),
        ]
    )
    shown = chosen_networks(rows)[["model", "role", "budget", "learning_rate"]]
    assert shown.to_numpy().tolist() == [
        ["lstm", "extrapolation", 32, 0.2],
        ["gru", "demand", 64, 0.1],
    ]


def test_along_a_width_the_largest_of_a_family_stands_for_it():
    rows = pd.DataFrame([row(model="lstm_4"), row(model="lstm_8")])
    axis = {"name": "width", "models": {"lstm_4": ["lstm", 4], "lstm_8": ["lstm", 8]}}
    chosen = chosen_networks(longer_along(axis, rows))
    assert chosen[["model", "budget"]].to_numpy().tolist() == [["lstm", 8]]


def test_without_tests_the_tables_are_empty():
    empty = pd.DataFrame(columns=[*LONGER, "by_position"])
    assert all(table.empty for table in position_tables(TASKS, 0.9, empty).values())
