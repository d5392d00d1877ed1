"""What counts as a right answer: texts that are said by heart, judged by the rules of each task."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.questions import QUESTIONS, supervise_texts
from support.reciting import Recites

from nstar.measures import answers
from nstar.measures.accuracy import score
from nstar.measures.answering import measure_answers
from nstar.models import build_model
from nstar.tasks import build_task

ARITHMETIC, LIS, EQUATIONS = (
    build_task(QUESTIONS[kind])
    for kind in ("arithmetic", "longest_increasing_subsequence", "linear_equations")
)
RIGHT = {"answer_accuracy": 1, "chain_accuracy": 1, "exact_accuracy": 1, "end_rate": 1}
STEPS, DIRECT = "chain_of_thought", "outcome"
NUMBERS = "7 9 8 <sep> 1 2 2 <sep> 2"
"""A text of the longest increasing subsequence; the first three numbers are the question."""


def texts_of(task, texts, size):
    """Return texts (n, P) that end, of words."""
    rows = [task.read(f"{text} <eos>") for text in texts]
    return np.array([np.pad(row, (0, task.n_positions(size) - len(row))) for row in rows])


def sets_of(task, supervision, sets, sizes):
    """Return tokens and labels (S, n, T) and (S, n, T') of sets of texts."""
    made = [supervise_texts(supervision, task, texts_of(task, s, sizes[-1]), sizes) for s in sets]
    return tuple(torch.from_numpy(np.stack(part)) for part in zip(*made, strict=True))


def split(task, text):
    """Return the question (tuple of tokens) of a text of words, and what follows its separator."""
    tokens = task.read(text)
    end = tokens.tolist().index(task.separator)
    return tuple(tokens[:end].tolist()), tokens[end + 1 :].tolist()


def judge(task, sets, *replicates, sizes, supervision=STEPS, rows=None):
    """Return the measures of replicates that say whole texts, each to the questions of its set."""
    sayings = [dict(split(task, text) for text in texts) for texts in replicates]
    model = Recites(task.n_symbols, task.separator, sayings)
    rows = torch.zeros(len(replicates), dtype=torch.int64) if rows is None else torch.tensor(rows)
    tokens, labels = sets_of(task, supervision, sets, sizes)
    found = measure_answers(task, supervision, model, {}, tokens, labels, rows)
    assert all(values.shape == (len(replicates),) for values in found.values())
    return found


def judge_one(task, text, said, sizes, supervision=STEPS):
    """Return the measures of one text, where another is said to its question."""
    found = judge(task, [[text]], [said], sizes=sizes, supervision=supervision)
    return {name: values.item() for name, values in found.items()}


@pytest.mark.parametrize(
    ("said", "answer", "chain", "end", "n_right"),
    [
        ("1 2 2 <sep> 2 <eos>", 1, 1, 1, 6),
        ("1 1 2 <sep> 2 <eos>", 1, 0, 1, 5),
        ("1 2 2 <sep> 1 <eos>", 0, 0, 1, 5),
        ("1 2 2 <sep> 2 2", 0, 0, 0, 5),
        ("1 2 2 <sep> <eos>", 0, 0, 1, 4),
        ("1 2 2 <eos>", 0, 0, 1, 3),
        ("2 <eos>", 1, 0, 1, 0),
        ("1 2 2 2 <sep> 2 <eos>", 0, 0, 0, 3),
        ("1 <sep> 2 2 <sep> 2 <eos>", 0, 0, 0, 2),
    ],
)
def test_answers_steps_and_ends_are_judged_apart(said, answer, chain, end, n_right):
    """The last two have no room left for their end; one without steps has the right answer."""
    found = judge_one(LIS, NUMBERS, f"7 9 8 <sep> {said}", range(3, 4))
    assert found["token_accuracy"] == pytest.approx(n_right / 6)
    del found["token_accuracy"], found["chance"]
    assert found == {
        "answer_accuracy": answer,
        "chain_accuracy": chain,
        "exact_accuracy": chain,
        "end_rate": end,
    }


@pytest.mark.parametrize(
    ("said", "chain", "exact"),
    [
        ("3 + 3 - 4 = 6 - 4 = 2", 1, 1),
        ("3 + 3 - 4 = 3 + 10 = 2", 1, 0),
        ("3 + 3 - 4 = 3 + 9 = 2", 0, 0),
        ("3 + 3 - 4 = 2", 0, 0),
    ],
)
def test_a_chain_of_arithmetic_is_right_in_any_order(said, chain, exact):
    found = judge_one(ARITHMETIC, "3 + 3 - 4 = 6 - 4 = 2", f"{said} <eos>", range(2, 3))
    assert found["answer_accuracy"] == 1
    assert (found["chain_accuracy"], found["exact_accuracy"]) == (chain, exact)


@pytest.mark.parametrize("said", ["3 + 3 - 4 = 3 + 10 = 2", "3 + 3 - 4 = 3 + 10 = 3 <eos>"])
def test_a_chain_without_end_or_with_another_answer_is_wrong(said):
    found = judge_one(ARITHMETIC, "3 + 3 - 4 = 6 - 4 = 2", said, range(2, 3))
    assert found["answer_accuracy"] == found["chain_accuracy"] == 0


MIXED = ("9 * 8 = 6", "3 + 3 - 4 = 6 - 4 = 2", "9 - 8 = 1", "1 - 2 + 3 = 10 + 3 = 2")
"""Arithmetic with one and with two operators."""


def endless(text):
    """Return a text in which the question is followed by its last word, for ever."""
    return text.partition(" = ")[0] + " = +"


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 1, 0, 2), (2, 3, 1, 0)])
@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_a_right_text_counts_whatever_stands_beside_it(order, at_once, monkeypatch):
    """Beside one that never ends, the generator of Feng et al. (2023) calls a right one wrong."""
    monkeypatch.setattr(answers, "LARGEST_MEMORY", at_once * 14 * Recites.width)
    texts = [MIXED[i] for i in order]
    ended = [f"{text} <eos>" for text in texts]
    some = [
        endless(text) if i % 2 else f"{text} <eos>" for i, text in zip(order, texts, strict=True)
    ]
    none = [endless(text) for text in texts]
    found = judge(ARITHMETIC, [texts], ended, some, none, sizes=range(1, 3))
    for name in RIGHT:
        assert found[name].tolist() == [1, 0.5, 0], name


