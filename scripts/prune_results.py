"""List the files of a results folder that no given study needs; with --remove, remove them.

These are stores, checkpoints, files of jobs, and partial files that a kill has left. Reads the
configurations, names of files, and files of jobs; imports no torch.
"""

from pathlib import Path

from nstar.errors import ConfigError
from nstar.jobs.command_line import parser, run
from nstar.plan.pruning import as_text, find_surplus, remove
from nstar.reading.check import load_study
from nstar.reading.file import read_config


def main(arguments=None):
    """Parse the command line, and list or remove."""
    flags = parser(__doc__)
    flags.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[Path("config.yaml")],
        metavar="FILE",
        help="the studies that use this folder, one per file: name all (default: config.yaml)",
    )
    flags.add_argument("--remove", action="store_true", help="remove what is listed")
    options = flags.parse_args(arguments)
    studies = [read_study(path) for path in options.configfile]
    surplus = find_surplus(studies, options.results)
    if options.remove:
        remove(surplus, options.results)
    print(as_text(surplus, options.remove))


def read_study(path):
    """Return the study in a file; an error names the file, of which there are several."""
    raw = read_config(path)
    try:
        return load_study(raw)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


if __name__ == "__main__":
    run(main)
