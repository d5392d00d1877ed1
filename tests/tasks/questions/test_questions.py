"""What every registered task with questions has to do."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from support.questions import QUESTIONS, VARIANTS

from nstar.errors import DataError
from nstar.tasks import TASKS, Pool, build_task
from nstar.tasks.questions.question import END, PAD, first_place

SIZE = 4
every_task = pytest.mark.parametrize(
    "task", [build_task(o) for o in VARIANTS.values()], ids=VARIANTS
)


def draw(task, n=500, size=SIZE, seed=0):
    return task.draw(np.random.default_rng(seed), n, size)


def cut(text):
    """Return a text to its `END`."""
    return text[: first_place(text, END) + 1]


def question_of(task, text):
    return text[: first_place(text, task.separator)]


def answer_of(task, text):
    """Return what stands between the last separator and the end."""
    text = cut(text)
    return text[np.flatnonzero(text == task.separator)[-1] + 1 : -1]


def n_tokens(texts):
    """Return how many tokens texts have without their `END`: L of the source."""
    return (texts != PAD).sum(axis=1) - 1


def questions_of(task, texts):
    return {tuple(question_of(task, text)) for text in texts}


@pytest.mark.parametrize(
    ("kind", "n_words"),
    [
        ("arithmetic", 21),
        ("longest_increasing_subsequence", 253),
        ("edit_distance", 91),
        ("linear_equations", 22),
    ],
)
def test_vocabularies_are_as_large_as_those_of_the_source(kind, n_words):
    """VOCAB of the public generator; with its options, which are the defaults."""
    task = build_task({"kind": kind})
    assert task.n_symbols == task.n_states == len(task.words) == len(set(task.words)) == n_words
    assert task.words[PAD] == "<pad>" and task.words[END] == "<eos>"
    assert task == build_task(QUESTIONS[kind])


@every_task
def test_words_are_read_and_written(task):
    everything = np.arange(len(task.words))
    np.testing.assert_array_equal(task.read(task.write(everything)), everything)
    with pytest.raises(ValueError, match=r"no words of the vocabulary: \?, why"):
        task.read("<pad> ? why")


@every_task
def test_texts_are_questions_steps_and_answers_and_then_nothing(task):
    texts = draw(task)
    assert texts.shape == (500, task.n_positions(SIZE)) and texts.dtype == np.int64
    for text in texts:
        places = np.flatnonzero(text == task.separator)
        end = first_place(text, END)
        assert task.shortest_question(SIZE) <= places[0] < places[-1] < end - 1
        assert (text[:end] != PAD).all() and (text[end + 1 :] == PAD).all()
    assert n_tokens(texts).max() <= task.most_tokens(SIZE)
    assert PAD <= texts.min() < texts.max() < task.n_symbols


@every_task
def test_drawn_texts_are_right_and_have_the_answer_of_the_solution(task):
    for text in draw(task, 200):
        assert task.is_valid(cut(text))
        solution = task.solve(question_of(task, text))
        assert task.is_valid(solution) and len(solution) <= task.n_positions(SIZE)
        np.testing.assert_array_equal(answer_of(task, solution), answer_of(task, text))
        np.testing.assert_array_equal(question_of(task, solution), question_of(task, text))


@every_task
def test_texts_with_another_answer_or_another_end_are_wrong(task):
    for text in map(cut, draw(task, 100)):
        for place in (-2, -1):
            changed = text.copy()
            changed[place] = (changed[place] + 1) % task.n_symbols
            assert not task.is_valid(changed)
        assert not task.is_valid(text[:-1])
        assert not task.is_valid(np.append(text, END))


@pytest.mark.parametrize("kind", sorted(set(QUESTIONS) - {"arithmetic"}))
def test_texts_with_any_other_token_after_the_question_are_wrong(kind):
    task = build_task(QUESTIONS[kind])
    generator = np.random.default_rng(0)
    for text in map(cut, draw(task, 100)):
        place = generator.integers(first_place(text, task.separator) + 1, len(text))
        text[place] = (text[place] + generator.integers(1, task.n_symbols)) % task.n_symbols
        assert not task.is_valid(text)


@pytest.mark.parametrize(
    ("kind", "size", "most"),
    [("arithmetic", n, most) for n, most in zip(range(2, 7), (13, 25, 41, 61, 85), strict=True)]
    + [("longest_increasing_subsequence", n, most) for n, most in ((10, 23), (40, 83), (110, 223))]
    + [("longest_increasing_subsequence", 50, 103)]
    + [("edit_distance", n, most) for n, most in ((3, 30), (4, 42), (6, 72), (12, 210))]
    + [("edit_distance", n, most) for n, most in ((16, 342), (20, 506))]
    + [("linear_equations", n, most) for n, most in ((3, 89), (4, 179), (5, 314))],
)
def test_longest_texts_are_those_of_the_source(kind, size, most):
    """Problem sizes of Yang et al. (2024), figure 1; MAXLEN of the public generator, less 2."""
    task = build_task(QUESTIONS[kind])
    lengths = n_tokens(draw(task, 4000, size))
    assert lengths.max() == task.most_tokens(size) == most
    if kind == "arithmetic":
        assert (lengths % 2 == 1).all()
    if kind in ("longest_increasing_subsequence", "linear_equations"):
        assert (lengths == most).all()


@every_task
def test_shortest_questions_are_reached(task):
    size = 3
    questions = [len(question_of(task, text)) for text in draw(task, 4000, size)]
    assert min(questions) == task.shortest_question(size)


@pytest.mark.parametrize(
    ("options", "size", "n_questions"),
    [
        ({"kind": "arithmetic", "modulus": 2}, 1, 14),
        ({"kind": "arithmetic", "modulus": 2}, 2, 166),
        ({"kind": "arithmetic", "modulus": 3}, 2, 621),
        ({"kind": "longest_increasing_subsequence", "numbers": 8}, 3, 4**3),
        ({"kind": "edit_distance", "letters": 2, "fewest_used": 2, "most_used": 2}, 2, 4 * 29),
        ({"kind": "edit_distance", "letters": 1, "fewest_used": 1, "most_used": 1}, 5, 5),
        ({"kind": "linear_equations", "modulus": 2}, 2, 6 * 4),
        ({"kind": "linear_equations", "modulus": 3}, 2, 48 * 9),
    ],
)
def test_questions_are_counted_and_each_of_them_turns_up(options, size, n_questions):
    task = build_task(options)
    assert len(questions_of(task, draw(task, 30_000, size))) == n_questions
    assert task.n_sequences(size) == n_questions


def test_where_words_use_some_letters_only_the_number_of_questions_is_a_bound():
    task = build_task({"kind": "edit_distance", "letters": 3, "fewest_used": 1, "most_used": 2})
    assert len(questions_of(task, draw(task, 30_000, 2))) < task.n_sequences(2)


@every_task
def test_streams_have_each_question_once_and_ranges_of_them_nest(task):
    whole = task.stream(SIZE, 3).sequences(0, 50)
    assert len(questions_of(task, whole)) == 50
    for start, stop in ((0, 1), (1, 20), (20, 50), (30, 31), (0, 30)):  # onwards, and back again
        part = task.stream(SIZE, 3).sequences(start, stop)
        np.testing.assert_array_equal(part, whole[start:stop])
    assert len(task.stream(SIZE, 3).sequences(7, 7)) == 0
    assert questions_of(task, task.stream(SIZE, 4).sequences(0, 50)) != questions_of(task, whole)


def test_streams_nest_beyond_what_is_drawn_at_once():
    task = build_task({"kind": "arithmetic"})
    whole = task.stream(2, 0).sequences(0, 6000)
    assert len(questions_of(task, whole)) == 6000
    np.testing.assert_array_equal(task.stream(2, 0).sequences(3000, 6000), whole[3000:])


@every_task
def test_questions_held_out_are_not_trained_on(task):
    pool = Pool(task, "fixed", SIZE, ((60, 0, 0),))
    held_out, lengths = pool.held("validation", 0)
    training, _ = pool.training(0, 0, 300)
    assert held_out.shape == (60, task.n_positions(SIZE)) and set(lengths) == {SIZE}
    apart = questions_of(task, held_out), questions_of(task, training)
    assert len(apart[0]) == 60 and len(apart[1]) == 300 and not apart[0] & apart[1]
    np.testing.assert_array_equal(pool.held("validation", 0)[0], held_out)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_sizes_are_mixed_in_a_pool_of_several(kind):
    task = build_task(QUESTIONS[kind])
    pool = Pool(task, "uniform", 5, ((20, 0, 0), (20, 0, 0)))
    texts, sizes = pool.training(1, 0, 100)
    assert set(sizes) == {4, 5} and texts.shape == (100, task.n_positions(5))
    assert all(task.is_valid(cut(text)) for text in texts)


def test_texts_do_not_depend_on_the_hashes_of_the_process():
    script = """
