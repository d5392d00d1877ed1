"""Random function: every input has its own label, a fair coin that the seed has thrown.

The model sees ``1 0 1`` and has to say what no rule tells.
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nstar.options import NonNegativeInt
from nstar.seeds import derive_seed
from nstar.tasks.functions.boolean_function import BooleanFunction
from nstar.tasks.stream import scramble


class RandomFunction(BooleanFunction):
    """A function drawn uniformly from all functions of bits, at each length on its own.

    Notes
    -----
    A label is a bit of a 64-bit hash of the input and the seed, so that no table is held and any length
    has one. The average sensitivity is n/2 on average over seeds, with standard deviation
    sqrt(n / 2^(n+1)).

    References
    ----------
    Hahn and Rofin (2024), Why are Sensitive Functions Hard for Transformers?, arXiv:2402.09963,
    section 7.2 and figure 4.
    """

    EXAMPLES: ClassVar = {
        "random_function": {"seed": 0},
    }

    kind: Literal["random_function"] = Field(description="labels without a rule; no unit")
    seed: NonNegativeInt = Field(description="which function; no unit")

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the label of every beginning of the sequences; see `Task.labels`."""
        labels = np.empty(tokens.shape, dtype=np.int64)
        state = np.full(len(tokens), derive_seed("function", seed=self.seed), dtype=np.uint64)
        for t in range(tokens.shape[1]):
            state = scramble(state ^ (tokens[:, t].astype(np.uint64) + np.uint64(1)))
            labels[:, t] = state >> np.uint64(63)
        return labels
