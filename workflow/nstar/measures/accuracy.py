"""Loss and accuracy of a pack on labelled sequences, per position and per sequence."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.kinds.size import tested_at_once
from nstar.models import StackedModel
from nstar.models.stacked import Memory, Parameters

MOST_AT_ONCE, LEAST_AT_ONCE = 512, 16
ENTRIES_AT_ONCE = 2**18
"""Sequences scored together: as many as give a layer so many entries, within bounds. It depends on
length and width alone, so that the pack around a replicate changes nothing."""


@dataclass(frozen=True)
class Score:
    """Means over the sequences of a set; NaN where a replicate's loss is NaN or infinite.

    Attributes
    ----------
    loss : Tensor of float64, shape (R,)
        Mean over all labels of the cross-entropy, nats per label, or of the squared error.
    token_accuracy : Tensor of float64, shape (R,)
        Share of right labels.
    sequence_accuracy : Tensor of float64, shape (R,)
        Share of sequences with every label right. Accuracies are NaN where labels are real numbers.
    position_loss, position_accuracy : Tensor of float64, shape (R, T')
        Those of the labels of each position; NaN at positions where no sequence has one.
    """

    loss: Tensor
    token_accuracy: Tensor
    sequence_accuracy: Tensor
    position_loss: Tensor
    position_accuracy: Tensor


def compare(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of every label, and which ones are right.

    Parameters
    ----------
    logits : Tensor of float32, shape (R, B, T', C)
        With C = 1 the squared error is taken, else the cross-entropy.
    labels : Tensor of int64, or of float32 with C = 1, shape (R, B, T')
        Classes, or numbers in [0, 1]; -100 where nothing is asked for.

    Returns
    -------
    losses : Tensor of float32, shape (R, B, T')
        0 where nothing is asked for.
    right : Tensor of bool, shape (R, B, T')
        Whether the likeliest class, or the output rounded at 1/2, is the label.
    """
    if logits.shape[-1] > 1:
        losses = F.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none")
        return losses.view(labels.shape), logits.detach().argmax(-1) == labels
    distances = logits[..., 0] - labels
    asked = labels >= 0
    right = (logits[..., 0] > 0.5) == (labels > 0.5)
    return torch.where(asked, distances.square(), 0.0), right & asked


@dataclass(frozen=True)
class Tally:
    """Sums over what R replicates answer on sets of n sequences; float64.

    Attributes
    ----------
    position_loss, position_right, position_labels : Tensor, shape (R, T')
        Sum of the losses, right labels and labels of each position.
    sequence_loss, sequence_right, sequence_labels, sequence_whole : Tensor, shape (R, n)
        The same of each sequence, and 1 where every label of it is right.
    has_accuracy : bool
        False where labels are real numbers.
    """

    position_loss: Tensor
    position_right: Tensor
    position_labels: Tensor
    sequence_loss: Tensor
    sequence_right: Tensor
    sequence_labels: Tensor
    sequence_whole: Tensor
    has_accuracy: bool

    def on_host(self) -> "Tally":
        """Return the tally on the host, which a device copies in one piece."""
        parts = [value for value in vars(self).values() if isinstance(value, Tensor)]
        whole = torch.cat(parts, dim=1).cpu()
        return Tally(*whole.split([part.shape[1] for part in parts], dim=1), self.has_accuracy)


@torch.no_grad()
def tally(
    model: StackedModel,
    parameters: Parameters,
    tokens: Tensor,
    labels: Tensor,
    rows: Tensor,
    at_once: int | None = None,
) -> Tally:
    """Sum up what every replicate of a pack answers on its own set.

    Parameters
    ----------
    model : StackedModel
    parameters : mapping of str to Tensor, each of shape (R, ...)
    tokens : Tensor of int64, shape (S, n, T)
        S sets of n sequences each, n at least 1.
    labels : Tensor of int64 or float32, shape (S, n, T')
        Those of the last T' <= T positions, -100 where nothing is asked for; see `compare`.
    rows : Tensor of int64, shape (R,)
        Which of the S sets each replicate is scored on.
    at_once : int, optional
        Sequences that go through the model together; see `sequences_at_once`.

    Returns
    -------
    Tally
    """
    n_sequences, read_from = tokens.shape[1], tokens.shape[2] - labels.shape[2]
    at_once = at_once or sequences_at_once(model, tokens)

    def pieces():
        for start in range(0, n_sequences, at_once):
            part = slice(start, start + at_once)
            targets = labels[rows, part]
            logits = model.forward(parameters, tokens[rows, part], read_from)  # (R, B, T', C)
            yield *compare(logits, targets), targets >= 0

    return _sum_up(pieces(), not labels.is_floating_point())


def _sum_up(pieces: Iterable[tuple[Tensor, Tensor, Tensor]], has_accuracy: bool) -> Tally:
    """Add up losses, which labels are right, and which are asked for, each of shape (R, B, T')."""
    loss = right = n_labels = 0.0
    of_sequences: list[list[Tensor]] = [[], [], [], []]
    for losses, correct, asked in pieces:
        sums = losses.double(), correct.double(), asked.double()
        loss, right, n_labels = (
            total + one.sum(1) for total, one in zip((loss, right, n_labels), sums, strict=True)
        )
        whole = (correct | ~asked).all(-1).double()
        for rows_of, one in zip(of_sequences, (*(one.sum(2) for one in sums), whole), strict=True):
            rows_of.append(one)
    joined = (torch.cat(parts, dim=1) for parts in of_sequences)
    return Tally(loss, right, n_labels, *joined, has_accuracy)


def _accuracies(sums: Tally) -> dict[str, Tensor]:
    """Return the accuracies by name; NaN where a loss is not finite: argmax of NaN is a guess."""
    known = sums.position_loss.isfinite().all(1) & sums.has_accuracy
    unknown = torch.where(known, 0.0, torch.nan)
    right, n_labels = sums.position_right, sums.position_labels
    n_sequences = sums.sequence_whole.shape[1]
    return {
        "token_accuracy": right.sum(1) / n_labels.sum(1) + unknown,
        "sequence_accuracy": sums.sequence_whole.sum(1) / n_sequences + unknown,
        "position_accuracy": right / n_labels + unknown[:, None],
    }


def score(
    model: StackedModel,
    parameters: Parameters,
    tokens: Tensor,
    labels: Tensor,
    rows: Tensor,
    at_once: int | None = None,
) -> Score:
    """Score every replicate of a pack on its own set; arguments as for `tally`."""
    sums = tally(model, parameters, tokens, labels, rows, at_once)
    loss, n_labels = sums.position_loss, sums.position_labels
    return Score(
        loss=loss.sum(1) / n_labels.sum(1), position_loss=loss / n_labels, **_accuracies(sums)
    )


@dataclass(frozen=True)
class Decoded:
    """Accuracies of chains of thought that read their own answers, as those of a `Score`.

    Attributes
    ----------
    token_accuracy, sequence_accuracy : Tensor of float64, shape (R,)
    position_accuracy : Tensor of float64, shape (R, T')
        NaN, as the others, where an output of a replicate is NaN or infinite.
    """

    token_accuracy: Tensor
    sequence_accuracy: Tensor
    position_accuracy: Tensor


@torch.no_grad()
def decode(
    model: StackedModel,
    parameters: Parameters,
    tokens: Tensor,
    labels: Tensor,
    rows: Tensor,
    at_once: int | None = None,
) -> Decoded:
    """Score a chain of thought in which every replicate reads its own answers: greedy decoding.

    Parameters
    ----------
    model, parameters, tokens, labels, rows, at_once
        As for `score`. The token after a position with a label is replaced by the answer there,
        if that token has a label itself; a causal model is needed.
    """
    n_sequences, length = tokens.shape[1:]
    read_from, at_once = length - labels.shape[2], at_once or sequences_at_once(model, tokens)

    def pieces():
        for start in range(0, n_sequences, at_once):
            part = slice(start, start + at_once)
            read, targets = tokens[rows, part].clone(), labels[rows, part]
            answers, unknown = torch.full_like(targets, -1), torch.zeros_like(targets).float()
            memory: Memory = {}
            for i in range(targets.shape[-1]):
                at = read_from + i
                more = read[..., at if i else 0 : at + 1]
                logits = model.read(parameters, more, memory)  # (R, B, C)
                one_class = logits.shape[-1] == 1
                answers[..., i] = logits[..., 0] > 0.5 if one_class else logits.argmax(-1)
                unknown[..., i] = torch.where(logits.isfinite().all(-1), 0.0, torch.nan)
                if at + 1 < length:
                    goes_on = (targets[..., i] >= 0) & (targets[..., i + 1] >= 0)
                    read[..., at + 1] = torch.where(goes_on, answers[..., i], read[..., at + 1])
            yield unknown, answers == targets, targets >= 0

    return Decoded(**_accuracies(_sum_up(pieces(), has_accuracy=True)))


Result = TypeVar("Result", Score, Decoded)


def in_packs(
    measure: Callable[..., Result],
    model: StackedModel,
    parameters: Parameters,
    tokens: Tensor,
    labels: Tensor,
    rows: Tensor,
) -> Result:
    """Return what `score` or `decode` say of a pack, measured within bounded memory.

    On a CPU the numbers are those of the whole pack: see `nstar.kinds.size.tested_at_once`.
    """
    n_sequences, n_replicates = tested_at_once(tokens.shape[2], model.width)
    parts = []
    for start in range(0, len(rows), n_replicates):
        own = slice(start, start + n_replicates)
        views = {name: part[own] for name, part in parameters.items()}
        parts.append(measure(model, views, tokens, labels, rows[own], n_sequences))
    return type(parts[0])(
        *(torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0]))
    )


def sequences_at_once(model: StackedModel, tokens: Tensor) -> int:
    """Return how many sequences (..., T) go through a model together; see `ENTRIES_AT_ONCE`."""
    fitting = ENTRIES_AT_ONCE // (tokens.shape[-1] * model.width)
    return min(MOST_AT_ONCE, max(LEAST_AT_ONCE, fitting))
