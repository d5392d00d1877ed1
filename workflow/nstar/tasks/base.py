"""What a task is: an alphabet, a number of labels, and the label after every symbol."""

from abc import abstractmethod
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from nstar.options import Options
from nstar.tasks.stream import SequenceStream
from nstar.tasks.supervision import NO_LABEL, Supervision


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

    is_text: ClassVar[bool] = False
    """Whether sequences are texts, which ask a question and answer it; see `QuestionTask`."""

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

    def stored_states(self, symbols: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the labels of sequences as a store of data holds them: zero after their last symbol.

        Parameters
        ----------
        symbols : ndarray of int, shape (n_sequences, P)
            P as `n_positions` of the longest length.
        lengths : ndarray of int, shape (n_sequences,)

        Returns
        -------
        ndarray of int64 (of float64 where labels are real numbers), shape (n_sequences, P)
        """
        inside = np.arange(symbols.shape[1]) < lengths[:, None]
        return np.where(inside, self.labels(symbols), 0)

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

    def n_tokens(self, supervision: Supervision, length: int) -> int:
        """Return how many tokens a model reads of a sequence of `length` symbols."""
        return 2 * length if supervision == "chain_of_thought" else length

    def n_token_kinds(self, supervision: Supervision) -> int:
        """Return the size of a model's input alphabet.

        In a chain of thought the token of state k is that of symbol k, as numbers are the same words on
        both sides of the separator, which is the last token. (The source does not say.)
        """
        if supervision == "chain_of_thought":
            return max(self.n_symbols, self.n_states) + 1
        return self.n_symbols

    def first_read(self, supervision: Supervision, shortest: int) -> int:
        """Return the first token at which any sequence of length `shortest` or more has a label."""
        return {"outcome": shortest - 1, "chain_of_thought": shortest, "aligned": 0}[supervision]

    def supervise(
        self,
        supervision: Supervision,
        symbols: np.ndarray,
        states: np.ndarray,
        lengths: np.ndarray,
        legal_lengths: range,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what a model reads of sequences, and what it is asked for.

        `nstar.tasks.supervision` shows both, for each supervision.

        Parameters
        ----------
        supervision : {"outcome", "chain_of_thought", "aligned"}
        symbols : ndarray of int, shape (n_sequences, P)
            P as `n_positions` of the longest length L. Anything after the last symbol of a sequence.
        states : ndarray of int or float, shape (n_sequences, P)
            The label of every beginning, see `labels`; likewise.
        lengths : ndarray of int, shape (n_sequences,)
            Among the legal lengths.
        legal_lengths : range
            All lengths that the data may have, so that all sets have one shape.

        Returns
        -------
        tokens : ndarray of int64, shape (n_sequences, T)
            T as `n_tokens` of L; zeros, which a causal model cannot see, after the last token.
        labels : ndarray of int64 (float32 where states are real numbers), shape (n_sequences, T')
            Of the last T' tokens, from `first_read` on; `NO_LABEL` where nothing is asked for.
        """
        states = states.astype(np.float32 if self.real_valued else np.int64)
        n_sequences, longest = symbols.shape
        positions = np.arange(longest)
        inside = positions < lengths[:, None]
        shape = (n_sequences, self.n_tokens(supervision, longest))
        tokens = np.zeros(shape, dtype=np.int64)
        labels = np.full(shape, NO_LABEL, dtype=states.dtype)
        tokens[:, :longest] = np.where(inside, symbols, 0)
        if supervision == "chain_of_thought":
            rows, steps = np.nonzero(inside)
            read_at = lengths[rows] + steps  # the separator, then the state before
            labels[rows, read_at] = states[rows, steps]
            separator = self.n_token_kinds(supervision) - 1
            before = states[rows, np.maximum(steps - 1, 0)]
            tokens[rows, read_at] = np.where(steps == 0, separator, before)
        else:
            asked = inside if supervision == "aligned" else positions == lengths[:, None] - 1
            labels[asked] = states[asked]
        return tokens, labels[:, self.first_read(supervision, legal_lengths[0]) :]

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
