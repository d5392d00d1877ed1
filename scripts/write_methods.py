"""Write and seal how a study was made, as a page (rule write_methods)."""

from nstar.cells.paths import study_folder
from nstar.jobs.command_line import parser, run
from nstar.methods import write_methods
from nstar.plan.steps import METHODS
from nstar.reading.check import load_study
from nstar.report.page import write_page
from nstar.seals import sealing


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True).parse_args(arguments)
    study = load_study(options.job["study"])
    folder = study_folder(options.results, study.name)
    with sealing(folder, METHODS, options.job):
        write_page(write_methods(study), folder / "methods.html")


if __name__ == "__main__":
    run(main)
