"""Making the stores of a study in this process, as the jobs of the workflow do."""

from nstar.jobs.evaluation import evaluate_cells
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells


def make_stores(batches, results):
    """Run all jobs, one after the other, on the CPU."""
    for batch in batches.generation:
        generate_data(batch.job, results)
    for batch in batches.training:
        train_cells(batch.job, results, "cpu", 60.0)
    for batch in batches.evaluation:
        evaluate_cells(batch.job, results, "cpu")
