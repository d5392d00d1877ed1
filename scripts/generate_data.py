"""Generate stores of sequences (rule generate_data)."""

from nstar.jobs.command_line import parser, run
from nstar.jobs.generation import generate_data


def main(arguments=None):
    """Parse the command line and generate."""
    options = parser(__doc__, job=True).parse_args(arguments)
    generate_data(options.job, options.results)


if __name__ == "__main__":
    run(main)