def test_replicates_are_judged_on_their_own_sets():
    sets = [MIXED[:2], MIXED[2:]]
    said = [f"{text} <eos>" for text in MIXED]
    found = judge(ARITHMETIC, sets, said[:2], said[2:], sizes=range(1, 3), rows=[0, 1])
    for name in RIGHT:
        assert found[name].tolist() == [1, 1], name


def test_chance_is_the_share_of_the_likeliest_answer():
    """Which a network reaches that always says it."""
    texts = [f"{a} + {b} = {a + b}" for a, b in ((1, 1), (2, 0), (1, 2), (0, 2), (4, 4))]
    other = [f"{a} + {b} = {a + b}" for a, b in ((1, 0), (1, 2), (2, 2), (2, 3), (0, 5))]
    said = [[f"{text.partition(' = ')[0]} = 2 <eos>" for text in part] for part in (texts, other)]
    found = judge(ARITHMETIC, [texts, other], *said, sizes=range(1, 2), rows=[0, 1])
    assert found["chance"].tolist() == [0.6, 0.4]
    assert found["answer_accuracy"].tolist() == [0.6, 0]
    assert found["exact_accuracy"].tolist() == [0.6, 0]


def test_answers_of_several_tokens_are_right_as_a_whole():
    question, steps, answer = (
        "2 a + 1 b = 3 , 0 a + 4 b = 8",
        "a + 6 b = 7 , 4 b = 8",
        "a = 6 , b = 2",
    )
    text = f"{question} <sep> {steps} <sep> {answer}"
    sizes = range(2, 3)
    assert judge_one(EQUATIONS, text, f"{text} <eos>", sizes)["answer_accuracy"] == 1
    for said in (text.replace("a = 6", "a = 5"), text.replace("a = 6 ,", "a = 6")):
        found = judge_one(EQUATIONS, text, f"{said} <eos>", sizes)
        assert found["answer_accuracy"] == found["chain_accuracy"] == 0
        assert found["end_rate"] == 1
    direct = f"{question} <sep> {answer} <eos>"
    found = judge_one(EQUATIONS, text, direct, sizes, DIRECT)
    assert {name: found[name] for name in RIGHT} == RIGHT
    found = judge_one(EQUATIONS, text, direct.replace("b = 2", "b = 3"), sizes, DIRECT)
    assert found["token_accuracy"] == pytest.approx(7 / 8)
    assert found["answer_accuracy"] == found["exact_accuracy"] == 0


