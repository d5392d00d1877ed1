"""Functions of bits: their exact sensitivities, and what they say at every beginning."""

import math

import numpy as np
import pytest

from nstar.measures.sensitivity import average_sensitivity, cube, degree_profile
from nstar.tasks import build_task
from nstar.tasks.functions.boolean_function import all_inputs

PARITY = {"kind": "modular_addition", "modulus": 2}


def table_of(options, n_bits):
    """Return the truth table at n bits, on the scale of {-1, +1}."""
    return 2 * build_task(options).labels(all_inputs(n_bits))[:, -1] - 1.0


def test_inputs_are_those_of_the_cube():
    np.testing.assert_array_equal(2 * all_inputs(5) - 1, cube(5))


@pytest.mark.parametrize("n", [4, 5, 9, 10])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (PARITY, lambda n: n),
        ({"kind": "first"}, lambda n: 1),
        ({"kind": "mean"}, lambda n: 1 / n),
        ({"kind": "k_parity", "bits": 3}, lambda n: 3),
        (
            {"kind": "majority"},
            lambda n: (m := (n + 1) // 2 * 2 - 1) * math.comb(m - 1, m // 2) / 2 ** (m - 1),
        ),
    ],
    ids=["parity", "first", "mean", "k_parity", "majority"],
)
def test_average_sensitivity_is_the_closed_form(options, expected, n):
    """Hahn and Rofin (2024), section 3."""
    assert average_sensitivity(table_of(options, n)) == pytest.approx(expected(n), abs=1e-12)


def test_a_parity_of_some_bits_lies_at_that_degree():
    profile = degree_profile(table_of({"kind": "k_parity", "bits": 3}, 7))
    assert profile.tolist() == [float(degree == 3) for degree in range(8)]


def test_random_functions_have_half_of_the_bits_on_average():
    """Mean n/2, standard deviation sqrt(n / 2^(n+1)) = 0.0699 at n = 10."""
    found = [
        average_sensitivity(table_of({"kind": "random_function", "seed": seed}, 10))
        for seed in range(100)
    ]
    assert np.mean(found) == pytest.approx(5, abs=3 * 0.0699 / 10)
    assert np.std(found) == pytest.approx(0.0699, rel=0.3)


def test_random_functions_of_two_seeds_or_lengths_are_unrelated():
    one, other = (table_of({"kind": "random_function", "seed": seed}, 12) for seed in (0, 1))
    assert abs((one * other).mean()) < 4 / 64
    longer = table_of({"kind": "random_function", "seed": 0}, 13)
    for half in (longer[:4096], longer[4096:]):
        assert abs((one * half).mean()) < 4 / 64


def test_a_tie_is_no_majority():
    labels = build_task({"kind": "majority"}).labels(np.array([[1, 0, 0, 1, 1, 1]]))
    assert labels.tolist() == [[1, 0, 0, 0, 1, 1]]


def test_a_truth_table_gives_its_values_back():
    values = "".join(map(str, np.random.default_rng(0).integers(0, 2, 32)))
    task = build_task({"kind": "truth_table", "values": values})
    assert task.labels(all_inputs(5))[:, -1].tolist() == [int(value) for value in values]
    longer = task.labels(all_inputs(7))[:, -1]
    assert longer.tolist() == [int(value) for value in values * 4]  # further bits do not count
    shorter = task.labels(all_inputs(3))[:, -1]
    assert shorter.tolist() == [int(value) for value in values[:8]]  # missing bits are 0


@pytest.mark.parametrize("values", ["1", "011", "01a0"])
def test_a_table_of_another_size_is_refused(values):
    with pytest.raises(ValueError, match=r"values|pattern"):
        build_task({"kind": "truth_table", "values": values})


def test_a_function_of_many_bits_has_labels_and_a_chance_level():
    tokens = np.random.default_rng(0).integers(0, 2, (3, 1024))
    for options in ({"kind": "majority"}, {"kind": "random_function", "seed": 1}):
        task = build_task(options)
        assert task.labels(tokens).shape == (3, 1024)
        assert 0.5 <= task.chance(1000, 1024) < 0.52
