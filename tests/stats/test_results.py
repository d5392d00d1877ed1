"""Every result of a fit knows its rows in a table, and its fit card."""

import dataclasses
import inspect
import json
import math
import typing

import pytest

from nstar import stats
from nstar.stats import Coefficient, Difference, LinearFit, Result, ScalingFit, fit_linear
from nstar.tables import TABLES

RESULTS = [cls for _, cls in inspect.getmembers(stats, dataclasses.is_dataclass)]
COLUMNS = {name for columns in TABLES.values() for name in columns}


def example(cls):
    """Return a result with a value in every field, some of which JSON cannot hold."""
    values = {float: math.nan, int: 3, bool: True, str: "words", object: ("lstm", 8)}
    hints = typing.get_type_hints(cls)
    fields = {field.name: values.get(hints[field.name], ()) for field in dataclasses.fields(cls)}
    if "coefficients" in fields:
        names = ("intercept", "length")
        fields["coefficients"] = tuple(Coefficient(name, 1.5, 0.5, 1.0, math.inf) for name in names)
    if "p_values" in fields:
        fields["p_values"] = (0.5, 0.25)
    return cls(**fields)


@pytest.mark.parametrize("cls", RESULTS)
def test_every_result_follows_the_protocol(cls):
    assert issubclass(cls, Result)
    result = example(cls)
    rows = result.rows(COLUMNS)
    assert rows and all(set(row) <= COLUMNS for row in rows)
    text = json.dumps(result.summary(), allow_nan=False)
    assert set(json.loads(text)) >= {field.name for field in dataclasses.fields(cls)}


@pytest.mark.parametrize("cls", RESULTS)
def test_no_method_of_a_result_is_called_as_a_column(cls):
    methods = {name for name, _ in inspect.getmembers(cls, callable)}
    assert methods & COLUMNS <= {"coefficient"}, "which `Fit.rows` takes for the name"


def test_a_fit_has_a_row_for_each_coefficient_with_its_own_p_value():
    rows = example(LinearFit).rows(["model", "coefficient", "estimate", "p_value", "n_used"])
    shared = {"estimate": 1.5, "n_used": 3}
    assert rows == [
        {"coefficient": "intercept", "p_value": 0.5, **shared},
        {"coefficient": "length", "p_value": 0.25, **shared},
    ]


def test_the_row_of_a_coefficient_is_found_by_its_name():
    fit = fit_linear([1.0, 2.0, 4.0, 7.0], {"n": [1.0, 2.0, 3.0, 4.0]})
    assert fit.row_of("n", ["estimate"]) == {"estimate": fit.coefficient("n").estimate}
    with pytest.raises(KeyError, match="no coefficient is called 'm'; there are: intercept, n"):
        fit.row_of("m", ["estimate"])


def test_columns_that_follow_from_fields_are_known():
    fit = dataclasses.replace(example(ScalingFit), n_left_censored=1, n_right_censored=4)
    assert [row["n_censored"] for row in fit.rows(["n_censored"])] == [5, 5]
    assert fit.summary()["n_censored"] == 5


def test_a_difference_is_one_row():
    (row,) = example(Difference).rows(["estimate", "p_value", "n_curves"])
    assert set(row) == {"estimate", "p_value"}
