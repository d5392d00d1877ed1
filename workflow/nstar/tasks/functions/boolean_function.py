"""Functions of bits, as tasks: what f(x) is, for every beginning x of a sequence of bits.

Symbol 1 stands for +1 and symbol 0 for -1; labels are 1 where f = +1 and 0 where f = -1.
"""

from functools import lru_cache

import numpy as np

from nstar.tasks.base import Guess, Task, entropy

LISTED_BITS = 16
"""Inputs of up to so many bits are listed to find how often a function has its likelier value."""


class BooleanFunction(Task):
    """Base of functions from bits to {-1, +1}; a subclass adds ``kind``, its options and `labels`."""

    @property
    def n_symbols(self) -> int:
        """Return 2: the symbols are bits."""
        return 2

    @property
    def n_states(self) -> int:
        """Return 2: the labels are bits."""
        return 2

    def chance(self, first: int, last: int) -> float:
        """Return the accuracy of the best guess that knows the position only; see `Task.chance`."""
        return float(np.mean([self._largest_share(n) for n in range(first, last + 1)]))

    def guess(self, last: int) -> Guess:
        """Return accuracy and loss of the best guess at positions 1 to `last`; see `Task.guess`."""
        shares = np.array([self._largest_share(n) for n in range(1, last + 1)])
        both = np.column_stack([shares, 1 - shares])
        return Guess(shares, np.array([entropy(pair) for pair in both]))

    def _largest_share(self, n_bits: int) -> float:
        """Return how often f has its likelier value; beyond `LISTED_BITS`, as at that length."""
        return _listed_share(self, min(n_bits, LISTED_BITS))


@lru_cache(maxsize=2**10)
def _listed_share(function: BooleanFunction, n_bits: int) -> float:
    ones = function.labels(all_inputs(n_bits))[:, -1].mean()
    return float(max(ones, 1 - ones))


def all_inputs(n_bits: int) -> np.ndarray:
    """Return all inputs (2^n, n) of n bits as symbols: row i has bit j of i in column j.

    Examples
    --------
    >>> all_inputs(2).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return np.arange(2**n_bits)[:, None] >> np.arange(n_bits) & 1
