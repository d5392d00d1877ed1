"""Fit the scaling exponents of every model, and their differences (rule fit_exponents)."""

from nstar.jobs.command_line import parser, run
from nstar.subjects.demand.exponents import fit_exponents


def main(arguments=None):
    """Parse the command line and run."""
    options = parser(__doc__, job=True).parse_args(arguments)
    fit_exponents(options.job, options.results)


if __name__ == "__main__":
    run(main)
