"""Longest increasing subsequence: of how many numbers it is, and of how many up to each of them.

The model sees ``21 23 11 16 29 15 14 19 28 37 <sep>`` and has to say ``1 2 1 2 3 2 2 3 4 5 <sep> 5``.
"""

from bisect import bisect_left
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, StrictInt

from nstar.options import AtMost, PositiveInt
from nstar.tasks.questions.question import END, QuestionTask

SEPARATOR, ZERO = 1, 3
"""Tokens; that of a number k is ``ZERO + k``."""


class LongestIncreasingSubsequence(QuestionTask):
    """Length of the longest increasing subsequence of n numbers below R.

    Notes
    -----
    The steps are ``dp(i) = 1 + max dp(j)`` over j < i with ``x_j < x_i`` (1 where there is none), the
    answer is the largest. With a locality m, j is among ``i - m .. i - 1`` only: neighbours in a
    subsequence are at most m places apart, and each step depends on no more than m before it.

    Numbers are in ``n + 1 .. R - 1`` and lengths in ``1 .. n``: no token is both. Up to three increasing
    runs, of 3 to n numbers in all, are planted at random places among uniform numbers.

    References
    ----------
    Feng et al. (2023), Towards Revealing the Mystery behind Chain of Thought, arXiv:2305.15408; after
    their public generator. Yang et al. (2024), Do Efficient Transformers Really Save Computation?,
    arXiv:2402.13934, figure 1. The locality is an extension, after the m-locality of their theory; the
    public generator has none.

    Examples
    --------
    >>> options = {"kind": "longest_increasing_subsequence", "numbers": 40}
    >>> task = LongestIncreasingSubsequence(**options)
    >>> task.write(task.solve(task.read("21 23 11 16 29 15 14")))
    '21 23 11 16 29 15 14 <sep> 1 2 1 2 3 2 2 <sep> 3 <eos>'
    >>> local = LongestIncreasingSubsequence(**options, locality=2)
    >>> local.write(local.solve(local.read("21 23 11 16 29 15 14")))
    '21 23 11 16 29 15 14 <sep> 1 2 1 2 3 1 1 <sep> 3 <eos>'
    """

    EXAMPLES: ClassVar = {
        "longest_increasing_subsequence": {"numbers": 250},
        "local subsequence": {"numbers": 20, "locality": 2},
    }

    kind: Literal["longest_increasing_subsequence"] = Field(
        description="longest increasing subsequence; no unit"
    )
    numbers: Annotated[
        StrictInt, Field(ge=7), AtMost(10_000, "every number is a token of the vocabulary")
    ] = Field(250, description="R, numbers are below it; at least 2 n + 1; no unit")
    locality: PositiveInt | None = Field(
        None, description="m, how far back a step depends on others; numbers; null: on all before"
    )

    @property
    def words(self) -> tuple[str, ...]:
        """Return the numbers below R, after three words of other kinds."""
        return ("<pad>", "<sep>", "<eos>", *map(str, range(self.numbers)))

    @property
    def separator(self) -> int:
        """Return the token of ``<sep>``."""
        return SEPARATOR

    def most_tokens(self, size: int) -> int:
        """Return 2 n + 3: numbers, lengths, two separators and the answer."""
        return 2 * size + 3

    def shortest_question(self, size: int) -> int:
        """Return n."""
        return size

    def longest_question(self, size: int) -> int:
        """Return n."""
        return size

    def n_sequences(self, length: int) -> int:
        """Return (R - n - 1)^n, exactly: uniform numbers are at every place, by chance."""
        return (self.numbers - length - 1) ** length

    def why_not(self, size: int) -> str:
        """Refuse fewer numbers than are planted, and numbers that could not all be in one run."""
        if size < 3:
            return f"{size} numbers are too few, as 3 at least are planted"
        if self.numbers < 2 * size + 1:
            return (
                f"numbers is {self.numbers}, and sequences of {size} need {2 * size + 1}: lengths up to "
                f"{size}, and {size} different numbers above them"
            )
        return ""

    def draw(self, generator: np.random.Generator, n: int, size: int) -> np.ndarray:
        """Return texts with planted runs; see `QuestionTask.draw`."""
        numbers = self._draw_numbers(generator, n, size)
        lengths = np.empty_like(numbers)
        for i in range(size):
            window = slice(max(0, i - (self.locality or size)), i)
            before = lengths[:, window] * (numbers[:, window] < numbers[:, i, None])
            lengths[:, i] = 1 + before.max(axis=1, initial=0)
        separator, end = np.full((n, 1), SEPARATOR), np.full((n, 1), END)
        answer = lengths.max(axis=1, keepdims=True)
        parts = [ZERO + numbers, separator, ZERO + lengths, separator, ZERO + answer, end]
        return np.concatenate(parts, axis=1)

    def _draw_numbers(self, generator: np.random.Generator, n: int, size: int) -> np.ndarray:
        """Return numbers (n, size), in each row with one to three increasing runs among them."""
        values = np.arange(size + 1, self.numbers)
        n_runs = generator.integers(1, 4, n)
        total = generator.integers(3, size + 1, n)
        first = np.where(n_runs == 1, total, generator.integers(1, total // n_runs + 2))
        rest = total - first
        second = np.where(n_runs == 2, rest, generator.integers(0, rest // 2 + 1) + 1)
        ends = np.stack([first, np.minimum(first + second, total), total], axis=1)

        slots = np.arange(size)
        runs = (slots[:, None] >= ends[:, None]).sum(axis=2)  # (n, size); 3 beyond the last run
        orders = generator.permuted(np.tile(values, (n, 4, 1)), axis=2)  # (n, 4, values)
        drawn = orders[np.arange(n)[:, None], runs, slots]  # in a run, no value twice
        planted = np.sort(runs * self.numbers + drawn, axis=1) % self.numbers

        numbers = generator.choice(values, (n, size))
        ranks = generator.permuted(np.tile(slots, (n, 1)), axis=1)
        numbers[ranks < total[:, None]] = planted[slots < total[:, None]]
        return numbers

    def solve(self, question: np.ndarray) -> np.ndarray:
        """Return the text of a question by patience sorting, or step by step; see the base."""
        is_local = self.locality is not None and self.locality < len(question)
        lengths = self._count_locally(question) if is_local else _sort_into_piles(question)
        steps = [ZERO + length for length in lengths]
        return np.array([*question, SEPARATOR, *steps, SEPARATOR, max(steps), END])

    def _count_locally(self, question: np.ndarray) -> list[int]:
        lengths: list[int] = []
        for i, number in enumerate(question):
            near = range(max(0, i - self.locality), i)
            lengths.append(1 + max((lengths[j] for j in near if question[j] < number), default=0))
        return lengths


def _sort_into_piles(numbers: np.ndarray) -> list[int]:
    """Return the pile of each number, from 1 on, if it goes on the first one with none smaller on top."""
    tops: list[int] = []
    piles = []
    for number in numbers.tolist():
        pile = bisect_left(tops, number)
        tops[pile : pile + 1] = [number]
        piles.append(pile + 1)
    return piles
