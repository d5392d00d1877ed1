"""A chain of thought that reads its own answers, against plain decoding of one sequence at a time."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support.variants import VARIANTS

from nstar.measures import accuracy
from nstar.measures.accuracy import decode, score
from nstar.models import build_model
from nstar.models.stacked import ParameterSpec, StackedModel
from nstar.tasks import build_task
from nstar.tasks.supervision import NO_LABEL

SUM = build_task({"kind": "modular_addition", "modulus": 3})
SEPARATOR = 3
LONGEST, SHORTEST = 6, 2
SETS = torch.tensor([0, 1, 1])
"""Which of two sets of sequences each of three replicates reads."""


def sequences(n_sequences, symbols=None, shortest=SHORTEST):
    """Return symbols (2, n, L) and their lengths (2, n), all lengths from the shortest on among them."""
    generator = np.random.default_rng(0)
    lengths = shortest + np.arange(2 * n_sequences).reshape(2, -1) % (LONGEST - shortest + 1)
    drawn = generator.integers(0, 3, (2, n_sequences, LONGEST)) if symbols is None else symbols
    return drawn, lengths


def chain(symbols, lengths, shortest=SHORTEST):
    """Return tokens and labels of two sets of sequences as tensors (2, n, T) and (2, n, T')."""
    legal = range(shortest, LONGEST + 1)
    sets = [
        SUM.supervise("chain_of_thought", part, SUM.labels(part), n, legal)
        for part, n in zip(symbols, lengths, strict=True)
    ]
    return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*sets, strict=True))


class CountsUp(StackedModel):
    """Answers with the last token plus one, and after the separator with a number of each replicate."""

    parameters = (ParameterSpec("first_answer", (1,), "constant", 0.0),)

    def forward(self, parameters, tokens, read_from=0, dropout=None):
        first = parameters["first_answer"].long()[:, :, None]
        answers = torch.where(tokens == SEPARATOR, first, (tokens + 1) % 3)[..., read_from:]
        return torch.nn.functional.one_hot(answers, 3).float()


def test_a_wrong_answer_is_the_premise_of_all_that_follow():
    """All symbols are 1 and the states count up: 1, 2, 0, .... One replicate begins with 2."""
    symbols, lengths = sequences(10, symbols=np.ones((2, 10, LONGEST), dtype=np.int64))
    first_answer = {"first_answer": torch.tensor([[1.0], [2.0], [1.0]])}
    sets = (
        CountsUp(SimpleNamespace(width=1), 4, 3, 2 * LONGEST),
        first_answer,
        *chain(symbols, lengths),
        SETS,
    )

    forced = score(*sets)
    one_wrong = 1 - 10 / lengths[1].sum()
    assert forced.token_accuracy.tolist() == pytest.approx([1, one_wrong, 1])
    assert forced.sequence_accuracy.tolist() == [1, 0, 1]
    decoded = decode(*sets)
    assert decoded.token_accuracy.tolist() == decoded.sequence_accuracy.tolist() == [1, 0, 1]
    by_position = decoded.position_accuracy
    assert (by_position == torch.tensor([[1.0], [0.0], [1.0]])).all()


@pytest.mark.parametrize(
    ("name", "shortest"),
    [
        ("transformer", SHORTEST),
        ("transformer_rotary", SHORTEST),
        ("lstm", SHORTEST),
        ("dense_ssm", SHORTEST),
        ("encoder_decoder", LONGEST),
    ],
)
def test_it_is_plain_decoding(name, shortest, monkeypatch):
    """The labels are what every replicate answers by itself, but for one of every fourth sequence."""
    monkeypatch.setattr(accuracy, "ENTRIES_AT_ONCE", 1)  # several parts, the last one short
    n_sequences = accuracy.LEAST_AT_ONCE + 5
    model = build_model(VARIANTS[name], n_symbols=4, n_classes=3, n_positions=2 * LONGEST)
    flat = 4 * model.initialise([2, 6, 7])  # weights large enough for answers that differ
    symbols, lengths = sequences(n_sequences, shortest=shortest)
    tokens, right = chain(symbols, lengths, shortest)
    rows = torch.arange(3)
    tokens, right = tokens[SETS], right[SETS].clone()
    for r in range(3):
        alone = model.views(flat[r : r + 1])
        for i, length in enumerate(lengths[SETS[r]]):
            answers = decode_plainly(model, alone, symbols[SETS[r], i, :length])
            begin = length - shortest
            right[r, i, begin : begin + length] = torch.tensor(answers)
            if i % 4 == 0:
                right[r, i, begin + 1] = (right[r, i, begin + 1] + 1) % 3

    n_wrong = len(range(0, n_sequences, 4))
    n_labels = lengths[SETS].sum(axis=1)
    found = decode(model, model.views(flat), tokens, right, rows)
    np.testing.assert_allclose(found.token_accuracy, 1 - n_wrong / n_labels)
    np.testing.assert_allclose(found.sequence_accuracy, 1 - n_wrong / n_sequences)
    # With the right answers before it, a model answers otherwise: the test can tell the two apart.
    forced = score(model, model.views(flat), tokens, right, rows)
    assert (forced.sequence_accuracy < found.sequence_accuracy).all()


