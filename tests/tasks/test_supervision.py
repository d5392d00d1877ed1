"""What is read and what is asked for, on sequences written by hand."""

import numpy as np
import pytest
from support.questions import VARIANTS, supervise_texts

from nstar.cells import make_pool
from nstar.study import Data
from nstar.tasks import SUPERVISIONS, TASKS, Pool, build_task
from nstar.tasks.questions.question import END
from nstar.tasks.supervision import NO_LABEL

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
    tokens, labels = PARITY.supervise(supervision, SYMBOLS, STATES, LENGTHS, range(2, 5))
    assert tokens.tolist() == WANTED[supervision][0]
    assert labels.tolist() == WANTED[supervision][1]
    assert tokens.dtype == labels.dtype == np.int64
    assert tokens.shape[1] == PARITY.n_tokens(supervision, 4)
    assert tokens.shape[1] - labels.shape[1] == PARITY.first_read(supervision, 2)


@every_supervision
def test_sets_without_short_sequences_have_the_same_shape(supervision):
    """The longest alone, in a data set whose lengths may begin at 2, and in one that has no others."""
    alone = SYMBOLS[2:], STATES[2:], LENGTHS[2:]
    tokens, labels = PARITY.supervise(supervision, *alone, range(2, 5))
    assert [tokens.tolist(), labels.tolist()] == [part[2:] for part in WANTED[supervision]]
    _, labels = PARITY.supervise(supervision, *alone, range(4, 5))
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
        sets = task.supervise(supervision, symbols, states, np.array([3]), range(3, 4))
        found[supervision] = [part[0].tolist() for part in sets]
    assert found == {
        "outcome": [[3, 4, 2], [4]],
        "chain_of_thought": [[3, 4, 2, 5, 3, 2], [3, 2, 4]],
        "aligned": [[3, 4, 2], [3, 2, 4]],
    }


def test_a_separator_is_neither_symbol_nor_state():
    """A walker has three symbols and five places; the separator is number 5."""
    assert [CYCLE.n_token_kinds(name) for name in SUPERVISIONS] == [3, 6, 3]
    sequence = np.array([[2, 2]]), np.array([[4, 3]]), np.array([2])
    tokens, _ = CYCLE.supervise("chain_of_thought", *sequence, range(2, 3))
    assert tokens.tolist() == [[2, 2, 5, 4]]


@pytest.mark.parametrize("distribution", ["fixed", "uniform", "short_to_long"])
def test_a_chain_of_thought_is_read_with_the_right_answers(distribution):
    """Teacher forcing: the token after an answer that is asked for is that answer."""
    task = build_task({"kind": "permutation_composition", "degree": 3})
    pool = make_pool(task, distribution, 6, Data(validation_examples=50))
    symbols, lengths = pool.training(0, 0, 300)
    states = task.labels(symbols)
    tokens, labels = task.supervise("chain_of_thought", symbols, states, lengths, pool.lengths)
    read = tokens[:, pool.lengths[0] :]
    asked = labels != NO_LABEL
    np.testing.assert_array_equal(asked.sum(axis=1), lengths)
    np.testing.assert_array_equal(labels[asked], states[np.arange(6) < lengths[:, None]])
    follows = asked[:, :-1] & asked[:, 1:]
    assert follows.sum() == (lengths - 1).sum()
    np.testing.assert_array_equal(read[:, 1:][follows], labels[:, :-1][follows])
    first = asked & ~np.pad(asked, ((0, 0), (1, 0)))[:, :-1]
    assert (read[first] == 6).all() and (tokens == 6).sum() == len(tokens)


# Tasks with questions

ARITHMETIC = {"kind": "arithmetic"}
LIS = {"kind": "longest_increasing_subsequence"}
EDIT_DISTANCE = {"kind": "edit_distance"}
GAPS = EDIT_DISTANCE | {"border": "gap"}
EQUATIONS = {"kind": "linear_equations"}


def ids(text):
    """Return tokens and labels from numbers with spaces between them; _ is no label."""
    return [_ if word == "_" else int(word) for word in text.split()]


