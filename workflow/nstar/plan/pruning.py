"""Which files of a results folder no study needs: stores, checkpoints, jobs, and what kills left.

Names of files are read, the files of jobs, and the headers of stores that the studies use. What is not
nstar's is never listed.
"""

import itertools
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nstar.cells import Block, slices_of
from nstar.cells.paths import STAGES, checkpoint_digest, decode, parse_store_path
from nstar.errors import ArtifactError, PathError
from nstar.files import is_left_over, is_partial, list_files
from nstar.plan.missing import Plan, make_plan
from nstar.plan.steps import step_jobs
from nstar.seeds import streams_of
from nstar.study import Study

FOLDERS = (*STAGES, "checkpoints", "jobs")
"""The folders of results that are pruned; what lies elsewhere is small, or made again in a minute."""

PARTIAL = "partial files"

_STORE = re.compile(rf"({'|'.join(STAGES)})(/[^/~]+~[^/]+)+/[^/]+$")


@dataclass(frozen=True)
class Surplus:
    """A file that no study needs; its `kind` is one of `FOLDERS`, or `PARTIAL`."""

    kind: str
    path: Path
    size_bytes: int


def find_surplus(studies: Iterable[Study], results: Path) -> list[Surplus]:
    """Return the files that none of the studies needs, sorted by path.

    Parameters
    ----------
    studies : iterable of Study
    results : Path

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
    - a checkpoint while its part, or any store of a job that trains it, is missing: a job that fails
      takes its finished stores with it, and its checkpoints bring them back.

    Partial files are surplus once they are left over; see `nstar.files.is_left_over`.
    """
    files = list_files(results, FOLDERS)
    kinds = {path: kind for path in files if (kind := _kind(results, path))}
    blocks = defaultdict(list)  # those that differ in nothing but replicates and parts have one key
    for path, kind in kinds.items():
        if kind in ("cells", "evaluations"):
            blocks[path.parents[2], _digest(path)].append(path)
    plans = [make_plan(study.model_copy(update={"search": "all"}), results) for study in studies]
    needed = {path for plan in plans for path in _needed(plan, blocks)}
    missing = {_below_results(path) for plan in plans for path in _missing(plan)}
    jobs = {path: _outputs(path) for path, kind in kinds.items() if kind == "jobs"}
    steps = {job.path(results) for plan in plans for job in step_jobs(plan.study).values()}
    jobs = {path: outputs for path, outputs in jobs.items() if outputs & missing or path in steps}
    awaited = missing.union(*jobs.values())
    training = {checkpoint_digest("", store) for store in awaited}

    def is_needed(path: Path, kind: str) -> bool:
        if kind == "checkpoints":
            return path.name.partition("-")[0] in training
        return path in jobs or str(path) in needed

    return [
        Surplus(kind, path, path.lstat().st_size)
        for path, kind in kinds.items()
        if not is_needed(path, kind)
    ]


def remove(surplus: Iterable[Surplus], results: Path) -> None:
    """Remove files, and the folders that become empty by it.

    Raises
    ------
    ArtifactError
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
            raise ArtifactError(
                f"{part.path} cannot be removed ({error.strerror}), those before it are; change its "
                "rights and run again"
            ) from None


def as_text(surplus: Sequence[Surplus], removed: bool) -> str:
    """Return a line for every file, one for every kind, and one about all.

    Examples
    --------
    >>> print(as_text([Surplus("jobs", Path("results/jobs/a.json"), 1200)], removed=False))
    results/jobs/a.json
    jobs: 1 file, 1,200 bytes
    would remove 1 file, 1,200 bytes; to do it, add --remove
    """
    if not surplus:
        return "nothing to remove"
    lines = [str(part.path) for part in surplus]
    for kind in (*FOLDERS, PARTIAL):
        if sizes := [part.size_bytes for part in surplus if part.kind == kind]:
            lines.append(f"{kind}: {_total(sizes)}")
    total = _total([part.size_bytes for part in surplus])
    verdict = f"removed {total}" if removed else f"would remove {total}; to do it, add --remove"
    return "\n".join([*lines, verdict])


def _total(sizes: Sequence[int]) -> str:
    return f"{len(sizes):,} file{'s' if len(sizes) > 1 else ''}, {sum(sizes):,} bytes"


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
    known = len(below.parts) == 2 and path.suffix == {"checkpoints": ".pt", "jobs": ".json"}[folder]
    return folder if known else None


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


def _outputs(job: Path) -> set[str]:
    """Return the stores that a job makes, below the results folder."""
    try:
        return {_below_results(path) for path in json.loads(job.read_text())["outputs"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(
            f"file {job} is no job of a run ({error}); nothing was removed; remove it yourself: "
            f"rm '{job}'"
        ) from None


def _below_results(store: str) -> str:
    """Return the path of a store without that of the results folder, as it was called at any time."""
    return _STORE.search(store).group()
