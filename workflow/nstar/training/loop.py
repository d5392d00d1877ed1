"""The packed training loop: all replicates of a cell at once, each with its own data and end.

A replicate's numbers depend on its own seed, learning rate and data; on a CPU, bit for bit, never on
the pack around it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.measures.accuracy import score
from nstar.models import StackedModel
from nstar.models.stacked import pad_to_lanes
from nstar.outcomes import LEARNT, NOT_FITTED, NOT_GENERALISED
from nstar.training.optimiser import PackedAdam
from nstar.training.sampler import EpochSampler

CURVES = (
    "train_loss",
    "train_token_accuracy",
    "train_sequence_accuracy",
    "validation_loss",
    "validation_token_accuracy",
    "validation_sequence_accuracy",
)
"""What is recorded at every evaluation; training values are means over the batches since the last."""


@dataclass(frozen=True)
class Rules:
    """Everything the loop is told about one cell.

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
    optimiser : dict
        Keyword arguments of `PackedAdam`.
    """

    batch_size: int
    max_steps: int
    evaluate_every: int
    patience: int | None
    success_measure: Literal["loss", "token_accuracy", "sequence_accuracy"]
    success_threshold: float
    optimiser: dict

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
class PackData:
    """Training and validation sets of S seeds; tensors of int64 on the device of the run.

    Attributes
    ----------
    tokens, labels : Tensor, shape (S, N, T)
    validation_tokens, validation_labels : Tensor, shape (S, V, T)
    """

    tokens: Tensor
    labels: Tensor
    validation_tokens: Tensor
    validation_labels: Tensor


@dataclass
class PackState:
    """All that changes during a run, on the replicates' full axis R unless it says `active`.

    Attributes
    ----------
    step : int
        Steps taken by the replicates that are still active.
    active : ndarray of int64, shape (R',)
        Replicates still training; the rows of `parameters` and of the optimiser's moments.
    parameters : Tensor, shape (R', P')
        The flat buffer; see `StackedModel.initialise`.
    final_parameters : Tensor, shape (R, P')
        Rows of the replicates that have ended.
    outcome : ndarray of int8, shape (R,)
    diverged : ndarray of bool, shape (R,)
        The loss became NaN or infinite.
    n_steps : ndarray of int64, shape (R,)
    fitted : ndarray of bool, shape (R,)
    best : ndarray of float64, shape (R,)
        Best signed success measure on the validation set so far.
    waited : ndarray of int64, shape (R,)
        Evaluations without a new best since the training set was fitted.
    curves : dict of str to list of ndarray (R,)
        One array per evaluation, NaN for replicates that have ended.
    wall_time_s : float
    """

    step: int
    active: np.ndarray
    parameters: Tensor
    final_parameters: Tensor
    optimiser: dict | None
    outcome: np.ndarray
    diverged: np.ndarray
    n_steps: np.ndarray
    fitted: np.ndarray
    best: np.ndarray
    waited: np.ndarray
    curves: dict[str, list[np.ndarray]]
    wall_time_s: float


def initial_state(model: StackedModel, seeds: Sequence[int], device: torch.device) -> PackState:
    """Return the state before the first step; `seeds` holds the seed of each replicate (R,)."""
    parameters = model.initialise(seeds).to(device)
    n = len(seeds)
    return PackState(
        step=0,
        active=np.arange(n),
        parameters=parameters,
        final_parameters=parameters.clone(),
        optimiser=None,
        outcome=np.full(n, NOT_FITTED, dtype=np.int8),
        diverged=np.zeros(n, dtype=bool),
        n_steps=np.zeros(n, dtype=np.int64),
        fitted=np.zeros(n, dtype=bool),
        best=np.full(n, -np.inf),
        waited=np.zeros(n, dtype=np.int64),
        curves={name: [] for name in CURVES},
        wall_time_s=0.0,
    )


def train_pack(
    model: StackedModel,
    data: PackData,
    rows: np.ndarray,
    learning_rates: np.ndarray,
    samplers: Sequence[EpochSampler],
    rules: Rules,
    state: PackState,
    after_evaluation: Callable[[PackState], None] = lambda state: None,
) -> PackState:
    """Train until every replicate has ended; the state is updated in place and returned.

    Parameters
    ----------
    model : StackedModel
    data : PackData
    rows : ndarray of int64, shape (R,)
        Which of the S data sets each replicate trains on.
    learning_rates : ndarray of float64, shape (R,)
    samplers : sequence of EpochSampler, length S
        Order of the examples of each data set.
    rules : Rules
    state : PackState
        From `initial_state`, or from a checkpoint to resume from.
    after_evaluation : callable
        Called with the state after each evaluation, for checkpoints and progress.

    Notes
    -----
    The loss of the pack is the sum over replicates of each one's mean, so gradients never mix.
    Replicates that have ended leave the pack at the evaluation that ends them.
    """
    while len(state.active):
        started = time.perf_counter()
        last = min(state.step + rules.evaluate_every, rules.max_steps)
        training = _train_steps(model, data, rows, learning_rates, samplers, rules, state, last)
        rows_active = torch.from_numpy(rows[state.active]).to(state.parameters.device)
        validation = score(
            model,
            model.views(state.parameters),
            data.validation_tokens,
            data.validation_labels,
            rows_active,
        )
        measured = dict(zip(CURVES[:3], training, strict=True))
        for name in ("loss", "token_accuracy", "sequence_accuracy"):
            measured[f"validation_{name}"] = getattr(validation, name).cpu().numpy()
        state.step = last
        _judge(state, measured, rules)
        state.wall_time_s += time.perf_counter() - started
        after_evaluation(state)
    return state


def _train_steps(model, data, rows, learning_rates, samplers, rules, state, last_step):
    """Take the steps up to `last_step`; return mean loss, token and sequence accuracy, each (R',)."""
    device = state.parameters.device
    own_rows = rows[state.active]
    optimiser = PackedAdam(
        state.parameters,
        torch.as_tensor(learning_rates[state.active], dtype=torch.float64, device=device),
        **rules.optimiser,
    )
    if state.optimiser is not None:
        optimiser.restore(state.optimiser)
    parameters = {
        name: part.requires_grad_() for name, part in model.views(state.parameters).items()
    }
    drawn = [samplers[row].indices(state.step, last_step) for row in np.unique(own_rows)]
    order = np.stack(drawn)[np.searchsorted(np.unique(own_rows), own_rows)]  # (R', steps, B)
    order = torch.from_numpy(order).to(device)
    selector = torch.from_numpy(own_rows).to(device)[:, None]
    totals = torch.zeros(3, len(own_rows), dtype=torch.float64, device=device)
    for i in range(order.shape[1]):
        tokens, labels = data.tokens[selector, order[:, i]], data.labels[selector, order[:, i]]
        logits = model.forward(parameters, tokens)  # (R', B, T, C)
        losses = F.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none")
        losses = losses.view(len(own_rows), -1).mean(1)
        gradients = torch.autograd.grad(losses.sum(), list(parameters.values()))
        optimiser.step(pad_to_lanes(torch.cat([part.flatten(1) for part in gradients], dim=1)))
        right = logits.detach().argmax(-1) == labels
        totals[0] += losses.detach()
        totals[1] += right.double().mean((1, 2))
        totals[2] += right.all(-1).double().mean(1)
    state.optimiser = optimiser.state()
    totals[1:, ~totals[0].isfinite()] = torch.nan  # argmax of NaN is a guess
    return (totals / order.shape[1]).cpu().numpy()


def _judge(state: PackState, measured: dict[str, np.ndarray], rules: Rules) -> None:
    """Record an evaluation and end the replicates whose time has come."""
    active = state.active
    for name in CURVES:
        curve = np.full(len(state.outcome), np.nan)
        curve[active] = measured[name]
        state.curves[name].append(curve)
    state.n_steps[active] = state.step
    state.fitted[active] |= rules.passes(measured[f"train_{rules.success_measure}"])
    validation = measured[f"validation_{rules.success_measure}"]
    diverged = ~np.isfinite(measured["train_loss"] + measured["validation_loss"])
    learnt = rules.passes(validation) & ~diverged
    better = rules.gain(validation) > state.best[active]
    state.best[active] = np.maximum(state.best[active], rules.gain(validation))
    state.waited[active] = np.where(better | ~state.fitted[active], 0, state.waited[active] + 1)
    state.diverged[active] = diverged
    state.outcome[active] = np.where(state.fitted[active], NOT_GENERALISED, NOT_FITTED)
    state.outcome[active[learnt]] = LEARNT
    ended = learnt | diverged | (state.step >= rules.max_steps)
    if rules.patience is not None:
        ended |= state.waited[active] >= rules.patience
    if ended.any():
        _compact(state, ended)


def _compact(state: PackState, ended: np.ndarray) -> None:
    """Move the rows of ended replicates out of the pack."""
    state.final_parameters[state.active[ended]] = state.parameters[ended]
    keep = torch.from_numpy(np.flatnonzero(~ended)).to(state.parameters.device)
    state.parameters = state.parameters[keep]
    for name in ("first_moment", "second_moment"):
        state.optimiser[name] = state.optimiser[name][keep]
    state.active = state.active[~ended]
