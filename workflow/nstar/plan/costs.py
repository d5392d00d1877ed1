"""What missing cells will cost: steps, operations, time, memory and disk, from formulas and experience.

The operations of a cell are counted by formulas (`nstar.kinds.size`). How long they take is learnt
from the wall times in finished stores of the same models and device; without any, it is a guess over
a wide range, and said to be one.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from nstar.cells import Block, Slice, batch_size, pool_of, tested_length
from nstar.kinds.size import Shape, Size
from nstar.study import Study
from nstar.tasks import Supervision, Task

STEP_SECONDS = {"cpu": 2e-4, "gpu": 1e-4}

FLOPS_PER_SECOND = {"cpu": 1e10, "gpu": 1e12}
"""Guess of the time of a step of a replicate where none was measured: what it takes beside its
operations, and how fast these are on one core (docs/benchmarks.md) or one GPU (never measured)."""

FRESH_STEPS = 16
"""Steps whose fresh batches are in memory together."""

EVALUATION_SECONDS, SEQUENCES_PER_SECOND = 0.1, 1e5
"""Guesses that are not learnt: what an evaluation takes beside its operations, and the data rate."""

START_SECONDS = 4.0
"""From the start of a job to its first step: Python, torch, the trial of launches."""

BASE_BYTES = {"cpu": 1000 * 2**20, "gpu": 4 * 2**30}
"""Memory of the host that a job takes before it has a model: Python with torch, on a cluster two
processes of Snakemake beside it, and the libraries of a GPU, which are large."""

REPLICATES_AT_ONCE = 16

HEAP_FACTOR = 1.7
"""On a CPU: replicates of a launch that memory is asked for, and what the heap takes beyond tensors
(docs/benchmarks.md). A job that gets less trains fewer at once, with the same numbers."""


@dataclass(frozen=True)
class Cost:
    """What a block takes.

    Attributes
    ----------
    steps : int
        Optimiser steps of all its replicates, if none ends before the last one.
    flops : float
        Of these steps and their validation.
    guessed_seconds : float
        Of these steps, where nothing was measured.
    evaluation_flops : float
        Of the evaluation of its replicates.
    memory_bytes : int
        Of the host, in training, beside what the process takes before.
    disk_bytes : int
        Of its two stores.
    """

    steps: int
    flops: float
    guessed_seconds: float
    evaluation_flops: float
    memory_bytes: int
    disk_bytes: int


def block_cost(study: Study, block: Block, device: str) -> Cost:
    """Return what the training and evaluation of a block take, without their time."""
    cell, training, n = block.cell, study.training, len(block.replicates)
    task, batch = study.tasks[cell.task], batch_size(training.batch_size, cell.budget)
    model, n_outputs = study.models[cell.model], task.n_outputs(training.objective)
    size = model_size(model, task, n_outputs, cell.supervision, cell.length, cell.length, batch)
    held_out, n_test = pool_of(study, cell).n_validation, study.evaluation.test_examples
    tested = tested_length(task, cell.length)
    longer = model_size(model, task, n_outputs, cell.supervision, cell.length, tested, batch)
    n_forward, n_longer = held_out, n_test
    if not task.extrapolates:
        n_forward, n_longer = 2 * held_out, 0  # read twice: at once, and token by token
    elif cell.supervision == "chain_of_thought":  # decoded too: a pass for every state
        n_forward, n_longer = held_out * (1 + cell.length), n_test * (1 + tested)
    n_snapshots = training.max_steps // training.snapshot_every if training.snapshot_every else 0
    n_forward += (1 + n_snapshots) * study.evaluation.n_measured(cell.length)
    test_flops = (n_forward * size.forward_flops + n_longer * longer.forward_flops) / batch
    n_curves = 6 * -(-training.max_steps // training.evaluate_every)
    weights = 4 * size.n_parameters
    states = 5 * n * weights  # parameters, final ones, two moments, gradient
    n_training = cell.budget or FRESH_STEPS * batch
    n_read = task.n_tokens(cell.supervision, cell.length)
    sets = 16 * len(block.seeds) * (n_training + held_out) * n_read
    launch = 0.0
    if device_kind(device) == "cpu":
        launch = HEAP_FACTOR * min(n, REPLICATES_AT_ONCE) * size.step_bytes
    flops = training_flops(size, batch, held_out, vars(training))
    return Cost(
        steps=n * training.max_steps,
        flops=n * flops,
        guessed_seconds=n * guess_seconds(training.max_steps, flops, device),
        evaluation_flops=n * test_flops,
        memory_bytes=int(states + sets + launch + n * n_snapshots * weights),
        disk_bytes=2**15 + n * (weights * (1 + n_snapshots) + 4 * n_curves + 48 * cell.length),
    )


def data_bytes(task: Task, piece: Slice) -> int:
    """Return the size of a store of data of a task; bytes."""
    return 2 * (piece.stop - piece.start) * task.n_positions(piece.length) + 2**12


def evaluation_seconds(cost: Cost, device: str) -> float:
    """Return the time of an evaluation; a guess."""
    return EVALUATION_SECONDS + cost.evaluation_flops / FLOPS_PER_SECOND[device_kind(device)]


def data_seconds(piece: Slice) -> float:
    """Return the time of generating a store of data; a guess."""
    return 0.02 + (piece.stop - piece.start) / SEQUENCES_PER_SECOND


def planned_device(study: Study) -> str:
    """Return the device that a study would run on: ``cpu``, or the name of a GPU.

    Where the study asks for a GPU and this machine has none, as a login node, the answer is ``gpu``:
    any.
    """
    if study.device == "cpu":
        return "cpu"
    return _first_gpu() or ("gpu" if study.device == "cuda" else "cpu")


@cache
def _first_gpu() -> str | None:
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    shown = subprocess.run(command, capture_output=True, text=True)
    return shown.stdout.split("\n")[0].strip() or None if shown.returncode == 0 else None


def device_kind(device: str) -> str:
    """Return ``cpu`` or ``gpu``."""
    return "cpu" if device == "cpu" else "gpu"


@lru_cache(maxsize=2**16)
def model_size(
    model: Any,
    task: Task,
    n_outputs: int,
    supervision: Supervision,
    trained_length: int,
    length: int,
    batch_size: int,
) -> Size:
    """Return the size of a model trained at one length, for batches of a length; in symbols."""
    return model.size(
        Shape(
            n_symbols=task.n_token_kinds(supervision),
            n_classes=n_outputs,
            n_positions=task.n_tokens(supervision, tested_length(task, trained_length)),
            length=task.n_tokens(supervision, length),
            batch_size=batch_size,
        )
    )


def training_flops(
    size: Size, batch_size: int, held_out: int, training: Mapping[str, Any]
) -> float:
    """Return the operations of one replicate that trains to the last step."""
    n_evaluations = -(-training["max_steps"] // training["evaluate_every"])
    validation = n_evaluations * held_out * size.forward_flops / batch_size
    return training["max_steps"] * size.step_flops + validation


def guess_seconds(n_steps: int, flops: float, device: str) -> float:
    """Return the seconds of a replicate, where nothing was measured."""
    kind = device_kind(device)
    return n_steps * STEP_SECONDS[kind] + flops / FLOPS_PER_SECOND[kind]
