"""Write what is found of the widths that questions need, as a page (rule write_width_findings)."""

from nstar.files import written_whole
from nstar.jobs.command_line import parser, run
from nstar.subjects.widths.findings import write_width_findings
from nstar.tables import ANSWER_TABLES, read_table


def main(arguments=None):
    """Parse the command line and write."""
    options = parser(__doc__, job=True).parse_args(arguments)
    tables, job = options.results / "tables", options.job
    read = (read_table(tables / f"{name}.csv", name) for name in ANSWER_TABLES)
    page = write_width_findings(*read, job["measure"], job["threshold"], job["title"])
    with written_whole(options.results / "findings.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    run(main)
