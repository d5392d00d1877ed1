"""Collect the stores of a study into its tables."""

import itertools
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from nstar.cells import Block, tested_length
from nstar.cells.paths import encode
from nstar.errors import ArtifactError
from nstar.measures.chance import above_chance
from nstar.outcomes import OUTCOMES
from nstar.plan.missing import Stores, make_plan
from nstar.store.archive import check_replicates, read_store
from nstar.store.schemas import CELL, EVALUATION
from nstar.study import Study, Success
from nstar.subjects.axis import BUDGET
from nstar.subjects.subject import load
from nstar.tables import CELLS, PROVENANCE, TABLES, write_table
from nstar.tables.selection import CURVE, REPLICATE
from nstar.tasks import Task


def collect_results(job: Mapping[str, Any], results: Path) -> None:
    """Write the tables cells and provenance, those of the subject, and study.zarr.

    Parameters
    ----------
    job : mapping
        ``study``, the configuration without what only fits and figures depend on.
    results : Path

    Raises
    ------
    ArtifactError
        If a store is missing or not what its name says.
    """
    study, tables = Study.model_validate(job["study"]), results / "tables"
    subjects, stores = study.subject.lineage, Stores(study, results)
    rows, sources, measured = [], [], []
    for block, wanted in _blocks(study, results):
        trained, evaluated = _read_block(stores, block)
        part = _cell_rows(stores, block, trained, evaluated)
        chosen = [pair in wanted for pair in zip(part["seed"], part["learning_rate"], strict=True)]
        rows.append(part[chosen])
        sources.append(_source(stores.cell(block), trained))
        if any(chosen):
            measured.append(_measured_rows(study, part[chosen], trained, evaluated))
    cells = pd.concat(rows, ignore_index=True)
    write_table(tables / "cells.parquet", "cells", cells)
    write_table(tables / "cells.csv", "cells", cells)
    write_table(tables / "provenance.csv", "provenance", pd.DataFrame(sources))
    made = {
        name: pd.concat([part[name] for part in measured], ignore_index=True)
        for name in (measured[0] if measured else ())
    }
    for subject in subjects:
        if subject.study_tables:
            made |= load(subject.study_tables)(study, cells, made)
        for name in subject.collected:
            write_table(tables / f"{name}.csv", name, made[name])
    thresholds = made.get("thresholds") if study.axis is BUDGET else None  # others name families
    _write_study_store(tables / "study.zarr", study, cells, thresholds)


def _blocks(study: Study, results: Path) -> Iterator[tuple[Block, frozenset]]:
    """Yield the blocks of every cell, each with the replicates that the study takes from it."""
    for state in make_plan(study, results).cells:
        if state.missing:
            raise ArtifactError(
                f"cell {encode(vars(state.cell))} is not trained; run the workflow, which trains what "
                "is missing"
            )
        replicates = study.replicates
        wanted = frozenset(itertools.product(replicates.seeds, replicates.learning_rates))
        for block in state.finished:
            yield block, wanted & block.replicates
            wanted -= block.replicates


