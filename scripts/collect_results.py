"""Collect the stores of a study into its tables (rule collect_results)."""

from nstar.jobs.collection import collect_results
from nstar.jobs.command_line import parser, run


def main(arguments=None):
    """Parse the command line and run."""
    options = parser(__doc__, job=True).parse_args(arguments)
    collect_results(options.job, options.results)


if __name__ == "__main__":
    run(main)
