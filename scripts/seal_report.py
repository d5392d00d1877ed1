"""Move a report into the folder of its study, seal it, and let results/report.html point to it.

The report is one that `snakemake --report` has just made. It is refused if the configuration or a table
has changed since.
"""

from pathlib import Path

from nstar.jobs.command_line import parser, run
from nstar.jobs.reporting import seal_report
from nstar.reading.check import load_study
from nstar.reading.file import read_config


def main(arguments=None):
    """Parse the command line and seal."""
    flags = parser(__doc__)
    flags.add_argument(
        "--configfile", type=Path, default=Path("config.yaml"), help="default: config.yaml"
    )
    flags.add_argument("report", type=Path, help="the file that snakemake --report has made")
    options = flags.parse_args(arguments)
    study = load_study(read_config(options.configfile))
    folder = seal_report(study, options.results, options.report)
    print(f"The report is in {options.results}/report.html; its numbers are in {folder}/tables/.")


if __name__ == "__main__":
    run(main)