def supervise_words(supervision, options, sizes, *texts):
    """Return tokens and labels, as lists of rows, of texts of words."""
    task = build_task(options)
    rows = [task.read(f"{text} <eos>") for text in texts]
    padded = [np.pad(row, (0, task.n_positions(sizes[-1]) - len(row))) for row in rows]
    tokens, labels = supervise_texts(supervision, task, np.array(padded), sizes)
    assert tokens.dtype == labels.dtype == np.int64
    assert tokens.shape[1] == task.n_tokens(supervision, sizes[-1])
    assert tokens.shape[1] - labels.shape[1] == task.first_read(supervision, sizes[0])
    return tokens.tolist(), labels.tolist()


def without_padding(row, nothing):
    """Return a row without what is nothing at its end."""
    n_padded = next(i for i, token in enumerate(reversed(row)) if token != nothing)
    return row[: len(row) - n_padded]


WORDS = "f q q a | f f a f q f"
WORDS_IDS = "10 21 21 5 3 10 10 5 10 21 10"
PRICES = "0 1 3 3 5 5 , 2 3 4 5 3 5 , 4 5 6 7 5 6 , 6 7 5 7 7 8 ,"
PRICES_IDS = "31 32 34 34 36 36 4 33 34 35 36 34 36 4 35 36 37 38 36 37 4 37 38 36 38 38 39 4"
GAP_PRICES = "0 2 4 6 8 10 , 2 3 5 7 6 8 , 4 5 6 8 7 9 , 6 7 5 7 9 10 ,"
GAP_PRICES_IDS = "31 33 35 37 39 41 4 33 34 36 38 37 39 4 35 36 37 39 38 40 4 37 38 36 38 40 41 4"
NUMBERS = "21 23 11 16 29 15 14 19 28 37"
NUMBERS_IDS = "24 26 14 19 32 18 17 22 31 40"
BRACKETS = "( 5 + 2 ) * 10 * 1 = ( 5 + 2 ) * 10 = 7 * 10 = 4"

GOLDEN = {
    "arithmetic": (ARITHMETIC, 1, "9 * 8 = 6", "19 5 18 9 16", "16 2"),
    "brackets": (
        ARITHMETIC,
        3,
        BRACKETS,
        "7 15 3 12 8 5 20 5 11 9 7 15 3 12 8 5 20 9 17 5 20 9 14",
        "_ _ 7 15 3 12 8 5 20 9 17 5 20 9 14 2",
    ),
    "subsequence": (
        LIS,
        10,
        f"{NUMBERS} <sep> 1 2 1 2 3 2 2 3 4 5 <sep> 5",
        f"{NUMBERS_IDS} 1 4 5 4 5 6 5 5 6 7 8 1 8",
        "4 5 4 5 6 5 5 6 7 8 1 8 2",
    ),
    "edit distance": (
        EDIT_DISTANCE,
        6,
        f"{WORDS} <sep> {PRICES} <sep> 8",
        f"{WORDS_IDS} 1 {PRICES_IDS} 1 39",
        f"_ {PRICES_IDS} 1 39 2",
    ),
    "consistent edit distance": (
        GAPS,
        6,
        f"{WORDS} <sep> {GAP_PRICES} <sep> 10",
        f"{WORDS_IDS} 1 {GAP_PRICES_IDS} 1 41",
        f"_ {GAP_PRICES_IDS} 1 41 2",
    ),
    "short words": (
        EDIT_DISTANCE,
        3,
        "a b | a c b <sep> 0 2 4 , 2 3 2 , <sep> 2",
        "5 6 3 5 7 6 1 31 33 35 4 33 34 33 4 1 33",
        "_ 31 33 35 4 33 34 33 4 1 33 2",
    ),
    "equations": (
        EQUATIONS,
        2,
        "2 a + 1 b = 3 , 0 a + 4 b = 8 <sep> a + 6 b = 7 , 4 b = 8 <sep> a = 6 , b = 2",
        "13 6 4 12 7 1 14 5 11 6 4 15 7 1 19 3 6 4 17 7 1 18 5 15 7 1 19 3 6 1 17 5 7 1 13",
        "6 4 17 7 1 18 5 15 7 1 19 3 6 1 17 5 7 1 13 2",
    ),
}
"""Options, size, text, tokens and labels, these without padding; a label stands at the token before it.

Texts of "arithmetic", "subsequence" and "edit distance", and the order of all vocabularies, are those of
the public generator of Feng et al. (2023), arXiv:2305.15408; the others are worked out by hand.
"""

