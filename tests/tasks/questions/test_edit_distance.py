"""Edit distance: the source's texts with both borders, and which words are drawn."""

import numpy as np
import pytest

from nstar.tasks import EditDistance
from nstar.tasks.questions.edit_distance import BAR, FIRST_LETTER, ZERO
from nstar.tasks.questions.question import PAD, first_place

UNIT = EditDistance(kind="edit_distance")
GAPS = EditDistance(kind="edit_distance", border="gap")
WORDS = "f q q a | f f a f q f"


def pairs_of(task, texts):
    """Return both words of each text, as tuples of letters from 0 on."""
    for text in texts:
        question = text[: first_place(text, task.separator)]
        bar = first_place(question, BAR)
        yield tuple(question[:bar] - FIRST_LETTER), tuple(question[bar + 1 :] - FIRST_LETTER)


@pytest.mark.parametrize(
    ("task", "words", "steps"),
    [
        (UNIT, WORDS, "0 1 3 3 5 5 , 2 3 4 5 3 5 , 4 5 6 7 5 6 , 6 7 5 7 7 8 , <sep> 8"),
        (GAPS, WORDS, "0 2 4 6 8 10 , 2 3 5 7 6 8 , 4 5 6 8 7 9 , 6 7 5 7 9 10 , <sep> 10"),
        (UNIT, "a b | a c b", "0 2 4 , 2 3 2 , <sep> 2"),
        (GAPS, "a b | a c b", "0 2 4 , 2 3 2 , <sep> 2"),
    ],
)
def test_prices_are_those_of_the_source_and_those_of_a_consistent_border(task, words, steps):
    text = task.read(f"{words} <sep> {steps} <eos>")
    np.testing.assert_array_equal(task.solve(task.read(words)), text)
    assert task.is_valid(text)


def test_tokens_are_those_of_the_source():
    assert UNIT.read("<pad> <sep> <eos> | , a z 0 59").tolist() == [0, 1, 2, 3, 4, 5, 30, 31, 90]
    text = UNIT.solve(UNIT.read("a b | a c b"))
    assert text[first_place(text, UNIT.separator) + 1 :].tolist() == [
        *(31, 33, 35, 4, 33, 34, 33, 4),
        *(1, 33, 2),
    ]


def test_borders_give_other_answers_as_often_as_for_the_source():
    """Of 3,000 texts of its generator with 12 letters, 1,661 have another answer with the border 2."""
    n, share = 3000, 1661 / 3000
    unit, gaps = (task.draw(np.random.default_rng(0), n, 12) for task in (UNIT, GAPS))
    assert list(pairs_of(UNIT, unit)) == list(pairs_of(GAPS, gaps))
    answers = [texts[np.arange(n), (texts != PAD).sum(axis=1) - 2] for texts in (unit, gaps)]
    tolerance = 4 * (2 * share * (1 - share) / n) ** 0.5  # both shares are estimates
    assert (answers[0] != answers[1]).mean() == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_words_differ_and_the_shorter_one_stands_first(size):
    lengths = set()
    for first, second in pairs_of(UNIT, UNIT.draw(np.random.default_rng(0), 2000, size)):
        assert first != second and len(first) <= len(second)
        assert size in (len(first), len(second))
        assert len(set(first + second)) <= 10
        lengths |= {len(first), len(second)}
    assert lengths == set(range(max(1, size - 3), size + 3))


def test_words_are_made_of_the_letters_asked_for():
    options = {"letters": 5, "fewest_used": 2, "most_used": 2}
    task = EditDistance(kind="edit_distance", **options)
    used = [
        frozenset(first + second)
        for first, second in pairs_of(task, task.draw(np.random.default_rng(0), 2000, 8))
    ]
    assert set().union(*used) == set(range(5))
    assert {len(letters) for letters in used} <= {1, 2}
    assert len({letters for letters in used if len(letters) == 2}) == 10


def test_pairs_with_prices_beyond_the_largest_number_are_drawn_again():
    options = {"letters": 4, "fewest_used": 4, "most_used": 4}
    wide, narrow = (
        EditDistance(kind="edit_distance", largest_number=largest, **options) for largest in (59, 8)
    )
    prices = wide.draw(np.random.default_rng(0), 500, 3).max() - ZERO
    assert prices == 11  # 3 n + 2, of words with no letter in common
    assert narrow.why_not(3) == "" and narrow.n_symbols == 40
    assert narrow.draw(np.random.default_rng(0), 500, 3).max() - ZERO == 8


def test_second_words_are_near_the_first_or_far_from_it():
    """Independent words of ten letters share a tenth of their places; one edit leaves most in place."""
    task = EditDistance(kind="edit_distance", fewest_used=10, most_used=10)
    pairs = pairs_of(task, task.draw(np.random.default_rng(0), 4000, 20))
    shared = np.array([np.mean([a == b for a, b in zip(*pair, strict=False)]) for pair in pairs])
    assert (shared < 0.3).mean() > 0.4
    assert (shared > 0.8).mean() > 0.03
