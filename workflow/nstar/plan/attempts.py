"""Retries of a job that failed: granted as long as its attempts leave newer checkpoints.

A training job that reaches its time limit goes on from its checkpoints, so it may need many attempts. An
attempt that leaves no newer checkpoint may have met with an accident; several in a row have a cause that
another attempt does not remove.
"""

import contextlib
import hashlib
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nstar.cells.naming import curve_name
from nstar.cells.paths import checkpoint_digest
from nstar.files import is_there, whole_in
from nstar.files.faults import UNREADABLE, damage, reading
from nstar.plan.jobs import Job

MOST_FRUITLESS = 3
"""Attempts in a row without a newer checkpoint, after which a job gives up."""

MOST_NAMED = 3
"""Curves that a message names."""


class Retries(int):
    """The number of retries of a job, which shrinks to none when its attempts make no progress.

    Snakemake knows one number of retries per rule. When a job has failed after n retries, it asks
    ``retries > n``. This number also answers no after `MOST_FRUITLESS` attempts in a row that left no
    newer checkpoint. Jobs without checkpoints (data, evaluation) therefore get that many attempts.

    Parameters
    ----------
    most : int
        Retries that Snakemake was started with; none beyond them is granted.
    job : Job
        What the job makes.
    results : path
        The results folder.
    before : mapping of str to int
        `list_checkpoints` before the first attempt.
    tell : callable
        Called with the message when the job gives up.

    Notes
    -----
    Progress is judged in the process that submits the jobs, so it holds for attempts that were killed,
    ran out of memory or lost their node. A new start of the workflow counts from zero.
    """

    def __new__(
        cls,
        most: int,
        job: Job,
        results: Path | str,
        before: Mapping[str, int],
        tell: Callable[[str], None],
    ):
        """Return the number `most`, which knows its job."""
        retries = super().__new__(cls, most)
        retries._job, retries._results, retries._tell = job, results, tell
        retries._digests = {checkpoint_digest(results, store) for store in job.outputs}
        retries._left = {0: retries._own(before)}  # by number of attempts
        return retries

    def __gt__(self, n_retries: int) -> bool:
        """Return whether a job that has failed after `n_retries` retries is started again."""
        if not int.__gt__(self, n_retries):
            return False
        n_attempts = n_retries + 1
        left = self._left[n_attempts] = self._own(list_checkpoints(self._results))
        if self._left.get(n_attempts - MOST_FRUITLESS) != left:
            return True
        self._tell(why_it_gives_up(self._job, self._results, sorted(left)))
        return False

    def _own(self, checkpoints: Mapping[str, int]) -> dict[str, int]:
        """Return the checkpoints of the stores of this job."""
        return {
            name: time
            for name, time in checkpoints.items()
            if name.partition("-")[0] in self._digests
        }


def checkpoints_of(results: Path | str, store: Path | str) -> list[Path]:
    """Return the checkpoints of a part of ``cells`` that are there, of any device."""
    start = f"{checkpoint_digest(results, store)}-"
    found = whole_in(Path(results) / "checkpoints", ".pt")
    return [path for path in found if path.name.startswith(start)]


def list_checkpoints(results: Path | str) -> dict[str, int]:
    """Return the names of all checkpoints, each with the time of its last change in nanoseconds."""
    times = {}
    for path in whole_in(Path(results) / "checkpoints", ".pt"):
        with contextlib.suppress(FileNotFoundError):  # removed since the folder was read
            times[path.name] = path.lstat().st_mtime_ns
    return times


def why_it_gives_up(job: Job, results: Path | str, checkpoints: list[str]) -> str:
    """Return the message of a job that gives up: its state, the usual causes and the remedies.

    Parameters
    ----------
    job : Job
    results : path
    checkpoints : list of str
        Names of the checkpoints that the job has left.
    """
    script = job.rule.partition("-")[0]
    lines = [f"{job.rule} gives up after {MOST_FRUITLESS} attempts"]
    slow = (
        "the time limit came first. Without checkpoints each attempt starts from the beginning: raise "
        "jobs.most_minutes, or lower jobs.longest_minutes so that each job makes fewer stores"
    )
    if script == "train_cells":
        lines[0] += " without a newer checkpoint"
        curves = [curve_name(part["specification"] | part["called"]) for part in job.work["curves"]]
        more = len(curves) - MOST_NAMED
        named = "; ".join(curves[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        where = _where(job, results, checkpoints)
        lines += [f"curves: {named}", f"checkpoints: {where}"]
        slow = (
            "the time limit came before the first new evaluation: raise jobs.most_minutes. A lower "
            "training.evaluate_every helps too, but trains all cells of the study again. A job that "
            "is killed without a signal also needs jobs.checkpoint_seconds below its time limit"
        )
    lines += [
        f"log of the last attempt: {Path(results) / 'logs' / script / job.rule}.log",
        "usual causes:",
        f"- {slow}",
        f"- out of memory: --set-resources {job.rule}:mem_mb=N asks for N MB; now "
        f"{job.requested_megabytes}",
        "- a broken node: exclude it, for instance with slurm_extra in the profile",
        "- an error in the log, or a refusal by the scheduler, which no attempt can avoid",
        f"Run the workflow again for {MOST_FRUITLESS} more attempts; they go on from what is there.",
    ]
    return "\n  ".join(lines)


def _where(job: Job, results: Path | str, checkpoints: list[str]) -> str:
    """Return how many stores have a checkpoint, and at which steps these stand."""
    if not checkpoints:
        return "none"
    steps = [_step(Path(results) / "checkpoints" / name) for name in checkpoints]
    known = sorted({step for step in steps if step is not None})
    at = f"step {known[0]}" if known else "an unknown step"
    if len(known) > 1:
        at = f"steps {known[0]} to {known[-1]}"
    return f"of {len(checkpoints)} of {len(job.outputs)} cells, at {at}"


def _step(path: Path) -> int | None:
    """Return the step of a checkpoint, or None if it cannot be read."""
    return _fields(path).get("step")


def _fields(path: Path) -> dict[str, Any]:
    """Return the fields of a checkpoint but for its tensors; none if it cannot be read.

    The process that submits jobs imports no torch, and tensors may be larger than the memory of a login
    node. So only the pickled structure of the file is read, and no class in it is made.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as pickled:
                return dict(_Structure(pickled).load())
    except (pickle.UnpicklingError, *UNREADABLE):
        return {}


def check_checkpoint(path: Path) -> None:
    """Check that a checkpoint is whole, and that it is the one that its name says.

    Raises
    ------
    DamageError
        If it is damaged, or was renamed or exchanged: then training does not use it either.
    MachineError
        If it cannot be read.
    """
    if not is_there(path, "checkpoint"):
        return
    with reading(path, "checkpoint"), path.open("rb") as file:
        sealed = file.read(hashlib.sha256().digest_size)
        found = hashlib.file_digest(file, "sha256").digest()
    if found != sealed:
        raise damage(path, "is damaged, and training starts again without it", "checkpoint", False)
    if _fields(path).get("name") != path.name:
        raise damage(
            path,
            "is of another run than its name says, or of an older version, and training starts again "
            "without it",
            "checkpoint",
            False,
        )


class _Structure(pickle.Unpickler):
    """Reads nested dicts and numbers; everything else is None."""

    def find_class(self, module: str, name: str) -> Any:
        return lambda *arguments: None

    def persistent_load(self, identity: Any) -> None:
        return None
