"""Specifications: everything that the numbers of a store depend on."""

from collections.abc import Mapping
from typing import Any

from nstar.cells.cell import Cell
from nstar.cells.pools import batch_size, fitted_size, pool_of
from nstar.cells.slices import Slice
from nstar.specification import RECIPES, digest
from nstar.study import Study
from nstar.tasks import Task

NUMERICS, ENGINE, LAUNCH_SIZE = "native", "torch", None
"""How the numbers of a trajectory are computed; each has one value."""


def training_specification(study: Study, cell: Cell) -> dict[str, Any]:
    """Return what the trajectory of a cell depends on: neither which replicates run nor when they end.

    No rule that judges a run is part of it, no name, and nothing that only says which weights are wanted
    or what is measured on them.
    """
    return of_budget(curve_specification(study, cell), cell.budget)


def curve_specification(study: Study, cell: Cell) -> dict[str, Any]:
    """Return what the trajectories of a curve have in common: the specification without the budget.

    Curves with fresh batches and those with training sets differ. Where a budget has a say, the largest
    value stands: `of_budget` makes the specification of a cell of it.
    """
    pool, training = pool_of(study, cell), study.training
    model = study.models[cell.model]
    optimiser = training.optimiser.model_dump(mode="json")
    if model.weight_decay is not None:
        optimiser["weight_decay"] = model.weight_decay
    return {
        "stage": "training",
        "recipes": {stage: RECIPES[stage] for stage in ("data", "training")},
        "task": task_options(study, cell.task),
        "supervision": cell.supervision,
        "length_distribution": cell.length_distribution,
        "length": cell.length,
        "sets": [list(sizes) for sizes in pool.sets],
        "whole": pool.whole,
        "model": model.specification(),
        "optimiser": optimiser,
        "batch_size": training.batch_size,
        "schedule": _schedule(study),
        "objective": training.objective,
        "precision": training.precision,
        "evaluate_every": training.evaluate_every,
        "fitted_examples": training.fitted_examples,
        "numerics": NUMERICS,
        "engine": ENGINE,
        "launch_size": LAUNCH_SIZE,
    }


def of_budget(curve: Mapping[str, Any], budget: int) -> dict[str, Any]:
    """Return the specification of a cell of a curve, see `curve_specification`.

    What is larger than the training set, a batch or the sample on which fitting is measured, is the
    training set.
    """
    return {
        **curve,
        "budget": budget,
        "batch_size": batch_size(curve["batch_size"], budget),
        "fitted_examples": fitted_size(curve["fitted_examples"], budget),
    }


def _schedule(study: Study) -> dict[str, Any]:
    """Return the schedule of the learning rate; a constant one does not know where it ends."""
    schedule = study.training.schedule.model_dump(mode="json")
    if schedule["decay"] != "constant":
        return schedule | {"max_steps": study.training.max_steps}
    del schedule["final_factor"]
    return schedule


def task_options(study: Study, name: str) -> dict[str, Any]:
    """Return the options of a task as specifications hold them.

    A learnt function depends on the trajectory of its source and on what ends it there, for which its
    ``source`` stands; the names of model and task do not. Where streams have seeds of their own, the
    source has the first of initialisation and order, and the data that it labels.
    """
    task = study.tasks[name]
    options = task.model_dump(mode="json")
    if task.source is not None:
        options |= {"model": "source", "task": "source"}
        streams = study.replicates.streams
        first = {}
        if streams is not None:
            first = {"initialisation": streams.initialisation[0], "order": streams.order[0]}
        options["source"] = digest(
            {
                "training": training_specification(study, source_of(task)),
                "rule": study.training.rule.ending(),
                "learning_rate": study.replicates.learning_rates[0],
                **first,
            }
        )
    return options


def source_of(task: Task) -> Cell:
    """Return the cell whose networks are the functions of a task that has a source."""
    source = task.source
    return Cell(source.model, source.task, "outcome", "fixed", source.length, source.budget)


def evaluation_specification(
    training: str,
    options: Mapping[str, Any],
    keep_every: int | None = None,
    reading: int = 1,
) -> dict[str, Any]:
    """Return what an evaluation depends on.

    Parameters
    ----------
    training : str
        Digest of the specification of the trained cell.
    options : mapping
        The block ``evaluation`` of the configuration.
    keep_every : int, optional
        Distance of the snapshots, where these are measured too; steps.
    reading : int
        That of the kind of the model; 1 leaves no trace.
    """
    found = {
        "stage": "evaluation",
        "recipes": {"evaluation": RECIPES["evaluation"]},
        "training": training,
        "evaluation": dict(options),
    }
    if keep_every is not None:
        found["snapshot_every"] = keep_every
    return found if reading == 1 else found | {"reading": reading}


def data_specification(task_options: dict[str, Any], piece: Slice) -> dict[str, Any]:
    """Return what a store of data depends on."""
    return {
        "stage": "data",
        "recipes": {"data": RECIPES["data"]},
        "task": task_options,
        "length_distribution": piece.length_distribution,
        "length": piece.length,
        "sets": [list(sizes) for sizes in piece.sets],
        "whole": piece.whole,
        "seed": piece.seed,
        "split": piece.split,
        "start": piece.start,
        "stop": piece.stop,
    }
