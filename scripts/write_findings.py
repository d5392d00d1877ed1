"""Write what the numbers of a study say, as a page (rule write_findings)."""

from nstar.files import written_whole
from nstar.jobs.command_line import parser, run
from nstar.subjects.demand.findings.page import write_findings
from nstar.tables import read_table


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True).parse_args(arguments)
    tables = options.results / "tables"
    page = write_findings(
        read_table(tables / "cells.parquet", "cells"),
        *(
            read_table(tables / f"{name}.csv", name)
            for name in (
                *("thresholds", "exponents", "robustness", "checks", "forms", "demand"),
                *("learning_exponents", "sharing", "ratios"),
            )
        ),
        options.job["title"],
    )
    with written_whole(options.results / "findings.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)
