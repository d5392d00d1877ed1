"""Different questions of one size, in the order in which a generator came upon them.

The order is that of the first occurrences in an endless row of independent draws: questions are unique,
and any two ranges of positions have none in common, by construction. Budgets are prefixes: they nest.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np

from nstar.errors import DataError
from nstar.seeds import numpy_generator

DRAWS_AT_ONCE = 2**12
MOST_DRAWS = 100
"""Draws for each question asked for, and `FEWEST_DRAWS` beside, after which a stream gives up."""

FEWEST_DRAWS = 2**18


class QuestionStream:
    """Texts with different questions.

    Parameters
    ----------
    draw : callable
        From a generator and a number n to n independent texts (n, T), padded to one length.
    separator : int
        The token after a question.
    key : dict
        What the draws depend on.
    """

    def __init__(
        self,
        draw: Callable[[np.random.Generator, int], np.ndarray],
        separator: int,
        key: dict[str, Any],
    ):
        self._draw = draw
        self._separator = separator
        self._key = key
        self._restart()

    def sequences(self, start: int, stop: int) -> np.ndarray:
        """Return the texts (stop - start, T) with the questions at positions ``start .. stop - 1``.

        Of none, T is 0.

        Raises
        ------
        DataError
            If so many different questions do not turn up in a bounded number of draws.
        """
        if start == stop:
            return np.zeros((0, 0), dtype=np.int64)
        if start < self._n_passed:
            self._restart()
        found = []
        while self._n_passed < stop:
            if not len(self._waiting):
                self._refill(stop)
            taken = self._waiting[: stop - self._n_passed]
            self._waiting = self._waiting[len(taken) :]
            found.append(taken[max(0, start - self._n_passed) :])
            self._n_passed += len(taken)
        return np.concatenate(found)

    def _restart(self) -> None:
        self._seen: set[bytes] = set()
        self._n_drawn = 0
        self._n_passed = 0
        self._waiting = np.zeros((0, 0), dtype=np.int64)

    def _refill(self, stop: int) -> None:
        """Draw until a new question turns up; keep the texts of all new ones."""
        while not len(self._waiting):
            if self._n_drawn > FEWEST_DRAWS + MOST_DRAWS * stop:
                raise DataError(
                    f"{stop} different questions of size {self._key['size']} were asked for, and "
                    f"{self._n_drawn} draws gave {len(self._seen)}; "
                    "ask for fewer, or for larger questions"
                )
            number = self._n_drawn // DRAWS_AT_ONCE
            texts = self._draw(
                numpy_generator("questions", draw=number, **self._key), DRAWS_AT_ONCE
            )
            self._n_drawn += DRAWS_AT_ONCE
            ends = (texts == self._separator).argmax(axis=1)
            new = [i for i, text in enumerate(texts) if self._is_new(text[: ends[i]])]
            self._waiting = texts[new]

    def _is_new(self, question: np.ndarray) -> bool:
        before = len(self._seen)
        self._seen.add(blake2b(question.tobytes(), digest_size=16).digest())
        return len(self._seen) > before
