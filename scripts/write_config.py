"""Write and seal the configuration with all defaults (rule write_config)."""

import json

from nstar.cells.paths import study_folder
from nstar.files import written_whole
from nstar.files.seals import note_written
from nstar.jobs.command_line import parser, run
from nstar.jobs.turns import make_sealed
from nstar.plan.job_files import read_work


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True, seal=True).parse_args(arguments)
    study = read_work(options.job, "write_config")["study"]
    folder = study_folder(options.results, study["name"])
    make_sealed(folder, options, lambda: write_config(study, folder / "config.json"))


def write_config(study, path):
    """Write a configuration whole."""
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(study, indent=2) + "\n")
    note_written(path)


if __name__ == "__main__":
    run(main)
