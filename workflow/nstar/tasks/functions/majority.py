"""Majority: whether most of the bits are ones.

The model sees ``1 0 1`` and has to say 1; of ``1 0`` it has to say 0, for a tie is no majority.
"""

from math import comb
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nstar.tasks.functions.boolean_function import BooleanFunction


class Majority(BooleanFunction):
    """Whether more than half of the bits are ones.

    Notes
    -----
    The majority is strict: a tie, at even n, counts as 0 (-1). The source leaves ties open in its text
    and decides them this way in its code. The average sensitivity is about sqrt(2 n / pi).

    References
    ----------
    Hahn and Rofin (2024), Why are Sensitive Functions Hard for Transformers?, arXiv:2402.09963,
    section 3.

    Examples
    --------
    >>> Majority(kind="majority").labels(np.array([[1, 0, 1, 0]])).tolist()
    [[1, 0, 1, 0]]
    """

    EXAMPLES: ClassVar = {
        "majority": {},
    }

    kind: Literal["majority"] = Field(description="strict majority of the bits; no unit")

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return whether ones are in the majority so far; see `Task.labels`."""
        positions = np.arange(1, tokens.shape[1] + 1)
        return (2 * np.cumsum(tokens, axis=1, dtype=np.int64) > positions).astype(np.int64)

    def _largest_share(self, n_bits: int) -> float:
        """Return the probability of no majority, which ties make the likelier value at even n."""
        ties = 0.0 if n_bits % 2 else comb(n_bits, n_bits // 2) / 2**n_bits
        return (1 + ties) / 2