import hashlib
from nstar.tasks import build_task
from support.questions import QUESTIONS
texts = [build_task(options).stream(4, 7).sequences(0, 20) for options in QUESTIONS.values()]
print(hashlib.sha256(b"".join(text.tobytes() for text in texts)).hexdigest())
"""
    tests = str(Path(sys.modules["support.questions"].__file__).parents[1])
    path = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1 and len(digests.pop()) == 65


def test_more_questions_than_there_are_are_refused():
    task = build_task({"kind": "linear_equations", "modulus": 2})
    assert len(questions_of(task, task.stream(2, 0).sequences(0, 24))) == 24
    with pytest.raises(
        DataError, match=r"25 different questions of size 2 .* gave 24; ask for fewer"
    ):
        task.stream(2, 0).sequences(0, 25)


@pytest.mark.parametrize(
    ("options", "allowed", "size", "reason"),
    [
        ({"kind": "longest_increasing_subsequence"}, 3, 2, "2 numbers are too few"),
        (
            {"kind": "longest_increasing_subsequence"},
            124,
            125,
            "250, and sequences of 125 need 251",
        ),
        (
            {"kind": "edit_distance"},
            20,
            21,
            "largest_number is 59, and words of 21 letters need 62",
        ),
        ({"kind": "linear_equations"}, 5, 6, "6 variables are more than the 5"),
    ],
)
def test_sizes_without_questions_are_named_with_a_reason(options, allowed, size, reason):
    task = build_task(options)
    assert task.why_not(allowed) == ""
    assert reason in task.why_not(size)
    assert draw(task, 3, allowed).shape == (3, task.n_positions(allowed))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "arithmetic", "modulus": 9}, "9 is no prime"),
        ({"kind": "linear_equations", "modulus": 4}, "4 is no prime"),
        ({"kind": "arithmetic", "modulus": 1}, "greater than or equal to 2"),
        ({"kind": "edit_distance", "letters": 4}, "cannot use 3 to 10 of 4 letters"),
        ({"kind": "edit_distance", "fewest_used": 11}, "cannot use 11 to 10 of 26 letters"),
        ({"kind": "edit_distance", "border": "none"}, "'unit' or 'gap'"),
        ({"kind": "longest_increasing_subsequence", "locality": 0}, "greater than 0"),
    ],
)
def test_options_without_sense_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        TASKS[options["kind"]](**options)


@every_task
def test_labels_are_the_tokens_that_follow(task):
    texts = draw(task, 10)
    labels = task.labels(texts)
    np.testing.assert_array_equal(labels[:, :-1], texts[:, 1:])
    assert not labels[:, -1].any()
