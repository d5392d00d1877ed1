"""Random automaton: the state of a finite automaton whose transition table was drawn at random.

Unlike groups, such automata have no structure to be found but their table, and most of them forget: a
symbol may lead from two states to one.
"""

from functools import lru_cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, StrictInt, model_validator

from nstar.options import AtMost, NonNegativeInt
from nstar.seeds import numpy_generator
from nstar.tasks.automata.automaton import Automaton

MOST_DRAWS = 1000
"""Tables that are drawn before a size is given up."""


class RandomAutomaton(Automaton):
    """State of an automaton with m states and V symbols, from state 0 on.

    Raises
    ------
    ValueError
        If none of `MOST_DRAWS` tables is accepted.

    Notes
    -----
    Every entry of the table is uniform among the states. A table is drawn anew until every state can be
    reached from every other, so that all stay in play at any length, and until some state goes on
    differently after two symbols, so that the input matters. For m = 25 and V = 2 about one table in
    120 is accepted, for V = 25 all but a few.

    An extension. "Random state machines" are a task of arXiv:2505.21749; how that source draws them is
    not known to us.

    Examples
    --------
    >>> task = RandomAutomaton(kind="random_automaton", states=5, symbols=3, seed=0)
    >>> task.transitions.shape
    (5, 3)
    """

    EXAMPLES: ClassVar = {
        "random_automaton": {"states": 5, "symbols": 3, "seed": 0},
    }

    kind: Literal["random_automaton"] = Field(description="random automaton; no unit")
    states: Annotated[
        StrictInt, Field(ge=2), AtMost(1000, "of larger tables, hardly any is accepted or learnt")
    ] = Field(description="m, the size of the state space; states")
    symbols: Annotated[
        StrictInt, Field(ge=2), AtMost(1000, "a training set would not show every transition")
    ] = Field(description="V, the size of the alphabet; symbols")
    seed: NonNegativeInt = Field(description="decides the table; no unit")

    @model_validator(mode="after")
    def _has_a_table(self):
        _draw_table(self.states, self.symbols, self.seed)
        return self

    @property
    def n_symbols(self) -> int:
        """Return the number of symbols."""
        return self.symbols

    @property
    def n_states(self) -> int:
        """Return the number of states, each of which can be reached."""
        return self.states

    @property
    def transitions(self) -> np.ndarray:
        """The table that was drawn; see `Automaton.transitions`."""
        return _draw_table(self.states, self.symbols, self.seed)


@lru_cache(maxsize=2**8)
def _draw_table(n_states: int, n_symbols: int, seed: int) -> np.ndarray:
    """Return the first accepted table of a seed, of shape (n_states, n_symbols), read-only."""
    generator = numpy_generator("automaton", states=n_states, symbols=n_symbols, seed=seed)
    for _ in range(MOST_DRAWS):
        table = generator.integers(n_states, size=(n_states, n_symbols), dtype=np.int64)
        if (table != table[:, :1]).any() and _is_connected(table):
            table.flags.writeable = False
            return table
    raise ValueError(
        f"none of {MOST_DRAWS} tables of {n_states} states and {n_symbols} symbols leads from every "
        f"state to every other; use more symbols or fewer states"
    )


def _is_connected(table: np.ndarray) -> bool:
    """Return whether every state can be reached from state 0 and leads back to it."""
    reached = np.arange(len(table)) == 0
    leading = reached.copy()
    for _ in table:  # a path to the farthest state has fewer steps than there are states
        n_found = reached.sum() + leading.sum()
        reached[table[reached]] = True
        leading |= leading[table].any(axis=1)
        if reached.sum() + leading.sum() == n_found:
            break
    return bool((reached & leading).all())