def test_a_direct_answer_is_said_at_once():
    found = judge_one(LIS, NUMBERS, "7 9 8 <sep> 2 <eos>", range(3, 4), DIRECT)
    assert {name: found[name] for name in RIGHT} == RIGHT
    found = judge_one(LIS, NUMBERS, "7 9 8 <sep> 1 <eos>", range(3, 4), DIRECT)
    assert (found["answer_accuracy"], found["token_accuracy"], found["end_rate"]) == (0, 0.5, 1)


def test_steps_that_were_not_asked_for_are_no_chain():
    """Room for them is there where the longest question is long."""
    text, said = "3 + 3 - 4 = 6 - 4 = 2", "3 + 3 - 4 = 3 + 10 = 2 <eos>"
    sizes = range(2, 5)
    assert judge_one(ARITHMETIC, text, said, sizes)["chain_accuracy"] == 1
    found = judge_one(ARITHMETIC, text, said, sizes, DIRECT)
    assert (found["answer_accuracy"], found["chain_accuracy"]) == (1, 0)


# Networks

SIZE = 3
SMALL_LIS = build_task({"kind": "longest_increasing_subsequence", "numbers": 10})
CHECKED = range(0, 301, 50)
"""Steps after which a network is looked at: it knows nothing, some and nearly everything."""


def train(task, supervision, texts, sizes):
    """Return a small transformer, its parameters (R, P) after some steps, and what it was trained on."""
    tokens, labels = (
        torch.from_numpy(part)[None] for part in supervise_texts(supervision, task, texts, sizes)
    )
    options = {"kind": "transformer", "width": 16, "depth": 1, "heads": 2}
    shapes = {"n_symbols": task.n_symbols, "n_classes": task.n_symbols}
    model = build_model(options, **shapes, n_positions=tokens.shape[2])
    flat = model.initialise([0]).requires_grad_()
    optimiser, kept = torch.optim.Adam([flat], lr=0.01), []
    read_from = tokens.shape[2] - labels.shape[2]
    for step in range(CHECKED[-1] + 1):
        if step in CHECKED:
            kept.append(flat.detach().clone())
        logits = model.forward(model.views(flat), tokens, read_from)
        loss = F.cross_entropy(logits.flatten(0, 2), labels.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model, torch.cat(kept), tokens, labels


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("supervision", [STEPS, DIRECT])
@pytest.mark.parametrize("task", [SMALL_LIS, build_task({"kind": "arithmetic", "modulus": 3})])
def test_a_text_is_exact_where_every_token_is_right_after_the_right_ones(task, supervision):
    """Greedy decoding reads the right tokens as long as it is right: the source judges without it."""
    texts = task.stream(SIZE, 0).sequences(0, 60)
    model, flat, tokens, labels = train(task, supervision, texts, range(SIZE, SIZE + 1))
    sets = model, model.views(flat), tokens, labels, torch.zeros(len(flat), dtype=torch.int64)
    forced = score(*sets).sequence_accuracy.numpy()
    found = measure_answers(task, supervision, *sets)
    np.testing.assert_array_equal(found["exact_accuracy"], forced)
    assert forced[0] < 0.1 and any((forced > 0.1) & (forced < 0.95))
    assert (found["chain_accuracy"] >= forced).all() and (found["answer_accuracy"] >= forced).all()
    if task.unique_steps:
        np.testing.assert_array_equal(found["chain_accuracy"], forced)


def test_a_network_whose_outputs_are_no_numbers_has_no_accuracy():
    task, sizes = SMALL_LIS, range(SIZE, SIZE + 1)
    texts = task.stream(SIZE, 0).sequences(0, 10)
    tokens, labels = (
        torch.from_numpy(part)[None] for part in supervise_texts(STEPS, task, texts, sizes)
    )
    shapes = {"n_symbols": task.n_symbols, "n_classes": task.n_symbols, "n_positions": 9}
    model = build_model({"kind": "lstm", "width": 8}, **shapes)
    flat = model.initialise([0, 1, 2])
    flat[1] = torch.nan
    rows = torch.zeros(3, dtype=torch.int64)
    found = measure_answers(task, STEPS, model, model.views(flat), tokens, labels, rows)
    for name in (*RIGHT, "token_accuracy"):
        assert np.isnan(found[name]).tolist() == [False, True, False], name
    assert np.isfinite(found["chance"]).all()
