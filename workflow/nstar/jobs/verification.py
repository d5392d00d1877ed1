"""Whether every store of a results folder is whole, and what its path says."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nstar.cells import FIRST_SHARD, Block, Cell, Slice, training_slices
from nstar.cells.paths import STAGES, parse_store_path, store_path
from nstar.errors import ArtifactError, NstarError
from nstar.files import is_left_over, is_partial, list_files
from nstar.progress import Progress
from nstar.specification import RECIPES
from nstar.store.archive import check_replicates, read_store, specification_of
from nstar.store.schemas import CELL, DATA, EVALUATION
from nstar.tasks import Task, build_task

SCHEMAS = {"data": DATA, "cells": CELL, "evaluations": EVALUATION}


@dataclass(frozen=True)
class Verification:
    """What was found in a results folder.

    Attributes
    ----------
    n_good : int
        Stores that are what they should be.
    n_unfinished : int
        Partial files that a process may still be writing.
    problems : tuple of str
        One line for each other file: what is wrong, and the command that repairs it.
    """

    n_good: int
    n_unfinished: int
    problems: tuple[str, ...]


def verify_results(results: Path) -> Verification:
    """Read every store of a results folder in full, and compare it with its path.

    Parameters
    ----------
    results : Path

    Returns
    -------
    Verification

    Raises
    ------
    PathError
        If `results` is no results folder, or cannot be listed.

    Notes
    -----
    Of a store are checked: checksums, schema, and digest of the specification (`read_store`); its place;
    length, budget, seed, replicates, and the stretch of the stream, against its path; of an evaluation,
    that the trained cell which it names lies at the same coordinates.

    Only a study can tell whether a path has the right *names* of model and task.
    """
    files = list_files(results, STAGES, follow_links=True)
    progress = Progress("files", len(files), "verify")
    n_good, n_unfinished, problems = 0, 0, []
    for done, path in enumerate(files, start=1):
        if is_partial(path) and not is_left_over(path):
            n_unfinished += 1
        elif problem := _problem(results, path):
            problems.append(problem)
        else:
            n_good += 1
        progress.update(done)
    progress.finish()
    return Verification(n_good, n_unfinished, tuple(problems))


def _problem(results: Path, path: Path) -> str | None:
    """Return one line about what is wrong with a file and what to do, or None."""
    try:
        _check(results, path)
    except NstarError as error:
        text, repair = " ".join(str(error).splitlines()), f"rm '{path}'"
        return text if repair in text else f"{text}; remove it: {repair}"
    return None


def _check(results: Path, path: Path) -> None:
    if is_partial(path):
        raise ArtifactError(f"file {path} is a partial store that a killed process has left")
    try:
        stage, coordinates, _ = parse_store_path(path.relative_to(results))
    except NstarError as error:
        raise ArtifactError(f"file {path} does not belong there: {error}") from None
    store = read_store(path, SCHEMAS[stage])
    specification = specification_of(store)
    _check_coordinates(path, coordinates, specification)
    if stage == "data":
        _check_stretch(path, coordinates, specification)
    else:
        block = Block(Cell.of(coordinates), coordinates["seeds"], coordinates["learning_rates"])
        check_replicates(path, store, block)
    if stage == "evaluations":
        trained = store_path(results, "cells", coordinates, str(specification.get("training")))
        if not trained.is_file():
            raise ArtifactError(
                f"store {path} evaluates the trained cell {trained}, which is missing; run the "
                f"workflow, which trains it, or remove the evaluation: rm '{path}'"
            )


def _check_coordinates(
    path: Path, coordinates: Mapping[str, Any], specification: Mapping[str, Any]
) -> None:
    for name in ("supervision", "length_distribution", "length", "budget", "seed", "split"):
        if name in coordinates and name in specification:
            if coordinates[name] != specification[name]:
                raise ArtifactError(
                    f"store {path} was made for {name} {specification[name]}, not for the "
                    f"{coordinates[name]} of its path: it was moved or copied by hand"
                )


def _check_stretch(
    path: Path, coordinates: Mapping[str, Any], specification: Mapping[str, Any]
) -> None:
    """Check that the store holds the stretch of the stream that the split and shard of its path name."""
    if specification.get("recipes") != {"data": RECIPES["data"]}:
        return  # an older recipe may have cut the stream elsewhere
    try:
        task = build_task(specification["task"])
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(
            f"store {path} was made for a task that this version does not know: "
            f"{specification.get('task')}"
        ) from None
    bounds = {name: specification[name] for name in ("start", "stop")}
    found = Slice(**coordinates, **bounds, held_out=tuple(specification["held_out"]))
    if found != _stretch(task, found):
        raise ArtifactError(
            f"store {path} holds the sequences {found.start} to {found.stop} of its order, which are "
            f"not those of split {found.split}, shard {found.shard}: it was moved or copied by hand"
        )


def _stretch(task: Task, found: Slice) -> Slice | None:
    """Return the slice that has the pool, split and shard of another one."""
    pool = found.pool(task)
    if found.split != "train":
        return replace(found, shard=0, start=0, stop=pool.n_validation)
    if not 0 <= found.shard < found.stop.bit_length():  # no shard of that number ends that early
        return None
    before = FIRST_SHARD * 2 ** (found.shard - 1) if found.shard > 0 else 0
    if before >= pool.n_training:
        return None
    *_, last = training_slices(pool, found.task, found.seed, before + 1)
    return last
