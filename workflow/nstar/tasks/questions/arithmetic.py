"""Arithmetic: the value of an expression modulo a prime, one operator after the other.

The model sees ``( 5 + 2 ) * 10 * 1 =`` and has to say ``( 5 + 2 ) * 10 = 7 * 10 = 4`` (modulus 11).
"""

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field, StrictInt

from nstar.options import AtMost
from nstar.tasks.questions.question import END, PAD, QuestionTask

PLUS, MINUS, TIMES, DIVIDE, OPEN, CLOSE, EQUALS, ZERO = range(3, 11)
"""Tokens; that of a number k is ``ZERO + k``."""

SUMS, PRODUCTS = (PLUS, MINUS), (TIMES, DIVIDE)


def _check_prime(number: int) -> int:
    if any(number % divisor == 0 for divisor in range(2, number)):
        raise ValueError(
            f"{number} is no prime, and only modulo a prime can one divide by all but 0"
        )
    return number


Prime = Annotated[
    StrictInt,
    Field(ge=2),
    AtMost(31, "tables of all pairs of numbers, and the vocabulary, grow with it"),
    AfterValidator(_check_prime),
]
"""A modulus with which every number but 0 has an inverse."""


class Arithmetic(QuestionTask):
    """Value of an expression with n operators ``+ - * /`` over the numbers modulo a prime p.

    Notes
    -----
    Expressions are made backwards: from a uniform number on, a uniform one among the numbers of the
    expression is replaced n times by ``a op b`` of the same value. The operator and a are uniform, b
    follows from them; where any b does, it is uniform, and where none does, all are drawn anew. Brackets
    are written only where they are needed. The text is all expressions, the last one first. As any pair
    may be reduced that leaves the value as it is, a question has several texts; `is_valid` takes all.

    References
    ----------
    Feng et al. (2023), Towards Revealing the Mystery behind Chain of Thought, arXiv:2305.15408; after
    their public generator. Yang et al. (2024), Do Efficient Transformers Really Save Computation?,
    arXiv:2402.13934, figure 1.

    Examples
    --------
    >>> task = Arithmetic(kind="arithmetic")
    >>> task.write(task.solve(task.read("9 - 8 + 6 - 0")))
    '9 - 8 + 6 - 0 = 1 + 6 - 0 = 7 - 0 = 7 <eos>'
    >>> task.is_valid(task.read("3 + 3 - 4 = 3 + 10 = 2 <eos>"))
    True
    """

    EXAMPLES: ClassVar = {
        "arithmetic": {"modulus": 11},
        "arithmetic modulo 3": {"modulus": 3},
    }

    kind: Literal["arithmetic"] = Field(description="arithmetic modulo a prime; no unit")
    modulus: Prime = Field(11, description="p, the prime modulo which values are taken; no unit")

    @property
    def words(self) -> tuple[str, ...]:
        """Return signs, of which ``<cls>`` is never used, and numbers, in the source's order."""
        signs = ("<pad>", "<cls>", "<eos>", "+", "-", "*", "/", "(", ")", "=")
        return signs + tuple(map(str, range(self.modulus)))

    @property
    def separator(self) -> int:
        """Return the token of ``=``, which ends every expression."""
        return EQUALS

    def most_tokens(self, size: int) -> int:
        """Return 2 n^2 + 2 n + 1: n + 1 expressions, with k operators of 4 k - 1 tokens at most."""
        return 2 * size**2 + 2 * size + 1

    def shortest_question(self, size: int) -> int:
        """Return 2 n + 1: numbers and operators, and no brackets."""
        return 2 * size + 1

    def longest_question(self, size: int) -> int:
        """Return 4 n - 1, with a pair of brackets for all operators but one."""
        return 4 * size - 1

    @property
    def unique_steps(self) -> bool:
        """Return False: several pairs may be reduced first."""
        return False

    def n_sequences(self, length: int) -> int:
        """Return how many expressions with n operators the generator can make, exactly."""
        return int(_count(self.modulus, length).sum())

    def draw(self, generator: np.random.Generator, n: int, size: int) -> np.ndarray:
        """Return texts made backwards, from the value on; see `QuestionTask.draw`."""
        values = generator.integers(self.modulus, size=n)
        places = generator.integers(np.arange(1, size + 1), size=(n, size))
        shares = generator.random((n, size))
        texts = np.full((n, self.most_tokens(size) + 1), PAD, dtype=np.int64)
        drawn = zip(values.tolist(), places.tolist(), shares.tolist(), strict=True)
        for text, numbers in zip(texts, drawn, strict=True):
            chain = self._grow(*numbers)
            text[: len(chain)] = chain
        return texts

    def _grow(self, value: int, places: list[int], shares: list[float]) -> list[int]:
        """Return the text that ends with a value, from the numbers to expand and the pairs to take."""
        expression = [ZERO + value]
        chain = [*expression, END]
        for place, share in zip(places, shares, strict=True):
            expression = self._expand(expression, place, share)
            chain = [*expression, EQUALS, *chain]
        return chain

    def _expand(self, expression: list[int], place: int, share: float) -> list[int]:
        """Return an expression in which one of its numbers has become a pair of the same value."""
        i = [i for i, token in enumerate(expression) if token >= ZERO][place]
        before, after = expression[:i], expression[i + 1 :]
        pairs = _pairs(self.modulus)[expression[i] - ZERO]
        a, operator, b = pairs[int(share * len(pairs))]
        pair = [ZERO + a, operator, ZERO + b]
        previous, following = [PAD, *before][-1], [*after, PAD][0]
        is_split = previous in (TIMES, MINUS) or following in PRODUCTS
        if previous == DIVIDE or (is_split and operator in SUMS):
            pair = [OPEN, *pair, CLOSE]
        return before + pair + after

    def solve(self, question: np.ndarray) -> np.ndarray:
        """Return the text that reduces the first pair that leaves the value as it is; see the base."""
        expression = question.tolist()
        value = self._evaluate(expression)
        text = list(expression)
        while len(expression) > 1:
            expression = next(
                reduced for reduced in self._reduce(expression) if self._has_value(reduced, value)
            )
            text += [EQUALS, *expression]
        return np.array([*text, END])

    def is_valid(self, text: np.ndarray) -> bool:
        """Return whether each expression has one operator less than that before, and its value."""
        *tokens, last = text.tolist()
        steps = _split(tokens)
        if last != END or len(steps) == 1 or len(steps[-1]) != 1:
            return False
        reduced = all(after in self._reduce(before) for before, after in itertools.pairwise(steps))
        value = steps[-1][0] - ZERO
        return reduced and all(self._has_value(step, value) for step in steps)

    def _reduce(self, expression: list[int]) -> Iterator[list[int]]:
        """Yield what becomes of an expression when two neighbours in it are replaced by their value."""
        for i in range(1, len(expression) - 1):
            left, operator, right = expression[i - 1 : i + 2]
            if operator in SUMS + PRODUCTS and min(left, right) >= ZERO:
                if (operator, right) == (DIVIDE, ZERO):
                    continue
                before, after = expression[: i - 1], expression[i + 2 :]
                if before[-1:] == [OPEN] and after[:1] == [CLOSE]:
                    before, after = before[:-1], after[1:]
                value = _apply(left - ZERO, operator, right - ZERO, self.modulus)
                yield [*before, ZERO + value, *after]

    def _has_value(self, expression: list[int], value: int) -> bool:
        try:
            return self._evaluate(expression) == value
        except ZeroDivisionError:
            return False

    def _evaluate(self, expression: list[int]) -> int:
        return self._evaluate_sum(expression[::-1])

    def _evaluate_sum(self, rest: list[int]) -> int:
        """Return the value of a sum, and take its tokens from the end of the rest, which is reversed."""
        value = self._evaluate_product(rest)
        while rest and rest[-1] in SUMS:
            value = _apply(value, rest.pop(), self._evaluate_product(rest), self.modulus)
        return value

    def _evaluate_product(self, rest: list[int]) -> int:
        value = self._evaluate_factor(rest)
        while rest and rest[-1] in PRODUCTS:
            value = _apply(value, rest.pop(), self._evaluate_factor(rest), self.modulus)
        return value

    def _evaluate_factor(self, rest: list[int]) -> int:
        token = rest.pop()
        if token != OPEN:
            return token - ZERO
        value = self._evaluate_sum(rest)
        rest.pop()  # the closing bracket
        return value