CAUSAL = {name: one for name, one in VARIANTS.items() if one.get("causal", True)}


@pytest.mark.parametrize("name", CAUSAL)
def test_accuracies_are_those_of_a_model_that_reads_all_again(name, monkeypatch):
    """Also in pieces of another size, the last one of a single sequence."""
    shortest = LONGEST if name.startswith("encoder_decoder") else SHORTEST
    model = build_model(CAUSAL[name], n_symbols=4, n_classes=3, n_positions=2 * LONGEST)
    parameters = model.views(4 * model.initialise([2, 6, 7]))
    tokens, labels = chain(*sequences(21, shortest=shortest), shortest)
    found = vars(decode(model, parameters, tokens, labels, SETS))
    assert 0 < found["token_accuracy"].min() and found["sequence_accuracy"].max() < 1
    in_pieces = vars(decode(model, parameters, tokens, labels, SETS, at_once=4))
    monkeypatch.setattr(type(model), "read", StackedModel.read)
    again = vars(decode(model, parameters, tokens, labels, SETS))
    for measure, values in found.items():
        for other in (in_pieces, again):
            assert torch.equal(values.nan_to_num(2), other[measure].nan_to_num(2)), measure


def decode_plainly(model, parameters, symbols):
    """Return the answers to one sequence: read, append what is most likely, read again."""
    read, answers = [*symbols.tolist(), SEPARATOR], []
    for _ in symbols:
        logits = model.forward(parameters, torch.tensor([[read]]), len(read) - 1)
        answers.append(int(logits[0, 0, -1].argmax()))
        read.append(answers[-1])
    return answers


def test_what_stands_beyond_the_end_and_the_given_answers_are_not_read():
    model = build_model(VARIANTS["lstm"], n_symbols=4, n_classes=3, n_positions=2 * LONGEST)
    parameters = model.views(4 * model.initialise([0, 1, 2]))
    symbols, lengths = sequences(20)
    tokens, labels = chain(symbols, lengths)
    other = tokens.clone()
    after_separator = (tokens == SEPARATOR).cumsum(-1).bool() & (tokens != SEPARATOR)
    other[after_separator] = (other[after_separator] + 1) % 3
    found, wanted = (
        vars(decode(model, parameters, read, labels, SETS)) for read in (other, tokens)
    )
    for name, values in wanted.items():
        assert torch.equal(found[name], values), name


def test_an_output_that_is_no_number_has_no_accuracy():
    first_answer = {"first_answer": torch.tensor([[1.0], [1.0], [1.0]])}
    model = CountsUp(SimpleNamespace(width=1), 4, 3, 2 * LONGEST)
    plain = model.forward

    def broken(parameters, tokens, read_from=0, dropout=None):
        logits = plain(parameters, tokens, read_from)
        logits[1, 0, 0, 0] = torch.nan
        return logits

    model.forward = broken
    tokens, labels = chain(*sequences(10))
    found = decode(model, first_answer, tokens, labels, SETS)
    accuracies = found.token_accuracy, found.sequence_accuracy
    assert [part.isnan().tolist() for part in accuracies] == 2 * [[False, True, False]]
    assert found.position_accuracy[1].isnan().all()
    assert (labels == NO_LABEL).any()
