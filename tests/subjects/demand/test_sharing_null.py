"""Learners whose sharing is known, on the sequences of real pools: their kappa, and its null."""

import numpy as np
import pytest

from nstar.cells.pools import make_pool
from nstar.study import Data
from nstar.subjects.demand.sharing import sharing_rows
from nstar.tables.selection import CURVE_PLACE
from nstar.tasks import TASKS

LENGTHS = range(4, 9)
DATA = Data(validation_examples=100, shortest_length=4)
TASK = TASKS["modular_addition"](kind="modular_addition", modulus=5)
SEEDS = (10, 20, 30)


def curve(supervision, distribution, length):
    place = ("learner", "addition", supervision, distribution, 5, length)
    assert len(place) == len(CURVE_PLACE)
    return place


def seen(pool, seed, supervision):
    """Return how often the first N training sequences ask for the state of each length, for every N."""
    order = pool.order(seed, min(pool.n_training, 100_000)) + pool.lengths[0]
    lengths = np.array(pool.lengths)[:, None]
    return np.cumsum(order >= lengths if supervision == "aligned" else order == lengths, axis=1)


def first(learnt):
    return float(np.flatnonzero(learnt)[0] + 1)


def factor(supervision, distribution, needs, joint):
    """Return kappa and its null of a learner: what each length needs, and all together."""
    demands = {
        curve(supervision, "fixed", n): (float(need),) * 3
        for n, need in zip(LENGTHS, needs, strict=True)
    }
    key = curve(supervision, distribution, LENGTHS[-1])
    demands = {k: (v[0], v[0] * 0.999, v[0] * 1.001) for k, v in demands.items()}
    demands[key] = (joint, joint * 0.999, joint * 1.001)
    pool = make_pool(TASK, distribution, LENGTHS[-1], DATA)
    known = dict.fromkeys(demands, 0)
    mixtures = {("addition", distribution, LENGTHS[-1]): list(pool.available)}
    (row,) = sharing_rows(key, LENGTHS[0], "half", demands, known, known, mixtures)
    return row


NEEDS = {
    "flat": (400, 400, 400, 400, 400),
    "growing": (50, 100, 200, 400, 800),
    "so many that a length runs out": (500, 900, 1200, 1500, 1800),
}


@pytest.mark.parametrize("needs", NEEDS.values(), ids=NEEDS)
@pytest.mark.parametrize("distribution", ["uniform", "short_to_long"])
@pytest.mark.parametrize("supervision", ["aligned", "outcome", "chain_of_thought"])
def test_who_shares_nothing_has_the_kappa_of_the_null(supervision, distribution, needs):
    """It knows a length once as many sequences have shown it as the model of that length alone needs."""
    pool = make_pool(TASK, distribution, LENGTHS[-1], DATA)
    joints = [
        first((seen(pool, seed, supervision) >= np.array(needs)[:, None]).all(axis=0))
        for seed in SEEDS
    ]
    row = factor(supervision, distribution, needs, np.mean(joints))
    assert row["against_null"] == pytest.approx(1, rel=0.1)
    assert row["kappa"] == pytest.approx(row["null"], rel=0.1)
    assert row["kappa"] < 1.1


def test_who_learns_all_lengths_from_any_sequence_is_above_its_null():
    row = factor("aligned", "uniform", NEEDS["flat"], 400.0)
    assert row["kappa"] == pytest.approx(5) and row["null"] == pytest.approx(1, rel=0.02)
    assert row["against_null_lower"] > 4.8


def test_who_is_let_off_the_last_position_seems_to_share():
    """As by a mean over all labels: nothing is shared, and kappa is twice that of the null."""
    pool = make_pool(TASK, "uniform", LENGTHS[-1], DATA)
    needs = np.array(NEEDS["flat"])[:, None]
    joints = [first((seen(pool, seed, "aligned") >= needs)[:-1].all(axis=0)) for seed in SEEDS]
    row = factor("aligned", "uniform", NEEDS["flat"], np.mean(joints))
    assert row["kappa"] == pytest.approx(2, rel=0.1)
