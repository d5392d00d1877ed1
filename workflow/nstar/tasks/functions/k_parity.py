"""k-parity: the parity of the first k bits, whatever follows.

With k = 2 the model sees ``1 1 1`` and has to say 0. Of all bits it is `modular_addition` with modulus 2.
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nstar.options import PositiveInt
from nstar.tasks.functions.boolean_function import BooleanFunction


class KParity(BooleanFunction):
    """Whether the number of ones among the first k bits is odd.

    Notes
    -----
    The average sensitivity is k at every n of at least k, and its Fourier weight lies at degree k. Which
    k of the n bits are taken would make no difference to a model that knows positions.

    Examples
    --------
    >>> KParity(kind="k_parity", bits=2).labels(np.array([[1, 1, 1]])).tolist()
    [[1, 0, 0]]
    """

    EXAMPLES: ClassVar = {
        "k_parity": {"bits": 3},
    }

    kind: Literal["k_parity"] = Field(description="parity of the first bits; no unit")
    bits: PositiveInt = Field(description="k, how many bits count; bits")

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the parity of the bits that count, so far; see `Task.labels`."""
        counted = np.arange(tokens.shape[1]) < self.bits
        return np.cumsum(tokens * counted, axis=1, dtype=np.int64) % 2

    def _largest_share(self, n_bits: int) -> float:
        return 0.5
