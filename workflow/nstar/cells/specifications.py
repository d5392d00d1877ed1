"""Specifications: everything that the numbers of a store depend on."""

from collections.abc import Mapping
from typing import Any

from nstar.cells.cell import Cell
from nstar.cells.pools import pool_of
from nstar.cells.slices import Slice
from nstar.specification import RECIPES, digest
from nstar.study import Study
from nstar.tasks import Task


def training_specification(study: Study, cell: Cell) -> dict[str, Any]:
    """Return what the training of a cell depends on; which replicates run is not part of it."""
    held_out = pool_of(study, cell).held_out
    return {
        "stage": "training",
        "recipes": {stage: RECIPES[stage] for stage in ("data", "training")},
        "task": task_options(study, cell.task),
        "supervision": cell.supervision,
        "length_distribution": cell.length_distribution,
        "length": cell.length,
        "held_out": list(held_out),
        "budget": cell.budget,
        "model": study.models[cell.model].specification(),
        "training": study.training.model_dump(mode="json"),
    }


def task_options(study: Study, name: str) -> dict[str, Any]:
    """Return the options of a task as specifications hold them, with the source of a learnt function."""
    task = study.tasks[name]
    options = task.model_dump(mode="json")
    if task.source is not None:
        options["source"] = digest(training_specification(study, source_of(task)))
    return options


def source_of(task: Task) -> Cell:
    """Return the cell whose networks are the functions of a task that has a source."""
    source = task.source
    return Cell(source.model, source.task, "outcome", "fixed", source.length, source.budget)


def evaluation_specification(training: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an evaluation depends on.

    Parameters
    ----------
    training : str
        Digest of the specification of the trained cell.
    options : mapping
        The block ``evaluation`` of the configuration.
    """
    return {
        "stage": "evaluation",
        "recipes": {"evaluation": RECIPES["evaluation"]},
        "training": training,
        "evaluation": dict(options),
    }


def data_specification(task_options: dict[str, Any], piece: Slice) -> dict[str, Any]:
    """Return what a store of data depends on."""
    return {
        "stage": "data",
        "recipes": {"data": RECIPES["data"]},
        "task": task_options,
        "length_distribution": piece.length_distribution,
        "length": piece.length,
        "held_out": list(piece.held_out),
        "seed": piece.seed,
        "split": piece.split,
        "start": piece.start,
        "stop": piece.stop,
    }
