"""Fit the scaling exponents of every model, and their differences (rule fit_exponents)."""

from nstar.command_line import parser, run
from nstar.jobs.fitting import fit_exponents


def main(arguments=None):
    """Parse the command line and run."""
    options = parser(__doc__, job=True).parse_args(arguments)
    fit_exponents(options.job, options.results)


if __name__ == "__main__":
    run(main)
