"""A run of a study in this process: jobs and steps of the Snakefile, by the same functions."""

import hashlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from support.stores import finish, run_job

from nstar.cells.paths import study_folder
from nstar.files import written_whole
from nstar.files.faults import reading
from nstar.files.seals import check_read, note_written, sealing
from nstar.jobs.reporting import seal_report
from nstar.plan.derived import derived_steps, report_digest
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan

SCRIPTS = Path(__file__).parents[2] / "scripts"


def script(name):
    """Return the function `main` of a script."""
    spec = spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def run_step(study, step, results, analyse=None):
    """Run and seal a step as its rule does; `analyse` may stand in for those of the analysis."""
    subjects = {own.name: subject.name for subject, own in study.subject.steps_of(study)}
    folder, job = study_folder(results, study.name), step.job.path(results)
    arguments = ["--job", str(job), "--seal", step.seal]
    if step.name not in subjects:
        script(step.name)(["--results", str(results), *arguments])
    elif analyse:
        with sealing(folder, job, Path(step.seal).stem):
            analyse(step, folder)
    else:
        named = f"{subjects[step.name]}.{step.name}"
        script("analyse_study")([named, "--results", str(folder), *arguments])


def stand_in(step, folder):
    """Write in the place of tables, figures and pages what they depend on: the job, and what is read."""
    read = {}
    for name in step.reads:
        with reading(folder / name, "table"):
            content = (folder / name).read_bytes()
        check_read(folder / name, content)
        read[name] = hashlib.sha256(content).hexdigest()
    content = "".join(f"{step.job.rule} reads {read}, {i}\n" for i in range(20))
    for name in step.makes:
        with written_whole(folder / name) as temporary:
            temporary.write_text(f"{name}\n{content}")
        note_written(folder / name)


def walk(study, results, run=run_job, analyse=stand_in, most=None):
    """Run a study to its end, and return the names of the steps that were run.

    Parameters
    ----------
    study : Study
    results : Path
    run : callable
        Runs a job, given its stage and the results folder.
    analyse : callable, optional
        Stands in for the steps of the analysis, which it is given with the folder of the study; None runs
        these.
    most : int, optional
        Steps after which the run is stopped.
    """
    for job in plan_jobs(make_plan(study, results)).every:
        job.save(results)
    finish(study, results, run)
    steps = derived_steps(make_plan(study, results)).values()
    stale = [step for step in steps if step.stale][:most]
    for step in steps:
        step.job.save(results)
    for step in stale:
        run_step(study, step, results, analyse)
    return [step.name for step in stale]


def report(study, results):
    """Make a report that holds what a report is recognised by, and seal it."""
    made = results.parent / "unsealed.html"
    seal = report_digest(derived_steps(make_plan(study, results)))
    made.write_text(f"<html>{study.name} {seal}</html>")
    seal_report(study, results, made)
