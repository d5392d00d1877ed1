"""Edit distance: the price of turning one word into another, and the prices for all their beginnings.

The model sees ``a b | a c b <sep>`` and has to say ``0 2 4 , 2 3 2 , <sep> 2``.
"""

from functools import cache
from string import ascii_lowercase
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, StrictInt, model_validator

from nstar.options import AtMost
from nstar.tasks.questions.question import END, PAD, QuestionTask

SEPARATOR, BAR, COMMA, FIRST_LETTER = 1, 3, 4, 5
ZERO = FIRST_LETTER + len(ascii_lowercase)
"""Tokens; that of a number k is ``ZERO + k``."""

GAP, REPLACEMENT = 2, 3
"""Prices of a letter that is put in or left out, and of one that becomes another."""

INDEPENDENT = 0.4
"""Share of pairs whose second word does not come from the first."""

Letters = Annotated[StrictInt, Field(ge=1), AtMost(26, "letters are those from a to z")]


class EditDistance(QuestionTask):
    """Price of the cheapest way from one word to another: gaps cost 2, replacements 3.

    Raises
    ------
    ValueError
        If the numbers of letters contradict each other.

    Notes
    -----
    The steps are ``M(i, j)``, the price for the first i and j letters, row by row: the smallest of
    ``M(i - 1, j) + 2``, ``M(i, j - 1) + 2`` and ``M(i - 1, j - 1) + 3`` (+ 0 for the same letter). At the
    border, which is not written, ``M(i, 0) = i`` and ``M(0, j) = j`` with ``border: unit``, the default:
    so does the benchmark, and what comes out is no distance, as gaps cost 2 elsewhere. With ``gap`` it is
    ``2 i`` and ``2 j``.

    One word has n letters, the other ``max(1, n - 3)`` to ``n + 2``; the shorter one stands first. Each
    pair uses letters of its own, 3 to 10 of them. The second word is independent with probability 0.4 and
    otherwise the first after 1 to n random edits. Pairs of the same word, those with a wrong length, and
    those whose prices have no token are drawn again.

    References
    ----------
    Feng et al. (2023), Towards Revealing the Mystery behind Chain of Thought, arXiv:2305.15408; after
    their public generator. Yang et al. (2024), Do Efficient Transformers Really Save Computation?,
    arXiv:2402.13934, figure 1.

    Examples
    --------
    >>> task = EditDistance(kind="edit_distance")
    >>> task.write(task.solve(task.read("a b | a c b")))
    'a b | a c b <sep> 0 2 4 , 2 3 2 , <sep> 2 <eos>'
    """

    MEANINGS: ClassVar = {
        "border": {"unit": "a gap at the border costs 1", "gap": "a gap at the border costs 2"},
    }

    EXAMPLES: ClassVar = {
        "edit_distance": {"letters": 26, "fewest_used": 3, "most_used": 10},
        "consistent edit distance": {"border": "gap"},
        "edit distance of three letters": {"letters": 3, "most_used": 3},
    }

    kind: Literal["edit_distance"] = Field(description="edit distance; no unit")
    letters: Letters = Field(26, description="letters from a on that words are made of; letters")
    fewest_used: Letters = Field(3, description="letters that a pair uses, at least; letters")
    most_used: Letters = Field(10, description="letters that a pair uses, at most; letters")
    border: Literal["unit", "gap"] = Field(
        "unit", description="price of a gap at the border: 1, as in the benchmark, or 2; no unit"
    )
    largest_number: Annotated[
        StrictInt, Field(ge=2), AtMost(10_000, "every number is a token of the vocabulary")
    ] = Field(59, description="largest price with a token; at least 3 n - 1; no unit")

    @model_validator(mode="after")
    def _has_the_letters_it_uses(self):
        if not self.fewest_used <= self.most_used <= self.letters:
            raise ValueError(
                f"a pair cannot use {self.fewest_used} to {self.most_used} of {self.letters} letters: "
                "fewest_used <= most_used <= letters is needed"
            )
        return self

    @property
    def words(self) -> tuple[str, ...]:
        """Return signs, the letters from a to z, and numbers up to the largest, in the source's order."""
        signs = ("<pad>", "<sep>", "<eos>", "|", ",")
        return (*signs, *ascii_lowercase, *map(str, range(self.largest_number + 1)))

    @property
    def separator(self) -> int:
        """Return the token of ``<sep>``."""
        return SEPARATOR

    def most_tokens(self, size: int) -> int:
        """Return (n + 2) (n + 3), for words of n and n + 2 letters."""
        return (size + 2) * (size + 3)

    def shortest_question(self, size: int) -> int:
        """Return what a word of n letters, a bar, and one of n - 3, but at least 1, take."""
        return size + 1 + max(1, size - 3)

    def longest_question(self, size: int) -> int:
        """Return 2 n + 3: a word of n letters, a bar, and one of n + 2."""
        return 2 * size + 3

    def n_sequences(self, length: int) -> int:
        """Return how many pairs of different words there are: a bound, exact if all letters are used."""
        others = sum(self.letters**other for other in _other_lengths(length))
        return self.letters**length * (others - 1)

    def why_not(self, size: int) -> str:
        """Refuse words whose prices are often too large: n letters that are replaced cost 3 n."""
        if self.largest_number < 3 * size - 1:
            return (
                f"largest_number is {self.largest_number}, and words of {size} letters need "
                f"{3 * size - 1}: with less, not only pairs of utterly different words have prices "
                "without a token"
            )
        return ""

    def draw(self, generator: np.random.Generator, n: int, size: int) -> np.ndarray:
        """Return texts of pairs of words; see `QuestionTask.draw`."""
        parts, missing = [], n
        while missing:  # a word and its beginning always pass
            texts = self._write_texts(*self._draw_pairs(generator, missing, size))
            parts.append(texts)
            missing -= len(texts)
        return np.concatenate(parts)

    def _draw_pairs(
        self, generator: np.random.Generator, n: int, size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return k <= n pairs, the shorter word first: letters (k, 2, size + 2) and lengths (k, 2)."""
        used = generator.integers(self.fewest_used, self.most_used + 1, n)
        alphabets = generator.permuted(np.tile(np.arange(self.letters), (n, 1)), axis=1)

        def draw_letters(width: int) -> np.ndarray:
            chosen = generator.integers(used[:, None], size=(n, width))
            return np.take_along_axis(alphabets, chosen, axis=1)

        allowed = _other_lengths(size)
        first, other = draw_letters(2 * size + 2), draw_letters(2 * size + 2)
        second, edited_lengths = _edit(generator, first, draw_letters(size), size)
        independent = generator.random(n) < INDEPENDENT
        second[independent] = other[independent]
        drawn_lengths = generator.integers(allowed[0], allowed[-1] + 1, n)
        second_lengths = np.where(independent, drawn_lengths, edited_lengths)

        same = (second_lengths == size) & (first == second)[:, :size].all(axis=1)
        kept = ~same & np.isin(second_lengths, allowed)
        words = np.stack([first, second], axis=1)[kept, :, : size + 2]
        lengths = np.stack([np.full(n, size), second_lengths], axis=1)[kept]
        order = lengths.argsort(axis=1, kind="stable")
        return (
            np.take_along_axis(words, order[:, :, None], axis=1),
            np.take_along_axis(lengths, order, axis=1),
        )

    def _write_texts(self, words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Return the texts of the pairs whose prices all have a token; see `_draw_pairs`."""
        width = words.shape[2]
        table = self._price(words)
        answers = table[np.arange(len(words)), *lengths.T]
        inside = np.arange(width) < lengths[:, :, None]  # (k, 2, width)
        rows, columns = inside[:, 0, : width - 2, None], inside[:, 1, None]
        prices = np.where(rows & columns, table[:, 1:, 1:], -1)
        kept = prices.max(axis=(1, 2), initial=0) <= self.largest_number

        steps = np.where(prices < 0, PAD, ZERO + prices)
        ends = np.where(rows, COMMA, PAD)
        first, second = np.where(inside, FIRST_LETTER + words, PAD).transpose(1, 0, 2)
        bar, separator, end = (np.full((len(words), 1), sign) for sign in (BAR, SEPARATOR, END))
        matrix = np.concatenate([steps, ends], axis=2).reshape(
            len(words), (width - 2) * (width + 1)
        )
        question, answer = [first[:, : width - 2], bar, second], ZERO + answers[:, None]
        spaced = np.concatenate([*question, separator, matrix, separator, answer, end], axis=1)
        closed = np.argsort(spaced == PAD, axis=1, kind="stable")
        return np.take_along_axis(spaced, closed, axis=1)[kept]

    def _price(self, words: np.ndarray) -> np.ndarray:
        """Return M(i, j) of pairs (k, 2, n + 2), as (k, n + 1, n + 3): for no letters, too."""
        n_pairs, _, width = words.shape
        step = GAP if self.border == "gap" else 1
        table = np.zeros((n_pairs, width - 1, width + 1), dtype=np.int64)
        table[:, :, 0], table[:, 0] = step * np.arange(width - 1), step * np.arange(width + 1)
        for i in range(1, width - 1):
            for j in range(1, width + 1):
                differ = words[:, 0, i - 1] != words[:, 1, j - 1]
                replaced = table[:, i - 1, j - 1] + REPLACEMENT * differ
                gap = np.minimum(table[:, i - 1, j], table[:, i, j - 1]) + GAP
                table[:, i, j] = np.minimum(gap, replaced)
        return table

    def solve(self, question: np.ndarray) -> np.ndarray:
        """Return the text of a question, each price by the recursion itself; see the base."""
        tokens = question.tolist()
        bar = tokens.index(BAR)
        first, second = tokens[:bar], tokens[bar + 1 :]

        @cache
        def price(i: int, j: int) -> int:
            if i == 0 or j == 0:
                return (i + j) * (GAP if self.border == "gap" else 1)
            replacement = 0 if first[i - 1] == second[j - 1] else REPLACEMENT
            gap = min(price(i - 1, j), price(i, j - 1)) + GAP
            return min(gap, price(i - 1, j - 1) + replacement)

        steps = []
        for i in range(1, len(first) + 1):
            steps += [ZERO + price(i, j) for j in range(1, len(second) + 1)]
            steps.append(COMMA)
        return np.array([*tokens, SEPARATOR, *steps, SEPARATOR, steps[-2], END])


def _other_lengths(size: int) -> range:
    """Return the lengths of the word beside one of n letters."""
    return range(max(1, size - 3), size + 3)


def _edit(
    generator: np.random.Generator, words: np.ndarray, new: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return words (k, T) and their lengths (k,) after random edits of each: 1 to n, uniform.

    A letter is deleted, replaced, or inserted, each as likely; of two letters, none is deleted, and one
    is inserted. New letters are given (k, n).
    """
    n_words, width = words.shape
    lengths, n_edits = np.full(n_words, size), generator.integers(1, size + 1, n_words)
    columns = np.arange(width)
    for edit in range(size):
        kind = generator.integers(3, size=n_words)
        active = edit < n_edits
        deleting = active & (kind == 0) & (lengths > 2)
        inserting = active & ~deleting & (kind != 1)
        place = generator.integers(lengths + inserting)
        shift = inserting.astype(np.int64) - deleting
        source = columns - shift[:, None] * (columns >= place[:, None])
        words = np.take_along_axis(words, source.clip(0, width - 1), axis=1)
        written = active & ~deleting
        words[written, place[written]] = new[written, edit]
        lengths = lengths + shift
    return words, lengths
