"""Making the stores of a study in this process, as the jobs of the workflow do."""

from nstar.jobs.evaluation import evaluate_cells
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells


def make_stores(planned, results):
    """Run all jobs, one after the other, on the CPU."""
    for job in planned.generation:
        generate_data(job.work, results)
    for job in planned.training:
        train_cells(job.work, results, "cpu", 60.0)
    for job in planned.evaluation:
        evaluate_cells(job.work, results, "cpu")
