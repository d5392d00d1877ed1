"""Accuracies above chance, where there is such a thing."""

import numpy as np

from nstar.measures.chance import above_chance


def test_nothing_is_above_a_guess_that_is_always_right():
    assert np.isnan(above_chance(np.array([1.0, 0.5]), chance=1.0)).all()


def test_guessing_is_0_and_perfection_1():
    np.testing.assert_allclose(above_chance(np.array([0.2, 0.6, 1.0]), chance=0.2), [0, 0.5, 1])