def _read_block(stores: Stores, block: Block) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the store of a block and that of its evaluation."""
    path, evaluation = stores.cell(block), stores.evaluation(block)
    trained, evaluated = read_store(path, CELL), read_store(evaluation, EVALUATION)
    check_replicates(path, trained, block)
    check_replicates(evaluation, evaluated, block)
    return trained, evaluated


def _cell_rows(
    stores: Stores, block: Block, trained: xr.Dataset, evaluated: xr.Dataset
) -> pd.DataFrame:
    """Return the rows of a block for the table of cells."""
    task, n_steps = stores.study.tasks[block.cell.task], trained["n_steps"].values
    last = np.searchsorted(trained["step"].values, n_steps)
    rows = {
        **vars(block.cell),
        "n_states": task.n_states,
        "seed": trained["seed"].values,
        "learning_rate": trained["learning_rate"].values,
        "outcome": np.array(OUTCOMES)[trained["outcome"].values],
        "diverged": trained["diverged"].values,
        "n_steps": n_steps,
        "learnt_at": find_learnt_at(trained, stores.study.training.success),
        "n_parameters": trained.sizes["parameter"],
        "extrapolation_length": tested_length(task, block.cell.length),
        "extrapolation_above_chance": _beyond(task, block.cell.length, evaluated),
        "specification": trained.attrs["digest"],
        "store": stores.cell(block),
        "evaluation_store": stores.evaluation(block),
    }
    for name in ("train_loss", "train_sequence_accuracy"):
        rows[name] = trained[name].values[np.arange(len(last)), last]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)
        rows["best_validation_loss"] = np.nanmin(trained["validation_loss"].values, axis=1)
        for name in ("validation_token_accuracy", "validation_sequence_accuracy"):
            rows[f"best_{name}"] = np.nanmax(trained[name].values, axis=1)
    for name in CELLS:
        if name in EVALUATION.variables or name in EVALUATION.optional:
            rows.setdefault(name, evaluated[name].values if name in evaluated else np.nan)
    return pd.DataFrame(rows)


def _measured_rows(
    study: Study, cells: pd.DataFrame, trained: xr.Dataset, evaluated: xr.Dataset
) -> dict[str, pd.DataFrame]:
    """Return the rows of a block in the tables of the subjects of the study, by table."""
    rows = {}
    for subject in study.subject.lineage:
        if subject.block_rows:
            rows |= load(subject.block_rows)(study, cells, trained, evaluated)
    return rows


def _beyond(task: Task, length: int, evaluated: xr.Dataset) -> np.ndarray | float:
    """Return the accuracy above chance beyond the training length; NaN where it was not measured."""
    if not task.extrapolates:
        return np.nan
    longer = tested_length(task, length)
    beyond = evaluated["extrapolation_position_accuracy"].values[:, -length:]
    return above_chance(beyond.mean(axis=1), task.chance(longer - beyond.shape[1] + 1, longer))


def _source(path: str, trained: xr.Dataset) -> dict[str, Any]:
    """Return the row of a block for the provenance."""
    made = json.loads(trained.attrs["provenance"])
    return {
        "store": path,
        "specification": trained.attrs["digest"],
        "n_replicates": trained.sizes["replicate"],
        "torch": made["versions"]["torch"],
        **{name: made[name] for name in PROVENANCE if name in made},
    }


def find_learnt_at(trained: xr.Dataset, success: Success) -> pd.arrays.IntegerArray:
    """Return the step of the evaluation from which a replicate counts as learnt (R,), Int64.

    It is the first that passed; where the final one decides, the last. Missing where none did.
    """
    values = trained[f"validation_{success.measure}"].values  # (R, E), NaN after the end
    with np.errstate(invalid="ignore"):
        passed = (
            values <= success.threshold
            if success.measure == "loss"
            else values >= success.threshold
        )
    passed &= np.isfinite(trained["train_loss"].values + trained["validation_loss"].values)
    steps = trained["step"].values
    if success.at == "final":
        passed &= steps == trained["n_steps"].values[:, None]
    return pd.Series(steps[passed.argmax(axis=1)], dtype="Int64").where(passed.any(axis=1)).array


def _write_study_store(
    path: Path, study: Study, cells: pd.DataFrame, thresholds: pd.DataFrame | None
) -> None:
    """Write the tables as one labelled store on the axes of the grid."""
    numbers = [
        name for name, column in CELLS.items() if column.dtype in ("float64", "int64", "Int64")
    ]
    numbers = [name for name in numbers if name not in REPLICATE]
    coded = cells.assign(outcome=cells["outcome"].map({name: i for i, name in enumerate(OUTCOMES)}))
    dataset = (
        coded.set_index(REPLICATE)[["outcome", "diverged", *numbers]].astype("float64").to_xarray()
    )
    brackets = ["n_star", "lower", "upper"]
    rules = {"seed": [*CURVE, "seed"], "any": CURVE} if thresholds is not None else {}
    for rule, axes in rules.items():
        part = thresholds.loc[thresholds["rule"] == rule, [*axes, *brackets]]
        part = part.astype({"seed": "int64"} if "seed" in axes else {})
        array = part.set_index(axes).astype("float64").to_xarray()
        dataset = dataset.merge(
            array.rename({name: f"threshold_{rule}_{name}" for name in brackets}), join="outer"
        )
    for name, variable in dataset.variables.items():
        column = CELLS.get(name) or TABLES["thresholds"][name.split("_", 2)[2]]
        variable.attrs.update(long_name=column.meaning, units=column.unit)
    dataset["outcome"].attrs.update(
        flag_values=list(range(len(OUTCOMES))), flag_meanings=" ".join(OUTCOMES)
    )
    dataset.attrs.update(title=study.title, study=study.name)
    beside = path.with_name(f".{path.name}")
    for folder in (beside, path):
        shutil.rmtree(folder, ignore_errors=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Consolidated metadata")
        dataset.to_zarr(beside, zarr_format=3, consolidated=True)
    beside.rename(path)
