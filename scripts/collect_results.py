"""Collect the stores of a study into its tables, and seal them (rule collect_results)."""

from nstar.cells.paths import study_folder
from nstar.jobs.collection import collect_results
from nstar.jobs.command_line import parser, run
from nstar.jobs.turns import make_sealed
from nstar.plan.job_files import read_work


def main(arguments=None):
    """Parse the command line and run."""
    options = parser(__doc__, job=True, seal=True).parse_args(arguments)
    work = read_work(options.job, "collect_results")
    folder = study_folder(options.results, work["study"]["name"])
    make_sealed(folder, options, lambda: collect_results(work, options.results))


if __name__ == "__main__":
    run(main)
