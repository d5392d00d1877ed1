"""Collect the stores of a study into its tables."""

import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from nstar.cells import Block, batch_size, pool_of, share_seen, tested_lengths
from nstar.cells.paths import encode, study_folder
from nstar.columns import Column
from nstar.errors import ArtifactError
from nstar.files import is_left_over, partial_path
from nstar.files.faults import machine_fault
from nstar.files.seals import note_stores, note_written, stamp
from nstar.jobs.judgements import judgement_rows
from nstar.jobs.longer import BY_POSITION, longer_rows
from nstar.plan.missing import Plan, make_plan
from nstar.plan.states import Reading
from nstar.plan.stores import Stores
from nstar.seeds import Seed, streams_of
from nstar.store.evaluations import read_evaluations
from nstar.store.parts import read_parts
from nstar.store.replicates import pairs_of
from nstar.store.schemas import EVALUATION
from nstar.store.view import view
from nstar.study import FRESH, Role, Study
from nstar.subjects.axis import BUDGET
from nstar.subjects.subject import load
from nstar.tables import CELLS, PROVENANCE, columns_of, write_table
from nstar.tables.verdicts import verdict_table
from nstar.verdicts import MEASURES, OUTCOMES, UNDECIDED, UNDECIDED_NOT_FITTED


def collect_results(job: Mapping[str, Any], results: Path) -> None:
    """Write the tables cells, longer, provenance and verdicts, those of the subject, and study.zarr.

    Parameters
    ----------
    job : mapping
        ``study``, the configuration without its title and what only fits and figures depend on.
    results : Path
        The tables lie in the folder of the study.

    Raises
    ------
    ArtifactError
        If a store is missing or not what its name says.
    """
    study = Study.model_validate({"title": job["study"]["name"], **job["study"]})
    tables, plan = study_folder(results, study.name) / "tables", make_plan(study, results)
    note_stores(plan.stores_digest)
    rows, longer, sources, judged, measured = [], [], [], [], []
    training = study.training
    for role, reading in _readings(plan):
        joined, trained, evaluated = _read_block(plan, role, reading)
        part = _cell_rows(plan.stores, reading.block, trained, evaluated)
        longer.append(longer_rows(study.tasks[reading.block.cell.task], role, part, evaluated))
        sources.extend(_sources(joined))
        if role == "extrapolation":
            continue
        rows.append(part)
        judged.append(judgement_rows(part, joined, trained, training.rule, training.snapshot_every))
        measured.append(_measured_rows(study, part, trained, evaluated))
    cells = pd.concat(rows, ignore_index=True)
    write_table(tables / "cells.csv", "cells", cells)
    parts = pd.DataFrame(sources).drop_duplicates("store")  # two roles may read the same
    write_table(tables / "provenance.csv", "provenance", parts)
    found = pd.concat(judged, ignore_index=True)
    table = verdict_table(found, training.success.measure, training.success.threshold)
    write_table(tables / "verdicts.csv", "verdicts", table)
    tested = pd.concat(longer, ignore_index=True)
    write_table(tables / "longer.csv", "longer", tested.drop(columns=BY_POSITION))
    made = {
        name: pd.concat([part[name] for part in measured], ignore_index=True)
        for name in (measured[0] if measured else ())
    }
    for subject in study.subject.lineage:
        if subject.study_tables:
            made |= load(subject.study_tables)(study, cells, {**made, "longer": tested})
        for name in subject.collected:
            write_table(tables / f"{name}.csv", name, made[name])
    thresholds = made.get("thresholds") if study.axis is BUDGET else None  # others name families
    write_study_store(tables / "study.zarr", study, cells, thresholds)


def _readings(plan: Plan) -> Iterator[tuple[Role, Reading]]:
    """Yield what the study reads of the blocks of every cell, and why."""
    for state in plan.cells:
        if state.missing:
            raise ArtifactError(
                f"cell {encode(vars(state.cell))} is not trained; run the workflow, which trains what "
                "is missing"
            )
        yield from ((state.role, reading) for reading in state.finished)


def _read_block(
    plan: Plan, role: Role, reading: Reading
) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """Return the joined parts of a block, what the study reads, and the evaluation of its ends."""
    training, stores, block = plan.study.training, plan.stores, reading.block
    parts = [stores.cell(block, part) for part in reading.parts]
    joined = read_parts(parts, reading.replicates)
    trained = view(joined, stores.rules[role], training.snapshot_every)
    parts_read = plan.evaluated[role, block]
    evaluations = [stores.evaluation(block, part) for part in parts_read]
    return (
        joined,
        trained,
        read_evaluations(evaluations, trained, tested_lengths(plan.study, block.cell)),
    )


