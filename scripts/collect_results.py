"""Collect the stores of a study into its tables (rule collect_results)."""

from nstar.jobs.collection import collect_results
from nstar.jobs.command_line import parser, run
from nstar.plan.job_files import read_work


def main(arguments=None):
    """Parse the command line and run."""
    options = parser(__doc__, job=True).parse_args(arguments)
    collect_results(read_work(options.job, "collect_results"), options.results)


if __name__ == "__main__":
    run(main)
