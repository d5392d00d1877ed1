"""Tasks that a table defines: the state after each symbol of a finite automaton."""

from abc import abstractmethod

import numpy as np

from nstar.tasks.base import Task


class Automaton(Task):
    """Base of tasks with a transition table; the initial state is 0.

    A subclass adds ``kind``, its options, its sizes as every task, and `transitions`.
    """

    @property
    @abstractmethod
    def transitions(self) -> np.ndarray:
        """The next state, of shape (n_states, n_symbols): entry (s, x) follows state s on symbol x."""

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the state after every symbol; see `Task.labels`."""
        transitions, states = self.transitions, np.empty(tokens.shape, dtype=np.int64)
        state = np.zeros(len(tokens), dtype=np.int64)
        for t in range(tokens.shape[1]):
            state = transitions[state, tokens[:, t]]
            states[:, t] = state
        return states
