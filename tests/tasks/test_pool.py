"""What a curve draws from: nothing twice, nothing held out, and budgets that nest."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.studies import tiny

from nstar.cells import cells_of, data_specification, make_pool, share_seen, slices_of
from nstar.reading.check import load_study
from nstar.study import Data
from nstar.tasks import HELD_OUT, LENGTH_DISTRIBUTIONS, build_task, share_out

LENGTH = 5
DATA = Data(validation_examples=30, shortest_length=2)
SPACES = {2: 9, 3: 27, 4: 81, 5: 243}
"""Sequences of three symbols, by length."""

every_distribution = pytest.mark.parametrize("distribution", LENGTH_DISTRIBUTIONS)


def pool_of(distribution, modulus=3, length=LENGTH, data=DATA):
    task = build_task({"kind": "modular_addition", "modulus": modulus})
    return make_pool(task, distribution, length, data)


def as_set(part):
    """Return sequences as tuples, each cut to its length."""
    return {tuple(row[:length]) for row, length in zip(*part, strict=True)}


def joined(*parts):
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def assert_same(part, other):
    for found, wanted in zip(part, other, strict=True):
        np.testing.assert_array_equal(found, wanted)


@every_distribution
@pytest.mark.parametrize("seed", [0, 7])
def test_every_sequence_is_in_one_set_and_none_twice(distribution, seed):
    pool = pool_of(distribution)
    parts = [*(pool.held(name, seed) for name in HELD_OUT), pool.training(seed, 0, pool.n_training)]
    n_sequences = sum(SPACES[length] for length in pool.lengths)
    for name, part in zip(HELD_OUT, parts, strict=False):
        assert len(part[1]) == pool.size(name) == sum(pool.sizes(name))
    assert sum(len(part[1]) for part in parts) == n_sequences
    assert len(set().union(*map(as_set, parts))) == n_sequences


def test_a_length_gives_its_share_at_most_and_the_others_share_the_rest():
    """Of 30 each, lengths 2 to 4 give all they may: none of 9, 27 // 10 and 81 // 10."""
    assert pool_of("fixed").sets == ((24, 24, 24),)
    for distribution in ("uniform", "short_to_long"):
        pool = pool_of(distribution)
        assert pool.sets == ((0, 0, 0), (2, 2, 2), (8, 8, 8), (20, 20, 20))
        assert pool.held_out == (0, 6, 24, 60)
        for name in HELD_OUT:
            lengths, counts = np.unique(pool.held(name, 0)[1], return_counts=True)
            assert (lengths.tolist(), counts.tolist()) == ([3, 4, 5], [2, 8, 20])
    small = pool_of("uniform", data=DATA.model_copy(update={"validation_examples": 2000}))
    assert small.sets == ((0, 0, 0), (2, 2, 2), (8, 8, 8), (24, 24, 24))


@pytest.mark.parametrize(
    ("modulus", "length", "size"), [(2, 2, 0), (3, 2, 0), (2, 4, 1), (2, 8, 25)]
)
def test_the_smallest_spaces_have_small_sets_or_none(modulus, length, size):
    """Of 4 and 9 sequences none is held out; of 16 one for each set, of 256 twenty-five."""
    pool = pool_of("fixed", modulus, length)
    assert pool.sets == ((size, size, size),)
    assert pool.n_training == modulus**length - 3 * size


def test_sets_have_sizes_of_their_own():
    data = Data(validation_examples=40, confirmation_share=0.05, test_examples=7)
    assert pool_of("fixed", data=data).sets == ((24, 12, 7),)
    assert [data.largest(name, 3**400) for name in HELD_OUT] == [40, 40, 7]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(0, 200))
def test_shares_are_as_even_as_they_can_be(capacities, n):
    shares = share_out(capacities, n)
    assert sum(shares) == min(n, sum(capacities))
    assert all(share <= capacity for share, capacity in zip(shares, capacities, strict=True))
    not_full = [s for s, capacity in zip(shares, capacities, strict=True) if s < capacity]
    assert max(shares) - min(not_full, default=max(shares)) <= 1


