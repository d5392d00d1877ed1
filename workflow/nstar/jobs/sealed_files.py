"""Whether the files in the folder of a study are what its seals, its configuration and its stores say."""

import json
from collections.abc import Container, Iterator, Sequence
from functools import partial
from pathlib import Path

from nstar.cells.paths import study_folder
from nstar.errors import ArtifactError, NstarError
from nstar.files import is_there, read_at_most
from nstar.files.faults import damage, reading
from nstar.files.seals import FOLDER, Seal, checksum, read_seal, seal_path
from nstar.jobs.problems import Problem, as_problem, problem_of
from nstar.plan.derived import REPORT, compare, made_by, why_report_is_stale
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.study import Study

UNSEALED = (FOLDER, "logs", "benchmarks")
"""Folders of a study whose files are in no seal."""

LARGEST_CONFIG = 2**24
"""Bytes of a configuration that are read."""

AGAIN = "run the study again, `make run CONFIG=...`, which makes it anew"


def check_study(
    results: Path, folder: Path, files: Sequence[Path]
) -> Iterator[tuple[Path, Problem | None]]:
    """Yield each file of a study, and what is wrong with it.

    Parameters
    ----------
    results : Path
    folder : Path
        That of the study.
    files : sequence of Path
        What lies in it, but for partial files; ``.zarr`` folders count as files.

    Notes
    -----
    Checked are the checksum of each seal, and those of the files that it names; that each file is in a
    seal; that every seal is that of the configuration in ``config.json``, and of the stores if these are
    all there; that the report is that of the sealed files.
    """
    seals: list[Seal] = []
    for path in files:
        if path.parent == folder / FOLDER and path.suffix == ".json":
            yield path, problem_of(path, partial(_check_seal, seals))
    sealed: dict[Path, set[str]] = {}
    for seal in seals:
        for name, content in seal.outputs.items():
            sealed.setdefault(folder / name, set()).add(content)
    bad = set()
    for path, contents in sorted(sealed.items()):
        if problem := problem_of(path, partial(_check_sealed, contents)):
            bad.add(path)
        yield path, problem
    config = folder / "config.json"
    study = _study_in(config) if config in sealed.keys() - bad else None
    made = study and {folder / name for _, _, makes, _ in made_by(study) for name in makes}
    for path in files:
        first, *below = path.relative_to(folder).parts
        if path not in sealed and not (below and first in UNSEALED):
            yield path, problem_of(path, partial(_refuse_unsealed, made))
    if study:
        yield from _contradictions(results, folder, study, seals, bad)


def _check_seal(seals: list[Seal], path: Path) -> None:
    """Add a seal to those that are whole."""
    if seal := read_seal(path):
        seals.append(seal)
    elif is_there(path, "seal"):
        raise damage(path, "is damaged, or was renamed, so that it seals nothing", "seal")


def _check_sealed(contents: Container[str], path: Path) -> None:
    """Check that a file is what was sealed, and that a configuration is one."""
    found = checksum(path)
    if found not in contents:
        what = "was edited or damaged after it was made" if found else "is missing"
        raise ArtifactError(f"{path} {what}; {AGAIN}")
    if path.name == "config.json":
        try:
            _study_in(path)
        except NstarError as error:
            raise ArtifactError(
                f"{path} is not a configuration of this version ({' '.join(str(error).split())}); {AGAIN}"
            ) from None


def _study_in(config: Path) -> Study:
    with reading(config, "configuration"):
        options = json.loads(read_at_most(config, LARGEST_CONFIG))
    return load_study(options)


def _refuse_unsealed(made: Container[Path] | None, path: Path) -> None:
    """Refuse a file without a seal: one that steps make, or one that nobody knows."""
    if made is None or path in made or path.name == f"{REPORT}.html":
        or_else = "" if made else ", or remove it"
        raise ArtifactError(
            f"{path} has no seal: it is not known what it was made from; {AGAIN}{or_else}"
        )
    raise damage(path, "was made by no step of this study", "file", False)


def _contradictions(
    results: Path, folder: Path, study: Study, seals: Sequence[Seal], bad: Container[Path]
) -> Iterator[tuple[Path, Problem]]:
    """Yield which steps sealed files that fit neither the configuration nor the stores."""
    config = folder / "config.json"
    if study_folder(results, study.name) != folder:
        text = f"{folder} holds study {study.name}: it was renamed or copied; {AGAIN}"
        yield config, Problem(config, text, False)
        return
    try:
        steps = compare(study, results, _stores_digest(study, results))
        stale_report = why_report_is_stale(study, results, steps)
    except NstarError as error:
        if getattr(error, "path", None) not in bad:
            yield folder, as_problem(folder, error)
        return
    is_told = any(folder / name in bad for step in steps.values() for name in step.makes)
    for step in steps.values():
        of_itself = step.stale and not step.stale.endswith(("is made again", "has no seal"))
        touched = any(folder / name in bad for name in (*step.makes, *step.reads))
        if of_itself and step.stale != "not made yet" and not touched:
            text = f"{folder}: what {step.name} makes is stale: {step.stale}; {AGAIN}"
            yield Path(step.seal), Problem(Path(step.seal), text, False)
    for seal in seals:
        if seal.step not in {*steps, REPORT}:
            for path in (seal_path(folder, seal.name), *(folder / name for name in seal.outputs)):
                yield path, problem_of(path, _refuse_orphan)
    report = folder / f"{REPORT}.html"
    if not is_told and stale_report not in ("", "not made yet"):
        yield report, Problem(report, f"{report} is stale: {stale_report}; {AGAIN}", False)


def _refuse_orphan(path: Path) -> None:
    raise damage(path, "is of a step that the study does not have", "file", False)


def _stores_digest(study: Study, results: Path) -> str | None:
    """Return the digest of the stores of a study, or None where they are not all there."""
    try:
        plan = make_plan(study, results)
    except ArtifactError:  # told of the store itself
        return None
    return plan.stores_digest if plan.finished else None
