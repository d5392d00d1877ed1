"""Train the blocks of replicates that a curve is short of."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from nstar.artifacts import CELL, provenance, write_store
from nstar.grid import TEST_LENGTH_FACTOR, Block, Cell, Slice, stream_slices
from nstar.jobs.generation import read_sequences
from nstar.models import StackedModel, build_model
from nstar.outcomes import OUTCOMES
from nstar.paths import encode, store_path
from nstar.progress import Progress
from nstar.seeds import derive_seed
from nstar.specification import digest
from nstar.tasks import build_task
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.device import describe_device, prepare_device
from nstar.training.loop import (
    CURVES,
    PackData,
    PackState,
    Rules,
    initial_state,
    train_pack,
)
from nstar.training.sampler import EpochSampler


def train_cells(
    job: Mapping[str, Any], results: Path, device_name: str, checkpoint_interval_s: float
) -> None:
    """Train the blocks of one curve, one after the other, and write a store for each.

    Parameters
    ----------
    job : mapping
        ``model`` and ``task`` (names), ``specification`` (that of the cells without their budget)
        and ``blocks`` (budget, seeds, learning_rates).
    results : Path
    device_name : str
        As in the configuration.
    checkpoint_interval_s : float
        Longest training time that a kill can cost; seconds.

    Notes
    -----
    Checkpoints lie outside of the declared outputs and stay until the whole job is done: a job that
    is killed or fails, and whose outputs the workflow removes, goes on where it was.
    """
    device = prepare_device(device_name)
    length = job["specification"]["length"]
    checkpoints = results / "checkpoints"
    model = model_of(job["specification"])
    label = f"{job['model']} {job['task']} length {length}"
    progress = Progress("cells", len(job["blocks"]), label)
    max_steps = job["specification"]["training"]["max_steps"]
    savers = []
    for done, fields in enumerate(job["blocks"]):
        cell = Cell(job["model"], job["task"], length, fields["budget"])
        block = Block(cell, tuple(fields["seeds"]), tuple(fields["learning_rates"]))
        specification = {**job["specification"], "budget": cell.budget}
        name = digest(specification)
        saver = _Saver(
            checkpoints / encode(block.coordinates) / f"{name}.pt", checkpoint_interval_s
        )
        savers.append(saver)

        def after_evaluation(state: PackState, done=done, budget=cell.budget, saver=saver) -> None:
            share = state.step / max_steps
            text = f"budget {budget}, step {state.step}, {len(state.active)} replicates left"
            progress.update(done + share, text)
            saver.save(state)

        state = _train_block(
            model,
            block,
            specification,
            _read_data(block, specification, results, device),
            load_checkpoint(saver.path, device),
            after_evaluation,
        )
        write_store(
            store_path(results, "cells", block.coordinates, name),
            _dataset(block, state, model.n_parameters, specification["training"]["evaluate_every"]),
            CELL,
            specification,
            provenance(device=describe_device(device), wall_time_s=round(state.wall_time_s, 3)),
        )
    progress.finish()
    for saver in savers:
        saver.path.unlink(missing_ok=True)


def model_of(specification: Mapping[str, Any]) -> StackedModel:
    """Return the model of a cell, built to reach the length that extrapolation is measured at."""
    task = build_task(specification["task"])
    return build_model(
        specification["model"],
        n_symbols=task.n_symbols,
        n_classes=task.n_states,
        n_positions=TEST_LENGTH_FACTOR * specification["length"],
    )


def read_sets(
    task: Mapping[str, Any],
    pieces_by_seed: Iterable[list[Slice]],
    results: Path,
    n_sequences: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return tokens and labels of one set per seed, the first `n_sequences` of each, both (S, n, T)."""
    sets = [read_sequences(task, pieces, results, n_sequences) for pieces in pieces_by_seed]
    tokens, labels = (
        torch.from_numpy(np.stack(part)).to(device) for part in zip(*sets, strict=True)
    )
    return tokens, labels


