"""Making the stores of a study in this process, as the jobs of the workflow do."""

from nstar.jobs.evaluation import evaluate_cells
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells


def make_stores(planned, results):
    """Run all jobs, one after the other, on the CPU."""
    for planned_job in planned.generation:
        generate_data(planned_job.work, results)
    for planned_job in planned.training:
        train_cells(planned_job.work, results, "cpu", 60.0)
    for planned_job in planned.evaluation:
        evaluate_cells(planned_job.work, results, "cpu")
