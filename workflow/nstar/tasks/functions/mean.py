"""Mean: the share of ones among the bits, a number and no class.

The model sees ``1 0 1`` and has to say 2/3.
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nstar.tasks.base import Guess, Task


class Mean(Task):
    """The share of ones, in [0, 1]: (1 + f) / 2 of the mean f of bits in {-1, +1}.

    Notes
    -----
    Its labels are real numbers, so that it needs ``training.objective: squared_error``, and has no
    accuracy and no chance level: those are NaN. The average sensitivity of f is 1/n.

    References
    ----------
    Hahn and Rofin (2024), Why are Sensitive Functions Hard for Transformers?, arXiv:2402.09963,
    section 3.

    Examples
    --------
    >>> Mean(kind="mean").labels(np.array([[1, 0, 0, 1]])).round(3).tolist()
    [[1.0, 0.5, 0.333, 0.5]]
    """

    EXAMPLES: ClassVar = {
        "mean": {},
    }

    kind: Literal["mean"] = Field(description="share of ones; no unit")

    @property
    def n_symbols(self) -> int:
        """Return 2: the symbols are bits."""
        return 2

    @property
    def n_states(self) -> int:
        """Return 1: labels are numbers and no states."""
        return 1

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the share of ones so far, float64 in [0, 1]; see `Task.labels`."""
        return np.cumsum(tokens, axis=1) / np.arange(1, tokens.shape[1] + 1)

    def chance(self, first: int, last: int) -> float:
        """Return NaN: a number is not right or wrong."""
        return float("nan")

    def guess(self, last: int) -> Guess:
        """Return NaN: a number is not right or wrong."""
        return Guess(np.full(last, np.nan), np.full(last, np.nan))
