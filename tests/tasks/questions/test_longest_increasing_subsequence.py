"""Longest increasing subsequences: the source's text, all subsequences, and locality."""

import itertools

import numpy as np
import pytest

from nstar.tasks import LongestIncreasingSubsequence
from nstar.tasks.questions.longest_increasing_subsequence import ZERO
from nstar.tasks.questions.question import first_place

QUESTION = "21 23 11 16 29 15 14 19 28 37"
IDS = "24 26 14 19 32 18 17 22 31 40 1 4 5 4 5 6 5 5 6 7 8 1 8 2"


def task_of(numbers=40, locality=None):
    options = {"numbers": numbers, "locality": locality}
    return LongestIncreasingSubsequence(kind="longest_increasing_subsequence", **options)


def test_tokens_are_those_of_the_source():
    task = task_of()
    text = task.read(f"{QUESTION} <sep> 1 2 1 2 3 2 2 3 4 5 <sep> 5 <eos>")
    assert text.tolist() == [int(token) for token in IDS.split()]
    assert len(text[first_place(text, task.separator) + 1 :]) == 13
    assert len(text) == task.most_tokens(10) + 1 == 24
    np.testing.assert_array_equal(task.solve(task.read(QUESTION)), text)


@pytest.mark.parametrize(
    ("locality", "steps"),
    [
        (1, "1 2 1 2 3 1 1 2 3 4 <sep> 4"),
        (2, "1 2 1 2 3 1 1 2 3 4 <sep> 4"),
        (3, "1 2 1 2 3 2 1 3 4 5 <sep> 5"),
        (10, "1 2 1 2 3 2 2 3 4 5 <sep> 5"),
    ],
)
def test_steps_see_no_further_back_than_the_locality(locality, steps):
    task = task_of(locality=locality)
    assert task.write(task.solve(task.read(QUESTION))) == f"{QUESTION} <sep> {steps} <eos>"


@pytest.mark.parametrize("locality", [1, 2, 3, None])
def test_lengths_are_those_of_the_longest_of_all_subsequences(locality):
    size = 7
    task = task_of(numbers=20, locality=locality)
    for text in task.draw(np.random.default_rng(0), 40, size):
        numbers, steps = text[:size], text[size + 1 : 2 * size + 1] - ZERO
        lengths = np.zeros(size, dtype=int)
        for length in range(1, size + 1):
            for places in itertools.combinations(range(size), length):
                near = np.diff(places).max(initial=0) <= (locality or size)
                if near and (np.diff(numbers[list(places)]) > 0).all():
                    lengths[places[-1]] = length
        np.testing.assert_array_equal(steps, lengths)
        assert text[-2] - ZERO == lengths.max()


@pytest.mark.parametrize("locality", [12, 100])
def test_a_locality_of_all_numbers_is_none(locality):
    whole, local = (
        task_of(250, m).draw(np.random.default_rng(0), 200, 12) for m in (None, locality)
    )
    np.testing.assert_array_equal(local, whole)
    question = whole[0, :12]
    np.testing.assert_array_equal(
        task_of(250, locality).solve(question), task_of(250).solve(question)
    )


def test_numbers_and_lengths_share_no_token():
    texts = task_of(21).draw(np.random.default_rng(0), 500, 10)
    assert set(np.unique(texts[:, :10]) - ZERO) == set(range(11, 21))
    assert set(np.unique(texts[:, 11:21]) - ZERO) == set(range(1, 11))


def test_one_run_is_planted_in_a_third_of_all_texts():
    """It has all n numbers in one of n - 2 cases; others become increasing by chance, but rarely."""
    n_texts = 20_000
    answers = task_of(250).draw(np.random.default_rng(0), n_texts, 10)[:, -2] - ZERO
    share, planted = (answers == 10).mean(), 1 / 24
    error = 4 * (planted / n_texts) ** 0.5
    assert planted - error < share < 1.3 * planted + error
    assert answers.min() >= 1
