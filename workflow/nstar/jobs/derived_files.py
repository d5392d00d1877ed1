"""Whether what is made of the stores, or lies beside them, is what was written."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from nstar.cells.paths import STUDIES
from nstar.errors import ArtifactError, NstarError
from nstar.files import (
    is_left_over,
    is_partial,
    is_there,
    list_files,
    names_in,
    read_at_most,
    whole_in,
)
from nstar.files.faults import damage, reading, wrong_type
from nstar.jobs.problems import Problem, as_problem, problem_of
from nstar.jobs.reporting import pointer_to
from nstar.jobs.sealed_files import AGAIN, LARGEST_CONFIG, check_study
from nstar.plan.attempts import check_checkpoint
from nstar.plan.job_files import read_job_file
from nstar.store.leases import check_lease

CHECKS: Mapping[str, tuple[str, Callable[[Path], object]]] = {
    "checkpoints": (".pt", check_checkpoint),
    "jobs": (".json", read_job_file),
    "leases": ("", check_lease),
}
"""Folders whose files are checked one by one: how their names end, and how each is checked."""

LARGEST_POINTER = 2**20
"""Bytes of the page that points to the last report."""


def check_derived(results: Path) -> Iterator[tuple[Path, Problem | None]]:
    """Yield each file that is made of the stores, or beside them, and what is wrong with it.

    Parameters
    ----------
    results : Path

    Yields
    ------
    tuple of Path and (Problem or None)
        None for a good file. Partial files that a process may still be writing are left out.

    Notes
    -----
    Checked are the files of each study (`nstar.jobs.sealed_files.check_study`); that ``report.html``
    points to the report of one; that a checkpoint is whole and is the one that its name says; that the
    file of a job holds what its name says; that leases are leases.

    What the next run of a study replaces is named and can stay where it is. Everything else that is wrong
    is damage, which `nstar.jobs.repair` sets aside.
    """
    for folder, (suffix, check) in CHECKS.items():
        for name in names_in(results / folder):
            path = results / folder / name
            if is_partial(path):
                yield from _left_over(path)
            elif name.endswith(suffix):
                yield path, problem_of(path, check)
    of_studies: dict[Path, list[Path]] = {}
    there = (results / STUDIES).is_dir()
    for path in list_files(results, [STUDIES], suffix=".zarr") if there else ():
        name, *below = path.relative_to(results / STUDIES).parts
        if is_partial(path):
            yield from _left_over(path)
        elif below:
            of_studies.setdefault(results / STUDIES / name, []).append(path)
        else:
            yield path, problem_of(path, _refuse_file)
    for folder, files in of_studies.items():
        yield from check_study(results, folder, files)
    if os.path.lexists(pointer := results / "report.html"):
        yield pointer, problem_of(pointer, partial(_check_pointer, results))


def _left_over(path: Path) -> Iterator[tuple[Path, Problem]]:
    """Yield a partial file that nobody writes any more."""
    if is_left_over(path):
        left = damage(path, "is a partial file that a killed process has left", "file", False)
        yield path, as_problem(path, left)


def _refuse_file(path: Path) -> None:
    raise wrong_type(path, os.lstat(path).st_mode, "study", "the folder of one")


def _check_pointer(results: Path, path: Path) -> None:
    is_there(path, "page")
    with reading(path, "page"):
        content = read_at_most(path, LARGEST_POINTER)
    if content not in {page.encode() for page in _pointers(results)}:
        raise ArtifactError(
            f"{path} does not point to the report of a study as it was written; {AGAIN}"
        )


def _pointers(results: Path) -> Iterator[str]:
    """Yield the pages that may point to the last report: one for each study."""
    for folder in whole_in(results / STUDIES):
        with contextlib.suppress(NstarError), reading(folder / "config.json"):
            config = json.loads(read_at_most(folder / "config.json", LARGEST_CONFIG))
            yield pointer_to(config["name"], config["title"])
