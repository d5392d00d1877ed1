"""Fit what was measured of trained networks as functions (rule analyse_functions)."""

from nstar.jobs.command_line import parser, run
from nstar.subjects.functions.analysis import analyse_functions


def main(arguments=None):
    """Parse the command line and run."""
    options = parser(__doc__, job=True).parse_args(arguments)
    analyse_functions(options.job, options.results)


if __name__ == "__main__":
    run(main)