DIRECT = {
    "arithmetic": ("19 5 18 9 16", "16 2"),
    "brackets": ("7 15 3 12 8 5 20 5 11 9 14", "_ _ 14 2"),
    "subsequence": (f"{NUMBERS_IDS} 1 8", "8 2"),
    "edit distance": (f"{WORDS_IDS} 1 39", "_ 39 2"),
    "consistent edit distance": (f"{WORDS_IDS} 1 41", "_ 41 2"),
    "short words": ("5 6 3 5 7 6 1 33", "_ 33 2"),
    "equations": (
        "13 6 4 12 7 1 14 5 11 6 4 15 7 1 19 3 6 1 17 5 7 1 13",
        "6 1 17 5 7 1 13 2",
    ),
}
"""Tokens and labels of the same texts, where the answer alone is asked for."""


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("supervision", ["chain_of_thought", "outcome"])
def test_texts_by_hand(supervision, name):
    options, size, text, *steps = GOLDEN[name]
    tokens, labels = steps if supervision == "chain_of_thought" else DIRECT[name]
    found = supervise_words(supervision, options, range(size, size + 1), text)
    assert without_padding(found[0][0], 0) == ids(tokens)
    assert without_padding(found[1][0], NO_LABEL) == ids(labels)


def test_the_loss_is_on_the_last_13_tokens_of_the_longest_increasing_subsequence():
    """2 n + 3 tokens and an end, with n = 10: all places are taken, in every text."""
    options, size, text, *_steps = GOLDEN["subsequence"]
    (tokens,), (labels,) = supervise_words("chain_of_thought", options, range(10, 11), text)
    assert len(tokens) == 2 * size + 3 and len(labels) == 13
    assert NO_LABEL not in labels and labels[-1] == END


def test_texts_of_several_lengths_have_one_shape():
    """Expressions with one and two operators: 3 and 5 or 7 tokens, in a set that may hold both."""
    texts = "9 * 8 = 6", "3 + 3 - 4 = 6 - 4 = 2", "( 1 + 1 ) * 2 = 2 * 2 = 4"
    assert supervise_words("chain_of_thought", ARITHMETIC, range(1, 3), *texts) == (
        [
            ids("19 5 18 9 16 0 0 0 0 0 0 0 0"),
            ids("13 3 13 4 14 9 16 4 14 9 12 0 0"),
            ids("7 11 3 11 8 5 12 9 12 5 12 9 14"),
        ],
        [
            ids("16 2 _ _ _ _ _ _ _ _"),
            ids("_ _ 16 4 14 9 12 2 _ _"),
            ids("_ _ _ _ 12 5 12 9 14 2"),
        ],
    )
    assert supervise_words("outcome", ARITHMETIC, range(1, 3), *texts) == (
        [
            ids("19 5 18 9 16 0 0 0 0"),
            ids("13 3 13 4 14 9 12 0 0"),
            ids("7 11 3 11 8 5 12 9 14"),
        ],
        [ids("16 2 _ _ _ _"), ids("_ _ 12 2 _ _"), ids("_ _ _ _ 14 2")],
    )


