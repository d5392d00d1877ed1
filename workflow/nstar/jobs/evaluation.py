"""Evaluate trained blocks: on validation sets and, where tasks extrapolate, at twice the length."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from nstar.cells import Block, Cell, evaluation_specification, test_slice, validation_slice
from nstar.cells.paths import checkpoints_of, store_path
from nstar.jobs.generation import task_of_seed
from nstar.jobs.networks import model_of
from nstar.jobs.training import pool_of, read_sets
from nstar.measures.accuracy import decode, score
from nstar.measures.answering import measure_answers
from nstar.progress import Progress
from nstar.specification import digest
from nstar.store.archive import check_replicates, read_store, specification_of, write_store
from nstar.store.provenance import provenance
from nstar.store.schemas import CELL, EVALUATION
from nstar.study import SUCCESS_MEASURES
from nstar.subjects.registry import SUBJECTS
from nstar.subjects.subject import load
from nstar.training.device import describe_device, memory_errors_named, prepare_device, reduced

SPLITS = {"validation": "position", "extrapolation": "extrapolation_position"}
"""What is evaluated on, and the axis of its positions: tokens with a label, counted from 1."""

DECODED = ("decoded_token_accuracy", "decoded_sequence_accuracy")
"""Accuracies of a chain of thought that reads its own answers; of others, those of `SUCCESS_MEASURES`."""


def evaluate_cells(job: Mapping[str, Any], results: Path, device_name: str) -> None:
    """Evaluate blocks, and write a store for each.

    Parameters
    ----------
    job : mapping
        ``evaluation`` (options) and ``blocks`` (the coordinates of a cell, seeds, learning_rates, and
        ``training``, the digest of the trained cell).
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
        block = Block(Cell.of(fields), tuple(fields["seeds"]), tuple(fields["learning_rates"]))
        specification = evaluation_specification(fields["training"], job["evaluation"])
        path = store_path(results, "cells", block.coordinates, fields["training"])
        trained = read_store(path, CELL)
        check_replicates(path, trained, block)
        write_store(
            store_path(results, "evaluations", block.coordinates, digest(specification)),
            _evaluate_block(block, trained, job["evaluation"], results, device),
            EVALUATION,
            specification,
            provenance(device=describe_device(device)),
        )
        for checkpoint in checkpoints_of(results, path):
            checkpoint.unlink(missing_ok=True)
        progress.update(done)
    progress.finish()


def _evaluate_block(
    block: Block,
    trained: xr.Dataset,
    options: Mapping[str, Any],
    results: Path,
    device: torch.device,
) -> xr.Dataset:
    """Return what the store of an evaluation holds; see `nstar.store.schemas.EVALUATION`."""
    n_test = options["test_examples"]
    specification, cell = specification_of(trained), block.cell
    precision = specification["training"]["precision"]
    device = prepare_device(device.type, precision)
    pool, model = pool_of(specification), model_of(specification)
    parameters = model.views(torch.from_numpy(trained["parameters"].values).to(device))
    rows = np.array([block.seeds.index(seed) for seed in trained["seed"].values])
    coordinates = {name: ("replicate", trained[name].values) for name in ("seed", "learning_rate")}
    variables = {}
    for split, axis in SPLITS.items():
        if split == "extrapolation" and not pool.task.extrapolates:
            continue
        pieces = [
            validation_slice(pool, cell.task, seed)
            if split == "validation"
            else test_slice(pool, cell.task, seed, n_test)
            for seed in block.seeds
        ]
        tokens, labels = read_sets(
            specification, [[piece] for piece in pieces], results, pieces[0].stop, device
        )
        work = f"evaluating {cell.model} of length {cell.length}"
        with memory_errors_named(device, work), reduced(precision, device):
            sets = (model, parameters, tokens, labels, torch.from_numpy(rows).to(device))
            result = score(*sets)
            decoded = (
                part.cpu().numpy() for part in (result.token_accuracy, result.sequence_accuracy)
            )
            if pool.task.is_text:
                answers = measure_answers(pool.task, cell.supervision, *sets)
                decoded = answers.pop("token_accuracy"), answers["exact_accuracy"]
                variables |= {name: ("replicate", values) for name, values in answers.items()}
            elif cell.supervision == "chain_of_thought":
                decoded = (part.cpu().numpy() for part in decode(*sets))
        values = {name: getattr(result, name).cpu().numpy() for name in SUCCESS_MEASURES}
        values |= dict(zip(DECODED, decoded, strict=True))
        for name, value in values.items():
            variables[f"{split}_{name}"] = ("replicate", value)
        for name in ("position_loss", "position_accuracy"):
            value = getattr(result, name).cpu().numpy()
            variables[f"{split}_{name}"] = (("replicate", axis), value)
        n_read = tokens.shape[2]
        coordinates[axis] = np.arange(n_read - labels.shape[2], n_read) + 1
    dataset = xr.Dataset(variables, coords=coordinates)
    for subject in SUBJECTS:
        if subject.option in options:
            tasks = {
                seed: task_of_seed(specification["task"], cell.task, seed, results)
                for seed in block.seeds
            }
            added = load(subject.measure)(
                options[subject.option], trained, tasks, model, specification, device
            )
            dataset = dataset.merge(added)
    return dataset
