"""First: the first bit.

The model sees ``1 0 1`` and has to say 1.
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nstar.tasks.functions.boolean_function import BooleanFunction


class First(BooleanFunction):
    """The first bit, whatever follows.

    Notes
    -----
    The average sensitivity is 1 at every n.

    References
    ----------
    Hahn and Rofin (2024), Why are Sensitive Functions Hard for Transformers?, arXiv:2402.09963,
    section 3.

    Examples
    --------
    >>> First(kind="first").labels(np.array([[1, 0, 1]])).tolist()
    [[1, 1, 1]]
    """

    EXAMPLES: ClassVar = {
        "first": {},
    }

    kind: Literal["first"] = Field(description="the first bit; no unit")

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the first bit everywhere; see `Task.labels`."""
        return np.repeat(tokens[:, :1], tokens.shape[1], axis=1).astype(np.int64)
