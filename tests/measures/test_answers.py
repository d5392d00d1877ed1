"""Greedy answers: each row to its own end, against plain decoding of one text at a time."""

import pytest
import torch
from support.reciting import Recites
from support.variants import VARIANTS

from nstar.measures import answers
from nstar.measures.answers import answer
from nstar.models import build_model

SEPARATOR, END = 1, 2
QUESTIONS = ((5,), (6, 7), (8, 9, 10))
SHORTEST = 1
"""Tokens of the shortest question: its separator stands there."""

LENGTH = 8
ENDLESS = 4
"""A token that is said for ever."""


def read(*questions, junk=3):
    """Return questions as a set (1, n, T); what follows the separators is junk."""
    rows = [[*question, SEPARATOR] for question in questions]
    return torch.tensor([[row + [junk] * (LENGTH - len(row)) for row in rows]])


def recite(*sayings, questions=QUESTIONS):
    """Return the texts of replicates, each of which has something to say after each question."""
    model = Recites(
        11, SEPARATOR, [dict(zip(questions, saying, strict=True)) for saying in sayings]
    )
    rows = torch.zeros(len(sayings), dtype=torch.int64)
    texts, known = answer(model, {}, read(*questions), rows, SHORTEST, SEPARATOR, END)
    assert texts.shape == (len(sayings), len(questions), LENGTH + 1)
    assert known.all()
    return texts.tolist()


def padded(*text):
    return [*text, *[0] * (LENGTH + 1 - len(text))]


def test_each_row_ends_by_itself():
    """The generator of Feng et al. (2023) ends all rows of a batch with the first that is too long."""
    found = recite([(ENDLESS,), (3, SEPARATOR, 9, END), (END,)])
    assert found == [
        [
            [5, SEPARATOR, *[ENDLESS] * 7],
            padded(6, 7, SEPARATOR, 3, SEPARATOR, 9, END),
            padded(8, 9, 10, SEPARATOR, END),
        ]
    ]


def test_the_last_place_can_be_an_end():
    """A text of T tokens has its end at place T, beyond what is read."""
    (found,) = recite([(3, 3, 3, 3, 3, 3, END), (3, 3, 3, 3, 3, END), (3, 3, 3, 3, END)])
    assert [text[-1] for text in found] == [END] * 3
    (found,) = recite([(3, 3, 3, 3, 3, 3, 3), (3, 3, 3, 3, 3, 3), (3, 3, 3, 3, 3)])
    assert [text[-1] for text in found] == [3] * 3


def test_replicates_say_what_they_have_learnt():
    one, other = recite([(END,), (3, END), (4, END)], [(4, END), (END,), (3, 3, END)])
    assert one[0] == padded(5, SEPARATOR, END) and other[0] == padded(5, SEPARATOR, 4, END)
    assert other[2] == padded(8, 9, 10, SEPARATOR, 3, 3, END)


def test_no_token_is_read_after_all_have_ended():
    model = Recites(11, SEPARATOR, [dict.fromkeys(QUESTIONS, (3, END))])
    widths, plain = [], model.read

    def counted(parameters, tokens, memory):
        widths.append(tokens.shape[2])
        return plain(parameters, tokens, memory)

    model.read = counted
    answer(model, {}, read(*QUESTIONS), torch.tensor([0]), SHORTEST, SEPARATOR, END)
    assert sum(widths) == len("8 9 10 <sep> 3".split())
    assert widths[0] == SHORTEST + 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("at_once", [1, 100])
def test_a_replicate_with_an_output_that_is_no_number_is_not_known(value, at_once, monkeypatch):
    """In any part of its texts: here, the last question alone."""
    monkeypatch.setattr(answers, "LARGEST_MEMORY", at_once * LENGTH * Recites.width)
    model = Recites(11, SEPARATOR, [dict.fromkeys(QUESTIONS, (3, END))] * 3)
    plain = model.read

    def broken(parameters, tokens, memory):
        logits, text = plain(parameters, tokens, memory), memory["tokens"]
        is_last = (text[1, :, 0] == QUESTIONS[-1][0]) & (text.shape[2] > 4)
        logits[1, is_last, 5] = value
        return logits

    model.read = broken
    rows = torch.zeros(3, dtype=torch.int64)
    _, known = answer(model, {}, read(*QUESTIONS), rows, SHORTEST, SEPARATOR, END)
    assert known.tolist() == [True, False, True]


REAL = (
    "transformer",
    "transformer_rotary",
    "transformer_sparse",
    "transformer_linear",
    "lstm",
    "dense_ssm",
)


@pytest.fixture(params=REAL)
def real(request):
    """A model, parameters of three replicates whose answers differ, and two sets of 13 questions."""
    shapes = {"n_symbols": 6, "n_classes": 6, "n_positions": LENGTH}
    model = build_model(VARIANTS[request.param], **shapes)
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(3, 6, (2, 13, LENGTH), generator=generator)
    lengths = torch.randint(1, 5, (2, 13, 1), generator=generator)
    tokens.scatter_(2, lengths, SEPARATOR)
    tokens[0, 0, 1] = SEPARATOR
    return model, model.views(4 * model.initialise([0, 1, 2])), tokens


ROWS = torch.tensor([0, 1, 1])
"""Which of the sets each replicate answers."""


def answers_of(model, parameters, tokens):
    texts, known = answer(model, parameters, tokens, ROWS, SHORTEST, SEPARATOR, END)
    assert known.all()
    return texts


def answer_plainly(model, parameters, question):
    """Return the text of one question: read, append what is most likely, read again."""
    text = question
    while len(text) <= LENGTH and text[-1] != END:
        logits = model.forward(parameters, torch.tensor([[text]]), len(text) - 1)
        text = [*text, int(logits[0, 0, -1].argmax())]
    return padded(*text)


def test_it_is_plain_decoding(real):
    model, parameters, tokens = real
    found = answers_of(model, parameters, tokens)
    ended = set()
    for r, texts in enumerate(tokens[ROWS].tolist()):
        alone = {name: part[r : r + 1] for name, part in parameters.items()}
        for i, text in enumerate(texts):
            question = text[: text.index(SEPARATOR) + 1]
            wanted = answer_plainly(model, alone, question)
            assert found[r, i].tolist() == wanted
            ended.add(END in wanted)
    assert ended == {True, False}


@pytest.mark.parametrize("at_once", [1, 4])
def test_answers_do_not_depend_on_the_texts_beside_them(real, at_once, monkeypatch):
    model, parameters, tokens = real
    whole = answers_of(model, parameters, tokens)
    order = torch.randperm(13, generator=torch.Generator().manual_seed(1))
    assert torch.equal(answers_of(model, parameters, tokens[:, order]), whole[:, order])
    monkeypatch.setattr(answers, "LARGEST_MEMORY", at_once * LENGTH * model.width)
    assert torch.equal(answers_of(model, parameters, tokens), whole)


def test_what_follows_the_question_is_not_looked_at(real):
    model, parameters, tokens = real
    is_after = (tokens == SEPARATOR).cumsum(-1).bool() & (tokens != SEPARATOR)
    other = torch.where(is_after, 5 - tokens % 3, tokens)
    assert not torch.equal(other, tokens)
    assert torch.equal(answers_of(model, parameters, other), answers_of(model, parameters, tokens))
