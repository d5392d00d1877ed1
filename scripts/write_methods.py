"""Write how a study was made, as a page (rule write_methods)."""

from nstar.files import written_whole
from nstar.jobs.command_line import parser, run
from nstar.methods import write_methods
from nstar.reading.check import load_study


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True).parse_args(arguments)
    page = write_methods(load_study(options.job["study"]))
    with written_whole(options.results / "methods.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)
