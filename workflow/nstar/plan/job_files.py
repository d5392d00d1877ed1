"""Files that tell a process what to make: no argument of a command grows with a study.

An operating system passes arguments of some 100,000 characters and no more, and the part of a study
that a step depends on may be longer. The name of a file ends in the digest of the job, so a file that was
edited or cut is noticed, and another job has another file.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nstar.errors import ArtifactError, DamageError, visible
from nstar.files import is_there, read_at_most, written_whole
from nstar.files.faults import patiently, reading
from nstar.specification import DIGEST_LENGTH, digest

LARGEST_JOB = 2**26
"""Bytes of a file that is read; a job of 200 blocks with 1,000 replicates each has 5,000,000."""


def job_name(verb: str, job: Mapping[str, Any]) -> str:
    """Return the name of a job: its verb, and the digest of what it makes, in the order it stands in.

    Examples
    --------
    >>> job_name("draw_figures", {"title": "A study"})
    'draw_figures-142c77880f63'
    """
    return f"{verb}-{hashlib.sha256(json.dumps(job).encode()).hexdigest()[:DIGEST_LENGTH]}"


def job_path(results: Path | str, name: str) -> Path:
    """Return the path of the file of a job."""
    return Path(results) / "jobs" / f"{name}.json"


def save_job(results: Path | str, name: str, fields: Mapping[str, Any]) -> None:
    """Write the file of a job, whose ``work`` says what to make, unless it is there and whole."""
    path = job_path(results, name)
    if is_there(path, "job"):
        with contextlib.suppress(DamageError):
            read_job_file(path)
            return
    fields = json.loads(json.dumps(fields, allow_nan=False))  # as it is read
    content = {"checksum": digest(fields), "job": fields}
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content))


def read_job_file(path: Path | str) -> dict[str, Any]:
    """Return the fields of a file that `save_job` wrote.

    Raises
    ------
    ArtifactError
        If the file is missing.
    DamageError
        If it does not hold the job that its name says.
    MachineError
        If it cannot be read.
    """
    path = Path(path)
    if not is_there(path, "job"):
        raise ArtifactError(
            f"job {visible(path)} is missing; run the workflow, which writes the files of its jobs"
        )
    with reading(path, "job"):
        content = json.loads(patiently(lambda: read_at_most(path, LARGEST_JOB)))
        is_plain = "work" in content  # as earlier versions wrote it
        fields = content if is_plain else content["job"]
        verb, _, made_from = path.stem.rpartition("-")
        is_whole = is_plain or digest(fields) == content["checksum"]
        if not (is_whole and made_from and job_name(verb, fields["work"]) == path.stem):
            raise ValueError("it does not hold what its name says")
    return fields


def read_work(path: Path | str, verb: str) -> dict[str, Any]:
    """Return what the job in a file makes, for the script or the step that is called as `verb`.

    Raises
    ------
    ArtifactError
        As `read_job_file`, and if the job is another one's.
    """
    name = Path(path).stem
    work = read_job_file(path)["work"]
    if not name.startswith(f"{verb}-"):
        raise ArtifactError(
            f"job {path} is not one of {verb}; give a file results/jobs/{verb}-*.json"
        )
    return work