def test_a_text_in_a_set_of_longer_ones_is_asked_for_the_same():
    options, _size, text, *_steps = GOLDEN["short words"]
    for supervision in ("chain_of_thought", "outcome"):
        (alone,), (asked,) = supervise_words(supervision, options, range(3, 4), text)
        (among,), (still,) = supervise_words(supervision, options, range(3, 7), text)
        assert without_padding(alone, 0) == without_padding(among, 0)
        assert [one for one in asked if one != NO_LABEL] == [
            one for one in still if one != NO_LABEL
        ]
        assert len(among) > len(alone)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_whatever_follows_a_question_is_asked_for_once(options):
    """Each label is the token after the one that it stands at, the end included; nothing else is."""
    task, sizes = build_task(options), range(3, 5)
    texts = task.draw(np.random.default_rng(0), 50, 4)
    for supervision in ("chain_of_thought", "outcome"):
        tokens, labels = supervise_texts(supervision, task, texts, sizes)
        read_from = tokens.shape[1] - labels.shape[1]
        for text, read, asked in zip(texts.tolist(), tokens.tolist(), labels.tolist(), strict=True):
            text = text[: text.index(END) + 1]
            question = text[: text.index(task.separator) + 1]
            rest = text[len(question) :]
            if supervision == "outcome":
                rest = rest[len(rest) - rest[::-1].index(task.separator) :]
            whole = [*question, *rest]
            assert without_padding(read, 0) == whole[:-1]
            wanted = [NO_LABEL] * (len(question) - 1) + rest
            wanted += [NO_LABEL] * (len(read) - len(wanted))
            assert asked == wanted[read_from:]
            assert len(rest) >= 2


# All tasks

EVERY_TASK = {
    f"{kind} {i}": build_task({"kind": kind, **options})
    for kind, task in TASKS.items()
    for i, options in enumerate(task.EXAMPLES.values())
}


@pytest.mark.parametrize(
    ("name", "supervision"),
    [
        (name, supervision)
        for name, task in EVERY_TASK.items()
        for supervision in SUPERVISIONS
        if not (task.is_text and supervision == "aligned")
    ],
)
def test_tokens_and_labels_fit_a_model_that_is_built_for_them(name, supervision):
    """From arrays as they are computed, and as a store holds them: in the smallest types."""
    task = EVERY_TASK[name]
    sizes = range(4, 5) if task.is_text else range(3, 6)
    pool = Pool(task, "fixed" if task.is_text else "uniform", sizes[-1], ((0, 0, 0),) * len(sizes))
    symbols, lengths = pool.training(0, 0, 20)
    states = task.stored_states(symbols, lengths)
    tokens, labels = task.supervise(supervision, symbols, task.labels(symbols), lengths, sizes)

    assert tokens.shape == (20, task.n_tokens(supervision, sizes[-1]))
    assert tokens.shape[1] - labels.shape[1] == task.first_read(supervision, sizes[0])
    assert tokens.dtype == np.int64 and 0 <= tokens.min()
    assert tokens.max() < task.n_token_kinds(supervision)
    asked = labels[labels != NO_LABEL]
    assert len(asked) >= 20 and 0 <= asked.min()
    assert asked.max() <= 1 if task.real_valued else asked.max() < task.n_outputs(None)

    small = np.float32 if task.real_valued else np.min_scalar_type(task.n_states)
    stored = (
        symbols.astype(np.min_scalar_type(task.n_symbols)),
        states.astype(small),
        lengths.astype(np.uint8),
    )
    for part, same in zip(
        (tokens, labels), task.supervise(supervision, *stored, sizes), strict=True
    ):
        assert part.dtype == same.dtype
        np.testing.assert_array_equal(part, same)


def test_a_separator_may_be_larger_than_any_state_of_a_store():
    """300 symbols and two states, which a store holds in a byte: the separator is number 300."""
    options = {"kind": "random_automaton", "states": 2, "symbols": 300, "seed": 0}
    sequence = np.array([[299, 7]], dtype=np.uint16), np.array([[1, 0]], dtype=np.uint8)
    tokens, _ = build_task(options).supervise(
        "chain_of_thought", *sequence, np.array([2], dtype=np.uint8), range(2, 3)
    )
    assert tokens.tolist() == [[299, 7, 300, 1]]
