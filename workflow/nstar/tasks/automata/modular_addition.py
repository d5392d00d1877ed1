"""Modular addition: the running sum of the input, modulo m. With m = 2 it is parity.

The model sees ``3 4 2`` (m = 5) and has to say ``3 2 4``, the partial sums.
"""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, StrictInt

from nstar.options import AtMost
from nstar.tasks.base import Task


class ModularAddition(Task):
    """Partial sums in the cyclic group Z_m.

    Notes
    -----
    ``s_k = (x_1 + ... + x_k) mod m``, with x_i uniform on ``{0, ..., m - 1}``.

    References
    ----------
    Ebrahimi, Defferrard, Panchal, Memisevic (2026), On the "Induction Bias" in Sequence Models,
    arXiv:2602.18333, section 2 and appendix B.2.

    Examples
    --------
    >>> task = ModularAddition(kind="modular_addition", modulus=5)
    >>> task.labels(np.array([[3, 4, 2]])).tolist()
    [[3, 2, 4]]
    """

    EXAMPLES: ClassVar = {
        "modular_addition": {"modulus": 5},
    }

    kind: Literal["modular_addition"] = Field(description="modular addition; no unit")
    modulus: Annotated[
        StrictInt,
        Field(ge=2),
        AtMost(4096, "a Dense-SSM of width 256 then has 1 GiB of weights, D^2 for each symbol"),
    ] = Field(description="m, the size of the state space; states")

    @property
    def n_symbols(self) -> int:
        """Return the modulus: every residue is a symbol."""
        return self.modulus

    @property
    def n_states(self) -> int:
        """Return the modulus: the state is the sum so far."""
        return self.modulus

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the partial sums modulo m; see `Task.labels`."""
        return np.cumsum(tokens, axis=1, dtype=np.int64) % self.modulus
