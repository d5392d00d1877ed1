"""Write and seal how a study was made, as a page (rule write_methods)."""

from nstar.cells.paths import study_folder
from nstar.jobs.command_line import parser, run
from nstar.jobs.turns import make_sealed
from nstar.methods import write_methods
from nstar.plan.job_files import read_work
from nstar.reading.check import load_study
from nstar.report.page import write_page


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True, seal=True).parse_args(arguments)
    study = load_study(read_work(options.job, "write_methods")["study"])
    folder = study_folder(options.results, study.name)
    make_sealed(folder, options, lambda: write_page(write_methods(study), folder / "methods.html"))


if __name__ == "__main__":
    run(main)
