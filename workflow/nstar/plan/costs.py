"""What missing parts will cost: steps, operations, time, memory and disk, from formulas and experience.

The operations of a cell are counted by formulas (`nstar.kinds.size`). How long they take is learnt
from the wall times in finished stores of the same models and device; without any, it is a guess over
a wide range, and said to be one.
"""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from nstar.cells import Cell, Slice, batch_size, fitted_size, pool_of
from nstar.kinds.size import Shape, Size, tested_at_once
from nstar.plan.work import EvaluationWork, Work
from nstar.store.schemas import OWN_SETS
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

KEPT = 1.7
"""Weights that a run keeps, on average: the first that passed, the best and the last often coincide."""

REPLICATES_AT_ONCE = 16

HEAP_FACTOR = 1.7
"""On a CPU: replicates of a launch that memory is asked for, and what the heap takes beyond tensors
(docs/benchmarks.md). A job that gets less trains fewer at once, with the same numbers."""


@dataclass(frozen=True)
class Cost:
    """What the training of a part takes.

    Attributes
    ----------
    steps : int
        Optimiser steps of all its replicates, if none ends before the last one.
    flops : float
        Of these steps and of the evaluations between them.
    evaluation_share : float
        The part of these operations that evaluations take.
    guessed_seconds : float
        Of these steps, where nothing was measured.
    memory_bytes : int
        Of the host, beside what the process takes before.
    disk_bytes : int
        Of the part.
    """

    steps: int
    flops: float
    evaluation_share: float
    guessed_seconds: float
    memory_bytes: int
    disk_bytes: int


@dataclass(frozen=True)
class EvaluationCost:
    """What an evaluation takes: operations, memory of the host beside the process, and disk."""

    flops: float
    memory_bytes: int
    disk_bytes: int


def training_cost(study: Study, work: Work, device: str) -> Cost:
    """Return what the training of a part takes, without what is learnt of its time."""
    cell, training, n = work.cell, study.training, len(work.stretches)
    task, batch = study.tasks[cell.task], batch_size(training.batch_size, cell.budget)
    size, pool = _size(study, cell, cell.length), pool_of(study, cell)
    looked_at = fitted_size(training.fitted_examples, cell.budget)
    looked_at += pool.size("validation") + pool.size("confirmation")
    n_steps = sum(part.last(training.max_steps) - part.start for part in work.stretches)
    every = training.evaluate_every
    flops = training_flops(size, batch, looked_at, n_steps, every)
    n_snapshots = n_steps // training.snapshot_every if training.snapshot_every else 0
    weights = 4 * size.n_parameters
    states = 7 * n * weights  # parameters, two moments, gradient; what is kept: first, best, last
    n_training = cell.budget or FRESH_STEPS * batch
    n_read = task.n_tokens(cell.supervision, cell.length)
    n_held = looked_at + pool.size("test")
    sets = 16 * len(work.data_seeds) * (n_training + n_held) * n_read
    launch = 0.0
    if device_kind(device) == "cpu":
        launch = HEAP_FACTOR * min(n, REPLICATES_AT_ONCE) * size.step_bytes
    n_evaluations = n_steps // every
    evidence = n_evaluations * 4 * (24 + 3 + 3 * 2 * n_read + 6)
    return Cost(
        steps=n_steps,
        flops=flops,
        evaluation_share=1 - n_steps * size.step_flops / flops,
        guessed_seconds=guess_seconds(n_steps, flops, device),
        memory_bytes=int(states + sets + launch + n_snapshots * weights),
        disk_bytes=int(2**15 + weights * (n * (KEPT + 2) + n_snapshots) + evidence),
    )