def _split(tokens: list[int]) -> list[list[int]]:
    """Return the expressions between separators."""
    expressions: list[list[int]] = [[]]
    for token in tokens:
        if token == EQUALS:
            expressions.append([])
        else:
            expressions[-1].append(token)
    return expressions


def _apply(a: int, operator: int, b: int, modulus: int) -> int:
    """Return the value of ``a op b``.

    Raises
    ------
    ZeroDivisionError
        If a number is divided by 0.
    """
    if operator == DIVIDE:
        if b == 0:
            raise ZeroDivisionError
        return a * pow(b, -1, modulus) % modulus
    return {PLUS: a + b, MINUS: a - b, TIMES: a * b}[operator] % modulus


@cache
def _pairs(modulus: int) -> list[list[tuple[int, int, int]]]:
    """Return all ``(a, op, b)`` of each value, each as often as it is likely to be drawn.

    That is p times where b follows from the value, the operator and a, and once where any b does.
    """
    found: list[list[tuple[int, int, int]]] = [[] for _ in range(modulus)]
    for a, operator, b in itertools.product(range(modulus), SUMS + PRODUCTS, range(modulus)):
        if (operator, b) != (DIVIDE, 0):
            any_b = operator in PRODUCTS and a == 0
            times = 1 if any_b else modulus
            found[_apply(a, operator, b, modulus)] += [(a, operator, b)] * times
    return found


@cache
def _count(modulus: int, n: int) -> np.ndarray:
    """Return how many expressions with n operators there are: sums (0), all others (1), of each value.

    An expression is a pair of two shorter ones. The second of ``+`` is no sum and that of ``*`` no
    product, as no brackets are written there, and that of ``/`` is not 0.
    """
    if n == 0:
        return np.array([[0] * modulus, [1] * modulus], dtype=object)
    counts = np.array([[0] * modulus] * 2, dtype=object)
    for k in range(n):
        first, (sums, others) = _count(modulus, k).sum(axis=0), _count(modulus, n - 1 - k)
        no_products = sums if k < n - 1 else others
        seconds = {PLUS: others, MINUS: sums + others, TIMES: no_products, DIVIDE: sums + others}
        for a, operator, b in itertools.product(range(modulus), seconds, range(modulus)):
            if (operator, b) != (DIVIDE, 0):
                value = _apply(a, operator, b, modulus)
                counts[int(operator in PRODUCTS), value] += first[a] * seconds[operator][b]
    return counts
