"""Checks of the first study (arXiv:2602.18333) that need no training: how much there is to learn from.

Others stand beside what they check: the table of S_5 (`tasks/test_permutation_composition.py`), the
memoriser whose kappa is 1 (`stats/test_sharing.py`), networks set by hand (`models/test_hand_built.py`),
numbers of parameters (`models/test_contract.py`), the search (`test_search.py`).
"""

import math

import numpy as np
import pytest

from nstar.cells import make_pool
from nstar.stats import find_sharing_factor
from nstar.study import Data
from nstar.tasks import HELD_OUT, Pool, build_task

N_SEEDS = 60


def addition(modulus):
    return build_task({"kind": "modular_addition", "modulus": modulus})


@pytest.mark.parametrize(
    ("modulus", "longest", "n_sequences"),
    [
        *((2, 5, 60), (2, 10, 2_044), (3, 5, 360), (3, 6, 1_089)),
        *((5, 5, 3_900), (3, 10, 88_569), (5, 10, 12_207_025)),
    ],
)
@pytest.mark.parametrize("distribution", ["uniform", "short_to_long"])
def test_number_of_sequences_of_two_symbols_and_more(modulus, longest, n_sequences, distribution):
    pool = make_pool(addition(modulus), distribution, longest, Data())
    assert pool.n_training + sum(pool.held_out) == n_sequences
    assert all(pool.size(name) <= min(2000, n_sequences // 10) for name in HELD_OUT)


# ------------------------------------------------------- a learner that writes down every transition


def demand(pool, seed):
    """Return how many sequences show every pair of state and symbol; NaN if all of them do not."""
    task = pool.task
    n_pairs = task.n_states * task.n_symbols
    symbols, lengths = pool.training(seed, 0, min(10 * n_pairs, pool.n_training))
    before = np.pad(task.labels(symbols), ((0, 0), (1, 0)))[:, :-1]
    pairs = before * task.n_symbols + symbols
    inside = np.arange(pool.length) < lengths[:, None]
    seen, first = np.unique(np.where(inside, pairs, pairs[:, :1]), return_index=True)
    return first.max() // pool.length + 1 if len(seen) == n_pairs else math.nan


def median_demand(task, distribution, shortest, longest):
    """Return the median over seeds, of pools without a validation set."""
    pool = Pool(task, distribution, longest, ((0, 0, 0),) * (longest - shortest + 1))
    return float(np.median([demand(pool, seed) for seed in range(N_SEEDS)]))


@pytest.mark.parametrize(
    ("modulus", "longest", "fixed", "uniform"),
    [(5, 5, 20, 30), (5, 10, 11, 16), (10, 10, 56, 93), (20, 10, 272, 524), (20, 30, 86, 172)],
)
def test_what_an_ideal_learner_of_aligned_states_needs(modulus, longest, fixed, uniform):
    """Against an independent simulation: medians of 60, written before this package.

    A sequence of the longest length shows the most: that fixed needs less (Obs. 3.4) is by construction.
    """
    task = addition(modulus)
    found = (
        median_demand(task, "fixed", longest, longest),
        median_demand(task, "uniform", 2, longest),
    )
    assert found == pytest.approx((fixed, uniform), rel=0.25)
    assert found[0] < found[1]


def test_an_ideal_learner_needs_fewer_sequences_where_they_are_longer():
    task = addition(5)
    found = [median_demand(task, "uniform", 2, longest) for longest in (5, 10, 20)]
    assert found == sorted(found, reverse=True) and found[0] > 2 * found[-1]


@pytest.mark.parametrize(("modulus", "longest", "kappa"), [(5, 5, 3.5), (5, 10, 9.6)])
def test_an_ideal_learner_shares_its_table_between_lengths(modulus, longest, kappa):
    """Sequences are unique, so that length 2 needs no more than its space.

    Recorded from this simulation. The independent one has 5.6 and 15.3: as for the sequences of length 2,
    of which 25 H_20 = 90 are needed where they are drawn with replacement, and at most 25 here.
    """
    task = addition(modulus)
    lengths = range(2, longest + 1)
    single = np.array([median_demand(task, "fixed", n, n) for n in lengths])
    joint = median_demand(task, "uniform", 2, longest)
    found = find_sharing_factor(
        list(lengths), single, single - 0.5, single + 0.5, (joint, joint - 0.5, joint + 0.5)
    )
    assert single[0] <= modulus**2
    assert found.estimate == pytest.approx(kappa, rel=0.1)


def test_nothing_learns_from_two_symbols_once_some_sequences_are_held_out():
    """Of two symbols, a transition from a state other than the first is shown by one sequence alone."""
    pool = make_pool(addition(5), "fixed", 2, Data())
    assert pool.held_out == (6,)
    demands = [demand(pool, seed) for seed in range(20)]
    assert np.isnan(demands).all()
    assert not np.isnan(demand(make_pool(addition(5), "fixed", 4, Data()), 0))
