"""Jobs that make what a study is short of: missing parts of stores, gathered.

A process pays seconds before it trains or evaluates anything, and a cluster's scheduler minutes, so
stores share jobs; a curve that takes days is shared out to several. What a job makes stands in a file
named by its content, which a job on another machine reads without reading the study again.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nstar.cells import (
    Block,
    Cell,
    curve_specification,
    pool_of,
    source_of,
    table_slice,
)
from nstar.cells.paths import segment
from nstar.plan.costs import (
    BASE_BYTES,
    START_SECONDS,
    Cost,
    EvaluationCost,
    data_seconds,
    device_kind,
    evaluation_cost,
    evaluation_seconds,
    planned_device,
    training_cost,
)
from nstar.plan.experience import Experience, TrainingTime, read_experience
from nstar.plan.job_files import job_name, job_path, read_job_file, save_job
from nstar.plan.missing import Plan
from nstar.plan.states import network_of
from nstar.plan.work import EvaluationWork, Work
from nstar.study import FRESH

MOST_STORES = 200
"""Stores of a job at most: the workflow system compares every file with every output of its job."""


@dataclass(frozen=True)
class Job:
    """The stores that one job makes.

    Attributes
    ----------
    rule : str
        Name of its rule: what is done, to what, and the digest of `work`.
    work : dict
        What to make, for the script.
    inputs, outputs : tuple of str
        Paths.
    seconds : tuple of float
        Expected time, and what it stays below with 95 %.
    memory_bytes : int
        Expected.
    """

    rule: str
    work: dict[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    seconds: tuple[float, float]
    memory_bytes: int

    def requested_minutes(self, most: int, attempt: int = 1) -> int:
        """Return the time that a scheduler is asked for: at most `most`; minutes.

        It is what the job stays below with 95 %, and ten minutes, times the number of the attempt.
        """
        return math.ceil(min((self.seconds[1] / 60 + 10) * attempt, most))

    @property
    def requested_megabytes(self) -> int:
        """The memory that a scheduler is asked for, the same for every attempt; MiB."""
        return math.ceil(self.memory_bytes / 2**20)

    def path(self, results: Path | str) -> Path:
        """Return the path of the file that holds the job."""
        return job_path(results, self.rule)

    def save(self, results: Path | str) -> None:
        """Write the file, unless it is there."""
        save_job(results, self.rule, vars(self))


def read_job(results: Path | str, rule: str) -> Job:
    """Return the job of a rule, as it was saved by the run that started its job.

    Raises
    ------
    ArtifactError
        If its file is missing, or was altered.
    """
    fields = read_job_file(job_path(results, rule))
    for name in ("inputs", "outputs", "seconds"):
        fields[name] = tuple(fields[name])
    return Job(**fields)


@dataclass(frozen=True)
class PlannedJobs:
    """The jobs of a plan; see `plan_jobs`.

    Attributes
    ----------
    generation, training, evaluation : tuple of Job
    costs : dict of Work to Cost
        Of the parts to be trained, those that are the same under two names once.
    evaluation_costs : dict of EvaluationWork to EvaluationCost
    seconds : dict of Work to ndarray (n_draws,)
        Draws of the training time of each part.
    n_experience : int
        Finished stores that the times were learnt from.
    """

    generation: tuple[Job, ...]
    training: tuple[Job, ...]
    evaluation: tuple[Job, ...]
    costs: dict[Work, Cost]
    evaluation_costs: dict[EvaluationWork, EvaluationCost]
    seconds: dict[Work, np.ndarray]
    n_experience: int

    @property
    def every(self) -> tuple[Job, ...]:
        """All jobs, in the order of their stages."""
        return (*self.generation, *self.training, *self.evaluation)


def plan_jobs(plan: Plan) -> PlannedJobs:
    """Gather what is missing into jobs, and say what each will take.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    PlannedJobs

    Notes
    -----
    Stores that belong together (training: of a curve; evaluation: of a model and task; data: of a task)
    share a job unless it would be longer than ``jobs.longest_minutes``; neighbours that are shorter
    together than ``jobs.shortest_minutes`` share one. Times are those expected. Two names of the same
    model or task have the same stores, which are made once.
    """
    study, stores = plan.study, plan.stores
    device = planned_device(study)
    missing = _once(plan.missing, stores.cell)
    unevaluated = _once(plan.missing_evaluations, stores.evaluation)
    costs = {work: training_cost(study, work, device) for work in missing}
    evaluation_costs = {work: evaluation_cost(study, work, device) for work in unevaluated}
    experience = read_experience(study, plan.results, device) if missing else []
    draws = _draw_seconds(plan, costs, experience)
    return PlannedJobs(
        generation=tuple(_generation(plan)),
        training=tuple(_training(plan, costs, draws, device)),
        evaluation=tuple(_evaluation(plan, evaluation_costs, device)),
        costs=costs,
        evaluation_costs=evaluation_costs,
        seconds=draws,
        n_experience=len(experience),
    )


def _once(works: Iterable[Any], path_of: Callable[[Block, int], str]) -> list[Any]:
    """Return one work for each path: several names may have the same, and two roles.

    It is that of all steps, if there is one, and the first of its kind.
    """
    found: dict[str, Any] = {}
    for work in works:
        path = path_of(work.block, work.part)
        known = found.setdefault(path, work)
        if known.role == "demand" and work.role == "extrapolation":
            found[path] = work
    return list(found.values())


def _draw_seconds(
    plan: Plan, costs: dict[Work, Cost], experience: Sequence[Experience]
) -> dict[Work, np.ndarray]:
    names = {name: segment(model.specification()) for name, model in plan.study.models.items()}
    time = TrainingTime(list(names.values()), experience)
    draws = time.draw(
        [names[work.cell.model] for work in costs],
        [work.cell.length for work in costs],
        [work.cell.budget for work in costs],
        [cost.guessed_seconds for cost in costs.values()],
    )
    return dict(zip(costs, draws, strict=True))


@dataclass(frozen=True)
class _Unit:
    """What a job makes at least: one store, what it belongs to, and its expected time."""

    thing: Any
    key: tuple[str | int, ...]
    seconds: float


def _gather(plan: Plan, units: Iterable[_Unit]) -> Iterable[list[_Unit]]:
    """Yield the units of each job, in their order; see the notes of `plan_jobs`."""
    shortest, longest = (
        60 * minutes
        for minutes in (plan.study.jobs.shortest_minutes, plan.study.jobs.longest_minutes)
    )
    parts: list[list[_Unit]] = []
    for unit in units:
        last = parts[-1] if parts else []
        belongs = bool(last) and last[-1].key == unit.key
        if belongs and len(last) < MOST_STORES and _seconds(last) + unit.seconds <= longest:
            last.append(unit)
        else:
            parts.append([unit])
    jobs: list[list[_Unit]] = []
    for part in parts:
        short = bool(jobs) and _seconds(jobs[-1]) < shortest
        if short and len(jobs[-1]) + len(part) <= MOST_STORES:
            jobs[-1].extend(part)
        else:
            jobs.append(part)
    if len(jobs) > 1 and _seconds(jobs[-1]) < shortest:
        if len(jobs[-2]) + len(jobs[-1]) <= MOST_STORES:
            jobs[-2].extend(jobs.pop())
    return jobs


def _gather_in_stages(plan: Plan, units: Sequence[_Unit]) -> Iterable[list[_Unit]]:
    """Yield the units of each job; networks that learn what others learnt are in jobs of their own."""
    for learnt in (False, True):
        yield from _gather(
            plan,
            [
                unit
                for unit in units
                if (plan.study.tasks[unit.thing.cell.task].source is not None) == learnt
            ],
        )


def _seconds(units: Sequence[_Unit]) -> float:
    return START_SECONDS + sum(unit.seconds for unit in units)


def _rule_name(verb: str, units: Sequence[_Unit], job: dict[str, Any]) -> str:
    """Return ``train_cells-lstm-parity-8-and-2-more-0123456789ab``."""
    keys = list(dict.fromkeys(unit.key for unit in units))
    more = [f"and-{len(keys) - 1}-more"] if len(keys) > 1 else []
    return job_name("-".join([verb, *map(str, keys[0]), *more]), job)


def _generation(plan: Plan) -> Iterable[Job]:
    """Yield the jobs that make missing data: first what needs no network, then tables, then the rest."""
    tasks = plan.study.tasks
    stages: dict[int, list[_Unit]] = {0: [], 1: [], 2: []}
    for piece in plan.missing_data:
        learnt = tasks[piece.task].source is not None
        stage = 0 if not learnt else 1 if piece.split == "table" else 2
        stages[stage].append(_Unit(piece, (piece.task,), data_seconds(piece)))
    for stage, units in stages.items():
        units.sort(key=lambda unit: unit.key)
        for chosen in _gather(plan, units):
            yield _generation_job(plan, stage, chosen)


def _generation_job(plan: Plan, stage: int, chosen: Sequence[_Unit]) -> Job:
    """Return the job that makes some data: of stage 1 from networks, of stage 2 from their tables."""
    stores, tasks = plan.stores, plan.study.tasks
    pieces = [unit.thing for unit in chosen]
    job = {
        "tasks": {piece.task: stores.tasks[piece.task] for piece in pieces},
        "slices": [vars(piece) | {"sets": list(map(list, piece.sets))} for piece in pieces],
    }
    inputs: dict[str, None] = {}
    if stage == 1:
        cells = [(source_of(tasks[piece.task]), piece.seed) for piece in pieces]
        job["sources"] = [network_of(stores, *cell) for cell in cells]
        inputs = dict.fromkeys(path for source in job["sources"] for path in source["stores"])
    if stage == 2:
        tables = (table_slice(tasks[piece.task], piece.task, piece.seed) for piece in pieces)
        inputs = dict.fromkeys(map(stores.piece, tables))
    return Job(
        rule=_rule_name("generate_data", chosen, job),
        work=job,
        inputs=tuple(inputs),
        outputs=tuple(map(stores.piece, pieces)),
        seconds=(_seconds(chosen), 3 * _seconds(chosen)),
        memory_bytes=BASE_BYTES["cpu"]
        + 64 * max(p.stop * tasks[p.task].n_positions(p.length) for p in pieces),
    )


def _training(
    plan: Plan, costs: dict[Work, Cost], draws: dict[Work, np.ndarray], device: str
) -> Iterable[Job]:
    """Yield the jobs that train missing parts."""
    stores = plan.stores
    units = [
        _Unit(work, _pack_key(work), float(np.median(seconds))) for work, seconds in draws.items()
    ]
    for chosen in _gather_in_stages(plan, units):
        works = [unit.thing for unit in chosen]
        curves: dict[tuple, list[Work]] = {}
        for unit in chosen:
            curves.setdefault(unit.key, []).append(unit.thing)
        job = {"curves": [_curve_job(plan, part) for part in curves.values()]}
        total = sum(draws[work] for work in works) + START_SECONDS
        together = max(sum(costs[work].memory_bytes for work in part) for part in curves.values())
        before = [stores.cell(work.block, part) for work in works for part in range(work.part)]
        yield Job(
            rule=_rule_name("train_cells", chosen, job),
            work=job,
            inputs=(*before, *stores.data(works)),
            outputs=tuple(stores.cell(work.block, work.part) for work in works),
            seconds=tuple(float(np.quantile(total, share)) for share in (0.5, 0.95)),
            memory_bytes=BASE_BYTES[device_kind(device)] + together,
        )


def _pack_key(work: Work) -> tuple[str | int, ...]:
    """Return what parts share that are trained together: curve, role, and whether there are sets."""
    key = (*work.cell.curve, "fresh") if work.cell.budget == FRESH else work.cell.curve
    return key if work.role == "demand" else (*key, work.role)


def _curve_job(plan: Plan, works: Sequence[Work]) -> dict[str, Any]:
    """Return what the training of parts of one curve, of one role, is told."""
    study, cell, rules = plan.study, works[0].cell, plan.stores.rules
    role = works[0].role
    told = {
        "called": _called(plan, cell),
        "specification": curve_specification(study, cell),
        "rule": rules[role].as_dict(),
        "keep_every": study.training.snapshot_every,
        "blocks": [work.as_dict() for work in works],
    }
    return told if role == "demand" else told | {"keep_end_of": rules["demand"].as_dict()}


def _evaluation(
    plan: Plan, costs: dict[EvaluationWork, EvaluationCost], device: str
) -> Iterable[Job]:
    """Yield the jobs that make missing evaluations."""
    stores = plan.stores
    units = [
        _Unit(work, (work.cell.model, work.cell.task), evaluation_seconds(cost, device))
        for work, cost in costs.items()
    ]
    for chosen in _gather_in_stages(plan, units):
        works = [unit.thing for unit in chosen]
        job = {
            "evaluation": stores.evaluation_options,
            "rule": stores.rules["demand"].as_dict(),
            "keep_every": stores.measured_every,
            "blocks": [_block_job(plan, work) for work in works],
        }
        read = [path for block in job["blocks"] for path in block["trained"] + block["evaluated"]]
        yield Job(
            rule=_rule_name("evaluate_cells", chosen, job),
            work=job,
            inputs=(*read, *stores.data(works)),
            outputs=tuple(stores.evaluation(work.block, work.part) for work in works),
            seconds=(_seconds(chosen), 3 * _seconds(chosen)),
            memory_bytes=BASE_BYTES[device_kind(device)]
            + max(costs[work].memory_bytes for work in works),
        )


def _block_job(plan: Plan, work: EvaluationWork) -> dict[str, Any]:
    """Return what the evaluation of the ends of a block is told."""
    stores, block = plan.stores, work.block
    source = plan.study.tasks[work.cell.task].source
    learnt_from = {}
    if source is not None:
        pool = pool_of(plan.study, source_of(plan.study.tasks[work.cell.task]))
        learnt_from["source_sets"] = [list(sizes) for sizes in pool.sets]
    own_rule = {} if work.role == "demand" else {"rule": stores.rules[work.role].as_dict()}
    return {
        **own_rule,
        "called": _called(plan, work.cell),
        "replicates": [list(pair) for pair in work.replicates],
        "tests": list(work.tests),
        "trained": [stores.cell(block, part) for part in work.trained],
        "evaluated": [stores.evaluation(block, part) for part in work.evaluated],
        "output": stores.evaluation(block, work.part),
        **learnt_from,
    }


def _called(plan: Plan, cell: Cell) -> dict[str, str]:
    """Return the names of the study and of what it calls model and task, which identify nothing."""
    return {"study": plan.study.name, "model": cell.model, "task": cell.task}
