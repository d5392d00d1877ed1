"""Which files are made of the stores of a study, and which of them have to be made again.

Tables, figures and pages lie in the folder of their study. Each step seals what it makes
(`nstar.files.seals`); the name of the seal ends in the digest of the step's job, so the seal of another
configuration is another file. A step is stale when it has no seal that fits the stores and the files.
Snakemake, plans and `verify_results` ask the same function.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from nstar.cells import strata_of
from nstar.cells.naming import stratum_name, stratum_suffix
from nstar.cells.paths import study_folder
from nstar.files import is_there
from nstar.files.seals import STORES, Seal, checksum, read_seals, seal_path
from nstar.plan.jobs import Job
from nstar.plan.missing import Plan
from nstar.plan.steps import step_jobs
from nstar.specification import digest
from nstar.study import Study
from nstar.subjects.subject import Step
from nstar.tables import EVERY_STUDY, table_file

REPORT = "report"
"""The step that seals the report; it is no rule, since Snakemake makes the report after a run."""


@dataclass(frozen=True)
class DerivedStep:
    """A step that makes files of a study.

    Attributes
    ----------
    job : Job
        What it is told; see `nstar.plan.steps.step_jobs`.
    reads, makes : tuple of str
        Paths below the folder of the study.
    figures : dict of tuple to str
        The path without ending of each figure, by name and what is asked for.
    seal : str
        Path of its seal: of the one that fits, or of the one that it is to make.
    stale : str
        Why it has to be run; empty where its files are those of the study.
    """

    name: str
    job: Job = field(repr=False)
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    figures: Mapping[tuple[str, str], str] = field(repr=False)
    seal: str = ""
    stale: str = ""


def made_by(study: Study) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...], dict]]:
    """Yield name, paths read, paths made, and figures of each step, in an order in which they can run."""
    collected = [*EVERY_STUDY, *(name for s in study.subject.lineage for name in s.collected)]
    yield "collect_results", (), (*_files_of(collected), "tables/study.zarr"), {}
    yield "write_config", (), ("config.json",), {}
    yield "write_methods", (), ("methods.html",), {}
    for _, step in study.subject.steps_of(study):
        figures = _figures_of(step, study)
        makes = (
            *_files_of(step.makes),
            *step.files,
            *(f"{stem}.{ending}" for stem in figures.values() for ending in ("svg", "png")),
            *([f"{step.page}.html"] if step.page else ()),
        )
        reads = tuple(map(table_file, study.subject.reads_of(step, study)))
        yield step.name, reads, makes, figures


def _files_of(tables: Iterable[str]) -> Iterator[str]:
    """Yield the files of tables: each is there for programs, and as text."""
    for name in tables:
        yield from (table_file(name), f"tables/{name}.csv")


def _figures_of(step: Step, study: Study) -> dict[tuple[str, str], str]:
    """Return the path without ending of each figure of a step, by its name and what is asked for."""
    return {
        **{
            (name, stratum_name(*stratum)): f"figures/{name}{stratum_suffix(*stratum)}"
            for stratum in strata_of(study)
            for name in step.figures(study)
        },
        **{(name, "everything"): f"figures/{name}" for name in step.figures_of_all(study)},
    }


def derived_steps(plan: Plan) -> dict[str, DerivedStep]:
    """Return the steps of a study by name, compared with what is there.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict of str to DerivedStep
        In an order in which they can run.

    Raises
    ------
    DamageError
        If something of another kind lies in the place of a file or a seal: a folder, a device, a link
        that leads nowhere.
    MachineError
        If a file cannot be read.

    Notes
    -----
    A step is up to date when one of its seals has the digest of its job, the checksums of the stores or
    files that it read, and those of the files that it made; and when no step before it is stale. This
    reads all tables, figures and pages once and writes nothing.
    """
    return compare(plan.study, plan.results, plan.stores_digest)


def compare(study: Study, results: Path, stores: str | None) -> dict[str, DerivedStep]:
    """Return what `derived_steps` does, from the digest of the stores; they are not compared for None."""
    folder = study_folder(results, study.name)
    seals, jobs = read_seals(folder), step_jobs(study)
    checksums = cache(lambda name: checksum(folder / name))
    steps: dict[str, DerivedStep] = {}
    stale: dict[str, str] = {}
    for name, reads, makes, figures in made_by(study):
        own = [seal for seal in seals if seal.step == name]
        before = [f"{read} is made again" for read in reads if read in stale]
        reasons = {}
        for seal in own:
            misfits = (
                *_foreign(seal, study, jobs[name], stores),
                *_changed(seal.outputs, makes, checksums),
                *before,
                *_other_inputs(seal, checksums),
            )
            reasons[seal.name] = next(iter(misfits), "")
        fitting = next((seal_name for seal_name, reason in reasons.items() if not reason), None)
        reason = "" if fitting else _why(reasons.values(), makes, folder)
        if reason:
            stale |= dict.fromkeys(makes, name)
            fitting = _new_seal(folder, jobs[name].rule)
        seal = str(seal_path(folder, fitting))
        steps[name] = DerivedStep(name, jobs[name], reads, makes, figures, seal, reason)
    return steps


def _foreign(seal: Seal, study: Study, job: Job, stores: str | None) -> Iterator[str]:
    """Yield what a seal says that the study does not."""
    if seal.study != study.name:
        yield f"made for study {seal.study}"
    if f"{seal.step}-{seal.job}" != job.rule:
        yield "made from another configuration"
    if stores and STORES in seal.inputs and seal.inputs[STORES] != stores:
        yield "its stores changed"


def _changed(
    sealed: Mapping[str, str], names: Iterable[str], checksums: Callable[[str], str | None]
) -> Iterator[str]:
    """Yield which files are not those that were sealed."""
    for name in names:
        if name not in sealed:
            yield f"{name} has no seal"
        elif checksums(name) is None:
            yield f"{name} is missing"
        elif checksums(name) != sealed[name]:
            yield f"{name} was edited or damaged after it was made"


def _other_inputs(seal: Seal, checksums: Callable[[str], str | None]) -> Iterator[str]:
    for name, read in seal.inputs.items():
        if name != STORES and checksums(name) != read:
            yield f"made from another {name}"


def _why(reasons: Iterable[str], makes: Sequence[str], folder: Path) -> str:
    """Return why no seal of a step fits."""
    if reason := next(iter(reasons), None):
        return reason
    there = next((name for name in makes if os.path.lexists(folder / name)), None)
    return f"{there} has no seal" if there else "not made yet"


def _new_seal(folder: Path, name: str) -> str:
    """Return the name of a seal that is to be made: one that is not there, so that its rule runs."""
    n, free = 1, name
    while is_there(seal_path(folder, free), "seal"):
        n += 1
        free = f"{name}-{n}"
    return free


def report_digest(steps: Mapping[str, DerivedStep]) -> str:
    """Return the digest of all that a report is made from: of every seal, none of which is stale."""
    return digest({name: checksum(Path(step.seal)) for name, step in steps.items()})


def why_report_is_stale(study: Study, results: Path, steps: Mapping[str, DerivedStep]) -> str:
    """Return why the report of a study is not the one of its files; empty if it is.

    Parameters
    ----------
    study : Study
    results : Path
    steps : dict of str to DerivedStep
        Of the study.
    """
    folder = study_folder(results, study.name)
    own = [seal for seal in read_seals(folder) if seal.step == REPORT]
    if not is_there(folder / "report.html", "report"):
        return "not made yet"
    if any(step.stale for step in steps.values()):
        return "tables, figures or pages are made again"
    if report_digest(steps) not in {seal.job for seal in own}:
        return "made from other tables, figures or pages"
    if checksum(folder / "report.html") not in {seal.outputs.get("report.html") for seal in own}:
        return "it was edited or damaged after it was made"
    return ""
