"""Whether every file of a results folder is whole, and what its path or its seal says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from nstar.cells import Block, Cell
from nstar.cells.paths import STAGES, STUDIES, coordinates_of, parse_store_path, store_path
from nstar.errors import PathError, visible
from nstar.files import check_folders, is_left_over, is_partial, is_there, list_files
from nstar.files.faults import damage, orphan, other_version, reading
from nstar.jobs.derived_files import check_derived
from nstar.jobs.generation import check_sequences
from nstar.jobs.problems import Problem, problem_of
from nstar.plan.prefixes import Prefix
from nstar.progress import Progress
from nstar.seeds import read_seed, seed_text
from nstar.store.archive import read_store, specification_of
from nstar.store.header import read_header
from nstar.store.replicates import check_replicates, pairs_of
from nstar.store.schemas import CELL, DATA, EVALUATION

SCHEMAS = {"data": DATA, "cells": CELL, "evaluations": EVALUATION}


@dataclass(frozen=True)
class Verification:
    """What was found in a results folder.

    Attributes
    ----------
    n_good, n_other : int
        Stores, and other files, that are what they should be.
    n_unfinished : int
        Partial stores that a process may still be writing.
    problems : tuple of Problem
        One for each other file.
    """

    n_good: int
    n_other: int
    n_unfinished: int
    problems: tuple[Problem, ...]


def verify_results(results: Path, files: Sequence[Path] = ()) -> Verification:
    """Read every file of a results folder in full, and compare it with its path or its seal.

    Parameters
    ----------
    results : Path
    files : sequence of Path
        Those to read, below `results`; all by default.

    Returns
    -------
    Verification

    Raises
    ------
    PathError
        If `results` is no results folder, or a file that is named is not there, or is none of nstar.
    MachineError
        If a folder cannot be listed.

    Notes
    -----
    Of a store are checked: sizes and types before they are unpacked, checksums, schema, ranges, its
    header against its arrays, and the digest of the specification (`read_store`); its place, every
    coordinate of which follows from the specification; its replicates; of data, what its task knows; of a
    further part, that those before it are there and that it leaves no evaluation out; of an evaluation,
    that the trained cell which it names lies at the same coordinates. Of other files: see
    `nstar.jobs.derived_files.check_derived`.
    """
    check_folders(results)
    there = [stage for stage in STAGES if (results / stage).is_dir()]
    if there or not (results / STUDIES).is_dir():
        stores = list_files(results, STAGES, follow_links=True)
    else:  # what was made of stores, without them
        stores = []
    if files:
        stores = [path for path in files if path.relative_to(results).parts[0] in STAGES]
    progress = Progress("files", len(stores), "verify")
    n_good, n_unfinished, problems = 0, 0, []
    for done, path in enumerate(stores, start=1):
        if is_partial(path) and not is_left_over(path):
            n_unfinished += 1
        elif problem := problem_of(path, partial(_check, results)):
            problems.append(problem)
        else:
            n_good += 1
        progress.update(done)
    progress.finish()
    others = set(files) - {*stores}
    derived = list(check_derived(results)) if others or not files else []
    if files:
        derived = _of_files(derived, others)
    n_other = sum(problem is None for _, problem in derived)
    by_path: dict[Path, Problem] = {}
    for problem in (*problems, *(problem for _, problem in derived if problem)):
        by_path.setdefault(problem.path, problem)
    return Verification(n_good, n_other, n_unfinished, tuple(by_path.values()))


def _of_files(
    derived: Sequence[tuple[Path, Problem | None]], files: set[Path]
) -> list[tuple[Path, Problem | None]]:
    """Return what was found of some files that are no stores."""
    named = [{path, problem.path if problem else path} for path, problem in derived]
    if unknown := files.difference(*named):
        raise PathError(
            f"{visible(min(unknown))} is not there, or is no file that is checked; name files as they "
            "stand in the message"
        )
    return [pair for pair, paths in zip(derived, named, strict=True) if paths & files]


def results_of(path: Path) -> Path:
    """Return the results folder that a path lies in.

    Raises
    ------
    PathError
        If none of its folders is one.
    """
    for folder in path.parents:
        if any((folder / name).is_dir() for name in (*STAGES, STUDIES)):
            return folder
    raise PathError(
        f"{visible(path)} lies in no results folder: none of its folders has {', '.join(STAGES)} or "
        f"{STUDIES}; name files as they stand in the message"
    )


def _check(results: Path, path: Path) -> None:
    if is_partial(path):
        raise damage(path, "is a partial store that a killed process has left", "file", False)
    try:
        stage, coordinates, digest, part = parse_store_path(path.relative_to(results))
    except PathError as error:
        raise damage(path, f"does not belong there: {error}", "file", False) from None
    if "-" not in coordinates.get("model", coordinates["task"]):
        raise other_version(path, "is of nstar 0.1, which this version does not read")
    store = read_store(path, SCHEMAS[stage])
    specification = specification_of(store)
    before = [store_path(results, stage, coordinates, digest, number) for number in range(part)]
    for lacking in (other for other in before if not is_there(other)):
        raise orphan(path, f"is a further part of {lacking}")
    if stage == "evaluations":
        _check_evaluation(results, path, coordinates, specification, store)
        return
    replicates = [coordinates.get(name, ()) for name in ("seeds", "learning_rates")]
    with reading(path):
        wanted = coordinates_of(specification, *replicates)
    _check_coordinates(path, coordinates, wanted)
    if stage == "data":
        check_sequences(path, store)
    elif part == 0:
        check_replicates(path, store, _block(coordinates))
    else:
        _check_part(path, _block(coordinates), before)


def _check_coordinates(
    path: Path, coordinates: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    for name, value in coordinates.items():
        if value != wanted[name]:
            raise damage(
                path,
                f"was made for {name} {wanted[name]}, not for the {value} of its path: it was moved or "
                "copied by hand",
            )


def _check_part(path: Path, block: Block, before: Sequence[Path]) -> None:
    """Check that a further part is of replicates of its block and goes on where those before it end."""
    paths = [str(other) for other in (*before, path)]
    summaries = [read_header(other)["summary"] for other in paths]
    known = Prefix(block, paths[:-1], summaries[:-1]).joint.n_known
    prefix = Prefix(block, paths, summaries)
    added = (summaries[-1][name] for name in ("replicates", "first", "n"))
    for (seed, rate), first, n in zip(*added, strict=True):
        pair = read_seed(seed), rate
        reached = int(known[prefix.replicates.index(pair)])
        if n and first > reached:
            raise damage(
                path,
                f"goes on with seed {seed_text(pair[0])}, learning rate {rate} from its evaluation "
                f"{first + 1}, but the parts before it end at evaluation {reached}: a part in between is "
                "lost",
            )


def _check_evaluation(
    results: Path,
    path: Path,
    coordinates: Mapping[str, Any],
    specification: Mapping[str, Any],
    store: xr.Dataset,
) -> None:
    """Check that the trained cell is there, and that the replicates are of the block of the path."""
    trained = store_path(results, "cells", coordinates, str(specification.get("training")))
    if not is_there(trained):
        raise orphan(path, f"evaluates the trained cell {trained}")
    foreign = [pair for pair in pairs_of(store) if pair not in _block(coordinates).replicates]
    if foreign:
        raise damage(
            path, f"holds the replicates {foreign}, which are none of those that its path says"
        )


def _block(coordinates: Mapping[str, Any]) -> Block:
    return Block(Cell.of(coordinates), coordinates["seeds"], coordinates["learning_rates"])
