"""Which training examples a step sees: shuffled epochs, or ever new ones, by random access.

The order is an endless chain of permutations of the training set. Step s reads positions
``[s B, (s + 1) B)`` of it, and any stretch can be computed without the ones before, so a resumed run
sees what an uninterrupted one would have seen.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nstar.seeds import numpy_generator

_EXAMPLES_PER_DRAW = 8192


class EpochSampler:
    """The order of the examples of one replicate.

    Parameters
    ----------
    n_examples : int
        N, size of the training set; at least 1.
    batch_size : int
        B, examples per step; at least 1.
    key : mapping
        Coordinates of the random stream.
    """

    def __init__(self, n_examples: int, batch_size: int, key: Mapping[str, Any]):
        self.n_examples = n_examples
        self.batch_size = batch_size
        self.key = dict(key)
        self._epochs_per_draw = max(1, _EXAMPLES_PER_DRAW // n_examples)

    def indices(self, first_step: int, last_step: int) -> np.ndarray:
        """Return the examples of steps ``first_step .. last_step - 1``.

        Returns
        -------
        ndarray of int64, shape (last_step - first_step, B)
            Values in ``0 .. N - 1``.
        """
        start, stop = first_step * self.batch_size, last_step * self.batch_size
        per_draw = self._epochs_per_draw * self.n_examples
        first_draw, last_draw = start // per_draw, (stop - 1) // per_draw
        order = np.concatenate([self._draw(draw) for draw in range(first_draw, last_draw + 1)])
        offset = first_draw * per_draw
        return order[start - offset : stop - offset].reshape(-1, self.batch_size)

    def _draw(self, draw: int) -> np.ndarray:
        """Return a run of whole epochs, each a permutation of the training set."""
        generator = numpy_generator("order", draw=draw, n_examples=self.n_examples, **self.key)
        epochs = np.tile(np.arange(self.n_examples), (self._epochs_per_draw, 1))
        return generator.permuted(epochs, axis=1).ravel()


class FreshSampler:
    """The examples of one replicate that sees each of them once.

    Parameters
    ----------
    draw : callable
        From start and stop to the tokens (stop - start, T) and labels (stop - start, T') of examples
        ``start .. stop - 1`` of an endless row.
    batch_size : int
        B, examples per step; at least 1.
    """

    def __init__(self, draw: Callable[[int, int], tuple[np.ndarray, np.ndarray]], batch_size: int):
        self.draw = draw
        self.batch_size = batch_size

    def examples(self, first_step: int, last_step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens (n, B, T) and labels (n, B, T') of steps ``first_step .. last_step - 1``."""
        drawn = self.draw(first_step * self.batch_size, last_step * self.batch_size)
        tokens, labels = (part.reshape(-1, self.batch_size, part.shape[1]) for part in drawn)
        return tokens, labels
