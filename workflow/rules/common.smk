"""The study, its plan and its jobs: every other file of rules reads these.

Reads the configuration, the names of the files below results/ and headers of stores; imports no torch.
"""

import dataclasses
import itertools
import os
import sys
import time

from snakemake.cli import parse_args
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import update_config

from nstar.plan.attempts import Retries, list_checkpoints
from nstar.plan.jobs import plan_jobs, read_job
from nstar.reading.check import load_study
from nstar.reading.file import read_config, read_override
from nstar.plan.costs import device_kind, planned_device
from nstar.errors import NstarError
from nstar.files.faults import machine_fault
from nstar.plan.forecast_text import compare_with_truth, next_round
from nstar.cells.paths import study_folder
from nstar.options import EVERYTHING
from nstar.plan.missing import make_plan
from nstar.plan.derived import compare, derived_steps, report_digest
from nstar.tables import EVERY_STUDY


def target_rules():
    """Return the rules that a job on another machine is told to run, which only its command says."""
    after = sys.argv[sys.argv.index("--target-jobs") + 1 :]
    targets = itertools.takewhile(lambda argument: not argument.startswith("-"), after)
    return [target.partition(":")[0] for target in targets]


# What Snakemake says of each output of a failed job, which is whole or not there, and of each file of a
# report that this folder has not made.
UNSAID = ("Cannot restore ", "--keep-incomplete mode is set", "Missing metadata for file")
logger.addFilter(lambda record: not str(record.msg).startswith(UNSAID))

PYTHON = sys.executable
SCRIPTS = f"{workflow.basedir}/scripts"

if not workflow.overwrite_configfiles:
    # What `configfile:` would note; Snakemake's reader takes the last of two equal keys.
    workflow.configfiles.append("config.yaml")

try:
    for path in workflow.configfiles:
        update_config(config, read_config(path))
    update_config(config, read_override(workflow.config_settings.config))  # --config key=value
    STUDY = load_study(config)
    PLAN = None if workflow.remote_exec else make_plan(STUDY, "results")
    PLANNED = PLAN and plan_jobs(PLAN)
    STEPS = derived_steps(PLAN) if PLAN else compare(STUDY, "results", stores=None)
except NstarError as error:
    raise SystemExit(f"error: {error}") from None  # without lines of the code
except (OSError, MemoryError) as error:
    raise SystemExit(f"error: {machine_fault(error)}") from None


# Captions of the report read the configuration with all defaults, so that none repeats a default.
config.clear()
config.update(STUDY.model_dump(mode="json", context=EVERYTHING))
config["introduction"] = STUDY.subject.introduction(STUDY)
config["axis"] = STUDY.axis and dataclasses.asdict(STUDY.axis)
config["judge"] = STUDY.subject.judge and STUDY.subject.judge(STUDY)
config["pages"] = [step.page for _, step in STUDY.subject.steps_of(STUDY)]

FOLDER = str(study_folder("results", STUDY.name))
config["folder"] = FOLDER
REPORTING = any(word.partition("=")[0] == "--report" for word in sys.argv)

if not REPORTING:
    # Snakemake knows these files while it makes a report alone; see `shown`.
    MAKERS = {f"{FOLDER}/{name}": step.name for step in STEPS.values() for name in step.makes}
    named = [word for word in filter(None, sys.argv[1:]) if os.path.relpath(word) in MAKERS]
    for target in parse_args(sys.argv[1:])[1].targets if named else ():
        if maker := MAKERS.get(os.path.relpath(target)):
            raise SystemExit(
                f"error: {target} is not a target; the rule {maker} makes it: snakemake {maker}"
            )

if REPORTING:
    for step in STEPS.values():
        if step.stale:
            raise SystemExit(
                f"error: no report was made: the files of {step.name} are not those of the study "
                f"({step.stale}); run the workflow without --report first"
            )
    config["seal"] = report_digest(STEPS)

if workflow.remote_exec:
    # A job on another machine makes what the run that started it has planned, whatever exists by now.
    try:
        JOBS = [read_job("results", rule) for rule in target_rules()]
    except NstarError as error:
        raise SystemExit(f"error: {error}") from None
    CELL_STORES, EVALUATION_STORES, SEARCHING = [], [], False
