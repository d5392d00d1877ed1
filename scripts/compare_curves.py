"""Compare the curves of a study: what lengths share, ratios of demands (rule compare_curves)."""

from nstar.jobs.command_line import parser, run
from nstar.subjects.demand.comparison import compare_curves


def main(arguments=None):
    """Parse the command line and run."""
    options = parser(__doc__, job=True).parse_args(arguments)
    compare_curves(options.job, options.results)


if __name__ == "__main__":
    run(main)
