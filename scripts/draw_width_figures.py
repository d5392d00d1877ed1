"""Draw the figures of a study of widths (rule draw_width_figures)."""

from nstar.cells.naming import stratum_suffix
from nstar.jobs.command_line import parser, run
from nstar.report.style import save
from nstar.subjects.widths.figures import (
    draw_locality,
    draw_operations,
    draw_width_accuracy,
    draw_widths,
)
from nstar.tables import ANSWER_TABLES, read_table
from nstar.tables.selection import STRATUM, stratum_of


def main(arguments=None):
    """Parse the command line and draw."""
    options = parser(__doc__, job=True).parse_args(arguments)
    tables, job = options.results / "tables", options.job
    answers, *others = (read_table(tables / f"{name}.csv", name) for name in ANSWER_TABLES)
    shown = {name: job[name] for name in ("measure", "threshold")}
    shown["width_inches"] = job["figures"]["width_inches"]
    for stratum, part in answers.groupby(STRATUM):
        widths, exponents = (stratum_of(table, stratum) for table in others)
        drawn = {
            "width_accuracy": draw_width_accuracy(part, widths, **shown),
            "widths": draw_widths(widths, exponents, **shown),
            "operations": draw_operations(widths, **shown),
        }
        if "locality" in job["names"]:
            drawn["locality"] = draw_locality(widths, **shown)
        for name, figure in drawn.items():
            stem = options.results / "figures" / f"{name}{stratum_suffix(*stratum)}"
            save(figure, stem, job["figures"]["dots_per_inch"])


if __name__ == "__main__":
    run(main)
