"""Evaluate trained cells (rule evaluate_cells)."""

from nstar.jobs.command_line import parser, run
from nstar.jobs.evaluation import evaluate_cells
from nstar.plan.job_files import read_work


def main(arguments=None):
    """Parse the command line and evaluate."""
    options = parser(__doc__, job=True, device=True).parse_args(arguments)
    evaluate_cells(read_work(options.job, "evaluate_cells"), options.results, options.device)


if __name__ == "__main__":
    run(main)
