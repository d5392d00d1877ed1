"""Evaluate trained blocks: on their validation sets, and on sequences of twice the length."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from nstar.artifacts import (
    CELL,
    EVALUATION,
    check_replicates,
    provenance,
    read_store,
    specification_of,
    write_store,
)
from nstar.grid import (
    TEST_LENGTH_FACTOR,
    Block,
    Cell,
    evaluation_specification,
    extrapolation_slice,
    stream_slices,
)
from nstar.jobs.training import model_of, read_sets
from nstar.measures.accuracy import score
from nstar.paths import checkpoints_of, store_path
from nstar.progress import Progress
from nstar.specification import digest
from nstar.tasks import build_task
from nstar.training.device import (
    describe_device,
    memory_errors_named,
    prepare_device,
    reduced,
)

SPLITS = {"validation": "position", "extrapolation": "extrapolation_position"}
"""What is evaluated on, and the axis of its positions."""


def evaluate_cells(job: Mapping[str, Any], results: Path, device_name: str) -> None:
    """Evaluate blocks, and write a store for each.

    Parameters
    ----------
    job : mapping
        ``evaluation`` (options) and ``blocks`` (model, task, length, budget, seeds, learning_rates,
        and ``training``, the digest of the trained cell).
    results : Path
    device_name : str
        As in the configuration.

    Notes
    -----
    Checkpoints of the blocks are removed: that a block is evaluated means that its training has ended
    well, and that the workflow will not take its store away again.
    """
    device = prepare_device(device_name)
    progress = Progress("cells", len(job["blocks"]))
    for done, fields in enumerate(job["blocks"], start=1):
        cell = Cell(*(fields[name] for name in ("model", "task", "length", "budget")))
        block = Block(cell, tuple(fields["seeds"]), tuple(fields["learning_rates"]))
        specification = evaluation_specification(fields["training"], job["evaluation"])
        path = store_path(results, "cells", block.coordinates, fields["training"])
        trained = read_store(path, CELL)
        check_replicates(path, trained, block)
        write_store(
            store_path(results, "evaluations", block.coordinates, digest(specification)),
            _evaluate_block(block, trained, job["evaluation"]["test_examples"], results, device),
            EVALUATION,
            specification,
            provenance(device=describe_device(device)),
        )
        for checkpoint in checkpoints_of(results, path):
            checkpoint.unlink(missing_ok=True)
        progress.update(done)
    progress.finish()


def _evaluate_block(
    block: Block, trained: xr.Dataset, n_test: int, results: Path, device: torch.device
) -> xr.Dataset:
    """Return what the store of an evaluation holds; see `nstar.artifacts.EVALUATION`."""
    specification = specification_of(trained)
    precision = specification["training"]["precision"]
    device = prepare_device(device.type, precision)
    task = build_task(specification["task"])
    longer = TEST_LENGTH_FACTOR * block.cell.length
    model = model_of(specification)
    parameters = model.views(torch.from_numpy(trained["parameters"].values).to(device))
    rows = np.array([block.seeds.index(seed) for seed in trained["seed"].values])
    variables = {}
    for split, axis in SPLITS.items():
        pieces = [
            next(stream_slices(task, block.cell, seed, specification["n_validation"]))
            if split == "validation"
            else extrapolation_slice(task, block.cell, seed, n_test)
            for seed in block.seeds
        ]
        tokens, labels = read_sets(
            specification["task"], [[piece] for piece in pieces], results, pieces[0].stop, device
        )
        work = f"evaluating {block.cell.model} of length {block.cell.length}"
        with memory_errors_named(device, work), reduced(precision, device):
            result = score(model, parameters, tokens, labels, torch.from_numpy(rows).to(device))
        for name in ("loss", "token_accuracy", "sequence_accuracy"):
            variables[f"{split}_{name}"] = ("replicate", getattr(result, name).cpu().numpy())
        for name in ("position_loss", "position_accuracy"):
            values = getattr(result, name).cpu().numpy()
            variables[f"{split}_{name}"] = (("replicate", axis), values)
    coordinates = {
        "seed": ("replicate", trained["seed"].values),
        "learning_rate": ("replicate", trained["learning_rate"].values),
        "position": np.arange(1, block.cell.length + 1),
        "extrapolation_position": np.arange(1, longer + 1),
    }
    return xr.Dataset(variables, coords=coordinates)
