"""The stream is a permutation of the whole space, at any size, by random access."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nstar.tasks.stream import SMALL_SPACE, SequenceStream, _limb_widths


@given(st.integers(2, 6), st.integers(1, 5), st.integers(0, 2**40))
@settings(max_examples=30, deadline=None)
def test_small_space_is_visited_once(n_symbols, length, seed):
    stream = SequenceStream(n_symbols, length, seed)
    assert len(np.unique(stream.sequences(0, stream.size), axis=0)) == stream.size


@pytest.mark.parametrize(("n_symbols", "length"), [(2, 21), (11, 6), (128, 3), (1500, 2)])
def test_network_is_a_permutation(n_symbols, length):
    stream = SequenceStream(n_symbols, length, seed=1)
    assert stream.size > SMALL_SPACE
    rows = stream.sequences(0, stream.size)
    codes = rows @ n_symbols ** np.arange(length)
    assert np.bincount(codes, minlength=stream.size).max() == 1


@pytest.mark.parametrize(("n_symbols", "length"), [(5, 4), (2, 40), (100, 30), (120, 20)])
def test_unique_and_uniform_at_any_size(n_symbols, length):
    rows = SequenceStream(n_symbols, length, seed=3).sequences(0, min(n_symbols**length, 20_000))
    assert len(np.unique(rows, axis=0)) == len(rows)
    assert rows.min() >= 0 and rows.max() < n_symbols
    expected = len(rows) / n_symbols
    for column in rows.T:
        counts = np.bincount(column, minlength=n_symbols)
        statistic = ((counts - expected) ** 2 / expected).sum()
        freedom = n_symbols - 1
        assert statistic < freedom + 6 * np.sqrt(2 * freedom)


def test_neighbours_in_the_order_are_unrelated():
    rows = SequenceStream(2, 40, seed=0).sequences(0, 20_000)
    assert np.abs(np.corrcoef(rows.T) - np.eye(40)).max() < 0.04
    agreement = (rows[1:] == rows[:-1]).mean(0)
    assert np.abs(agreement - 0.5).max() < 0.02


@pytest.mark.parametrize("length", [6, 40])
def test_random_access_equals_one_sweep(length):
    stream = SequenceStream(2, length, seed=5)
    whole = stream.sequences(0, 60)
    np.testing.assert_array_equal(
        np.concatenate([stream.sequences(0, 17), stream.sequences(17, 60)]), whole
    )


@pytest.mark.parametrize("length", [6, 40])
def test_seeds_give_unrelated_orders(length):
    first, second = (SequenceStream(2, length, seed).sequences(0, 60) for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 2), (0, 65)])
def test_positions_outside_of_the_space_are_refused(start, stop):
    with pytest.raises(ValueError, match="outside of the 64 sequences of length 6"):
        SequenceStream(2, 6, seed=0).sequences(start, stop)


@pytest.mark.parametrize(("n_symbols", "length"), [(2, 21), (100, 30), (2**31, 2)])
def test_limbs_fit_the_arithmetic(n_symbols, length):
    widths = _limb_widths(n_symbols, length)
    assert sum(widths) == length and len(widths) >= 2
    assert all(n_symbols**width <= 2**31 for width in widths)
