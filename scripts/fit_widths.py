"""Find the widths that answering questions needs, and fit how they grow (rule fit_widths)."""

from nstar.jobs.command_line import parser, run
from nstar.subjects.widths.exponents import fit_widths


def main(arguments=None):
    """Parse the command line and run."""
    options = parser(__doc__, job=True).parse_args(arguments)
    fit_widths(options.job, options.results)


if __name__ == "__main__":
    run(main)
