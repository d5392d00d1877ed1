"""Products of swaps, against the products of all permutations."""

import itertools

import numpy as np
import pytest

from nstar.tasks import PermutationComposition, SwapComposition


@pytest.mark.parametrize("degree", [3, 4, 5])
def test_products_are_those_of_all_permutations(degree):
    task = SwapComposition(kind="swap_composition", degree=degree)
    every = PermutationComposition(kind="permutation_composition", degree=degree)
    permutations = list(itertools.permutations(range(degree)))
    swaps = [p for p in permutations if sum(i != x for i, x in enumerate(p)) == 2]
    assert task.n_symbols == len(swaps)
    moved = [tuple(i for i, x in enumerate(p) if i != x) for p in swaps]
    ordered = [permutations.index(swap) for _, swap in sorted(zip(moved, swaps, strict=True))]
    tokens = np.random.default_rng(0).integers(0, task.n_symbols, (50, 9))
    np.testing.assert_array_equal(task.labels(tokens), every.labels(np.array(ordered)[tokens]))


def test_parity_of_the_state_is_that_of_the_position():
    """So that half of the 120 states is impossible, and chance far out is 2 / 120."""
    task = SwapComposition(kind="swap_composition", degree=5)
    permutations = list(itertools.permutations(range(5)))
    odd = [sum(a > b for a, b in itertools.combinations(p, 2)) % 2 for p in permutations]
    labels = task.labels(np.random.default_rng(0).integers(0, 10, (30, 12)))
    assert (np.array(odd)[labels] == np.arange(1, 13) % 2).all()
    assert task.chance(100, 200) == pytest.approx(2 / 120)
    assert task.chance(1, 1) == pytest.approx(1 / 10)
