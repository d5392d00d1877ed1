"""A walk on a cycle, by its definition."""

import numpy as np
import pytest

from nstar.tasks import build_task


@pytest.mark.parametrize("size", [3, 5, 8])
def test_the_place_after_every_step(size):
    task = build_task({"kind": "cycle_navigation", "size": size})
    tokens = np.random.default_rng(size).integers(0, 3, (50, 20))
    for walk, places in zip(tokens, task.labels(tokens), strict=True):
        place = 0
        for symbol, found in zip(walk, places, strict=True):
            place = (place + {0: 0, 1: 1, 2: -1}[symbol]) % size
            assert found == place
