"""Write how a study was made, as a page (rule write_methods)."""

from nstar.jobs.command_line import parser, run
from nstar.methods import write_methods
from nstar.plan.job_files import read_work
from nstar.reading.check import load_study
from nstar.report.page import write_page


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True).parse_args(arguments)
    page = write_methods(load_study(read_work(options.job, "write_methods")["study"]))
    write_page(page, options.results / "methods.html")


if __name__ == "__main__":
    run(main)
