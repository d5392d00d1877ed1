"""What every registered task has to do."""

import numpy as np
import pytest
from scipy.special import entr
from support.questions import QUESTIONS

from nstar.tasks import TASKS, build_task

OPTIONS = {
    kind: {"kind": kind, **options}
    for kind, task in TASKS.items()
    if not task.is_text
    for options in list(task.EXAMPLES.values())[:1]
}
KINDS = sorted(OPTIONS)
FUNCTIONS = ("majority", "first", "mean", "k_parity", "random_function", "truth_table")
"""Their labels follow from all symbols, and not from the label before and one symbol."""

AUTOMATA = sorted(set(KINDS) - set(FUNCTIONS))
GUESSED = {**OPTIONS, "long cycle": {"kind": "cycle_navigation", "size": 50}}
del GUESSED["mean"]  # numbers are not guessed right or wrong


def tokens_for(task, n=50, length=9):
    return np.random.default_rng(0).integers(0, task.n_symbols, (n, length))


def test_every_task_has_examples():
    """But for what a trained network defines, which has labels only when that is trained.

    Those of tasks with questions are in `QUESTIONS`: their contract is another.
    """
    assert [kind for kind in TASKS if not TASKS[kind].EXAMPLES] == ["learnt_function"]
    assert set(OPTIONS) | set(QUESTIONS) == set(TASKS) - {"learnt_function"}
    assert set(QUESTIONS) == {kind for kind in TASKS if TASKS[kind].is_text}


@pytest.mark.parametrize("kind", KINDS)
def test_labels_have_the_shape_and_range_they_should(kind):
    task = build_task(OPTIONS[kind])
    tokens = tokens_for(task)
    labels = task.labels(tokens)
    assert labels.shape == tokens.shape
    if task.real_valued:
        assert labels.dtype == np.float64 and 0 <= labels.min() < labels.max() <= 1
        return
    assert labels.dtype == np.int64
    assert set(np.unique(labels)) == set(range(task.n_states))


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_a_causal_function_of_the_tokens(kind):
    task = build_task(OPTIONS[kind])
    tokens = tokens_for(task)
    np.testing.assert_array_equal(task.labels(tokens), task.labels(tokens.copy()))
    np.testing.assert_array_equal(task.labels(tokens[:, :4]), task.labels(tokens)[:, :4])


@pytest.mark.parametrize("kind", AUTOMATA)
def test_labels_follow_from_the_state_and_the_token(kind):
    """The task is a finite automaton: one transition per (state, symbol), the same everywhere."""
    task = build_task(OPTIONS[kind])
    tokens = tokens_for(task, n=2000)
    labels = task.labels(tokens)
    transitions = {}
    for before, symbol, after in zip(
        labels[:, :-1].ravel(), tokens[:, 1:].ravel(), labels[:, 1:].ravel(), strict=True
    ):
        assert transitions.setdefault((before, symbol), after) == after
    assert len(transitions) == task.n_states * task.n_symbols


@pytest.mark.parametrize(("first", "last"), [(1, 1), (3, 6), (6, 10), (40, 60)])
@pytest.mark.parametrize("options", GUESSED.values(), ids=GUESSED)
def test_chance_is_what_the_best_guess_by_position_reaches(options, first, last):
    """The likeliest state of each position among some sequences, as a guess for others."""
    task = build_task(options)
    labels = task.labels(tokens_for(task, n=40_000, length=last))[:, first - 1 :]
    seen, unseen = labels[::2], labels[1::2]
    guesses = [np.bincount(column).argmax() for column in seen.T]
    assert (unseen == guesses).mean() == pytest.approx(task.chance(first, last), abs=0.01)


@pytest.mark.parametrize("options", GUESSED.values(), ids=GUESSED)
def test_a_guess_has_the_accuracy_and_the_entropy_of_the_labels_at_every_position(options):
    task = build_task(options)
    labels = task.labels(tokens_for(task, n=40_000, length=8))
    shares = [np.bincount(column, minlength=task.n_states) / len(labels) for column in labels.T]
    guess = task.guess(8)
    assert guess.accuracy == pytest.approx([share.max() for share in shares], abs=0.02)
    assert guess.loss == pytest.approx([entr(share).sum() for share in shares], abs=0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "modular_addition", "modulus": 7},
        {"kind": "permutation_composition", "degree": 5},
        {"kind": "group_product", "group": "A_4 x Z_5"},
    ],
)
@pytest.mark.parametrize(("first", "last"), [(1, 1), (6, 10), (101, 200)])
def test_chance_of_uniform_states_is_exact(options, first, last):
    task = build_task(options)
    assert task.chance(first, last) == 1 / task.n_states


@pytest.mark.parametrize("kind", KINDS)
def test_number_of_sequences(kind):
    task = build_task(OPTIONS[kind])
    assert task.n_sequences(100) == task.n_symbols**100
