"""Which files of a results folder no study needs: stores, checkpoints, jobs, and what kills left.

Names of files are read, the files of jobs, and the headers of stores that the studies use. What is not
nstar's is never listed, and nothing that a job at work needs.
"""

import contextlib
import itertools
import math
import os
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nstar.cells import Block, slices_of
from nstar.cells.paths import STAGES, checkpoint_digest, decode, parse_store_path
from nstar.errors import PathError, visible
from nstar.files import is_left_over, is_partial, list_files, time_in
from nstar.files.faults import machine_fault, reading
from nstar.plan.job_files import read_job_file
from nstar.plan.missing import Plan, make_plan
from nstar.plan.steps import step_jobs
from nstar.seeds import streams_of
from nstar.store.leases import Lease
from nstar.study import Study

FOLDERS = (*STAGES, "checkpoints", "jobs", "leases")
"""The folders of results that are pruned; what lies elsewhere is small, or made again in a minute."""

PARTIAL = "partial files"

_STORE = re.compile(rf"({'|'.join(STAGES)})(/[^/~]+~[^/]+)+/[^/]+$")


@dataclass(frozen=True)
class Surplus:
    """A file that no study needs.

    Attributes
    ----------
    kind : str
        One of `FOLDERS`, or `PARTIAL`.
    path : Path
    size_bytes : int
    age_s : float
        Time since it was written, by the clock that dates the files of the folder; infinite for partial
        files, which are surplus at any age; seconds.
    """

    kind: str
    path: Path
    size_bytes: int
    age_s: float


def find_surplus(
    studies: Iterable[Study], results: Path, leases: Collection[Lease] = ()
) -> list[Surplus]:
    """Return the files that neither a study nor a job at work needs, sorted by path.

    Parameters
    ----------
    studies : iterable of Study
    results : Path
    leases : collection of Lease
        Those whose holders are at work; see `nstar.store.leases.holders_at_work`.

    Returns
    -------
    list of Surplus

    Raises
    ------
    PathError
        If `results` is no results folder, or cannot be listed.
    ArtifactError
        If the file of a job, or the header of a store that a study uses, cannot be read.

    Notes
    -----
    A study needs

    - of every cell of its grid, also of those that its search has not asked for: all parts of each block
      that holds a wanted replicate, whatever rule made them, those of its evaluation, and the data of
      its seeds;
    - a job's file while any store of the job is missing, and the files of its steps;
    - a checkpoint while its part, or any store of a job that trains it, is missing.

    A job at work needs its file, what it reads and makes, and its checkpoints. Its run may have more
    jobs, which have not begun yet: while any is at work, all jobs that lack a store count as at work.

    Partial files are surplus once they are left over; see `nstar.files.is_left_over`.
    """
    files = list_files(results, FOLDERS)
    kinds = {path: kind for path in files if (kind := _kind(results, path))}
    blocks = defaultdict(list)  # those that differ in nothing but replicates and parts have one key
    for path, kind in kinds.items():
        if kind in ("cells", "evaluations"):
            blocks[path.parents[2], _digest(path)].append(path)
    plans = [make_plan(study.model_copy(update={"search": "all"}), results) for study in studies]
    needed = {_below_results(path) for plan in plans for path in _needed(plan, blocks)}
    missing = {_below_results(path) for plan in plans for path in _missing(plan)}
    jobs = {path: _read_job(path) for path, kind in kinds.items() if kind == "jobs"}
    steps = {job.path(results) for plan in plans for job in step_jobs(plan.study).values()}
    made = {store for lease in leases for store in lease.stores}
    at_work = {path for path, job in jobs.items() if leases and _may_work(job, made, results)}
    making = {path for path, job in jobs.items() if job["outputs"] & missing}
    needed |= made.union(*(jobs[path]["inputs"] | jobs[path]["outputs"] for path in at_work))
    awaited = missing.union(made, *(jobs[path]["outputs"] for path in making | at_work))
    training = {checkpoint_digest("", store) for store in awaited}
    holders = {f"{lease.process}.json" for lease in leases}
    files_of_jobs = making | steps | at_work

    def is_needed(path: Path, kind: str) -> bool:
        if kind == "leases":
            return os.path.basename(os.path.realpath(path)) in holders
        if kind == "checkpoints":
            return path.name.partition("-")[0] in training
        return path in files_of_jobs or str(path.relative_to(results)) in needed

    unneeded = ((kind, path) for path, kind in kinds.items() if not is_needed(path, kind))
    return list(_with_size_and_age(unneeded, time_in(results)))


