"""What missing cells will cost: steps, operations, time, memory and disk, from formulas and experience.

The operations of a cell are counted by formulas (`nstar.model_sizes`). How long they take is learnt
from the wall times in finished stores of the same models and device; without any, it is a guess over
a wide range, and said to be one.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from nstar.config import FunctionMeasures, Study
from nstar.errors import ArtifactError
from nstar.grid import Block, Slice, batch_size, pool_of, tested_length
from nstar.header import read_header
from nstar.model_options import ModelOptions
from nstar.model_sizes import Shape, Size
from nstar.paths import STORE_SUFFIX, decode, encode
from nstar.seeds import numpy_generator
from nstar.specification import canonical_json
from nstar.tasks import Supervision, Task, build_task
from nstar.tasks.supervision import n_token_kinds, n_tokens

STEP_SECONDS = {"cpu": 2e-4, "gpu": 1e-4}
FLOPS_PER_SECOND = {"cpu": 1e10, "gpu": 1e12}
"""Guess of the time of a step of a replicate where none was measured: what it takes beside its
operations, and how fast these are on one core (docs/benchmarks.md) or one GPU (never measured)."""

GUESS_SD, MODEL_SD, SLOPE_SD, NOISE_SD = 1.3, 0.7, 0.4, 0.5
"""Standard deviations of the logarithm of true over guessed seconds, before any cell was seen: of all
cells of a device; between models; of its slopes in log length and log budget; from cell to cell."""

NOISE_COUNT = 4
"""Cells that the guess of the scatter from cell to cell is worth."""

FRESH_STEPS = 16
"""Steps whose fresh batches are in memory together."""

EVALUATION_SECONDS, SEQUENCES_PER_SECOND = 0.1, 1e5
"""Guesses that are not learnt: what an evaluation takes beside its operations, and the data rate."""

START_SECONDS = 4.0
"""From the start of a job to its first step: Python, torch, the trial of launches."""

N_DRAWS = 200
LARGEST_SAMPLE = 150
"""Stores of a model whose wall times are read."""

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
    size = _size(model, task, n_outputs, cell.supervision, cell.length, cell.length, batch)
    held_out, n_test = pool_of(study, cell).n_validation, study.evaluation.test_examples
    tested = tested_length(task, cell.length)
    longer = _size(model, task, n_outputs, cell.supervision, cell.length, tested, batch)
    n_forward, n_longer = held_out, n_test
    if not task.extrapolates:
        n_forward, n_longer = 2 * held_out, 0  # read twice: at once, and token by token
    elif cell.supervision == "chain_of_thought":  # decoded too: a pass for every state
        n_forward, n_longer = held_out * (1 + cell.length), n_test * (1 + tested)
    n_snapshots = training.max_steps // training.snapshot_every if training.snapshot_every else 0
    n_forward += (1 + n_snapshots) * _n_measured(study.evaluation.function, cell.length)
    test_flops = (n_forward * size.forward_flops + n_longer * longer.forward_flops) / batch
    n_curves = 6 * -(-training.max_steps // training.evaluate_every)
    weights = 4 * size.n_parameters
    states = 5 * n * weights  # parameters, final ones, two moments, gradient
    n_training = cell.budget or FRESH_STEPS * batch
    n_read = n_tokens(cell.supervision, task, cell.length)
    sets = 16 * len(block.seeds) * (n_training + held_out) * n_read
    launch = 0.0
    if device_kind(device) == "cpu":
        launch = HEAP_FACTOR * min(n, REPLICATES_AT_ONCE) * size.step_bytes
    flops = _training_flops(size, batch, held_out, vars(training))
    return Cost(
        steps=n * training.max_steps,
        flops=n * flops,
        guessed_seconds=n * _guess(training.max_steps, flops, device),
        evaluation_flops=n * test_flops,
        memory_bytes=int(states + sets + launch + n * n_snapshots * weights),
        disk_bytes=2**15 + n * (weights * (1 + n_snapshots) + 4 * n_curves + 48 * cell.length),
    )


def _n_measured(function: FunctionMeasures | None, length: int) -> int:
    """Return how many inputs go through a network that is measured as a function."""
    if function is None:
        return 0
    n_steps = function.draws * len((*function.gaussian, *function.sphere, *function.relative))
    exact = length <= function.exact_bits
    return (1 + n_steps) * 2**length if exact else (2 + length + 2 * n_steps) * function.inputs


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
def _size(
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
            n_symbols=n_token_kinds(supervision, task),
            n_classes=n_outputs,
            n_positions=n_tokens(supervision, task, tested_length(task, trained_length)),
            length=n_tokens(supervision, task, length),
            batch_size=batch_size,
        )
    )


def _training_flops(
    size: Size, batch_size: int, held_out: int, training: Mapping[str, Any]
) -> float:
    """Return the operations of one replicate that trains to the last step."""
    n_evaluations = -(-training["max_steps"] // training["evaluate_every"])
    validation = n_evaluations * held_out * size.forward_flops / batch_size
    return training["max_steps"] * size.step_flops + validation


def _guess(n_steps: int, flops: float, device: str) -> float:
    """Return the seconds of a replicate, where nothing was measured."""
    kind = device_kind(device)
    return n_steps * STEP_SECONDS[kind] + flops / FLOPS_PER_SECOND[kind]


@dataclass(frozen=True)
class Experience:
    """How long a replicate of a finished block took, and the guess if it had not ended early."""

    model: str
    length: int
    budget: int
    guessed_seconds: float
    seconds: float


def read_experience(study: Study, results: Path, device: str) -> list[Experience]:
    """Return what the stores of the models of a study, under their names, say of their wall time.

    Of each model a sample is read, the same for the same files. Stores of another device, and
    damaged ones, are passed over. A store counts whatever its options of training were.
    """
    found = []
    for name in study.models:
        for path in _sample(results / "cells" / encode({"model": name})):
            try:
                header = read_header(path)
            except ArtifactError:
                continue  # whoever needs this store says so
            made_on = header["provenance"].get("device")
            if made_on == device or (device == "gpu" and made_on != "cpu"):
                coordinates = decode(path.relative_to(results))
                n = len(coordinates["seeds"]) * len(coordinates["learning_rates"])
                found.append(_experience(header, n, device))
    return found


def _sample(folder: Path) -> list[Path]:
    """Return some stores of a model, spread evenly over its curves and their budgets."""
    curves = sorted(folder.glob("task~*/supervision~*/length_distribution~*/length~*"))
    chosen = []
    for curve in _spread(curves, LARGEST_SAMPLE):
        cells = sorted(curve.glob("budget~*"), key=lambda path: int(path.name.split("~")[1]))
        share = max(1, LARGEST_SAMPLE // max(1, len(curves)))
        for cell in _spread(cells, share):
            chosen += sorted(cell.glob(f"seeds~*/learning_rates~*/*{STORE_SUFFIX}"))[:2]
    return chosen


def _spread(entries: Sequence[Any], most: int) -> Sequence[Any]:
    """Return at most so many entries, evenly spread over all."""
    if len(entries) <= most:
        return entries
    return [entries[i] for i in np.linspace(0, len(entries) - 1, most).round().astype(int)]


def _experience(header: Mapping[str, Any], n_replicates: int, device: str) -> Experience:
    specification = header["specification"]
    length, budget = specification["length"], specification["budget"]
    training, held_out = specification["training"], sum(specification["held_out"])
    batch = batch_size(training["batch_size"], budget)
    model = _parse_model(canonical_json(specification["model"]))
    task = build_task(specification["task"])
    n_outputs = task.n_outputs(training.get("objective"))
    size = _size(model, task, n_outputs, specification["supervision"], length, length, batch)
    flops = _training_flops(size, batch, held_out, training)
    return Experience(
        model=canonical_json(specification["model"]),
        length=length,
        budget=budget,
        guessed_seconds=_guess(training["max_steps"], flops, device),
        seconds=header["provenance"]["wall_time_s"] / n_replicates,
    )


@cache
def _parse_model(options: str) -> Any:
    return TypeAdapter(ModelOptions).validate_json(options)


class TrainingTime:
    """How long training takes, learnt from experience.

    Parameters
    ----------
    models : sequence of str
        Canonical JSON of the options of the models asked about.
    experience : sequence of Experience
        Of these models or others, on one device.

    Notes
    -----
    The logarithm of true over guessed seconds is a sum: a term for the device, one per model, its slopes
    in log length and log budget, and a scatter from cell to cell, all normal. Given the cells seen, the
    sum is normal again, and `draw` draws from it (Bayesian linear regression with the priors above). That
    replicates end early is a part of what is learnt.
    """

    def __init__(self, models: Sequence[str], experience: Sequence[Experience]):
        names = dict.fromkeys([*models, *(e.model for e in experience)])
        self.names = {name: i for i, name in enumerate(names)}
        n = len(self.names)
        spread = np.concatenate([[GUESS_SD], np.full(n, MODEL_SD), np.full(2 * n, SLOPE_SD)])
        prior = np.diag(spread**-2)
        rows = self._features(
            [e.model for e in experience],
            [e.length for e in experience],
            [e.budget for e in experience],
        )
        logs = np.array([np.log(max(e.seconds, 1e-3) / e.guessed_seconds) for e in experience])
        self.noise = NOISE_SD
        for _ in range(3):  # the scatter and the coefficients, in turn
            precision = prior + rows.T @ rows / self.noise**2
            self.mean = np.linalg.solve(precision, rows.T @ logs / self.noise**2)
            residuals = logs - rows @ self.mean
            squares = NOISE_COUNT * NOISE_SD**2 + residuals @ residuals
            self.noise = float(np.sqrt(squares / (NOISE_COUNT + len(logs))))
        self.factor = np.linalg.cholesky(np.linalg.inv(precision))

    def draw(
        self,
        models: Sequence[str],
        lengths: Sequence[int],
        budgets: Sequence[int],
        guessed_seconds: Sequence[float],
    ) -> np.ndarray:
        """Return seconds of some blocks, `N_DRAWS` likely values of each; shape (n, N_DRAWS).

        A row of draws is one possible truth about the device, so that sums over blocks are draws too.
        """
        generator = numpy_generator("costs")
        noise = self.noise * generator.standard_normal((len(models), N_DRAWS))
        deviations = self.factor @ generator.standard_normal((len(self.mean), N_DRAWS))
        factors = self._features(models, lengths, budgets) @ (self.mean[:, None] + deviations)
        return np.exp(factors + noise) * np.asarray(guessed_seconds, dtype=np.float64)[:, None]

    def _features(
        self, models: Sequence[str], lengths: Sequence[int], budgets: Sequence[int]
    ) -> np.ndarray:
        """Return the terms of the sum, one row per block."""
        n, rows = len(self.names), np.arange(len(models))
        column = np.array([self.names[model] for model in models], dtype=int)
        features = np.zeros((len(rows), 1 + 3 * n))
        features[:, 0] = 1
        features[rows, 1 + column] = 1
        features[rows, 1 + n + column] = np.log(np.asarray(lengths, dtype=np.float64) / 16)
        features[rows, 1 + 2 * n + column] = np.log(np.maximum(budgets, 1) / 64)
        return features
