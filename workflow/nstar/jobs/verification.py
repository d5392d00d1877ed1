"""Whether every store of a results folder is whole, and what its path says."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nstar.artifacts import (
    CELL,
    DATA,
    EVALUATION,
    check_replicates,
    read_store,
    specification_of,
)
from nstar.errors import ArtifactError, NstarError
from nstar.files import is_left_over, is_partial, list_files
from nstar.grid import (
    FIRST_SHARD,
    TEST_LENGTH_FACTOR,
    Block,
    Cell,
    Slice,
    extrapolation_slice,
    stream_slices,
)
from nstar.paths import STAGES, parse_store_path, store_path
from nstar.progress import Progress
from nstar.specification import RECIPES
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

    Only a study can tell whether a path has the right *names* of model and task, and where its validation
    sets end: the first two shards of a stream, which have one size, can be exchanged unnoticed.
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
        cell = Cell(*(coordinates[name] for name in ("model", "task", "length", "budget")))
        block = Block(cell, coordinates["seeds"], coordinates["learning_rates"])
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
    for name in ("length", "budget", "seed"):
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
    found = Slice(**coordinates, start=specification["start"], stop=specification["stop"])
    if found != _stretch(task, found):
        raise ArtifactError(
            f"store {path} holds the sequences {found.start} to {found.stop} of its stream, which are "
            f"not those of split {found.split}, shard {found.shard}: it was moved or copied by hand"
        )


def _stretch(task: Task, found: Slice) -> Slice | None:
    """Return the slice with the split and shard of another one, which says by its bounds what it can.

    These are the size of a validation or test set, and where the validation set before a shard ends.
    """
    if found.split == "test":
        cell = Cell("", found.task, found.length // TEST_LENGTH_FACTOR, 0)
        return extrapolation_slice(task, cell, found.seed, found.stop)
    if found.split == "validation":
        cell = Cell("", found.task, found.length, 0)
        return next(stream_slices(task, cell, found.seed, found.stop))
    if found.split == "train" and 0 <= found.shard < found.start.bit_length():
        before = FIRST_SHARD * 2 ** (found.shard - 1) if found.shard else 0
        cell = Cell("", found.task, found.length, before + 1)
        if before < found.start:
            *_, last = stream_slices(task, cell, found.seed, found.start - before)
            return last
    return None