@pytest.mark.parametrize("name", HELD_OUT)
def test_distributions_over_the_same_lengths_have_one_set_and_seeds_their_own(name):
    uniform, ascending = pool_of("uniform"), pool_of("short_to_long")
    assert_same(uniform.held(name, 3), ascending.held(name, 3))
    assert as_set(uniform.held(name, 3)) != as_set(uniform.held(name, 4))


@every_distribution
@pytest.mark.parametrize("name", HELD_OUT)
def test_budgets_have_one_set(distribution, name):
    study = load_study(
        tiny(
            **{
                "grid.0.length_distributions": [distribution],
                "grid.0.lengths": [5],
                "grid.0.budgets": [2, 8, 20],
            }
        )
    )
    task = study.tasks["parity"].model_dump()
    specifications = [
        data_specification(task, piece)
        for cell in cells_of(study)
        for piece in slices_of(study, cell, [0])
        if piece.split == name
    ]
    assert len(specifications) == 2 * 3  # two models
    assert all(one == specifications[0] for one in specifications)


@every_distribution
@pytest.mark.parametrize("budget", [1, 2, 30, 150])
def test_budgets_nest(distribution, budget):
    pool = pool_of(distribution)
    whole = pool.training(0, 0, pool.n_training)
    assert_same(pool.training(0, 0, budget), [part[:budget] for part in whole])
    assert_same(
        joined(pool.training(0, 0, budget), pool.training(0, budget, pool.n_training)), whole
    )


def test_budgets_nest_beyond_the_lengths_that_are_drawn_at_once():
    pool, at_once = pool_of("uniform", modulus=12, length=6), 2**16
    order = pool.order(0, 200_000)
    for smaller in (70_000, at_once, at_once + 1):
        np.testing.assert_array_equal(pool.order(0, smaller), order[:smaller])
    used_up = np.flatnonzero(order == 2)[-1] + 1  # lengths 5 and 6 are left, for two draws and more
    first, second = order[used_up:][:at_once], order[used_up + at_once :][:at_once]
    assert len(second) == at_once
    assert (first == second).mean() == pytest.approx(0.5, abs=0.01)


@every_distribution
def test_seeds_have_orders_of_their_own(distribution):
    pool = pool_of(distribution)
    first, second = (pool.training(seed, 0, 12) for seed in (0, 1))
    assert not np.array_equal(first[0], second[0])


def test_fixed_has_one_length():
    assert set(pool_of("fixed").training(0, 0, 100)[1]) == {LENGTH}


def test_short_to_long_uses_a_length_up_before_the_next():
    pool = pool_of("short_to_long")
    _, lengths = pool.training(0, 0, pool.n_training)
    wanted = np.repeat([2, 3, 4, 5], [9, 27 - 6, 81 - 24, 243 - 60])
    np.testing.assert_array_equal(lengths, wanted)


def test_uniform_draws_every_open_length_as_often_as_the_others():
    """Counts are compared with the sum of 1 / (lengths still open), over all steps and many seeds.

    At each step the count of a length less its chance has mean 0, whatever came before: what is summed
    is a martingale, whose variance is the sum of the p (1 - p).
    """
    pool = pool_of("uniform")
    sizes = np.array([SPACES[n] for n in pool.lengths]) - pool.held_out
    surplus, variance = np.zeros((2, 2, 4))
    for seed in range(100):
        order = pool.order(seed, pool.n_training)
        drawn = order[:, None] == np.arange(4)
        left = sizes - (np.cumsum(drawn, axis=0) - drawn)
        assert (left[np.arange(len(order)), order] > 0).all()  # nothing is drawn that is used up
        chance = (left > 0) / (left > 0).sum(axis=1, keepdims=True)
        all_open = (left > 0).all(axis=1)
        for i, steps in enumerate((all_open, ~all_open)):
            surplus[i] += (drawn - chance)[steps].sum(axis=0)
            variance[i] += (chance * (1 - chance))[steps].sum(axis=0)
    assert (variance[:, 1:] > 200).all()  # both stretches say something
    np.testing.assert_array_less(np.abs(surplus), 4 * np.sqrt(variance) + 1e-9)


