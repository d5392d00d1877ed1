"""Whether tables, figures, pages, reports, checkpoints and files of jobs are what was written."""

import json
from collections.abc import Iterator
from pathlib import Path

from nstar.cells.paths import study_folder
from nstar.errors import ArtifactError, NstarError
from nstar.files import is_partial
from nstar.files.seals import FOLDER, checksum, read_seal, read_seals, seal_path
from nstar.plan.attempts import check_checkpoint
from nstar.plan.derived import REPORT, compare, why_report_is_stale
from nstar.plan.job_files import read_job_file
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.study import Study

UNSEALED = (FOLDER, "logs", "benchmarks")
"""Folders of a study whose files are in no seal."""

AGAIN = "run the workflow of this study, which makes it again"
REMOVE = "remove it and the files that it names"


def check_derived(results: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield each file that is made of the stores, or beside them, and what is wrong with it.

    Parameters
    ----------
    results : Path

    Yields
    ------
    tuple of Path and (str or None)
        The text is one line: what is wrong, and what to do; None for a good file.

    Notes
    -----
    Checked are the checksum of each seal, and those of the files that it names; that each file of a
    study is in a seal; that every seal is that of the configuration in ``config.json``, and of the stores
    if these are all there; that the report is that of the sealed files; that a checkpoint is whole and is
    the one that its name says; that the file of a job holds what its name says.
    """
    for folder in sorted((results / "studies").glob("*/")):
        yield from _check_study(results, folder)
    for path in sorted((results / "checkpoints").glob("[!.]*.pt")):
        yield path, _message(check_checkpoint, path)
    for path in sorted((results / "jobs").glob("[!.]*.json")):
        yield path, _message(read_job_file, path)


def _message(check, path: Path) -> str | None:
    try:
        check(path)
    except NstarError as error:
        return " ".join(str(error).splitlines())
    return None


def _check_study(results: Path, folder: Path) -> Iterator[tuple[Path, str | None]]:
    sealed: dict[Path, set[str]] = {}
    for path in sorted((folder / FOLDER).glob("[!.]*.json")):
        seal = read_seal(path)
        if seal is None:
            yield path, f"seal {path} is damaged, or has been renamed; {AGAIN}"
            continue
        yield path, None
        for name, content in seal.outputs.items():
            sealed.setdefault(folder / name, set()).add(content)
    bad = set()
    for path, contents in sorted(sealed.items()):
        found = checksum(path)
        if found in contents:
            yield path, None
            continue
        bad.add(path.relative_to(folder).as_posix())
        what = "was edited or damaged after it was made" if found else "is missing"
        yield path, f"{path} {what}; {AGAIN}"
    for path in _files_of(folder):
        if not sealed.keys() & {path, *path.parents}:
            yield (
                path,
                f"{path} has no seal: it is not known what it was made from; {AGAIN}, or remove it",
            )
    if "config.json" not in bad and (folder / "config.json") in sealed:
        yield from _contradictions(results, folder, bad)


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a study that are to be sealed, those in folders that are outputs included."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.relative_to(folder).parts[0] not in UNSEALED
        and not is_partial(path)
    ]


def _contradictions(results: Path, folder: Path, bad: set[str]) -> Iterator[tuple[Path, str]]:
    """Yield which steps sealed files that fit neither the configuration nor the stores."""
    config = folder / "config.json"
    try:
        study = load_study(json.loads(config.read_bytes()))
    except (ValueError, NstarError) as error:
        yield config, f"{config} is no configuration ({' '.join(str(error).split())}); {AGAIN}"
        return
    if study_folder(results, study.name) != folder:
        yield config, f"{folder} holds study {study.name}: it was renamed or copied; {AGAIN}"
        return
    steps = compare(study, results, _stores_digest(study, results))
    for step in steps.values():
        is_told = not step.stale or step.stale == "not made yet" or bad & {*step.makes, *step.reads}
        if not is_told and not step.stale.endswith(("is made again", "has no seal")):
            yield (
                Path(step.seal),
                f"{folder}: what {step.name} makes is stale: {step.stale}; {AGAIN}",
            )
    for seal in read_seals(folder):
        if seal.step not in {*steps, REPORT}:
            path = seal_path(folder, seal.name)
            yield path, f"seal {path} is of a step that the study does not have; {REMOVE}"
    report = folder / f"{REPORT}.html"
    stale = why_report_is_stale(study, results, steps)
    if not bad and stale not in ("", "not made yet"):
        yield report, f"{report} is stale: {stale}; {AGAIN}"


def _stores_digest(study: Study, results: Path) -> str | None:
    """Return the digest of the stores of a study, or None where they are not all there."""
    try:
        plan = make_plan(study, results)
    except ArtifactError:  # told of the store itself
        return None
    return plan.stores_digest if plan.finished else None