def _with_size_and_age(files: Iterable[tuple[str, Path]], now: float) -> Iterator[Surplus]:
    """Yield the files that are still there; a job at work removes some of its own at any time."""
    for kind, path in files:
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            age_s = math.inf if kind == PARTIAL else now - status.st_mtime
            yield Surplus(kind, path, status.st_size, age_s)


def _may_work(job: Mapping[str, set[str]], made: set[str], results: Path) -> bool:
    """Return whether a job makes what is being made, or may be waiting for its turn."""
    outputs = job["outputs"]  # none of a step after the stores
    return bool(outputs & made) or not outputs or not all((results / o).exists() for o in outputs)


def remove(surplus: Iterable[Surplus], results: Path) -> None:
    """Remove files, and the folders that become empty by it.

    Raises
    ------
    MachineError
        If one cannot be removed; those before it are gone.
    """
    for part in surplus:
        try:
            part.path.unlink(missing_ok=True)
            for folder in part.path.parents:
                if folder.parent == results or os.listdir(folder):
                    break
                folder.rmdir()
        except OSError as error:
            raise machine_fault(error, part.path, "removed, those before it are") from None


def find_lock(results: Path) -> Path | None:
    """Return a lock of Snakemake beside the results, where a run is under way or was killed, or None."""
    for folder in (results.parent, results.resolve().parent):
        for lock in sorted((folder / ".snakemake" / "locks").glob("*.lock")):
            return lock
    return None


def as_text(surplus: Sequence[Surplus]) -> str:
    """Return a line for every file, and one for every kind.

    Examples
    --------
    >>> print(as_text([Surplus("jobs", Path("results/jobs/a.json"), 1200, 60.0)]))
    results/jobs/a.json
    jobs: 1 file, 1,200 bytes
    """
    lines = [visible(part.path) for part in surplus]
    for kind in (*FOLDERS, PARTIAL):
        if of_kind := [part for part in surplus if part.kind == kind]:
            lines.append(f"{kind}: {total(of_kind)}")
    return "\n".join(lines)


def total(surplus: Sequence[Surplus]) -> str:
    """Return ``2 files, 1,200 bytes``."""
    size_bytes = sum(part.size_bytes for part in surplus)
    return f"{len(surplus):,} file{'s' if len(surplus) > 1 else ''}, {size_bytes:,} bytes"


def _kind(results: Path, path: Path) -> str | None:
    """Return what a file is, or None for one that is not to be pruned."""
    if is_partial(path):
        return PARTIAL if is_left_over(path) else None
    below = path.relative_to(results)
    folder = below.parts[0]
    if folder in STAGES:
        try:
            return parse_store_path(below)[0]
        except PathError:
            return None
    suffix = {"checkpoints": ".pt", "jobs": ".json", "leases": "" if path.is_symlink() else ".json"}
    return folder if len(below.parts) == 2 and path.suffix == suffix[folder] else None


def _needed(plan: Plan, blocks: Mapping[tuple[Path, str], list[Path]]) -> Iterator[str]:
    """Yield the stores that a study needs and that are there, and its data, there or not."""
    replicates = plan.study.replicates
    wanted = set(itertools.product(replicates.runs, replicates.learning_rates))
    for state in plan.cells:
        whole = Block(state.cell, replicates.runs, replicates.learning_rates)
        runs = set(replicates.runs)
        for path in map(Path, (plan.stores.cell(whole), plan.stores.evaluation(whole))):
            for store in blocks.get((path.parents[2], _digest(path)), ()):
                found = decode(store.relative_to(path.parents[2]))
                block = Block(state.cell, found["seeds"], found["learning_rates"])
                if block.replicates & wanted:
                    runs.update(block.seeds)
                    yield str(store)
        data_seeds = {streams_of(run).data for run in runs}
        yield from map(plan.stores.piece, slices_of(plan.study, state.cell, data_seeds))


def _digest(store: Path) -> str:
    """Return the digest in the name of a store, the same for all its parts."""
    return store.name.partition(".")[0].partition("-")[0]


def _missing(plan: Plan) -> Iterator[str]:
    yield from (plan.stores.cell(work.block, work.part) for work in plan.missing)
    yield from (plan.stores.evaluation(work.block, work.part) for work in plan.missing_evaluations)
    yield from map(plan.stores.piece, plan.missing_data)


def _read_job(path: Path) -> dict[str, set[str]]:
    """Return which stores a job reads and makes (``inputs``, ``outputs``), below the results folder."""
    job = read_job_file(path)
    with reading(path, "job"):
        return {name: set(map(_below_results, job[name])) for name in ("inputs", "outputs")}


def _below_results(store: str) -> str:
    """Return the path of a store without that of the results folder, as it was called at any time."""
    return _STORE.search(store).group()
