"""What is recorded of a set, against sums written by hand and whatever else is in the pack."""

import numpy as np
import pytest
import torch
from support.networks import Positions

from nstar.measures.accuracy import Tally, score, tally
from nstar.measures.evidence import count
from nstar.models import build_model
from nstar.verdicts import QUANTITIES

LENGTHS = np.array([[0, 0, 2, 2]])


def tally_of(losses, right, asked, has_accuracy=True):
    """Return the tally of one replicate; arguments have shape (n, T')."""
    losses, right, asked = (
        torch.tensor(part, dtype=torch.float64)[None] for part in (losses, right, asked)
    )
    losses, right = losses * asked, right * asked
    whole = (right == asked).all(2).double()
    sums = [part.sum(1) for part in (losses, right, asked)]
    return Tally(*sums, *(part.sum(2) for part in (losses, right, asked)), whole, has_accuracy)


ASKED = [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 0]]
RIGHT = [[1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0]]
LOSSES = [[0.5, 0.5, 9, 9], [0.5, 1.5, 9, 9], [2, 1, 0, 9], [2, 3, 1, 9]]


def test_every_number_is_the_sum_written_by_hand():
    found = count(tally_of(LOSSES, RIGHT, ASKED), LENGTHS, 3)
    numbers = dict(zip(QUANTITIES, found.numbers[0].tolist(), strict=True))
    expected = {
        ("loss", "mean"): 12 / 10,
        ("loss", "every_length"): 9 / 6,
        ("loss", "every_position"): 6 / 4,
        ("token_accuracy", "mean"): 6 / 10,
        ("token_accuracy", "every_length"): 3 / 6,
        ("token_accuracy", "every_position"): 2 / 4,
        ("sequence_accuracy", "mean"): 1 / 4,
        ("sequence_accuracy", "every_length"): 0.0,
    }
    assert numbers == pytest.approx(expected)
    assert found.whole_right.tolist() == [1]
    assert found.position_right.tolist() == [[2, 2, 2, 0]]
    assert found.position_of.tolist() == [[4, 4, 2, 0]]
    assert found.position_loss[0, :3].tolist() == [1.25, 1.5, 0.5]
    assert np.isnan(found.position_loss[0, 3])
    assert found.length_of.tolist() == [[2, 0, 2]]
    assert found.length_labels.tolist() == [[4, 0, 6]]
    assert found.length_right.tolist() == [[3, 0, 3]]
    assert found.length_whole.tolist() == [[1, 0, 0]]
    assert found.length_loss[0, [0, 2]].tolist() == [0.75, 1.5]


def test_at_one_length_the_worst_is_the_mean():
    found = count(tally_of(LOSSES, RIGHT, ASKED), np.zeros((1, 4), int), 1)
    numbers = dict(zip(QUANTITIES, found.numbers[0], strict=True))
    for measure in ("loss", "token_accuracy", "sequence_accuracy"):
        assert numbers[measure, "every_length"] == numbers[measure, "mean"]


def test_a_loss_that_is_not_finite_leaves_no_number():
    broken = [[float("inf"), *LOSSES[0][1:]], *LOSSES[1:]]
    found = count(tally_of(broken, RIGHT, ASKED), LENGTHS, 3)
    assert np.isnan(found.numbers).all()
    assert not found.whole_right.any() and not found.position_right.any()


def test_real_valued_labels_have_losses_and_no_accuracy():
    found = count(tally_of(LOSSES, RIGHT, ASKED, has_accuracy=False), LENGTHS, 3)
    assert np.isfinite(found.numbers[0, :3]).all() and np.isnan(found.numbers[0, 3:]).all()


def test_a_set_in_several_pieces_is_the_sum_of_its_pieces(monkeypatch):
    model = build_model({"kind": "lstm", "width": 8}, n_symbols=3, n_classes=3, n_positions=5)
    views = model.views(model.initialise([0, 1]))
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(3, (2, 50, 5), generator=generator)
    labels = torch.randint(3, (2, 50, 4), generator=generator)
    labels[:, :20, 2:] = -100
    rows = torch.tensor([1, 0])
    whole = tally(model, views, tokens, labels, rows)
    monkeypatch.setattr("nstar.measures.accuracy.sequences_at_once", lambda *_: 16)
    pieces = tally(model, views, tokens, labels, rows)
    for name, value in vars(whole).items():
        torch.testing.assert_close(getattr(pieces, name), value, rtol=1e-6, atol=1e-6)
    scored = score(model, views, tokens, labels, rows)
    found = count(whole, np.zeros((2, 50), int), 1)
    for column, expected in [(0, scored.loss), (3, scored.token_accuracy)]:
        np.testing.assert_allclose(found.numbers[:, column], expected, rtol=1e-6)
    np.testing.assert_allclose(found.position_loss, scored.position_loss, rtol=1e-6)


def test_a_tally_comes_to_the_host_as_it_was():
    model = Positions(3)
    views = model.views(model.initialise([0, 1]))
    tokens = torch.zeros(1, 4, 3, dtype=torch.int64)
    made = tally(model, views, tokens, torch.rand(1, 4, 2), torch.zeros(2, dtype=torch.int64))
    host = made.on_host()
    assert not host.has_accuracy
    for name, value in vars(made).items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(getattr(host, name), value)
