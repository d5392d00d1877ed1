"""Which part each evaluation is read from, and where a prefix ends."""

import numpy as np

from nstar.store.joint import Joint


def joint(n_replicates, *parts):
    """Return the joint of parts that are dicts: of each replicate the first evaluation, and how many."""
    rows = [[*part] for part in parts]
    first, n = ([np.array([own[i] for own in part.values()]) for part in parts] for i in range(2))
    return Joint(n_replicates, rows, first, n)


def test_the_first_part_that_has_an_evaluation_counts():
    found = joint(2, {0: (0, 2), 1: (0, 3)}, {1: (2, 2), 0: (1, 3)})
    assert found.part_of.tolist() == [[0, 0, 1, 1], [0, 0, 0, 1]]
    assert found.n_known.tolist() == [4, 4]


def test_a_prefix_ends_before_a_hole_that_no_part_fills():
    first, last, between = {0: (0, 2)}, {0: (4, 2)}, {0: (2, 2)}
    assert joint(1, first, last).n_known.tolist() == [2]
    assert joint(1, first, last).part_of.tolist() == [[0, 0, -1, -1, 1, 1]]
    assert joint(1, first, last, between).n_known.tolist() == [6]


def test_arrays_are_joined_as_their_evaluations_are():
    found = joint(2, {0: (0, 2), 1: (0, 1)}, {0: (1, 3)})
    whole = found.join([np.array([[1, 2], [3, 9]]), np.array([[20, 4, 5]])])
    assert whole.tolist() == [[1, 2, 4, 5], [3, 0, 0, 0]]
    shares = found.join([np.ones((2, 2, 3), np.float32), np.zeros((1, 3, 3), np.float32)])
    assert shares.dtype == np.float32 and shares.shape == (2, 4, 3)
    assert np.isnan(shares[1, 1:]).all() and (shares[0, 2:] == 0).all()
