"""Train the blocks of replicates that a curve is short of."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nstar.artifacts import CELL, provenance, write_store
from nstar.grid import TEST_LENGTH_FACTOR, Block, Cell, Slice, stream_slices
from nstar.jobs.generation import read_sequences
from nstar.models import StackedModel, build_model
from nstar.outcomes import OUTCOMES
from nstar.paths import store_path
from nstar.progress import Progress
from nstar.seeds import derive_seed
from nstar.specification import digest
from nstar.tasks import build_task
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.device import describe_device, memory_errors_named, prepare_device
from nstar.training.launch import launch_size
from nstar.training.loop import PackState, initial_state, train_pack
from nstar.training.sampler import EpochSampler
from nstar.training.schedule import Schedule
from nstar.training.step import PackData, Replicate, Rules


def train_cells(
    job: Mapping[str, Any], results: Path, device_name: str, checkpoint_interval_s: float
) -> None:
    """Train the blocks of one curve and write a store for each.

    Parameters
    ----------
    job : mapping
        ``model`` and ``task`` (names), ``specification`` (that of the cells without their budget)
        and ``blocks`` (budget, seeds, learning_rates).
    results : Path
    device_name : str
        As in the configuration.
    checkpoint_interval_s : float
        Time between two checkpoints, which are made at evaluations; seconds.

    Raises
    ------
    DeviceError
        If the device is missing, or has no room for the model.

    Notes
    -----
    Blocks whose batches have the same size share a pack: their budgets differ, the shapes do not.
    Checkpoints lie outside of the declared outputs and stay until the whole job is done: a job that
    is killed or fails, and whose outputs the workflow removes, goes on where it was.
    """
    specification = job["specification"]
    device = prepare_device(device_name, specification["training"]["precision"])
    model = model_of(specification)
    blocks = [
        Block(
            Cell(job["model"], job["task"], specification["length"], fields["budget"]),
            tuple(fields["seeds"]),
            tuple(fields["learning_rates"]),
        )
        for fields in job["blocks"]
    ]
    n_replicates = sum(len(block.replicates) for block in blocks)
    label = f"{job['model']} {job['task']} length {specification['length']}"
    progress = Progress("replicates", n_replicates, label)
    savers = []
    for pack in _packs_of(blocks, specification["training"]["batch_size"]):
        saver = _Saver(
            results / "checkpoints" / f"{digest(_pack_coordinates(job, pack, device))}.pt",
            checkpoint_interval_s,
        )
        savers.append(saver)
        _train_pack(model, pack, specification, results, device, saver, progress)
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
    """Saves the state of a pack at an interval, and when all its replicates have ended."""

    def __init__(self, path: Path, interval_s: float):
        self.path = path
        self.interval_s = interval_s
        self.last_saved = time.monotonic()

    def save(self, state: PackState) -> None:
        if not len(state.active) or time.monotonic() - self.last_saved >= self.interval_s:
            save_checkpoint(self.path, state)
            self.last_saved = time.monotonic()


def _packs_of(blocks: Iterable[Block], batch_size: int) -> list[list[Block]]:
    """Return the blocks that share a pack: those with batches of the same size."""
    packs: dict[int, list[Block]] = {}
    for block in blocks:
        packs.setdefault(min(batch_size, block.cell.budget), []).append(block)
    return list(packs.values())


def _pack_coordinates(
    job: Mapping[str, Any], pack: list[Block], device: torch.device
) -> dict[str, Any]:
    """Return all that a checkpoint of a pack is a checkpoint of."""
    members = [[block.cell.budget, block.seeds, block.learning_rates] for block in pack]
    return {**job, "blocks": members, "device": describe_device(device)}


def _train_pack(
    model: StackedModel,
    pack: list[Block],
    specification: Mapping[str, Any],
    results: Path,
    device: torch.device,
    saver: _Saver,
    progress: Progress,
) -> None:
    """Train the blocks of a pack, from a checkpoint or from the start, and write their stores."""
    training = specification["training"]
    seeds = sorted({seed for block in pack for seed in block.seeds})
    batch_size = min(training["batch_size"], pack[0].cell.budget)
    replicates = [
        Replicate(_initial_seed(specification, seed), rate, seeds.index(seed), sampler)
        for block in pack
        for seed in block.seeds
        for sampler in [
            EpochSampler(block.cell.budget, batch_size, _order_key(specification, seed))
        ]
        for rate in block.learning_rates
    ]
    state = load_checkpoint(saver.path, device)
    done_before, max_steps = progress.done, training["max_steps"]

    def done(state: PackState) -> float:
        active = len(state.active)
        return done_before + len(replicates) - active + active * state.step / max_steps

    if state is None:
        state = initial_state(model, [replicate.seed for replicate in replicates], device)
    else:
        progress.skip(done(state) - done_before)
    budgets = ", ".join(str(block.cell.budget) for block in pack)

    def after_evaluation(state: PackState) -> None:
        rate = (state.n_steps.sum() - steps_before) / (time.monotonic() - started)
        text = f"budgets {budgets}, step {state.step}, {rate:.0f} replicate-steps/s"
        progress.update(done(state), text)
        saver.save(state)

    data = _read_data(pack, seeds, specification, results, device)
    rules = _rules(training, batch_size)
    work = f"training {pack[0].cell.model} with budgets {budgets}"
    if len(state.active):
        with memory_errors_named(device, work):
            at_once = launch_size(model, data, rules, len(state.active))
            started, steps_before = time.monotonic(), state.n_steps.sum()
            train_pack(model, data, replicates, rules, state, at_once, after_evaluation)
    progress.update(done(state))
    row = 0
    for block in pack:
        rows = slice(row, row + len(block.replicates))
        row = rows.stop
        cell_specification = {**specification, "budget": block.cell.budget}
        write_store(
            store_path(results, "cells", block.coordinates, digest(cell_specification)),
            _dataset(block, state, rows, model.n_parameters, training["evaluate_every"]),
            CELL,
            cell_specification,
            provenance(
                device=describe_device(device),
                wall_time_s=round(float(state.wall_time_s[rows].sum()), 3),
            ),
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
        schedule=Schedule(training["max_steps"], **training["schedule"]),
        precision=training["precision"],
    )


def _read_data(
    pack: list[Block],
    seeds: list[int],
    specification: Mapping[str, Any],
    results: Path,
    device: torch.device,
) -> PackData:
    """Return the sets of the seeds, stacked.

    Budgets nest, so that the largest of a seed holds all its others; seeds whose largest is smaller
    are filled up with zeros that no sampler reaches.
    """
    options, head = specification["task"], specification["n_validation"]
    task = build_task(options)
    validation, tokens, labels = [], [], []
    for seed in seeds:
        cells = [block.cell for block in pack if seed in block.seeds]
        largest = max(cells, key=lambda cell: cell.budget)
        first, *shards = stream_slices(task, largest, seed, head)
        validation.append([first])
        parts = read_sets(options, [shards], results, largest.budget, device)
        for stored, part in zip((tokens, labels), parts, strict=True):
            stored.append(part[0])
    return PackData(
        pad_sequence(tokens, batch_first=True),
        pad_sequence(labels, batch_first=True),
        *read_sets(options, validation, results, head, device),
    )


def _dataset(
    block: Block, state: PackState, rows: slice, n_parameters: int, evaluate_every: int
) -> xr.Dataset:
    """Return what the store of a block holds, from its rows of a pack; see `nstar.artifacts.CELL`."""
    replicates = [(seed, rate) for seed in block.seeds for rate in block.learning_rates]
    last_step = state.n_steps[rows].max()
    n_evaluations = -(-last_step // evaluate_every)
    steps = np.minimum(evaluate_every * np.arange(1, n_evaluations + 1), last_step)
    outcome_meaning = {
        "flag_values": list(range(len(OUTCOMES))),
        "flag_meanings": " ".join(OUTCOMES),
    }
    curves = {
        name: np.stack([values[rows] for values in curve[:n_evaluations]], axis=1)
        for name, curve in state.curves.items()
    }
    return xr.Dataset(
        {
            "outcome": ("replicate", state.outcome[rows], outcome_meaning),
            "diverged": ("replicate", state.diverged[rows]),
            "n_steps": ("replicate", state.n_steps[rows]),
            "parameters": (
                ("replicate", "parameter"),
                state.final_parameters[rows, :n_parameters].cpu().numpy(),
            ),
            **{name: (("replicate", "evaluation"), curve) for name, curve in curves.items()},
        },
        coords={
            "seed": ("replicate", np.array([seed for seed, _ in replicates])),
            "learning_rate": ("replicate", np.array([rate for _, rate in replicates])),
            "step": ("evaluation", steps),
        },
    )
