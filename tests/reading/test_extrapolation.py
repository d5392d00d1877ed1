"""Cells for tests beyond the length of training: which there are, and what is refused."""

import re

import pytest
from support.studies import FUNCTIONS, changed, tiny

from nstar.cells import Cell, cells_of
from nstar.errors import ConfigError
from nstar.reading.check import load_study

LONGER = {"role": "extrapolation", "models": ["lstm"], "lengths": [5]}


def study(own=LONGER, **changes):
    raw = tiny(**changes)
    return raw | {"grid": [*raw["grid"], own]}


def budgets(raw):
    loaded = load_study(raw)
    cells = cells_of(loaded, "extrapolation")
    assert {cell.curve for cell in cells} <= {cell.curve for cell in cells_of(loaded)}
    return [cell.budget for cell in cells]


def test_without_budgets_it_is_the_largest_of_the_curve():
    (cell,) = cells_of(load_study(study()), "extrapolation")
    assert cell == Cell("lstm", "parity", "aligned", "fixed", 5, 8)
    assert budgets(study(**{"grid.0.budgets": {"smallest": 4, "largest": 40, "cut": True}})) == [20]
    assert budgets(study(LONGER | {"budgets": [2, 16]})) == [2, 16]


def test_cells_for_the_demand_are_those_of_the_other_entries():
    assert cells_of(load_study(study())) == cells_of(load_study(tiny()))


FUNCTION = FUNCTIONS | {"grid": [*FUNCTIONS["grid"], LONGER | {"budgets": [8]}]}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            study(LONGER | {"role": "extra"}),
            "grid.1.role: 'extra' is not legal; legal are demand, ",
        ),
        (tiny(**{"grid.0": {"lengths": [4]}}), "grid.0.budgets: missing; add it"),
        (tiny(**{"grid.0.budgets": None}), "grid.0.budgets: missing; add it"),
        (study(LONGER | {"budgets": "fresh"}), "grid.1.budgets: fresh with role extrapolation, "),
        (study(LONGER | {"budgets": [2, 99]}), "grid.1.budgets: task parity, length 5, budget 99 "),
        (
            study(LONGER | {"lengths": [5, 6, 7]}),
            "grid.1.role: extrapolation, and no entry of role demand has the curve lstm, parity, "
            "length 6 and 1 more; add one",
        ),
        (study(LONGER | {"models": ["lstn"]}), "grid.1.models.0: 'lstn' is not defined"),
        (
            study(**{"evaluation.test_lengths": [5]}),
            "grid.1.lengths: 5 with role extrapolation, and evaluation.test_lengths has no length beyond",
        ),
        (
            study(demand="steps", **{"grid.0.budgets": [8]}),
            "grid.1.role: extrapolation in a study that seeks the demand for steps; it means",
        ),
        (
            FUNCTION,
            "grid.2.role: extrapolation in a study that seeks the demand for nothing; it means",
        ),
    ],
)
def test_a_wrong_entry_is_refused_with_one_line(raw, message):
    with pytest.raises(ConfigError, match=rf"has 1 mistake.*\n +{re.escape(message)}"):
        load_study(changed(raw))
