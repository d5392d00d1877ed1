"""Evaluate trained blocks: on validation sets and, where tasks extrapolate, at twice the length."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from nstar.cells import evaluation_specification, held_slice, longer_slice
from nstar.cells.paths import checkpoints_of
from nstar.jobs.generation import task_of_seed
from nstar.jobs.networks import model_of
from nstar.jobs.sequences import read_sets, specified_pool
from nstar.measures.accuracy import decode, score
from nstar.measures.answering import measure_answers
from nstar.models import lengthen
from nstar.progress import Progress
from nstar.seeds import read_seed, streams_of
from nstar.specification import digest
from nstar.store.archive import pairs_of, replicate_coordinates, specification_of, write_store
from nstar.store.evaluations import ends_of, read_ends
from nstar.store.parts import read_parts
from nstar.store.provenance import provenance
from nstar.store.schemas import EVALUATION
from nstar.store.view import view
from nstar.study import FRESH
from nstar.subjects.registry import SUBJECTS
from nstar.subjects.subject import load
from nstar.tasks import Pool
from nstar.training.device import describe_device, memory_errors_named, prepare_device, reduced
from nstar.verdicts import MEASURES, Rule

SPLITS = {"validation": "position", "extrapolation": "extrapolation_position"}
"""What is evaluated on, and the axis of its positions: tokens with a label, counted from 1."""

DECODED = ("decoded_token_accuracy", "decoded_sequence_accuracy")
"""Accuracies of a chain of thought that reads its own answers; of others, those of `MEASURES`."""


def evaluate_cells(job: Mapping[str, Any], results: Path, device_name: str) -> None:
    """Evaluate the last weights of runs, and write a part for each block.

    Parameters
    ----------
    job : mapping
        ``evaluation`` (options), ``rule`` (fields of `nstar.verdicts.Rule`), ``keep_every``, and
        ``blocks``, of each ``called`` (names of model and task), ``replicates`` (those wanted),
        ``trained`` and ``evaluated`` (paths of the parts to read), and ``output``; where the task is a
        learnt function also ``source_sets``, the sets of the pool that its source learnt from.
    results : Path
    device_name : str
        As in the configuration.

    Notes
    -----
    The ends of runs that train just before are not known when the job is planned, so the job judges by
    the rule itself, and evaluates the ends that no part has.

    Checkpoints of the parts are removed: that a block is evaluated means that its training has ended
    well, and that the workflow will not take its stores away again.
    """
    device, rule = prepare_device(device_name), Rule(**job["rule"])
    progress = Progress("cells", len(job["blocks"]))
    for done, fields in enumerate(job["blocks"], start=1):
        pairs = [(read_seed(seed), rate) for seed, rate in fields["replicates"]]
        trained = view(read_parts(fields["trained"], pairs), rule, job["keep_every"])
        trained = _without(trained, read_ends(fields["evaluated"]))
        training = digest(specification_of(trained))
        write_store(
            fields["output"],
            _evaluate(trained, fields, job["evaluation"], results, device),
            EVALUATION,
            evaluation_specification(training, job["evaluation"], job["keep_every"]),
            provenance(device=describe_device(device)),
            summary={"rows": ends_of(trained)},
        )
        for path in fields["trained"]:
            for checkpoint in checkpoints_of(results, path):
                checkpoint.unlink(missing_ok=True)
        progress.update(done)
    progress.finish()


def _without(trained: xr.Dataset, evaluated: Collection[list]) -> xr.Dataset:
    """Return the runs of a view whose ends are not evaluated yet; all where none is left."""
    new = [end not in evaluated for end in ends_of(trained)]
    return trained.isel(replicate=np.flatnonzero(new)) if any(new) else trained


def _evaluate(
    trained: xr.Dataset,
    fields: Mapping[str, Any],
    options: Mapping[str, Any],
    results: Path,
    device: torch.device,
) -> xr.Dataset:
    """Return what the store of an evaluation holds; see `nstar.store.schemas.EVALUATION`."""
    specification, called = specification_of(trained), fields["called"]
    precision, supervision = specification["precision"], specification["supervision"]
    device = prepare_device(device.type, precision)
    pool, model = specified_pool(specification), model_of(specification)
    streams = [streams_of(seed) for seed, _ in pairs_of(trained)]
    seeds = sorted({seed.data for seed in streams})
    rows = np.array([seeds.index(seed.data) for seed in streams])
    coordinates: dict[str, Any] = dict(replicate_coordinates(trained))
    variables = {"step": ("replicate", trained["n_steps"].values)}
    flat = torch.from_numpy(trained["parameters"].values)
    for split, axis in SPLITS.items():
        if split == "extrapolation" and not pool.task.extrapolates:
            continue
        reading, weights = model, flat
        if split == "validation":
            pieces = [held_slice(pool, called["task"], seed, split) for seed in seeds]
        else:
            pieces = [
                longer_slice(pool, called["task"], seed, options["test_examples"]) for seed in seeds
            ]
            n_positions = pool.task.n_tokens(supervision, pieces[0].length)
            reading, weights = lengthen(
                model, flat, n_positions, [seed.initialisation for seed in streams]
            )
        parameters = reading.views(weights.to(device))
        read = read_sets(
            specification, [[piece] for piece in pieces], results, pieces[0].stop, device
        )
        tokens, labels = read.tokens, read.labels
        work = f"evaluating {called['model']} of length {specification['length']}"
        with memory_errors_named(device, work), reduced(precision, device):
            sets = (reading, parameters, tokens, labels, torch.from_numpy(rows).to(device))
            result = score(*sets)
            decoded = (
                part.cpu().numpy() for part in (result.token_accuracy, result.sequence_accuracy)
            )
            if pool.task.is_text:
                answers = measure_answers(pool.task, supervision, *sets)
                decoded = answers.pop("token_accuracy"), answers["exact_accuracy"]
                variables |= {name: ("replicate", values) for name, values in answers.items()}
            elif supervision == "chain_of_thought":
                decoded = (part.cpu().numpy() for part in decode(*sets))
        values = {name: getattr(result, name).cpu().numpy() for name in MEASURES}
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
                seed: task_of_seed(specification["task"], called["task"], seed, results)
                for seed in seeds
            }
            added = load(subject.measure)(
                options[subject.option],
                trained,
                tasks,
                model,
                specification,
                device,
                partial(_training_set, pool, specification["budget"], fields.get("source_sets")),
            )
            dataset = dataset.merge(added)
    return dataset


def _training_set(
    pool: Pool, budget: int, source_sets: list[list[int]] | None, seed: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return symbols and lengths of what taught a network, or its source; None if batches were fresh."""
    if budget != FRESH:
        return pool.training(seed, 0, budget)
    source = pool.task.source
    if source is None:
        return None
    own = Pool(pool.task, "fixed", source.length, tuple(map(tuple, source_sets)))
    return own.training(seed, 0, source.budget)