else:
    JOBS = PLANNED.every
    CELL_STORES, EVALUATION_STORES = PLAN.cell_stores, PLAN.evaluation_stores
    SEARCHING = PLAN.searching

N_GPUS = int(device_kind(planned_device(STUDY)) == "gpu")


def save_jobs():
    """Write what each job and step is to make, for its script and for machines that run it."""
    try:
        for job in (*JOBS, *(step.job for step in STEPS.values())):
            job.save("results")
    except NstarError as error:
        raise WorkflowError(f"{error}; nothing was started") from None


def made_in_this_run(paths):
    """Return the stores that rules of this run make: the inputs of a job.

    A store that is there is no input: Snakemake lets a job fail if an input has a later time of change than
    what it has made, as after a run on a machine whose clock is ahead, also where it is `ancient`.
    """
    return [path for path in paths if not os.path.exists(path)]


def limit_retries():
    """Let a job give up when its attempts leave no newer checkpoint, before all --retries are used."""
    checkpoints = list_checkpoints("results")
    for job in JOBS:
        its_rule = workflow.get_rule(job.rule)
        its_rule.restart_times = Retries(
            its_rule.restart_times, job, "results", checkpoints, tell=logger.error
        )


def jobs_of(script):
    """Return the jobs that run a script, `train_cells` or another."""
    return [job for job in JOBS if job.rule.startswith(f"{script}-")]


def job_file(job):
    """Return the path of the file that tells a script what to make."""
    return str(job.path("results"))


def minutes(job):
    """Return a resource function: the time that an attempt asks for."""
    return lambda wildcards, attempt: job.requested_minutes(STUDY.jobs.most_minutes, attempt)


def kept(paths):
    """Return stores as outputs that Snakemake does not remove, since another run may have made them."""
    return [update(path) for path in paths]


def unless_sealed(step):
    """Return the option that lets a stale step leave alone what another run has made since.

    A step that is not stale runs where Snakemake is told to run it, and then it makes its files again.
    """
    return "--unless-sealed" if step.stale else ""


def inputs_of(step):
    """Return the seals of the makers of the tables that a step reads.

    They say what comes first, also where Snakemake runs a maker again because a run was killed. A seal
    that a clock ahead has made is left out, since Snakemake refuses an output that is older than any
    input. Those of a step that need not run are `ancient`; those of a stale one are not, or Snakemake
    would leave it out where it runs the maker.
    """
    makers = [other for other in STEPS.values() if {*other.makes} & {*step.reads}]
    listed = [maker.seal for maker in makers if maker.stale or not is_ahead(maker.seal)]
    return listed if step.stale else [ancient(path) for path in listed]


def is_ahead(path):
    """Whether a file has a time of change that is yet to come."""
    return os.path.exists(path) and os.path.getmtime(path) > time.time()


def step_message(step, message):
    """Return what is said while a step runs, and why it runs."""
    return f"{message[:-1]}: {step.stale}." if step.stale else message


def captions_of(subject):
    """Return the folder with the captions of a subject."""
    return f"../nstar/subjects/{subject.name}/captions"


def shown(path, **options):
    """Return an output that the report shows; nothing where no report is made.

    To a run, a step makes its seal and nothing else: Snakemake removes outputs before a job starts and
    when it fails, also those that another run has made and is about to read.
    """
    return report(path, **options) if REPORTING else []


def report_table(name, captions):
    """Return the path of a table, as an output that the report shows; see `shown`."""
    return shown(
        f"{FOLDER}/tables/{name}.csv",
        category="Tables",
        caption=f"{captions}/{name}_table.rst",
        labels={"table": name},
    )


def report_figure(stem, captions, name, asked):
    """Return the path of a figure of a stratum, as an output that the report shows; see `shown`."""
    return shown(
        f"{FOLDER}/{stem}.svg",
        category="Figures",
        caption=f"{captions}/{name}.rst",
        labels={"figure": name, "asked for": asked},
    )


def report_page(name, category, captions):
    """Return the path of a page, as an output that the report shows; see `shown`."""
    return shown(
        f"{FOLDER}/{name}.html",
        category=category,
        caption=f"{captions}/{name}.rst",
        labels={"page": name},
    )
