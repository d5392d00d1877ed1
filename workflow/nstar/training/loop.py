"""The packed training loop: the replicates of one or several cells at once, each with its own end.

A replicate's numbers depend on its own seed, learning rate and data; on a CPU, bit for bit, never on
the pack around it.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nstar.measures.accuracy import score
from nstar.models import StackedModel
from nstar.outcomes import LEARNT, NOT_FITTED, NOT_GENERALISED
from nstar.training.device import reduced
from nstar.training.optimiser import AdamState
from nstar.training.step import PackData, Replicate, Rules, train_steps

CURVES = (
    "train_loss",
    "train_token_accuracy",
    "train_sequence_accuracy",
    "validation_loss",
    "validation_token_accuracy",
    "validation_sequence_accuracy",
)
"""What is recorded at every evaluation; training values are means over the batches since the last."""

PER_REPLICATE = (
    *("final_parameters", "outcome", "diverged", "n_steps"),
    *("fitted", "best", "waited", "wall_time_s"),
)
"""The fields of `PackState` with a row for each of the R replicates, ended or not."""


@dataclass
class PackState:
    """All that changes during a run, on the replicates' full axis R unless it says `active`.

    Attributes
    ----------
    step : int
        Steps taken by the replicates that are still active.
    active : ndarray of int64, shape (R',)
        Replicates still training; the rows of `parameters` and of `adam`.
    parameters : Tensor, shape (R', P')
        The flat buffer; see `StackedModel.initialise`.
    adam : AdamState
        Of R' replicates.
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
    snapshots : list of ndarray of float32, shape (R, P')
        Parameters at the steps of snapshots, NaN for replicates that have ended.
    wall_time_s : ndarray of float64, shape (R,)
        Time of training and evaluation; replicates that ran together share it equally.
    """

    step: int
    active: np.ndarray
    parameters: Tensor
    adam: AdamState
    final_parameters: Tensor
    outcome: np.ndarray
    diverged: np.ndarray
    n_steps: np.ndarray
    fitted: np.ndarray
    best: np.ndarray
    waited: np.ndarray
    curves: dict[str, list[np.ndarray]]
    snapshots: list[np.ndarray]
    wall_time_s: np.ndarray

    def part(self, rows: slice) -> "PackState":
        """Return the state of some rows of R, as if they had been a pack of their own."""
        chosen = (self.active >= rows.start) & (self.active < rows.stop)
        keep = torch.from_numpy(np.flatnonzero(chosen)).to(self.parameters.device)
        return PackState(
            step=self.step,
            active=self.active[chosen] - rows.start,
            parameters=self.parameters[keep],
            adam=self.adam[keep],
            curves={name: [row[rows] for row in curve] for name, curve in self.curves.items()},
            snapshots=[snapshot[rows] for snapshot in self.snapshots],
            **{name: getattr(self, name)[rows] for name in PER_REPLICATE},
        )


def join_states(states: Sequence[PackState]) -> PackState:
    """Return one state of several that have taken as many steps: the inverse of `PackState.part`."""
    starts = np.cumsum([0, *(len(state.outcome) for state in states)])
    active = [state.active + start for state, start in zip(states, starts[:-1], strict=True)]
    curves = {
        name: [
            np.concatenate(rows)
            for rows in zip(*(state.curves[name] for state in states), strict=True)
        ]
        for name in CURVES
    }
    snapshots = zip(*(state.snapshots for state in states), strict=True)
    return PackState(
        step=states[0].step,
        active=np.concatenate(active),
        parameters=torch.cat([state.parameters for state in states]),
        adam=AdamState.join([state.adam for state in states]),
        curves=curves,
        snapshots=[np.concatenate(rows) for rows in snapshots],
        **{
            name: _concatenate([getattr(state, name) for state in states]) for name in PER_REPLICATE
        },
    )


def _concatenate(parts: Sequence[np.ndarray | Tensor]) -> np.ndarray | Tensor:
    return torch.cat(parts) if isinstance(parts[0], Tensor) else np.concatenate(parts)


def initial_state(model: StackedModel, seeds: Sequence[int], device: torch.device) -> PackState:
    """Return the state before the first step; `seeds` holds the seed of each replicate (R,)."""
    parameters = model.initialise(seeds).to(device)
    n = len(seeds)
    return PackState(
        step=0,
        active=np.arange(n),
        parameters=parameters,
        adam=AdamState.of(parameters),
        final_parameters=parameters.clone(),
        outcome=np.full(n, NOT_FITTED, dtype=np.int8),
        diverged=np.zeros(n, dtype=bool),
        n_steps=np.zeros(n, dtype=np.int64),
        fitted=np.zeros(n, dtype=bool),
        best=np.full(n, -np.inf),
        waited=np.zeros(n, dtype=np.int64),
        curves={name: [] for name in CURVES},
        snapshots=[],
        wall_time_s=np.zeros(n),
    )


def train_pack(
    model: StackedModel,
    data: PackData,
    replicates: Sequence[Replicate],
    rules: Rules,
    state: PackState,
    at_once: int,
    after_evaluation: Callable[[PackState], None] = lambda state: None,
) -> PackState:
    """Train until every replicate has ended; the state is updated in place and returned.

    Parameters
    ----------
    model : StackedModel
    data : PackData
    replicates : sequence of Replicate, length R
    rules : Rules
    state : PackState
        From `initial_state`, or from a checkpoint to resume from.
    at_once : int
        Most replicates in a launch, at least 1; see `launch_size`. On a CPU no number depends on it.
    after_evaluation : callable
        Called with the state after each evaluation, for checkpoints and progress.

    Notes
    -----
    The loss of a launch is the sum over replicates of each one's mean, so gradients never mix.
    Between two evaluations the pack is trained in launches of equal size, one after the other.
    Replicates that have ended leave the pack at the evaluation that ends them.
    """
    while len(state.active):
        n_launches = math.ceil(len(state.active) / at_once)
        size = math.ceil(len(state.active) / n_launches)
        last = min(state.step + rules.evaluate_every, rules.max_steps)
        measured = {name: np.full(len(state.active), np.nan) for name in CURVES}
        for start in range(0, len(state.active), size):
            rows = slice(start, start + size)
            members = [replicates[i] for i in state.active[rows]]
            began = time.perf_counter()
            for name, values in _run_launch(model, data, members, rules, state, rows, last).items():
                measured[name][rows] = values
            share = (time.perf_counter() - began) / len(members)
            state.wall_time_s[state.active[rows]] += share
        state.step = last
        if rules.snapshot_every and last % rules.snapshot_every == 0 and last < rules.max_steps:
            _take_snapshot(state)
        _judge(state, measured, rules)
        after_evaluation(state)
    return state


def _run_launch(
    model: StackedModel,
    data: PackData,
    members: Sequence[Replicate],
    rules: Rules,
    state: PackState,
    rows: slice,
    last_step: int,
) -> dict[str, np.ndarray]:
    """Train some rows of the state up to `last_step`, evaluate them; return their `CURVES`."""
    parameters = state.parameters[rows]
    training = train_steps(
        model, data, members, rules, parameters, state.adam[rows], state.step, last_step
    )
    sets = torch.tensor([member.data_set for member in members], device=parameters.device)
    with reduced(rules.precision, parameters.device):
        validation = score(
            model, model.views(parameters), data.validation_tokens, data.validation_labels, sets
        )
    names = ("loss", "token_accuracy", "sequence_accuracy")
    values = torch.stack([*training, *(getattr(validation, name) for name in names)])
    return dict(zip(CURVES, values.cpu().numpy(), strict=True))


def _take_snapshot(state: PackState) -> None:
    shape = (len(state.outcome), state.parameters.shape[1])
    snapshot = np.full(shape, np.nan, dtype=np.float32)
    snapshot[state.active] = state.parameters.cpu().numpy()
    state.snapshots.append(snapshot)


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
    if rules.success_at == "best":
        learnt |= state.outcome[active] == LEARNT
    better = rules.gain(validation) > state.best[active]
    state.best[active] = np.maximum(state.best[active], rules.gain(validation))
    state.waited[active] = np.where(better | ~state.fitted[active], 0, state.waited[active] + 1)
    state.diverged[active] = diverged
    state.outcome[active] = np.where(state.fitted[active], NOT_GENERALISED, NOT_FITTED)
    state.outcome[active[learnt]] = LEARNT
    ended = diverged | (state.step >= rules.max_steps)
    if rules.stop_on_success:
        ended |= learnt
    if rules.patience is not None:
        ended |= state.waited[active] >= rules.patience
    if ended.any():
        _compact(state, ended)


def _compact(state: PackState, ended: np.ndarray) -> None:
    """Move the rows of ended replicates out of the pack."""
    state.final_parameters[state.active[ended]] = state.parameters[ended]
    keep = torch.from_numpy(np.flatnonzero(~ended)).to(state.parameters.device)
    state.parameters = state.parameters[keep]
    state.adam = state.adam[keep]
    state.active = state.active[~ended]
