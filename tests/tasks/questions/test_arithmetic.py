"""Arithmetic modulo a prime: the source's texts, and an evaluator that knows nothing of tokens."""

import re

import numpy as np
import pytest

from nstar.tasks import Arithmetic
from nstar.tasks.questions.arithmetic import ZERO
from nstar.tasks.questions.question import PAD, first_place

TASK = Arithmetic(kind="arithmetic")


class Residue:
    """A number modulo 11, for expressions that Python reads."""

    def __init__(self, number):
        self.number = number % 11

    def __add__(self, other):
        return Residue(self.number + other.number)

    def __sub__(self, other):
        return Residue(self.number - other.number)

    def __mul__(self, other):
        return Residue(self.number * other.number)

    def __truediv__(self, other):
        return Residue(next(x for x in range(11) if x * other.number % 11 == self.number))


def evaluate(expression):
    return eval(re.sub(r"\d+", r"Residue(\g<0>)", expression), {"Residue": Residue}).number


def read(text):
    return TASK.read(f"{text} <eos>")


def test_tokens_are_those_of_the_source():
    text = read("9 * 8 = 6")
    assert text.tolist() == [19, 5, 18, 9, 16, 2]
    assert text[first_place(text, TASK.separator) + 1 :].tolist() == [16, 2]
    assert TASK.solve(text[:3]).tolist() == text.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "9 * 8 = 6",
        "( 5 + 2 ) * 10 * 1 = ( 5 + 2 ) * 10 = 7 * 10 = 4",
        "( 5 + 2 ) * 10 * 1 = 7 * 10 * 1 = 4 * 1 = 4",
        "9 - 8 + 6 - 0 = 9 - 8 + 6 = 1 + 6 = 7",
        "3 + 3 - 4 = 3 + 10 = 2",
        "3 + 3 - 4 = 6 - 4 = 2",
        "1 / ( 2 / ( 1 - 2 ) ) = 1 / ( 2 / 10 ) = 1 / 9 = 5",
    ],
)
def test_any_order_that_keeps_the_value_is_right(text):
    assert TASK.is_valid(read(text))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("9 * 8 = 7", "a wrong value"),
        ("9 - 8 + 6 = 9 - 3 = 6", "a reduction that changes the value"),
        ("2 + 3 * 4 = 5 * 4 = 9", "a reduction against precedence"),
        ("3 + 3 - 4 = 2", "two operators at once"),
        ("3 + 3 - 4 = 6 - 4", "no answer"),
        ("3 + 3 - 4 = 1 + 1 = 2", "other numbers of the same value"),
        ("3 + 3 - 4 = 3 + 3 - 4 = 6 - 4 = 2", "no operator at all"),
        ("( 5 + 2 ) * 10 = ( 7 ) * 10 = 4", "brackets around a number"),
        ("3 + 3 = = 6", "an empty expression"),
        ("3 + 3 =", "nothing after the separator"),
        ("6 / 2 * 0 = 6 / 0 = 0", "a division by 0"),
        ("( 3 + 4 = ( 7 = 7", "an open bracket"),
        ("7", "no separator"),
    ],
)
def test_texts_are_wrong_for_many_reasons(text, fault):
    assert not TASK.is_valid(read(text)), fault


def test_every_step_has_the_value_that_an_independent_evaluator_finds():
    for text in TASK.draw(np.random.default_rng(0), 300, 8):
        written = TASK.write(text).partition(" <eos>")[0]
        expressions = written.split(" = ")
        assert {evaluate(expression) for expression in expressions} == {int(expressions[-1])}
        operators = [sum(expression.count(sign) for sign in "+-*/") for expression in expressions]
        assert operators == list(range(8, -1, -1))
        solution = TASK.write(TASK.solve(TASK.read(expressions[0]))).removesuffix(" <eos>")
        assert {evaluate(step) for step in solution.split(" = ")} == {int(expressions[-1])}


def test_another_number_in_a_step_is_wrong():
    generator = np.random.default_rng(0)
    for text in TASK.draw(generator, 300, 5):
        steps = np.flatnonzero(text >= ZERO)
        place = generator.choice(steps[steps > first_place(text, TASK.separator)])
        text[place] = ZERO + (text[place] - ZERO + generator.integers(1, 11)) % 11
        assert not TASK.is_valid(text[text != PAD])


@pytest.mark.parametrize(("size", "mean"), [(6, 66.2), (10, 164.4)])
def test_texts_are_as_long_as_those_of_the_source(size, mean):
    """Means of 100,000 texts of the public generator, rounded to 0.1."""
    lengths = (TASK.draw(np.random.default_rng(0), 6000, size) != PAD).sum(axis=1) - 1
    tolerance = 0.05 + 4 * lengths.std() / 6000**0.5
    assert lengths.mean() == pytest.approx(mean, abs=tolerance)
    assert lengths.max() <= TASK.most_tokens(size)


def test_longest_texts_are_bounded_at_all_sizes_of_the_source():
    assert [TASK.most_tokens(n) for n in (6, 10, 13, 16)] == [85, 221, 365, 545]


def test_pairs_of_one_operator_are_drawn_as_their_value_says():
    """Of value 0, ``0 *`` and ``0 /`` go with any number (but 0 after ``/``), ``a *`` with 0 only."""
    texts = TASK.draw(np.random.default_rng(0), 40_000, 1)
    written = [TASK.write(text[:3]) for text in texts if text[4] == ZERO]
    weights = {"+": 11, "-": 11, "*": 11, "/": 10 / 11}
    shares = {sign: weight / sum(weights.values()) for sign, weight in weights.items()}
    for sign, share in shares.items():
        found = np.mean([text.split()[1] == sign for text in written])
        assert found == pytest.approx(share, abs=4 * (share * (1 - share) / len(written)) ** 0.5)
    zero_times = np.mean([text.startswith("0 *") for text in written if "*" in text])
    assert zero_times == pytest.approx(1 / 11, abs=0.03)
