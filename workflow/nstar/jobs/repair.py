"""Where damaged files go: to a folder of their own, each with the reason beside it."""

import itertools
import os
import shutil
from pathlib import Path

from nstar.errors import PathError
from nstar.files import written_whole
from nstar.files.faults import machine_fault
from nstar.jobs.problems import Problem

DAMAGED = "damaged"
"""The folder of results with files that were set aside, below it as they lay. It may be removed."""


def set_aside(results: Path, problem: Problem) -> Path:
    """Move a damaged file to the folder of damaged ones, with the reason in a text beside it.

    Parameters
    ----------
    results : Path
    problem : Problem
        Its path lies below `results`: a file, a folder, a link, or a device.

    Returns
    -------
    Path
        Where it lies now.

    Raises
    ------
    MachineError
        If it cannot be moved.
    """
    place = _free_place(results / DAMAGED / problem.path.relative_to(results))
    with written_whole(place.with_name(f"{place.name}.reason.txt")) as reason:
        reason.write_text(f"{problem.text}\n", encoding="utf-8")
    try:
        shutil.move(problem.path, place, copy_function=_copy)
    except (OSError, shutil.Error) as error:
        fault = error if isinstance(error, OSError) else OSError(str(error))
        raise machine_fault(fault, problem.path, "moved") from None
    return place


def _free_place(place: Path) -> Path:
    """Return a path at which nothing lies: this one, or with a number behind."""
    numbered = (place.with_name(f"{place.name}.{number}") for number in itertools.count(1))
    return next(path for path in itertools.chain([place], numbered) if not os.path.lexists(path))


def _copy(source: str, target: str, **options) -> str:
    """Copy a file to another file system; a device may never end."""
    if not os.path.isfile(source):
        raise PathError(
            f"{source} is not a file, and lies on another file system; remove it by hand"
        )
    return shutil.copy2(source, target, **options)
