"""What is read and what is asked for, on sequences written by hand."""

import numpy as np
import pytest

from nstar.config import Data
from nstar.grid import make_pool
from nstar.tasks import SUPERVISIONS, build_task
from nstar.tasks.supervision import NO_LABEL, first_read, n_token_kinds, n_tokens, supervise

PARITY = build_task({"kind": "modular_addition", "modulus": 2})
CYCLE = build_task({"kind": "cycle_navigation", "size": 5})
_ = NO_LABEL
ANYTHING = 7
"""What stands beyond the end of a sequence, where nothing may look."""

SYMBOLS = np.array([[1, 1, ANYTHING, ANYTHING], [1, 0, 1, ANYTHING], [0, 1, 1, 1]])
STATES = np.array([[1, 0, ANYTHING, ANYTHING], [1, 1, 0, ANYTHING], [0, 1, 0, 1]])
LENGTHS = np.array([2, 3, 4])
S = 2
"""The separator: after the two symbols, which are the two states as well."""

WANTED = {
    "outcome": (
        [[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 1]],
        [[0, _, _], [_, 0, _], [_, _, 1]],
    ),
    "chain_of_thought": (
        [[1, 1, S, 1, 0, 0, 0, 0], [1, 0, 1, S, 1, 1, 0, 0], [0, 1, 1, 1, S, 0, 1, 0]],
        [[1, 0, _, _, _, _], [_, 1, 1, 0, _, _], [_, _, 0, 1, 0, 1]],
    ),
    "aligned": (
        [[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 1]],
        [[1, 0, _, _], [1, 1, 0, _], [0, 1, 0, 1]],
    ),
}
"""Tokens and labels of the sequences above, where lengths begin at 2."""

every_supervision = pytest.mark.parametrize("supervision", SUPERVISIONS)


@every_supervision
def test_tokens_and_labels_by_hand(supervision):
    tokens, labels = supervise(supervision, PARITY, SYMBOLS, STATES, LENGTHS, shortest=2)
    assert tokens.tolist() == WANTED[supervision][0]
    assert labels.tolist() == WANTED[supervision][1]
    assert tokens.dtype == labels.dtype == np.int64
    assert tokens.shape[1] == n_tokens(supervision, PARITY, 4)
    assert tokens.shape[1] - labels.shape[1] == first_read(supervision, 2)


@every_supervision
def test_sets_without_short_sequences_have_the_same_shape(supervision):
    """The longest alone, in a data set whose lengths may begin at 2, and in one that has no others."""
    alone = SYMBOLS[2:], STATES[2:], LENGTHS[2:]
    tokens, labels = supervise(supervision, PARITY, *alone, shortest=2)
    assert [tokens.tolist(), labels.tolist()] == [part[2:] for part in WANTED[supervision]]
    _, labels = supervise(supervision, PARITY, *alone, shortest=4)
    n_labels = {"outcome": 1, "chain_of_thought": 4, "aligned": 4}[supervision]
    assert labels.shape == (1, n_labels) and (labels != NO_LABEL).all()


def test_modular_addition_of_five():
    """The example of the source: 3, 4, 2 have the partial sums 3, 2, 4."""
    task = build_task({"kind": "modular_addition", "modulus": 5})
    symbols = np.array([[3, 4, 2]])
    states = task.labels(symbols)
    assert states.tolist() == [[3, 2, 4]]
    found = {}
    for supervision in SUPERVISIONS:
        sets = supervise(supervision, task, symbols, states, np.array([3]), shortest=3)
        found[supervision] = [part[0].tolist() for part in sets]
    assert found == {
        "outcome": [[3, 4, 2], [4]],
        "chain_of_thought": [[3, 4, 2, 5, 3, 2], [3, 2, 4]],
        "aligned": [[3, 4, 2], [3, 2, 4]],
    }


def test_a_separator_is_neither_symbol_nor_state():
    """A walker has three symbols and five places; the separator is number 5."""
    assert [n_token_kinds(name, CYCLE) for name in SUPERVISIONS] == [3, 6, 3]
    tokens, _ = supervise(
        "chain_of_thought", CYCLE, np.array([[2, 2]]), np.array([[4, 3]]), np.array([2]), 2
    )
    assert tokens.tolist() == [[2, 2, 5, 4]]


@pytest.mark.parametrize("distribution", ["fixed", "uniform", "short_to_long"])
def test_a_chain_of_thought_is_read_with_the_right_answers(distribution):
    """Teacher forcing: the token after an answer that is asked for is that answer."""
    task = build_task({"kind": "permutation_composition", "degree": 3})
    pool = make_pool(task, distribution, 6, Data(validation_examples=50))
    symbols, lengths = pool.training(0, 0, 300)
    states = task.labels(symbols)
    tokens, labels = supervise("chain_of_thought", task, symbols, states, lengths, pool.lengths[0])
    read = tokens[:, pool.lengths[0] :]
    asked = labels != NO_LABEL
    np.testing.assert_array_equal(asked.sum(axis=1), lengths)
    np.testing.assert_array_equal(labels[asked], states[np.arange(6) < lengths[:, None]])
    follows = asked[:, :-1] & asked[:, 1:]
    assert follows.sum() == (lengths - 1).sum()
    np.testing.assert_array_equal(read[:, 1:][follows], labels[:, :-1][follows])
    first = asked & ~np.pad(asked, ((0, 0), (1, 0)))[:, :-1]
    assert (read[first] == 6).all() and (tokens == 6).sum() == len(tokens)