def evaluation_cost(study: Study, work: EvaluationWork, device: str) -> EvaluationCost:
    """Return what the evaluation of the ends of a block takes, without its time."""
    cell, training = work.cell, study.training
    task, batch = study.tasks[cell.task], batch_size(training.batch_size, cell.budget)
    size, n = _size(study, cell, cell.length), len(work.replicates)
    n_snapshots, n_forward = 0, 0
    if OWN_SETS in work.tests:
        every = training.snapshot_every
        n_snapshots = training.max_steps // every if every else 0
        n_forward = _n_passes(study, cell) * pool_of(study, cell).size("validation")
        n_forward += (1 + n_snapshots) * study.evaluation.n_measured(cell.length)
    flops, longest, n_longer = n_forward * size.forward_flops, cell.length, 0
    for longest in filter(None, sorted(work.tests)):
        n_longer = study.evaluation.test_examples
        passes = n_longer * _n_passes(study, cell)
        flops += passes * _size(study, cell, longest).forward_flops
    n_held = max(pool_of(study, cell).size("validation"), n_longer)
    sets = 16 * len(work.data_seeds) * n_held * task.n_tokens(cell.supervision, longest)
    weights = 4 * size.n_parameters * n * (1 + n_snapshots)
    launch = 0.0
    if device_kind(device) == "cpu":
        longer = _size(study, cell, longest).forward_bytes
        n_read, width = task.n_tokens(cell.supervision, longest), study.models[cell.model].width
        n_sequences, n_replicates = tested_at_once(n_read, width)
        launch = HEAP_FACTOR * min(n, REPLICATES_AT_ONCE) * size.step_bytes
        launch = max(launch, HEAP_FACTOR * min(n, n_replicates) * n_sequences * longer / batch)
    return EvaluationCost(
        flops=n * flops / batch,
        memory_bytes=int(weights + sets + launch),
        disk_bytes=2**14 + n * (48 * cell.length + 24 * longest * len(work.tests)),
    )


def _n_passes(study: Study, cell: Cell) -> int:
    """Return how often sequences go through a network that is evaluated on them.

    Texts and chains of thought are read once more token by token, for what the network itself answers.
    """
    answers = cell.supervision == "chain_of_thought" or not study.tasks[cell.task].extrapolates
    return 2 if answers else 1


def _size(study: Study, cell: Cell, length: int) -> Size:
    """Return the size of the model of a cell that reads a length, by which it is built too."""
    task, training = study.tasks[cell.task], study.training
    n_outputs = task.n_outputs(training.objective)
    batch = batch_size(training.batch_size, cell.budget)
    return model_size(study.models[cell.model], task, n_outputs, cell.supervision, length, batch)


def data_bytes(task: Task, piece: Slice) -> int:
    """Return the size of a store of data of a task; bytes."""
    return 2 * (piece.stop - piece.start) * task.n_positions(piece.length) + 2**12


def evaluation_seconds(cost: EvaluationCost, device: str) -> float:
    """Return the time of an evaluation; a guess."""
    return EVALUATION_SECONDS + cost.flops / FLOPS_PER_SECOND[device_kind(device)]


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
    length: int,
    batch_size: int,
) -> Size:
    """Return the size of a model built for a length, for batches of that length; in symbols."""
    n_positions = task.n_tokens(supervision, length)
    return model.size(
        Shape(
            n_symbols=task.n_token_kinds(supervision),
            n_classes=n_outputs,
            n_positions=n_positions,
            length=n_positions,
            batch_size=batch_size,
        )
    )


def training_flops(
    size: Size, batch_size: int, looked_at: int, n_steps: int, evaluate_every: int
) -> float:
    """Return the operations of one replicate that trains to the last step.

    Every evaluation looks at so many sequences.
    """
    evaluation = looked_at * size.forward_flops / batch_size
    return n_steps * size.step_flops + n_steps / evaluate_every * evaluation


def guess_seconds(n_steps: int, flops: float, device: str) -> float:
    """Return the seconds of a replicate, where nothing was measured."""
    kind = device_kind(device)
    return n_steps * STEP_SECONDS[kind] + flops / FLOPS_PER_SECOND[kind]
