"""Linear equations: a system worked by hand, the layout, and solutions put into their questions."""

import itertools
import re

import numpy as np
import pytest

from nstar.tasks import LinearEquations
from nstar.tasks.questions.question import first_place

TASK = LinearEquations(kind="linear_equations")


def numbers_of(task, question):
    """Return the numbers (n, n + 1) of equations in which all are written."""
    rows = task.write(question).split(" , ")
    return np.array([[int(number) for number in re.findall(r"\d+", row)] for row in rows])


def test_tokens_are_those_of_the_source():
    words = "<pad> = <eos> <sep> + , a b c d e 0 10"
    assert TASK.read(words).tolist() == [*range(12), 21]


def test_a_system_worked_by_hand_with_a_swap():
    """2 b = 6 stands first and goes last; 1/3 is 4, and 4 * 5 is 9, 4 * 7 is 6 (modulo 11)."""
    question = "0 a + 2 b = 6 , 3 a + 5 b = 7"
    steps = "a + 9 b = 6 , 2 b = 6 <sep> a = 1 , b = 3"
    text = TASK.read(f"{question} <sep> {steps} <eos>")
    np.testing.assert_array_equal(TASK.solve(TASK.read(question)), text)
    assert TASK.is_valid(text)
    assert not TASK.is_valid(TASK.read(f"{question} <sep> a = 1 , b = 3 <eos>"))


@pytest.mark.parametrize(("modulus", "size"), [(11, 1), (11, 3), (2, 4), (31, 5)])
def test_answers_solve_the_equations_of_the_question(modulus, size):
    task = LinearEquations(kind="linear_equations", modulus=modulus)
    for text in task.draw(np.random.default_rng(0), 100, size):
        rows = numbers_of(task, text[: first_place(text, task.separator)])
        answer = task.write(text).rpartition("<sep> ")[2].removesuffix(" <eos>").split(" , ")
        names, values = zip(*(equation.split(" = ") for equation in answer), strict=True)
        assert "".join(names) == "abcde"[:size]
        left = rows[:, :size] @ np.array(values, dtype=int)
        np.testing.assert_array_equal(left % modulus, rows[:, size])


def test_systems_are_uniform_among_those_with_one_solution():
    task = LinearEquations(kind="linear_equations", modulus=2)
    n_texts = 24_000
    texts = task.draw(np.random.default_rng(0), n_texts, 2)
    systems = [
        tuple(numbers_of(task, text[: first_place(text, task.separator)]).ravel()) for text in texts
    ]
    regular = {
        system
        for system in itertools.product(range(2), repeat=6)
        if (system[0] * system[4] - system[1] * system[3]) % 2
    }
    counts = {system: systems.count(system) for system in set(systems)}
    assert set(counts) == regular and len(regular) == 24
    expected = n_texts / 24
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 49.7  # 99.9 %


def test_a_system_without_one_solution_is_refused():
    with pytest.raises(ValueError, match="not exactly one solution"):
        TASK.solve(TASK.read("1 a + 2 b = 3 , 2 a + 4 b = 5"))
