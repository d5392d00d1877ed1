"""Permutation composition: the running product of permutations of k elements, each one a symbol.

The model sees ``pi_1 pi_2 pi_3`` and has to say ``pi_1``, ``pi_2 o pi_1``, ``pi_3 o pi_2 o pi_1``. Unlike
sums, the products do not commute.
"""

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, StrictInt

from nstar.options import AtMost
from nstar.tasks.automata.automaton import Automaton
from nstar.tasks.automata.group_product import ORDERS, Order, running_products


class PermutationComposition(Automaton):
    """Partial products in the symmetric group S_k.

    Notes
    -----
    ``s_t = pi_t o s_{t-1}`` with ``(a o b)(i) = a(b(i))``: the first permutation of the input is applied
    first; with `order` "last_applied_first" it is ``s_t = s_{t-1} o pi_t``, see `GroupProduct`. Symbols
    and states are the k! permutations ``(pi(0), ..., pi(k-1))`` in lexicographic order; 0
    is the identity.

    References
    ----------
    Ebrahimi, Defferrard, Panchal, Memisevic (2026), On the "Induction Bias" in Sequence Models,
    arXiv:2602.18333, appendix B.2; the paper has k = 5.

    Examples
    --------
    >>> task = PermutationComposition(kind="permutation_composition", degree=3)
    >>> import itertools
    >>> list(itertools.permutations(range(3)))[1:4]
    [(0, 2, 1), (1, 0, 2), (1, 2, 0)]
    >>> task.labels(np.array([[1, 2], [2, 1]])).tolist()  # (1, 0, 2) o (0, 2, 1) = (1, 2, 0)
    [[1, 3], [2, 4]]
    """

    MEANINGS: ClassVar = {"order": ORDERS}

    EXAMPLES: ClassVar = {
        "permutation_composition": {"degree": 3},
    }

    kind: Literal["permutation_composition"] = Field(description="permutation composition; no unit")
    degree: Annotated[
        StrictInt, Field(ge=2), AtMost(6, "S_7 has 5,040 permutations, each of them a symbol")
    ] = Field(description="k, how many elements are permuted; elements")
    order: Order = "first_applied_first"

    @property
    def n_symbols(self) -> int:
        """Return k!: every permutation is a symbol."""
        return math.factorial(self.degree)

    @property
    def n_states(self) -> int:
        """Return k!: the state is the product so far."""
        return math.factorial(self.degree)

    @property
    def transitions(self) -> np.ndarray:
        """The running products; see `Automaton.transitions`."""
        return running_products(f"S_{self.degree}", self.order)
