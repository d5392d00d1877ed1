"""Write how a study was made, as a page (rule write_methods)."""

from nstar.command_line import parser, run
from nstar.config_check import load_study
from nstar.files import written_whole
from nstar.methods import write_methods


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True).parse_args(arguments)
    page = write_methods(load_study(options.job["study"]))
    with written_whole(options.results / "methods.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)
