"""Write what is found of networks as functions, as a page (rule write_function_findings)."""

from nstar.files import written_whole
from nstar.jobs.command_line import parser, run
from nstar.subjects.functions.findings.page import write_function_findings
from nstar.tables import FUNCTION_TABLES, read_table


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True).parse_args(arguments)
    tables = options.results / "tables"
    page = write_function_findings(
        *(read_table(tables / f"{name}.csv", name) for name in FUNCTION_TABLES),
        options.job["title"],
    )
    with written_whole(options.results / "findings.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)
