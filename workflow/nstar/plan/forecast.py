"""What a run of a study would do and cost, as numbers and as text; and afterwards, how wrong that was."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from nstar.cells import (
    Cell,
    Slice,
    curves_of,
    data_specification,
    slices_of,
    training_specification,
    value_of,
)
from nstar.cells.paths import STORE_SUFFIX, study_folder
from nstar.errors import ArtifactError
from nstar.files import is_there
from nstar.plan.costs import data_bytes, device_kind, planned_device
from nstar.plan.derived import derived_steps, why_report_is_stale
from nstar.plan.jobs import PlannedJobs
from nstar.plan.missing import Plan
from nstar.plan.states import CellState
from nstar.plan.whole_study import whole_costs
from nstar.plan.work import Work
from nstar.seeds import streams_of
from nstar.store.header import read_header
from nstar.study import Role

STATES = ("cached", "refit", "continue", "replay", "missing", "partial")
"""What a cell may be: nothing to train for the first two, then what has to be made."""

QUANTILES = (0.05, 0.5, 0.95)
"""Of an expected time: the bounds of its 90 % interval, and its middle."""


def forecast(plan: Plan, planned: PlannedJobs) -> dict[str, Any]:
    """Return what is there, what is missing and why, and what that costs.

    Parameters
    ----------
    plan : Plan
    planned : PlannedJobs
        Of the plan.

    Returns
    -------
    dict
        Ready for JSON. Times are lists ``[low, middle, high]`` of seconds, a 90 % interval about the
        median; of ``steps`` and ``flops``, which count on no replicate ending early, the most. Of each
        job, ``requested_minutes`` is what its first attempt asks a scheduler for.
        ``demand`` is what is sought; the values of a curve (``cached``, ``missing``, ...) are along it,
        each in one list of ``training``: ``cached``; ``refit``, trained by another rule; ``replay``,
        weights have to be made again; ``continue``, runs go on from where they ended; ``missing``;
        ``partial``, replicates are missing; ``stale``. Of several the last one that holds. Cells for
        extrapolation stand in entries of their own, with their ``role``; what serves both roles of a cell
        is counted there.
        ``stale_steps`` are the steps whose tables, figures and pages, in ``folder``, a run makes again,
        and why; ``stale_report`` says why the report is not that of these files.
        ``whole_study`` has the fields of `nstar.plan.whole_study.WholeCost`, one entry per strategy.
    """
    states = {(state.role, state.cell): state for state in plan.cells}
    curves = [
        (dict(coordinates), role, found)
        for coordinates, cells in curves_of(plan.study).items()
        for role in get_args(Role)
        if (found := [states[role, cell] for cell in cells if (role, cell) in states])
        or role == "demand"
    ]
    evaluations = {(work.role, work.cell) for work in plan.missing_evaluations}
    cells = {state.cell for state in plan.cells}
    device = planned_device(plan.study)
    return {
        "study": plan.study.name,
        "search": plan.study.search,
        "search_round": plan.n_round,
        "searching": plan.searching,
        "device": device,
        "n_learnt_from": planned.n_experience,
        "most_minutes": plan.study.jobs.most_minutes,
        "demand": plan.study.axis.name if plan.study.axis else None,
        "curves": [
            _curve(plan, planned, coordinates | {"role": role}, of_curve, evaluations)
            for coordinates, role, of_curve in curves
        ],
        "data": _data(plan),
        "whole_study": [vars(cost) for cost in whole_costs(plan.study, device)],
        "totals": {
            "cells": len(cells),
            "cells_missing": len({state.cell for state in plan.cells if state.missing}),
            "replicates_missing": sum(len(work.stretches) for work in planned.costs),
            "evaluations_missing": len(planned.evaluation_costs),
            "data_stores_missing": len(plan.missing_data),
            **_cost(planned, planned.costs),
            "evaluation_share": _evaluation_share(planned),
            "evaluation_s": sum(job.seconds[0] for job in planned.evaluation),
            "data_s": sum(job.seconds[0] for job in planned.generation),
            "disk_bytes": sum(cost.disk_bytes for cost in planned.costs.values())
            + sum(cost.disk_bytes for cost in planned.evaluation_costs.values())
            + sum(data_bytes(plan.study.tasks[piece.task], piece) for piece in plan.missing_data),
            **_old_stores(plan),
            "unit": f"{'core' if device_kind(device) == 'cpu' else 'GPU'}-hours",
        },
        **_derived(plan),
        "jobs": [
            {
                "rule": job.rule,
                "stores": list(job.outputs),
                "seconds": job.seconds[0],
                "requested_minutes": job.requested_minutes(plan.study.jobs.most_minutes),
                "memory_bytes": job.memory_bytes,
            }
            for job in planned.every
        ],
    }


def _curve(
    plan: Plan,
    planned: PlannedJobs,
    coordinates: dict[str, Any],
    states: Sequence[CellState],
    evaluations: set[tuple[Role, Cell]],
) -> dict[str, Any]:
    """Return the state of each stage of the cells of a curve, and the cost of what is missing."""
    training: dict[str, Any] = {name: [] for name in STATES} | {"stale": {}}
    evaluation: dict[str, list[int]] = {"cached": [], "missing": []}
    for state in states:
        value, name = value_of(plan.study, state.cell), _state_name(state)
        why = _why_stale(plan, state.cell) if name == "missing" else None
        if why:
            training["stale"][str(value)] = why
        else:
            training[name].append(value)
        lacks = (state.role, state.cell) in evaluations
        evaluation["missing" if lacks else "cached"].append(value)
    return {
        **coordinates,
        "training": training,
        "evaluation": evaluation,
        "cost": _cost(
            planned,
            [work for state in states for work in state.missing if work.role == state.role],
        ),
    }


def _state_name(state: CellState) -> str:
    """Return which of `STATES` a cell has: the most expensive thing that it lacks."""
    kinds = frozenset[str]().union(*(work.kinds for work in state.missing))
    if "train" in kinds:
        return "partial" if state.finished else "missing"
    for kind in ("replay", "continue"):
        if kind in kinds:
            return kind
    return "refit" if any(reading.refit for reading in state.finished) else "cached"


def _cost(planned: PlannedJobs, works: Iterable[Work]) -> dict[str, Any]:
    works = [work for work in works if work in planned.costs]  # others are made under another name
    costs = [planned.costs[work] for work in works]
    draws = np.sum([planned.seconds[work] for work in works], axis=0) if works else np.zeros(1)
    return {
        "steps": sum(cost.steps for cost in costs),
        "flops": float(sum(cost.flops for cost in costs)),
        "training_s": np.quantile(draws, QUANTILES).tolist(),
        "memory_bytes": max((cost.memory_bytes for cost in costs), default=0),
        "disk_bytes": sum(cost.disk_bytes for cost in costs),
    }


def _evaluation_share(planned: PlannedJobs) -> float:
    """Return the share of the operations of training that its evaluations take."""
    costs = planned.costs.values()
    evaluating = sum(cost.flops * cost.evaluation_share for cost in costs)
    return float(evaluating / max(1.0, sum(cost.flops for cost in costs)))


def _old_stores(plan: Plan) -> dict[str, int]:
    """Return number and size of the stores that nstar 0.1 named: models stood there by their names."""
    old = [
        path.stat().st_size
        for stage in ("cells", "evaluations")
        for folder in (plan.results / stage).glob("model~*")
        if "-" not in folder.name
        for path in folder.rglob(f"*{STORE_SUFFIX}")
    ]
    return {"old_stores": len(old), "old_bytes": sum(old)}


OLD_LAYOUT = (
    *("tables", "figures", "config.json"),
    *("findings.html", "answers.html", "methods.html"),
)
"""What lay in the results folder itself before each study had a folder of its own."""


def _derived(plan: Plan) -> dict[str, Any]:
    """Return which tables, figures and pages have to be made again, and which nobody uses any more."""
    steps = derived_steps(plan)
    return {
        "folder": str(study_folder(plan.results, plan.study.name)),
        "stale_steps": {step.name: step.stale for step in steps.values() if step.stale},
        "stale_report": why_report_is_stale(plan.study, plan.results, steps),
        "unused": [
            str(plan.results / name) for name in OLD_LAYOUT if (plan.results / name).exists()
        ],
    }


def _data(plan: Plan) -> list[dict[str, Any]]:
    """Return how many stores of data of each task and lengths are there, or needed: missing or stale."""
    missing = set(plan.missing_data)
    data_seeds = {streams_of(run).data: None for run in plan.study.replicates.runs}
    counts: dict[tuple[str, str, int], dict[str, int]] = {}
    seen: set[Slice] = set()
    read = {
        replace(state.cell, model="", supervision="aligned"): state.cell for state in plan.cells
    }
    for cell in read.values():  # all models read the same
        for piece in slices_of(plan.study, cell, data_seeds):
            if piece in seen:
                continue
            seen.add(piece)
            key = (piece.task, piece.length_distribution, piece.length)
            row = counts.setdefault(key, {"cached": 0, "missing": 0, "stale": 0})
            if is_there(plan.stores.piece(piece)):
                row["cached"] += 1
            elif piece in missing:
                wanted = data_specification(plan.stores.tasks[piece.task], piece)
                folder = Path(plan.stores.piece(piece)).parent
                why = _changed_recipes(folder.glob(f"*{STORE_SUFFIX}"), wanted)
                row["stale" if why else "missing"] += 1
    names = ("task", "length_distribution", "length")
    return [dict(zip(names, key, strict=True)) | row for key, row in counts.items()]


def _why_stale(plan: Plan, cell: Cell) -> str | None:
    """Return why a cell that was trained has to be trained again, or None if it never was."""
    folder = plan.stores.folder(cell)
    if not folder.exists():
        return None
    stores = folder.glob(f"seeds~*/learning_rates~*/*{STORE_SUFFIX}")
    return _changed_recipes(stores, training_specification(plan.study, cell))


def _changed_recipes(stores: Iterable[Path], wanted: Mapping[str, Any]) -> str | None:
    """Return the recipes that were raised since a store was made from the same options otherwise."""
    for path in stores:
        try:
            made_from = read_header(path)["specification"]
        except ArtifactError:
            continue
        recipes = made_from.get("recipes")
        if isinstance(recipes, dict) and {**made_from, "recipes": wanted["recipes"]} == wanted:
            return ", ".join(_changes(recipes, wanted["recipes"]))
    return None


def _changes(before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[str]:
    for stage in now:
        if before.get(stage) != now[stage]:
            yield f"{stage} recipe {before.get(stage)} -> {now[stage]}"
