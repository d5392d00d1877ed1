"""Learnt function: what another network of the study made of a function it saw a part of.

Its truth table is that of a trained network, rounded; seed s learns what seed s of that network learnt.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from nstar.options import AtMost, Name, PositiveInt
from nstar.tasks.base import Guess, Source
from nstar.tasks.functions.boolean_function import BooleanFunction
from nstar.tasks.functions.truth_table import MOST_BITS


class LearntFunction(BooleanFunction):
    """The function that a trained network computes, thresholded at 1/2.

    Notes
    -----
    The network is that of a cell of the same study, asked for the last label of sequences of one length.
    Its table is made once it is trained, and kept as a store of data, the split ``table``; labels are
    those of the `TruthTable` there. A specification holds, as ``source``, the digest of the cell.

    References
    ----------
    Hahn and Rofin (2024), Why are Sensitive Functions Hard for Transformers?, arXiv:2402.09963,
    section 7.2 and figure 4: networks generalise from a part of a random function to one that is less
    sensitive. Theirs are five networks for each table.
    """

    kind: Literal["learnt_function"] = Field(
        description="what a network of this study learnt; no unit"
    )
    model: Name = Field(description="name of the model that learnt it; no unit")
    task: Name = Field(description="name of the task that it learnt from; no unit")
    length: Annotated[PositiveInt, AtMost(MOST_BITS, "its table has 2^n values")] = Field(
        description="n, length of the sequences it learnt from; symbols"
    )
    budget: PositiveInt = Field(description="N, how many it saw; sequences")

    @property
    def source(self) -> Source:
        """Return the cell whose networks are the function."""
        return Source(self.model, self.task, self.length, self.budget)

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Refuse: which function it is depends on the seed, and stands in the store of its table."""
        raise TypeError("labels of a learnt function are those of its table, which a job reads")

    def chance(self, first: int, last: int) -> float:
        """Return NaN: it depends on the seed."""
        return float("nan")

    def guess(self, last: int) -> Guess:
        """Return NaN: it depends on the seed."""
        return Guess(np.full(last, np.nan), np.full(last, np.nan))