def _cell_rows(
    stores: Stores, block: Block, trained: xr.Dataset, evaluated: xr.Dataset
) -> pd.DataFrame:
    """Return the rows of a block for the table of cells."""
    study, cell = stores.study, block.cell
    task, pool, n_steps = study.tasks[cell.task], pool_of(study, cell), trained["n_steps"].values
    last = np.searchsorted(trained["step"].values, n_steps)
    n_drawn = n_steps * batch_size(study.training.batch_size, cell.budget)
    rows = {
        **vars(cell),
        "n_states": task.n_states,
        **_seeds(study, trained),
        "learning_rate": trained["learning_rate"].values,
        **{name: _names(trained[name].values) for name in CELLS if name.endswith("outcome")},
        "diverged": trained["diverged"].values,
        "n_steps": n_steps,
        "learnt_at": _steps(trained["learnt_at"].values),
        "fitted_at": _steps(trained["fitted_at"].values),
        "n_confirmations": trained["n_confirmations"].values,
        "n_parameters": trained.sizes["parameter"],
        "validation_seen": [share_seen(pool, n) if cell.budget == FRESH else 0.0 for n in n_drawn],
        "specification": trained.attrs["digest"],
        "store": stores.cell(block),
        "evaluation_store": stores.evaluation(block),
    }
    for name in MEASURES:
        rows[f"train_{name}"] = trained[f"train_{name}"].values[np.arange(len(last)), last]
        rows[f"test_{name}"] = trained[f"test_{name}"].values
    for name in ("train", "validation", "confirmation", "test"):
        rows[f"{name}_right"] = trained[f"{name}_right"].values
        rows[f"{name}_of"] = trained[f"{name}_of"].values
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        rows["best_validation_loss"] = np.nanmin(trained["validation_loss"].values, axis=1)
        for name in ("validation_token_accuracy", "validation_sequence_accuracy"):
            rows[f"best_{name}"] = np.nanmax(trained[name].values, axis=1)
    for name in CELLS:
        if name in EVALUATION.variables or name in EVALUATION.optional:
            rows.setdefault(name, evaluated[name].values if name in evaluated else np.nan)
    return pd.DataFrame(rows)


def _seeds(study: Study, trained: xr.Dataset) -> dict[str, list[int]]:
    """Return what the table calls the runs of a block, and the seeds of streams that have their own."""
    replicates, runs = study.replicates, [seed for seed, _ in pairs_of(trained)]
    numbers = {"seed": [replicates.number_of(run) for run in runs]}
    if replicates.streams is None:
        return numbers
    streams = zip(*map(streams_of, runs), strict=True)
    return numbers | {
        f"{name}_seed": list(seeds) for name, seeds in zip(Seed._fields, streams, strict=True)
    }


def _names(outcomes: np.ndarray) -> np.ndarray:
    """Return the names of outcomes; -1 and -2 are those of a rule that has not ended a run."""
    return np.array([*OUTCOMES, UNDECIDED_NOT_FITTED, UNDECIDED])[outcomes]


def _steps(steps: np.ndarray) -> pd.arrays.IntegerArray:
    return pd.Series(steps, dtype="Int64").replace(-1, pd.NA).array


def _measured_rows(
    study: Study, cells: pd.DataFrame, trained: xr.Dataset, evaluated: xr.Dataset
) -> dict[str, pd.DataFrame]:
    """Return the rows of a block in the tables of the subjects of the study, by table."""
    rows = {}
    for subject in study.subject.lineage:
        if subject.block_rows:
            rows |= load(subject.block_rows)(study, cells, trained, evaluated)
    return rows


def _sources(joined: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Yield the rows of a block for the provenance, one for each part that is read."""
    for path, made, n_replicates in zip(
        joined.attrs["paths"],
        joined.attrs["provenances"],
        joined.attrs["n_replicates"],
        strict=True,
    ):
        called = made.get("called", {})
        yield {
            "store": path,
            "specification": joined.attrs["digest"],
            "n_replicates": n_replicates,
            "torch": made["versions"]["torch"],
            **{f"called_{name}": called.get(name, "") for name in ("model", "task")},
            **{name: made[name] for name in PROVENANCE if name in made},
        }


def write_study_store(
    path: Path, study: Study, cells: pd.DataFrame, thresholds: pd.DataFrame | None
) -> None:
    """Write tables as one labelled store: rows are a dimension, columns are variables along it.

    It grows with the rows, whatever the grid is. All data types are of the core of Zarr 3, so that every
    reader opens them: words are whole numbers with ``flag_values`` and ``flag_meanings``.

    Parameters
    ----------
    path : Path
    study : Study
    cells : DataFrame
        Its rows are the dimension ``replicate``.
    thresholds : DataFrame or None
        Its rows are the dimension ``threshold``, and ``threshold_`` is put before its columns.
    """
    variables = _variables("cells", cells, "replicate")
    if thresholds is not None:
        found = _variables("thresholds", thresholds, "threshold")
        variables |= {f"threshold_{name}": variable for name, variable in found.items()}
    dataset = xr.Dataset(variables, attrs={"study": study.name})
    if stamp():
        dataset.attrs["seal"] = stamp()
    beside = partial_path(path)
    left = [other for other in path.parent.glob(f".*.partial.{path.name}") if is_left_over(other)]
    try:
        for folder in (*left, path):
            if folder.exists():
                shutil.rmtree(folder)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Consolidated metadata")
            dataset.to_zarr(beside, zarr_format=3, consolidated=True)
        beside.rename(path)
    except OSError as error:
        raise machine_fault(error, path, "written") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)  # what is left over is found by its name
    note_written(path)


_LEFT_OUT = ("specification", "store", "evaluation_store")
"""Columns of cells that name files, a long text for each row."""


def _variables(name: str, table: pd.DataFrame, dimension: str) -> dict[str, xr.Variable]:
    """Return the columns of a table as variables along a dimension, with the types of the columns."""
    return {
        key: _variable(key, column, table[key], dimension)
        for key, column in columns_of(name, table).items()
        if key not in _LEFT_OUT
    }


def _variable(name: str, column: Column, values: pd.Series, dimension: str) -> xr.Variable:
    attributes = {"long_name": column.meaning, "units": column.unit}
    if column.dtype == "str":
        words = list(dict.fromkeys([*(OUTCOMES if name.endswith("outcome") else ()), *values]))
        attributes |= {"flag_values": [*range(len(words))], "flag_meanings": " ".join(words)}
        array = values.map({word: i for i, word in enumerate(words)}).to_numpy("int16")
    elif column.dtype == "Int64":
        array = values.astype("Int64").fillna(-1).to_numpy("int64")
        attributes["_FillValue"] = -1
    else:
        array = values.to_numpy(column.dtype)
    return xr.Variable(dimension, array, attributes)
