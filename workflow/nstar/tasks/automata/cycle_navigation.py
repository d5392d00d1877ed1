"""Cycle navigation: where a walker on a cycle stands who stays, goes forward or goes back."""

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, StrictInt

from nstar.options import AtMost
from nstar.tasks.automata.automaton import Automaton


class CycleNavigation(Automaton):
    """Position on a cycle of m places, from place 0 on.

    Notes
    -----
    Symbols are 0, stay; 1, one place forward; 2, one place back: ``s_t = (s_{t-1} + d(x_t)) mod m``
    with ``d = (0, 1, -1)``.

    References
    ----------
    Deletang et al. (2023), Neural Networks and the Chomsky Hierarchy, arXiv:2207.02098; there m = 5 and
    only the place at the end is asked for.

    Examples
    --------
    >>> task = CycleNavigation(kind="cycle_navigation", size=5)
    >>> task.labels(np.array([[1, 1, 0, 2, 2, 2]])).tolist()
    [[1, 2, 2, 1, 0, 4]]
    """

    EXAMPLES: ClassVar = {
        "cycle_navigation": {"size": 5},
    }

    kind: Literal["cycle_navigation"] = Field(description="cycle navigation; no unit")
    size: Annotated[
        StrictInt,
        Field(ge=3),
        AtMost(4096, "walks of any length used here see a small part of such a cycle"),
    ] = Field(5, description="m, places on the cycle; states")

    @property
    def n_symbols(self) -> int:
        """Return 3: stay, forward, back."""
        return 3

    @property
    def n_states(self) -> int:
        """Return the size of the cycle: the state is the place."""
        return self.size

    @property
    def transitions(self) -> np.ndarray:
        """The next place; see `Automaton.transitions`."""
        places = np.arange(self.size)[:, None]
        return (places + np.array([0, 1, -1])) % self.size
