"""What a task is: an alphabet, a number of labels, and the label after every symbol."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nstar.options import Options
from nstar.tasks.stream import SequenceStream


class Guess(NamedTuple):
    """What the best guess that knows the position and nothing else reaches at positions 1 to n.

    NaN where it is not known.
    """

    accuracy: np.ndarray
    loss: np.ndarray  # cross-entropy, nats


class Source(NamedTuple):
    """The cell whose trained networks define a task: supervision outcome, sequences of one length."""

    model: str
    task: str
    length: int  # symbols
    budget: int  # sequences


def entropy(shares: np.ndarray) -> float:
    """Return the entropy of a distribution, nats: the least loss of a guess that knows no more."""
    likely = shares[shares > 0]
    return -float(likely @ np.log(likely))


class Task(Options):
    """Base of all tasks; a subclass adds ``kind``, its own options, and the three members below."""

    EXAMPLES: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Options by a name, the first of them that of the kind: tests run over all of them."""

    @property
    def source(self) -> Source | None:
        """The cell whose networks define the labels, one for each seed; None where the options do."""
        return None

    @property
    @abstractmethod
    def n_symbols(self) -> int:
        """Size of the input alphabet; symbols are ``0 .. n_symbols - 1``."""

    @property
    @abstractmethod
    def n_states(self) -> int:
        """Number of states (the size m of the state space); labels are ``0 .. n_states - 1``.

        It is 1 where labels are real numbers in [0, 1].
        """

    @abstractmethod
    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the label of every beginning of the sequences, as the state after every symbol.

        `nstar.tasks.supervision` says which ones are asked for.

        Parameters
        ----------
        tokens : ndarray of int, shape (n_sequences, T)
            Symbols in ``0 .. n_symbols - 1``.

        Returns
        -------
        ndarray of int64 (of float64 where labels are real numbers), shape (n_sequences, T)
        """

    @property
    def real_valued(self) -> bool:
        """Whether labels are real numbers in [0, 1], which needs the squared error."""
        return self.n_states == 1

    def chance(self, first: int, last: int) -> float:
        """Return the accuracy of the best guess that knows the position and nothing else.

        Parameters
        ----------
        first, last : int
            Positions over which the accuracy is averaged, ``1 <= first <= last``; symbols.

        Returns
        -------
        float
            ``1 / n_states`` where all states are as likely at every position, as here; a task for which
            that is not so overrides this.
        """
        return 1.0 / self.n_states

    def guess(self, last: int) -> Guess:
        """Return accuracy and loss of that guess at each of the positions 1 to `last`.

        As `chance`: all states are as likely, or a task overrides this.
        """
        return Guess(np.full(last, 1 / self.n_states), np.full(last, np.log(self.n_states)))

    def n_outputs(self, objective: str | None) -> int:
        """Return how many outputs a model has: one per state, or one number for the squared error.

        The objective is None in specifications of the usual one, the cross-entropy.
        """
        return 1 if objective == "squared_error" else self.n_states

    @property
    def extrapolates(self) -> bool:
        """Whether sequences of other lengths are made of the same symbols."""
        return True

    def why_not(self, length: int) -> str:
        """Return why there are no sequences of a length; empty where there are."""
        return ""

    def n_positions(self, length: int) -> int:
        """Return how many symbols are stored of a sequence of a length."""
        return length

    def stream(self, length: int, seed: int) -> SequenceStream:
        """Return all sequences of a length, in an order that the seed decides."""
        return _stream(self.n_symbols, length, seed)

    def n_sequences(self, length: int) -> int:
        """Return the number of sequences of `length`, as an exact (unbounded) integer."""
        return _power(self.n_symbols, length)


@cache
def _power(base: int, exponent: int) -> int:
    """Return a power that a plan asks for once per cell and that may have thousands of digits."""
    return base**exponent


@cache
def _stream(n_symbols: int, length: int, seed: int) -> SequenceStream:
    return SequenceStream(n_symbols, length, seed)
