"""The products of permutations, against the definition and the facts of the group."""

import itertools

import numpy as np
import pytest

from nstar.tasks import PermutationComposition


def compose(outer, inner):
    return tuple(outer[i] for i in inner)


@pytest.mark.parametrize("degree", [2, 3, 4, 5])
def test_products_are_those_of_the_definition(degree):
    task = PermutationComposition(kind="permutation_composition", degree=degree)
    elements = list(itertools.permutations(range(degree)))
    tokens = np.random.default_rng(0).integers(0, task.n_symbols, (40, 7))
    for row, found in zip(tokens, task.labels(tokens), strict=True):
        state = tuple(range(degree))
        for symbol, label in zip(row, found, strict=True):
            state = compose(elements[symbol], state)  # y = pi_n o ... o pi_1
            assert elements[label] == state


@pytest.fixture(scope="module")
def table():
    """The number of b o a at (a, b), for S_5."""
    task = PermutationComposition(kind="permutation_composition", degree=5)
    assert task.n_symbols == task.n_states == 120
    pairs = np.array(list(itertools.product(range(120), repeat=2)))
    return task.labels(pairs)[:, 1].reshape(120, 120)


def test_s5_is_a_group(table):
    everything = np.arange(120)
    np.testing.assert_array_equal(table[0], everything)  # 0 is the identity
    np.testing.assert_array_equal(table[:, 0], everything)
    assert all(set(row) == set(everything) for row in (*table, *table.T))
    np.testing.assert_array_equal(table[table], table[:, table])  # (c o b) o a = c o (b o a)


def test_share_of_s5_that_does_not_commute(table):
    """A group of 120 elements in 7 classes: a pair commutes with probability 7 / 120."""
    assert (table != table.T).mean() == pytest.approx(1 - 7 / 120)