def test_uniform_mixes_lengths_from_the_beginning():
    """Short sequences end early, as each length is as likely, and the longest fill what is left."""
    pool = pool_of("uniform")
    lengths = pool.training(0, 0, pool.n_training)[1]
    last = [np.flatnonzero(lengths == n)[-1] for n in pool.lengths]
    assert set(lengths[:30]) == {2, 3, 4, 5}
    assert last == sorted(last) and last[-1] == pool.n_training - 1


def test_zeros_follow_the_end_of_a_sequence():
    symbols, lengths = pool_of("uniform", modulus=5).training(0, 0, 200)
    beyond = np.arange(LENGTH) >= lengths[:, None]
    assert not symbols[beyond].any()
    assert symbols[~beyond].max() == 4


def test_fresh_sequences_are_the_same_whichever_stretch_is_asked_for():
    pool = pool_of("uniform")
    symbols, lengths = pool.draw(3, 0, 9000)
    for start, stop in ((0, 1), (4090, 4100), (8191, 8193), (5000, 9000)):
        part = pool.draw(3, start, stop)
        np.testing.assert_array_equal(part[0], symbols[start:stop])
        np.testing.assert_array_equal(part[1], lengths[start:stop])
    assert (pool.draw(4, 0, 100)[0] != symbols[:100]).any()


def test_fresh_sequences_are_uniform_over_lengths_and_symbols():
    pool = pool_of("uniform")
    symbols, lengths = pool.draw(0, 0, 20_000)
    counts = np.array([(lengths == n).sum() for n in pool.lengths])
    expected = 20_000 / len(counts)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)
    inside = np.arange(pool.length) < lengths[:, None]
    assert not symbols[~inside].any()
    shares = np.bincount(symbols[inside]) / inside.sum()
    assert np.abs(shares - 1 / pool.task.n_symbols).max() < 0.02


def test_where_batches_are_fresh_nothing_is_kept_from_training():
    """Of 16 sequences each set has all; of 32 the second set of 30 begins anew after the last two."""
    whole = make_pool(build_task({"kind": "first"}), "fixed", 4, DATA, whole=True)
    assert (whole.sets, whole.held_out, whole.n_training) == (((16, 16, 16),), (0,), 16)
    assert all(len(as_set(whole.held(name, 0))) == 16 for name in HELD_OUT)
    whole = make_pool(build_task({"kind": "first"}), "fixed", 5, DATA, whole=True)
    sets = [as_set(whole.held(name, 0)) for name in HELD_OUT]
    assert [len(part) for part in sets] == [30, 30, 30]
    assert [len(part & other) for part, other in itertools.combinations(sets, 2)] == [28, 28, 28]
    large = make_pool(build_task({"kind": "first"}), "fixed", 12, DATA, whole=True)
    assert len(set().union(*(as_set(large.held(name, 0)) for name in HELD_OUT))) == 90


@pytest.mark.parametrize(
    ("distribution", "length", "n_drawn"), [("fixed", 5, 100), ("uniform", 4, 60)]
)
def test_the_share_of_validation_sequences_seen_is_that_of_the_draws(distribution, length, n_drawn):
    task = build_task({"kind": "modular_addition", "modulus": 3})
    pool = make_pool(task, distribution, length, DATA, whole=True)
    seen = []
    for seed in range(60):
        held, drawn = as_set(pool.held("validation", seed)), as_set(pool.draw(seed, 0, n_drawn))
        seen.append(len(held & drawn) / len(held))
    error = np.std(seen) / np.sqrt(len(seen))
    assert abs(share_seen(pool, n_drawn) - np.mean(seen)) < 4 * error


def test_of_an_endless_space_nothing_is_seen_twice():
    task = build_task({"kind": "first"})
    assert share_seen(make_pool(task, "fixed", 2000, DATA, whole=True), 10**9) == 0
    assert share_seen(make_pool(task, "fixed", 2, DATA, whole=True), 10**9) == 1
