"""Tasks that ask a question in words, and answer it in steps: texts over a vocabulary of their own.

A text is ``question S steps S answer END``, or ``question S answer END`` where no steps are needed. S is
the separator of the task. Its first place ends the question, its last one precedes the answer.
"""

from abc import abstractmethod
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from nstar.tasks.base import Guess, Task
from nstar.tasks.questions.question_stream import QuestionStream
from nstar.tasks.supervision import NO_LABEL, Supervision

PAD, END = 0, 2
"""Tokens of all vocabularies: what follows a text, and its last token."""


class QuestionTask(Task):
    """Base of tasks with questions; a subclass adds ``kind``, its options, and the members below.

    The length n of a sequence is the size of its question: numbers, letters or operators.
    """

    is_text: ClassVar[bool] = True

    @property
    @abstractmethod
    def words(self) -> tuple[str, ...]:
        """The vocabulary: the word of each token; those of `PAD` and `END` are among them."""

    @property
    @abstractmethod
    def separator(self) -> int:
        """The token S that ends a question and precedes an answer."""

    @abstractmethod
    def draw(self, generator: np.random.Generator, n: int, size: int) -> np.ndarray:
        """Return texts with questions of a size, independent draws.

        Parameters
        ----------
        generator : numpy.random.Generator
        n : int
            How many; at least 1.
        size : int
            One that `why_not` allows.

        Returns
        -------
        ndarray of int64, shape (n, most_tokens(size) + 1)
            `END` after every answer, then `PAD`.
        """

    @abstractmethod
    def solve(self, question: np.ndarray) -> np.ndarray:
        """Return the text of a question, with all steps: found in another way than in `draw`.

        Parameters
        ----------
        question : ndarray of int64, shape (k,)
            Its tokens, without the separator.

        Returns
        -------
        ndarray of int64, shape (m,)
            Question, separator, steps, separator, answer, `END`.
        """

    @abstractmethod
    def most_tokens(self, size: int) -> int:
        """Return how many tokens a text with steps has at most, without its `END`: L of the source."""

    @abstractmethod
    def shortest_question(self, size: int) -> int:
        """Return how many tokens a question of a size has at least, without its separator."""

    @abstractmethod
    def longest_question(self, size: int) -> int:
        """Return how many tokens a question of a size has at most, without its separator."""

    def longest_answer(self, size: int) -> int:
        """Return how many tokens an answer has at most, without its `END`."""
        return 1

    @abstractmethod
    def n_sequences(self, length: int) -> int:
        """Return how many questions of a size there are; where that is not known, a bound from above."""

    @property
    def unique_steps(self) -> bool:
        """Whether a question has one right text alone; a task with several overrides `is_valid` too."""
        return True

    def is_valid(self, text: np.ndarray) -> bool:
        """Return whether every step and the answer of a text (m,) are right, to its `END`.

        The base compares with `solve`; a task whose steps are not unique overrides this.
        """
        return np.array_equal(text, self.solve(text[: first_place(text, self.separator)]))

    @property
    def n_symbols(self) -> int:
        """Return the size of the vocabulary."""
        return len(self.words)

    @property
    def n_states(self) -> int:
        """Return the size of the vocabulary: what is asked for is the next token."""
        return len(self.words)

    @property
    def extrapolates(self) -> bool:
        """Return False: longer questions may need words that no text of this length has."""
        return False

    def n_positions(self, length: int) -> int:
        """Return how many tokens a text takes at most, with its `END`."""
        return self.most_tokens(length) + 1

    def labels(self, tokens: np.ndarray) -> np.ndarray:
        """Return the token after each; see `Task.labels`."""
        following = np.zeros(tokens.shape, dtype=np.int64)
        following[:, :-1] = tokens[:, 1:]
        return following

    def stored_states(self, symbols: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the labels, which are zero from the `END` of a text on; see `Task.stored_states`."""
        return self.labels(symbols)

    def n_tokens(self, supervision: Supervision, length: int) -> int:
        """Return how many tokens a model reads of a text with a question of size `length`, at most."""
        if supervision == "chain_of_thought":
            return self.most_tokens(length)
        return self.longest_question(length) + 1 + self.longest_answer(length)

    def n_token_kinds(self, supervision: Supervision) -> int:
        """Return the size of the vocabulary, which the separator is in."""
        return self.n_symbols

    def first_read(self, supervision: Supervision, shortest: int) -> int:
        """Return where the separator of the shortest question of size `shortest` stands."""
        return self.shortest_question(shortest)

    def supervise(
        self,
        supervision: Supervision,
        symbols: np.ndarray,
        states: np.ndarray,
        lengths: np.ndarray,
        legal_lengths: range,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what a model reads of texts, and the tokens after the question; see `Task.supervise`.

        Only the texts `symbols` matter: they show their states and their ends. No text is ``aligned``.
        """
        shape = (len(symbols), self.n_tokens(supervision, legal_lengths[-1]) + 1)
        places = np.arange(symbols.shape[1])
        separators = symbols == self.separator
        question_ends = separators.argmax(axis=1)[:, None]
        taken = places <= (symbols == END).argmax(axis=1)[:, None]
        if supervision == "outcome":
            answer_starts = symbols.shape[1] - separators[:, ::-1].argmax(axis=1)[:, None]
            taken &= (places <= question_ends) | (places >= answer_starts)
        read = np.zeros(shape, dtype=np.int64)
        counts = taken.sum(axis=1)[:, None]
        read[np.arange(shape[1]) < counts] = symbols[taken]  # both row by row
        places = np.arange(shape[1] - 1)
        before_end = places < counts - 1
        asked = before_end & (places >= question_ends)
        labels = np.where(asked, read[:, 1:], NO_LABEL)
        tokens = np.where(before_end, read[:, :-1], 0)
        return tokens, labels[:, self.first_read(supervision, legal_lengths[0]) :]

    def guess(self, last: int) -> Guess:
        """Return NaN: how likely words are at a position is not known."""
        return Guess(np.full(last, np.nan), np.full(last, np.nan))

    def stream(self, length: int, seed: int) -> QuestionStream:
        """Return different questions of a length, in an order that the seed decides."""
        return _stream(self, length, seed)

    @cached_property
    def _tokens(self) -> dict[str, int]:
        return {word: token for token, word in enumerate(self.words)}

    def read(self, text: str) -> np.ndarray:
        """Return the tokens (m,) of words with spaces between them.

        Raises
        ------
        ValueError
            If a word is not in the vocabulary.
        """
        unknown = [word for word in text.split() if word not in self._tokens]
        if unknown:
            raise ValueError(f"no words of the vocabulary: {', '.join(unknown)}")
        return np.array([self._tokens[word] for word in text.split()], dtype=np.int64)

    def write(self, tokens: np.ndarray) -> str:
        """Return the words of tokens (m,), with spaces between them; the inverse of `read`."""
        return " ".join(self.words[token] for token in tokens)


@lru_cache(maxsize=2**4)
def _stream(task: QuestionTask, size: int, seed: int) -> QuestionStream:
    key = {"task": task.model_dump(mode="json"), "size": size, "seed": seed}
    return QuestionStream(lambda generator, n: task.draw(generator, n, size), task.separator, key)


def first_place(text: np.ndarray, token: int) -> int:
    """Return where a token stands first in a text (m,); m where it does not."""
    places = np.flatnonzero(text == token)
    return int(places[0]) if len(places) else len(text)
