"""Generate stores of sequences (rule generate_data)."""

from nstar.jobs.command_line import parser, run
from nstar.jobs.generation import generate_data
from nstar.plan.job_files import read_work


def main(arguments=None):
    """Parse the command line and generate."""
    options = parser(__doc__, job=True).parse_args(arguments)
    generate_data(read_work(options.job, "generate_data"), options.results)


if __name__ == "__main__":
    run(main)
