"""Swap composition: permutation composition where every symbol swaps two elements.

The states are those of `permutation_composition`, the alphabet is much smaller: S_5 has 120 permutations,
10 of them swaps. A state is reached in several steps only.
"""

import itertools
import math
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, StrictInt

from nstar.options import LATER, AtMost
from nstar.tasks.automata.automaton import Automaton
from nstar.tasks.automata.group_product import ORDERS, Order, running_products


class SwapComposition(Automaton):
    """Partial products of transpositions in the symmetric group S_k.

    Notes
    -----
    ``s_t = pi_t o s_{t-1}``, or ``s_{t-1} o pi_t``, as in `PermutationComposition`. Symbols are the
    k (k - 1) / 2 transpositions of elements i < j, in the order (0, 1), (0, 2), ...; states are all k!
    permutations in lexicographic order. A product of t swaps has the parity of t, so that half of the
    states is impossible at every position, and a guess that knows it is right with probability of about
    2 / k!. With the identity as one more symbol, the last one, the parity does not follow the position.

    References
    ----------
    After Siems et al. (2025), DeltaProduct, arXiv:2502.10297. The alphabet ``S5_only_swaps`` of their
    generator has the identity, 11 symbols, and the order "last_applied_first"; its files name symbols by
    their number among all permutations.

    Examples
    --------
    >>> task = SwapComposition(kind="swap_composition", degree=3)
    >>> task.labels(np.array([[0, 0], [0, 2], [2, 0]])).tolist()  # symbols (0 1), (0 2), (1 2)
    [[2, 0], [2, 4], [1, 3]]
    """

    MEANINGS: ClassVar = {
        "order": ORDERS,
        "identity": {
            True: "the identity is a symbol too",
            False: "every symbol swaps two elements",
        },
    }

    EXAMPLES: ClassVar = {
        "swap_composition": {"degree": 3},
        "swap_composition_identity": {"degree": 3, "identity": True},
    }

    kind: Literal["swap_composition"] = Field(description="swap composition; no unit")
    degree: Annotated[
        StrictInt, Field(ge=3), AtMost(6, "S_7 has 5,040 permutations, each of them a state")
    ] = Field(description="k, how many elements are permuted; elements")
    order: Order = "first_applied_first"
    identity: Annotated[bool, Field(strict=True), LATER] = Field(
        False, description="whether the identity is one more symbol, the last one; no unit"
    )

    @property
    def n_symbols(self) -> int:
        """Return k (k - 1) / 2: every transposition is a symbol; with the identity one more."""
        return math.comb(self.degree, 2) + self.identity

    @property
    def n_states(self) -> int:
        """Return k!: the state is the product so far."""
        return math.factorial(self.degree)

    @property
    def transitions(self) -> np.ndarray:
        """The running products; see `Automaton.transitions`."""
        everything = list(itertools.permutations(range(self.degree)))
        symbols = [
            everything.index(_swap(self.degree, i, j))
            for i, j in itertools.combinations(range(self.degree), 2)
        ]
        if self.identity:
            symbols.append(0)
        return running_products(f"S_{self.degree}", self.order)[:, symbols]


def _swap(degree: int, i: int, j: int) -> tuple[int, ...]:
    """Return the permutation that swaps i and j."""
    return tuple({i: j, j: i}.get(k, k) for k in range(degree))
