"""The training step: what replicates see, and how a launch of them moves on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nstar.measures.accuracy import compare
from nstar.models import Dropout, StackedModel
from nstar.training.device import Precision, reduced
from nstar.training.optimiser import AdamState, PackedAdam
from nstar.training.sampler import EpochSampler, FreshSampler
from nstar.training.schedule import Schedule
from nstar.verdicts import Rule

FRESH_STEPS = 16
"""Steps whose fresh batches are drawn together; no number depends on it."""


@dataclass(frozen=True)
class Rules:
    """Everything the loop is told about the cells of a pack.

    Attributes
    ----------
    batch_size, evaluate_every : int
        As in the configuration; a batch is never larger than the training set.
    rule : nstar.verdicts.Rule
        Ends runs; its `max_steps` is a multiple of `evaluate_every`.
    optimiser : dict
        Keyword arguments of `PackedAdam`.
    schedule : Schedule
    fitted_examples : int
        Most training sequences that an evaluation looks at.
    precision : {"float32", "tf32", "bfloat16"}
        See `prepare_device`.
    keep_every : int or None
        Distance of the steps below `max_steps` whose weights are kept, a multiple of `evaluate_every`.
    keep_end_of : nstar.verdicts.Rule or None
        Another rule; the weights at which it would end a run are kept.
    """

    batch_size: int
    evaluate_every: int
    rule: Rule
    optimiser: dict
    schedule: Schedule
    fitted_examples: int = 2000
    precision: Precision = "float32"
    keep_every: int | None = None
    keep_end_of: Rule | None = None


@dataclass(frozen=True)
class Replicate:
    """One network of a pack.

    Attributes
    ----------
    noise_seed : int
        Of its dropout.
    learning_rate : float
    data_set : int
        Which of the sets of `PackData` it sees.
    sampler : EpochSampler or FreshSampler
        The order in which it sees them, and how many: the first N; or what it sees instead of them.
    until : int or None
        Step at which it ends, whatever the rule says; None leaves its end to the rule.
    keep : tuple of int
        Steps whose weights are kept in any case.
    """

    noise_seed: int
    learning_rate: float
    data_set: int
    sampler: EpochSampler | FreshSampler
    until: int | None = None
    keep: tuple[int, ...] = ()


@dataclass(frozen=True)
class LabelledSet:
    """Sequences with their labels, in one set for each of S seeds.

    Attributes
    ----------
    tokens : Tensor of int64, shape (S, n, T)
    labels : Tensor, shape (S, n, T')
        Those of the last T' <= T positions, -100 where nothing is asked for, or float32, see
        `nstar.measures.accuracy.compare`; every sequence has one.
    lengths : ndarray of int64, shape (S, n)
        Which of the lengths of the task each sequence has, from 0; on the host.
    """

    tokens: Tensor
    labels: Tensor
    lengths: np.ndarray


@dataclass(frozen=True)
class PackData:
    """What the replicates of a pack see, on the device of the run.

    The loss of a batch is the mean over its labels.

    Attributes
    ----------
    train : LabelledSet
        As many sequences as the largest budget asks for. Where every batch is fresh, those that are
        drawn first: evaluations look at them.
    validation, confirmation, test : LabelledSet
    n_lengths : int
    """

    train: LabelledSet
    validation: LabelledSet
    confirmation: LabelledSet
    test: LabelledSet
    n_lengths: int = 1


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
    device, n_members, trained = parameters.device, len(members), model.in_training
    rates = torch.tensor([member.learning_rate for member in members], dtype=torch.float64)
    optimiser = PackedAdam(
        parameters, adam, rates.to(device), factor=rules.schedule.factor, **rules.optimiser
    )
    views = {name: part.requires_grad_() for name, part in model.views(parameters).items()}
    padding = parameters.new_zeros(n_members, parameters.shape[1] - model.n_parameters)
    read_from = data.train.tokens.shape[-1] - data.train.labels.shape[-1]
    totals = torch.zeros(3, n_members, dtype=torch.float64, device=device)
    batches = _batches(data, members, first_step, last_step)
    for step, (tokens, labels) in enumerate(batches, start=first_step):
        dropout = None
        if model.dropout_rate:
            seeds = [member.noise_seed for member in members]
            dropout = Dropout(model.dropout_rate, seeds, step, device)
        with reduced(rules.precision, device):
            logits = trained.forward(views, tokens, read_from, dropout)  # (R, B, T', C)
            losses, right = compare(logits, labels)
        asked = labels >= 0
        losses = losses.view(n_members, -1).sum(1) / asked.sum((1, 2))
        gradients = torch.autograd.grad(losses.sum(), list(views.values()))
        optimiser.step(torch.cat([*(part.flatten(1) for part in gradients), padding], dim=1))
        del gradients  # else they live beside the activations of the next step
        totals[0] += losses.detach()
        totals[1] += right.double().sum((1, 2)) / asked.sum((1, 2))
        totals[2] += (right | ~asked).all(-1).double().mean(1)
    known = totals[0].isfinite() & (
        not data.train.labels.is_floating_point()
    )  # argmax of NaN is a guess
    totals[1:, ~known] = torch.nan
    return totals / (last_step - first_step)


def _batches(
    data: PackData, members: Sequence[Replicate], first_step: int, last_step: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield tokens (R, B, T) and labels (R, B, T') of each step."""
    device = data.train.tokens.device
    if isinstance(members[0].sampler, EpochSampler):
        order = _draw_order(members, first_step, last_step).to(device)
        sets = torch.tensor([member.data_set for member in members], device=device)[:, None]
        for i in range(last_step - first_step):
            yield data.train.tokens[sets, order[:, i]], data.train.labels[sets, order[:, i]]
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
