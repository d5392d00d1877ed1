"""The training step: what replicates see, and how a launch of them moves on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from nstar.measures.accuracy import compare
from nstar.models import Dropout, StackedModel
from nstar.training.device import Precision, reduced
from nstar.training.optimiser import AdamState, PackedAdam
from nstar.training.sampler import EpochSampler, FreshSampler
from nstar.training.schedule import Schedule

FRESH_STEPS = 16
"""Steps whose fresh batches are drawn together; no number depends on it."""


@dataclass(frozen=True)
class Rules:
    """Everything the loop is told about the cells of a pack.

    Attributes
    ----------
    batch_size, max_steps, evaluate_every : int
        As in the configuration; a batch is never larger than the training set.
    patience : int or None
        Evaluations without a new best, once the training set is fitted, after which a replicate
        ends; None lets it go on to `max_steps`.
    success_measure : {"loss", "token_accuracy", "sequence_accuracy"}
    success_threshold : float
        Reached from above by a loss, from below by an accuracy.
    success_at : {"best", "final"}
        Which evaluation of a run decides.
    stop_on_success : bool
        Whether a replicate ends when it has learnt; false where the final evaluation decides.
    optimiser : dict
        Keyword arguments of `PackedAdam`.
    schedule : Schedule
    precision : {"float32", "tf32", "bfloat16"}
        See `prepare_device`.
    snapshot_every : int or None
        Distance of the steps whose parameters are kept, a multiple of `evaluate_every`.
    """

    batch_size: int
    max_steps: int
    evaluate_every: int
    patience: int | None
    success_measure: Literal["loss", "token_accuracy", "sequence_accuracy"]
    success_threshold: float
    optimiser: dict
    schedule: Schedule
    precision: Precision = "float32"
    snapshot_every: int | None = None
    success_at: Literal["best", "final"] = "best"
    stop_on_success: bool = True

    def passes(self, values: np.ndarray) -> np.ndarray:
        """Return where the success measure is on the right side of its threshold; NaN is not."""
        if self.success_measure == "loss":
            return values <= self.success_threshold
        return values >= self.success_threshold

    def gain(self, values: np.ndarray) -> np.ndarray:
        """Return the success measure with a sign such that more is better, NaN as -inf."""
        signed = -values if self.success_measure == "loss" else values
        return np.where(np.isnan(signed), -np.inf, signed)


@dataclass(frozen=True)
class Replicate:
    """One network of a pack.

    Attributes
    ----------
    seed : int
        Of its dropout; its initial parameters are made from the same (`initial_state`).
    learning_rate : float
    data_set : int
        Which of the sets of `PackData` it sees.
    sampler : EpochSampler or FreshSampler
        The order in which it sees them, and how many: the first N; or what it sees instead of them.
    """

    seed: int
    learning_rate: float
    data_set: int
    sampler: EpochSampler | FreshSampler


@dataclass(frozen=True)
class PackData:
    """What the replicates of a pack see; tensors of int64 on the device of the run.

    Labels are those of the last T' <= T positions, -100 where nothing is asked for, or float32, see
    `nstar.measures.accuracy.compare`; every sequence has one. The loss of a batch is the mean over its
    labels. Where every batch is fresh, the training sets are there for their shapes alone.

    Attributes
    ----------
    tokens : Tensor, shape (S, N, T)
        S training sets of as many sequences as the largest budget asks for.
    labels : Tensor, shape (S, N, T')
    validation_tokens : Tensor, shape (S, V, T)
    validation_labels : Tensor, shape (S, V, T')
    """

    tokens: Tensor
    labels: Tensor
    validation_tokens: Tensor
    validation_labels: Tensor


def train_steps(
    model: StackedModel,
    data: PackData,
    members: Sequence[Replicate],
    rules: Rules,
    parameters: Tensor,
    adam: AdamState,
    first_step: int,
    last_step: int,
) -> Tensor:
    """Take steps ``first_step .. last_step - 1`` of some replicates, in place.

    Returns
    -------
    Tensor of float64, shape (3, R)
        Mean loss, token and sequence accuracy over the batches.
    """
    device, n_members = parameters.device, len(members)
    rates = torch.tensor([member.learning_rate for member in members], dtype=torch.float64)
    optimiser = PackedAdam(
        parameters, adam, rates.to(device), factor=rules.schedule.factor, **rules.optimiser
    )
    views = {name: part.requires_grad_() for name, part in model.views(parameters).items()}
    padding = parameters.new_zeros(n_members, parameters.shape[1] - model.n_parameters)
    read_from = data.tokens.shape[-1] - data.labels.shape[-1]
    totals = torch.zeros(3, n_members, dtype=torch.float64, device=device)
    batches = _batches(data, members, first_step, last_step)
    for step, (tokens, labels) in enumerate(batches, start=first_step):
        dropout = None
        if model.dropout_rate:
            seeds = [member.seed for member in members]
            dropout = Dropout(model.dropout_rate, seeds, step, device)
        with reduced(rules.precision, device):
            logits = model.forward(views, tokens, read_from, dropout)  # (R, B, T', C)
            losses, right = compare(logits, labels)
        asked = labels >= 0
        losses = losses.view(n_members, -1).sum(1) / asked.sum((1, 2))
        gradients = torch.autograd.grad(losses.sum(), list(views.values()))
        optimiser.step(torch.cat([*(part.flatten(1) for part in gradients), padding], dim=1))
        del gradients  # else they live beside the activations of the next step
        totals[0] += losses.detach()
        totals[1] += right.double().sum((1, 2)) / asked.sum((1, 2))
        totals[2] += (right | ~asked).all(-1).double().mean(1)
    known = totals[0].isfinite() & (not data.labels.is_floating_point())  # argmax of NaN is a guess
    totals[1:, ~known] = torch.nan
    return totals / (last_step - first_step)


def _batches(
    data: PackData, members: Sequence[Replicate], first_step: int, last_step: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield tokens (R, B, T) and labels (R, B, T') of each step."""
    device = data.tokens.device
    if isinstance(members[0].sampler, EpochSampler):
        order = _draw_order(members, first_step, last_step).to(device)
        sets = torch.tensor([member.data_set for member in members], device=device)[:, None]
        for i in range(last_step - first_step):
            yield data.tokens[sets, order[:, i]], data.labels[sets, order[:, i]]
        return
    samplers = {id(member.sampler): member.sampler for member in members}
    places = {key: place for place, key in enumerate(samplers)}
    rows = torch.tensor([places[id(member.sampler)] for member in members], device=device)
    for start in range(first_step, last_step, FRESH_STEPS):
        stop = min(start + FRESH_STEPS, last_step)
        drawn = zip(*(one.examples(start, stop) for one in samplers.values()), strict=True)
        tokens, labels = (torch.from_numpy(np.stack(part)).to(device) for part in drawn)
        for i in range(stop - start):
            yield tokens[rows, i], labels[rows, i]


def _draw_order(members: Sequence[Replicate], first_step: int, last_step: int) -> Tensor:
    """Return the examples that each replicate sees in each step (R, steps, B); drawn once per sampler."""
    samplers = {id(member.sampler): member.sampler for member in members}
    drawn = {key: one.indices(first_step, last_step) for key, one in samplers.items()}
    return torch.from_numpy(np.stack([drawn[id(member.sampler)] for member in members]))
