"""Whether every store of a results folder is whole, and what its path says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from nstar.cells import Block, Cell
from nstar.cells.paths import STAGES, coordinates_of, parse_store_path, store_path
from nstar.errors import ArtifactError, NstarError
from nstar.files import is_left_over, is_partial, list_files
from nstar.plan.prefixes import Prefix
from nstar.progress import Progress
from nstar.seeds import read_seed, seed_text
from nstar.store.archive import check_replicates, pairs_of, read_store, specification_of
from nstar.store.header import read_header
from nstar.store.schemas import CELL, DATA, EVALUATION

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
    Of a store are checked: checksums, schema, and digest of the specification (`read_store`); its
    place, every coordinate of which follows from the specification; its replicates; of a further part,
    that those before it are there and that it leaves no evaluation out; of an evaluation, that the
    trained cell which it names lies at the same coordinates.
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
        stage, coordinates, digest, part = parse_store_path(path.relative_to(results))
    except NstarError as error:
        raise ArtifactError(f"file {path} does not belong there: {error}") from None
    if "-" not in coordinates.get("model", coordinates["task"]):
        raise ArtifactError(f"store {path} is of nstar 0.1, which this version does not read")
    store = read_store(path, SCHEMAS[stage])
    specification = specification_of(store)
    before = [store_path(results, stage, coordinates, digest, number) for number in range(part)]
    for lacking in (other for other in before if not other.is_file()):
        raise ArtifactError(
            f"store {path} is a further part of {lacking}, which is missing; run the workflow, which "
            f"makes it, or remove the further part: rm '{path}'"
        )
    if stage == "evaluations":
        _check_evaluation(results, path, coordinates, specification, store)
        return
    replicates = [coordinates.get(name, ()) for name in ("seeds", "learning_rates")]
    _check_coordinates(path, coordinates, coordinates_of(specification, *replicates))
    if stage == "cells" and part == 0:
        check_replicates(path, store, _block(coordinates))
    elif stage == "cells":
        _check_part(path, _block(coordinates), before)


def _check_coordinates(
    path: Path, coordinates: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    for name, value in coordinates.items():
        if value != wanted[name]:
            raise ArtifactError(
                f"store {path} was made for {name} {wanted[name]}, not for the {value} of its path: it "
                "was moved or copied by hand"
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
            raise ArtifactError(
                f"store {path} goes on with seed {seed_text(pair[0])}, learning rate {rate} from its "
                f"evaluation {first + 1}, but the parts before it end at evaluation {reached}: a part in "
                "between is lost"
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
    if not trained.is_file():
        raise ArtifactError(
            f"store {path} evaluates the trained cell {trained}, which is missing; run the "
            f"workflow, which trains it, or remove the evaluation: rm '{path}'"
        )
    foreign = [pair for pair in pairs_of(store) if pair not in _block(coordinates).replicates]
    if foreign:
        raise ArtifactError(
            f"store {path} holds the replicates {foreign}, which are none of those that its path says"
        )


def _block(coordinates: Mapping[str, Any]) -> Block:
    return Block(Cell.of(coordinates), coordinates["seeds"], coordinates["learning_rates"])
