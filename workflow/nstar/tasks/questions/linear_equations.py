"""Linear equations: the solution of a regular system modulo a prime, one variable after the other.

The model sees ``2 a + 1 b = 3 , 0 a + 4 b = 8 <sep>`` and has to say
``a + 6 b = 7 , 4 b = 8 <sep> a = 6 , b = 2`` (modulus 11).
"""

from collections.abc import Iterable, Iterator
from math import prod
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from nstar.tasks.questions.arithmetic import Prime
from nstar.tasks.questions.question import END, QuestionTask

EQUALS, SEPARATOR, PLUS, COMMA, FIRST_VARIABLE = 1, 3, 4, 5, 6
VARIABLES = "abcde"
ZERO = FIRST_VARIABLE + len(VARIABLES)
"""Tokens; that of a number k is ``ZERO + k``."""


class LinearEquations(QuestionTask):
    """Solution of n linear equations in n variables over the numbers modulo a prime p.

    Notes
    -----
    The steps are the systems after 1, 2, .. n columns of a Gauss-Jordan elimination, the last of them the
    answer. For each column, the first equation from the diagonal down whose number there is not 0 is
    swapped to the diagonal, divided by that number, and subtracted from the others. Of a column that is
    done, only its 1 is left, and written as its variable alone; all other numbers are written, 0 and 1
    too. Systems are uniform among those with one solution.

    References
    ----------
    Feng et al. (2023), Towards Revealing the Mystery behind Chain of Thought, arXiv:2305.15408; after
    their public generator, whose texts of 3, 4 and 5 equations have 89, 179 and 314 tokens.

    Examples
    --------
    >>> task = LinearEquations(kind="linear_equations")
    >>> task.write(task.solve(task.read("2 a + 1 b = 3 , 0 a + 4 b = 8")))
    '2 a + 1 b = 3 , 0 a + 4 b = 8 <sep> a + 6 b = 7 , 4 b = 8 <sep> a = 6 , b = 2 <eos>'
    """

    EXAMPLES: ClassVar = {
        "linear_equations": {"modulus": 11},
        "binary equations": {"modulus": 2},
    }

    kind: Literal["linear_equations"] = Field(
        description="linear equations modulo a prime; no unit"
    )
    modulus: Prime = Field(11, description="p, the prime modulo which all is taken; no unit")

    @property
    def words(self) -> tuple[str, ...]:
        """Return signs, variables and numbers, in the source's order."""
        signs = ("<pad>", "=", "<eos>", "<sep>", "+", ",")
        return (*signs, *VARIABLES, *map(str, range(self.modulus)))

    @property
    def separator(self) -> int:
        """Return the token of ``<sep>``."""
        return SEPARATOR

    def most_tokens(self, size: int) -> int:
        """Return 3 n (n + 1) (n + 2) / 2 - 1, which all texts have."""
        return 3 * size * (size + 1) * (size + 2) // 2 - 1

    def shortest_question(self, size: int) -> int:
        """Return n (3 n + 2) - 1, which all questions have."""
        return size * (3 * size + 2) - 1

    def longest_question(self, size: int) -> int:
        """Return n (3 n + 2) - 1, which all questions have."""
        return self.shortest_question(size)

    def longest_answer(self, size: int) -> int:
        """Return 4 n - 1, which all answers have."""
        return 4 * size - 1

    def n_sequences(self, length: int) -> int:
        """Return the order of GL(n, p), times p^n right sides, exactly."""
        n_vectors = self.modulus**length
        return n_vectors * prod(n_vectors - self.modulus**i for i in range(length))

    def why_not(self, size: int) -> str:
        """Refuse more variables than have a name."""
        if size > len(VARIABLES):
            return f"{size} variables are more than the {len(VARIABLES)} that have a token"
        return ""

    def draw(self, generator: np.random.Generator, n: int, size: int) -> np.ndarray:
        """Return texts of regular systems; see `QuestionTask.draw`."""
        parts, missing = [], n
        while missing:  # of all systems, 29 % at least are regular, for any prime and size
            drawn = generator.integers(self.modulus, size=(missing, size, size + 1))
            steps = [drawn, *self._eliminate(drawn)]
            regular = (steps[-1][:, :, :size] == np.eye(size)).all(axis=(1, 2))
            parts.append(_write([step[regular] for step in steps]))
            missing -= len(parts[-1])
        return np.concatenate(parts)

    def _eliminate(self, systems: np.ndarray) -> Iterator[np.ndarray]:
        """Yield systems (k, n, n + 1) after each column; irregular ones never reach the identity."""
        inverses = np.array([0, *(pow(a, -1, self.modulus) for a in range(1, self.modulus))])
        every = np.arange(len(systems))
        for column in range(systems.shape[1]):
            systems = systems.copy()
            pivot = column + (systems[:, column:, column] != 0).argmax(axis=1)
            chosen = systems[every, pivot]
            systems[every, pivot] = systems[:, column]
            row = chosen * inverses[chosen[:, column], None] % self.modulus
            systems[:, column] = 0
            factors = systems[:, :, column, None]
            systems = (systems - factors * row[:, None]) % self.modulus
            systems[:, column] = row
            yield systems

    def solve(self, question: np.ndarray) -> np.ndarray:
        """Return the text of a question, one system alone; see the base.

        Raises
        ------
        ValueError
            If the system has not exactly one solution.
        """
        size = int(np.sum(question == EQUALS))
        rows = (question[question >= ZERO] - ZERO).reshape(size, size + 1).tolist()
        steps = [np.array([rows])]
        for column in range(size):
            regular = [i for i in range(column, size) if rows[i][column]]
            if not regular:
                raise ValueError("the equations have not exactly one solution")
            rows[column], rows[regular[0]] = rows[regular[0]], rows[column]
            inverse = pow(rows[column][column], -1, self.modulus)
            rows[column] = [inverse * number % self.modulus for number in rows[column]]
            for i in range(size):
                if i != column:
                    factor = rows[i][column]
                    pairs = zip(rows[i], rows[column], strict=True)
                    rows[i] = [(number - factor * one) % self.modulus for number, one in pairs]
            steps.append(np.array([rows]))
        return _write(steps)[0]


def _write(steps: list[np.ndarray]) -> np.ndarray:
    """Return texts (k, T) of systems (k, n, n + 1) before and after each column."""
    n_texts, size, _ = steps[0].shape
    tokens = [token for done, step in enumerate(steps) for token in _write_step(step, done, size)]
    tokens[-1] = END
    return np.stack([np.broadcast_to(token, n_texts) for token in tokens], axis=1).astype(np.int64)


def _write_step(systems: np.ndarray, done: int, size: int) -> Iterable[np.ndarray | int]:
    """Yield the tokens of systems of which some columns are done, and a separator after them."""
    for row in range(size):
        for column in range(size):
            if column >= done:
                yield ZERO + systems[:, row, column]
            if column >= done or column == row:
                yield FIRST_VARIABLE + column
                is_last = column == size - 1 or done == size
                yield EQUALS if is_last else PLUS
        yield ZERO + systems[:, row, size]
        yield SEPARATOR if row == size - 1 else COMMA
