"""Loss and accuracy of a pack on labelled sequences, per position and per sequence."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.models import StackedModel
from nstar.models.stacked import Parameters

MOST_AT_ONCE, LEAST_AT_ONCE = 512, 16
ENTRIES_AT_ONCE = 2**18
"""Sequences scored together: as many as give a layer so many entries, within bounds. It depends on
length and width alone, so that the pack around a replicate changes nothing."""


@dataclass(frozen=True)
class Score:
    """Means over the sequences of a set; NaN where a replicate's loss is NaN or infinite.

    Attributes
    ----------
    position_loss : Tensor of float64, shape (R, T')
        Cross-entropy at each position; nats.
    position_accuracy : Tensor of float64, shape (R, T')
        Share of right labels at each position.
    sequence_accuracy : Tensor of float64, shape (R,)
        Share of sequences with the right label at every position.
    """

    position_loss: Tensor
    position_accuracy: Tensor
    sequence_accuracy: Tensor

    @property
    def loss(self) -> Tensor:
        """Mean cross-entropy over all positions (R,); nats per label."""
        return self.position_loss.mean(1)

    @property
    def token_accuracy(self) -> Tensor:
        """Share of right labels over all positions (R,)."""
        return self.position_accuracy.mean(1)


@torch.no_grad()
def score(
    model: StackedModel, parameters: Parameters, tokens: Tensor, labels: Tensor, rows: Tensor
) -> Score:
    """Score every replicate of a pack on its own set.

    Parameters
    ----------
    model : StackedModel
    parameters : mapping of str to Tensor, each of shape (R, ...)
    tokens : Tensor of int64, shape (S, n, T)
        S sets of n sequences each, n at least 1.
    labels : Tensor of int64, shape (S, n, T')
        Those of the last T' <= T positions.
    rows : Tensor of int64, shape (R,)
        Which of the S sets each replicate is scored on.

    Returns
    -------
    Score
    """
    n_sequences, read_from = tokens.shape[1], tokens.shape[2] - labels.shape[2]
    at_once = ENTRIES_AT_ONCE // (tokens.shape[2] * model.width)
    at_once = min(MOST_AT_ONCE, max(LEAST_AT_ONCE, at_once))
    loss = right = whole = 0.0
    for start in range(0, n_sequences, at_once):
        part = slice(start, start + at_once)
        targets = labels[rows, part]
        logits = model.forward(parameters, tokens[rows, part], read_from)  # (R, B, T', C)
        losses = F.cross_entropy(logits.flatten(0, 2), targets.flatten(), reduction="none")
        correct = logits.argmax(-1) == targets
        loss = loss + losses.view(targets.shape).double().sum(1)
        right = right + correct.double().sum(1)
        whole = whole + correct.all(-1).double().sum(1)
    unknown = torch.where(loss.isfinite().all(1), 0.0, torch.nan)  # argmax of NaN is a guess
    return Score(
        loss / n_sequences, right / n_sequences + unknown[:, None], whole / n_sequences + unknown
    )
