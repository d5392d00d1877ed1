"""Tasks that a table defines: the state after each symbol of a finite automaton."""

from abc import abstractmethod
from functools import lru_cache

import numpy as np

from nstar.tasks.base import Guess, Task, entropy

SETTLED = 1e-15
"""Change of the probabilities of states in a step, below which they are taken to stay what they are."""


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

    def chance(self, first: int, last: int) -> float:
        """Return the accuracy of the best guess that knows the position only; see `Task.chance`."""
        shares = _guess(self, last).accuracy[first - 1 :]
        least = shares.min()  # a mean of equal shares is that share, to the last bit
        return float(least + (shares - least).mean())

    def guess(self, last: int) -> Guess:
        """Return accuracy and loss of the best guess at positions 1 to `last`; see `Task.guess`."""
        return _guess(self, last)


@lru_cache(maxsize=2**10)
def _guess(task: Automaton, last: int) -> Guess:
    """Return the probability of the likeliest state at positions 1 to `last`, and the entropy.

    Symbols are uniform and independent.
    """
    transitions = task.transitions
    states = np.zeros(task.n_states)
    states[0] = 1
    guess = Guess(np.ones(last), np.zeros(last))
    for t in range(last):
        before = states
        weights = np.repeat(states / task.n_symbols, task.n_symbols)
        states = np.bincount(transitions.ravel(), weights, minlength=task.n_states)
        if np.abs(states - before).max() < SETTLED:
            break
        guess.accuracy[t:], guess.loss[t:] = states.max(), entropy(states)
    return guess