class _Saver:
    """Saves the state of a block at an interval, and when all its replicates have ended."""

    def __init__(self, path: Path, interval_s: float):
        self.path = path
        self.interval_s = interval_s
        self.last_saved = time.monotonic()

    def save(self, state: PackState) -> None:
        if not len(state.active) or time.monotonic() - self.last_saved >= self.interval_s:
            save_checkpoint(self.path, state)
            self.last_saved = time.monotonic()


def _train_block(
    model: StackedModel,
    block: Block,
    specification: Mapping[str, Any],
    data: PackData,
    state: PackState | None,
    after_evaluation: Callable[[PackState], None],
) -> PackState:
    """Train the replicates of a block, from a checkpointed state or from the start."""
    training = specification["training"]
    batch_size = min(training["batch_size"], block.cell.budget)
    seeds, rates = zip(
        *((seed, rate) for seed in block.seeds for rate in block.learning_rates), strict=True
    )
    initial_seeds = [_initial_seed(specification, seed) for seed in seeds]
    return train_pack(
        model,
        data,
        rows=np.array([block.seeds.index(seed) for seed in seeds]),
        learning_rates=np.array(rates),
        samplers=[
            EpochSampler(block.cell.budget, batch_size, _order_key(specification, seed))
            for seed in block.seeds
        ],
        rules=_rules(training, batch_size),
        state=state or initial_state(model, initial_seeds, data.tokens.device),
        after_evaluation=after_evaluation,
    )


def _initial_seed(specification: Mapping[str, Any], seed: int) -> int:
    """Return the seed of the initial weights: its own for each seed, task, length and model."""
    coordinates = {key: specification[key] for key in ("task", "length", "model")}
    return derive_seed("initialisation", seed=seed, **coordinates)


def _order_key(specification: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return what the order of the examples depends on: the data, and nothing of the model."""
    return {"task": specification["task"], "length": specification["length"], "seed": seed}


def _rules(training: Mapping[str, Any], batch_size: int) -> Rules:
    return Rules(
        batch_size=batch_size,
        max_steps=training["max_steps"],
        evaluate_every=training["evaluate_every"],
        patience=training["patience"],
        success_measure=training["success"]["measure"],
        success_threshold=training["success"]["threshold"],
        optimiser=dict(training["optimiser"]),
    )


def _read_data(
    block: Block, specification: Mapping[str, Any], results: Path, device: torch.device
) -> PackData:
    """Return the data sets of the seeds of a block, stacked (S, n, T)."""
    task = build_task(specification["task"])
    head = specification["n_validation"]
    validation, train = [], []
    for seed in block.seeds:
        first, *shards = stream_slices(task, block.cell, seed, head)
        validation.append([first])
        train.append(shards)
    options = specification["task"]
    return PackData(
        *read_sets(options, train, results, block.cell.budget, device),
        *read_sets(options, validation, results, head, device),
    )


def _dataset(block: Block, state: PackState, n_parameters: int, evaluate_every: int) -> xr.Dataset:
    """Return what the store of a block holds; see `nstar.artifacts.CELL`."""
    replicates = [(seed, rate) for seed in block.seeds for rate in block.learning_rates]
    n_evaluations = len(state.curves["train_loss"])
    steps = np.minimum(evaluate_every * np.arange(1, n_evaluations + 1), state.n_steps.max())
    outcome_meaning = {
        "flag_values": list(range(len(OUTCOMES))),
        "flag_meanings": " ".join(OUTCOMES),
    }
    return xr.Dataset(
        {
            "outcome": ("replicate", state.outcome, outcome_meaning),
            "diverged": ("replicate", state.diverged),
            "n_steps": ("replicate", state.n_steps),
            "parameters": (
                ("replicate", "parameter"),
                state.final_parameters[:, :n_parameters].cpu().numpy(),
            ),
            **{
                name: (("replicate", "evaluation"), np.stack(state.curves[name], axis=1))
                for name in CURVES
            },
        },
        coords={
            "seed": ("replicate", np.array([seed for seed, _ in replicates])),
            "learning_rate": ("replicate", np.array([rate for _, rate in replicates])),
            "step": ("evaluation", steps),
        },
    )
