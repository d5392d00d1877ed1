"""Making the stores of a study in this process, as the jobs of the workflow do."""

from pathlib import Path

from nstar.jobs.evaluation import evaluate_cells
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan


def run_job(stage, job, results):
    """Run a job on the CPU."""
    if stage == "generation":
        generate_data(job.work, results)
    elif stage == "training":
        train_cells(job.work, results, "cpu", 60.0)
    else:
        evaluate_cells(job.work, results, "cpu")


def make_stores(planned, results, run=run_job):
    """Run all jobs, each when what it reads is there."""
    stages = ("generation", "training", "evaluation")
    waiting = [(stage, job) for stage in stages for job in getattr(planned, stage)]
    while waiting:
        ready = [pair for pair in waiting if all(Path(path).exists() for path in pair[1].inputs)]
        assert ready, f"no job makes what {[job.rule for _, job in waiting]} read"
        for stage, job in ready:
            run(stage, job, results)
            assert all(Path(path).exists() for path in job.outputs), job.rule
        waiting = [pair for pair in waiting if pair not in ready]


def finish(study, results, run=run_job):
    """Make all stores of a study, round after round of its search, and return its last plan."""
    while not (plan := make_plan(study, results)).finished:
        make_stores(plan_jobs(plan), results, run)
    return plan


def tampered(read_parts):
    """Return the function that reads parts, with the first known loss of each run a little off."""

    def read(*arguments):
        joined = read_parts(*arguments)
        joined["numbers"].values[:, 0, 1, 0] *= 1.0001
        return joined

    return read
