"""Truth table: a function of the first n bits that is given value by value.

With the table ``0110``, that of parity on two bits, the model sees ``1 0`` and has to say 1.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, StringConstraints, field_validator

from nstar.tasks.functions.boolean_function import BooleanFunction

MOST_BITS = 16


class TruthTable(BooleanFunction):
    """A function of n bits by its 2^n values.

    Notes
    -----
    Value i belongs to the input whose bit j is bit j of i, the first bit the lowest. Of shorter
    sequences the missing bits count as 0, of longer ones the further bits do not count.

    Examples
    --------
    >>> task = TruthTable(kind="truth_table", values="0010")
    >>> task.labels(np.array([[0, 1], [1, 1]])).tolist()
    [[0, 1], [0, 0]]
    """

    EXAMPLES: ClassVar = {
        "truth_table": {"values": "0110100110010110"},
    }

    kind: Literal["truth_table"] = Field(description="a function by its values; no unit")
    values: Annotated[str, StringConstraints(strict=True, pattern=r"^[01]+$")] = Field(
        description="2^n digits 0 and 1, in quotes; no unit", max_length=2**MOST_BITS
    )

    @field_validator("values")
    @classmethod
    def _are_those_of_all_inputs(cls, values: str) -> str:
        n_bits = len(values).bit_length() - 1
        if n_bits < 1 or len(values) != 2**n_bits:
            raise ValueError(f"{len(values)} values; a function of n bits has 2^n: 2, 4, 8, ...")
        return values

    @property
    def n_bits(self) -> int:
        """Return n, how many bits count."""
        return len(self.values).bit_length() - 1

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the value of every beginning of the sequences; see `Task.labels`."""
        weights = 1 << np.arange(min(self.n_bits, tokens.shape[1]))
        places = np.zeros(tokens.shape, dtype=np.int64)
        places[:, : len(weights)] = np.cumsum(tokens[:, : len(weights)] * weights, axis=1)
        places[:, len(weights) :] = places[:, len(weights) - 1 : len(weights)]
        table = np.frombuffer(self.values.encode(), dtype=np.uint8) - ord("0")
        return table[places].astype(np.int64)
