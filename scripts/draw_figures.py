"""Draw the figures of a study from its tables (rule draw_figures)."""

from nstar.cells.naming import stratum_suffix
from nstar.jobs.command_line import parser, run
from nstar.report.style import save
from nstar.subjects.demand.figures.demand import draw_demand
from nstar.subjects.demand.figures.exponents import draw_exponents
from nstar.subjects.demand.figures.extrapolation import draw_extrapolation
from nstar.subjects.demand.figures.learning import draw_accuracy
from nstar.subjects.demand.figures.learning_curves import draw_learning_curves
from nstar.subjects.demand.figures.outcomes import draw_outcomes
from nstar.subjects.demand.figures.sharing import draw_sharing
from nstar.tables import read_table
from nstar.tables.selection import STRATUM, stratum_of


def main(arguments=None):
    """Parse the command line and draw."""
    options = parser(__doc__, job=True).parse_args(arguments)
    tables, figures = options.results / "tables", options.job["figures"]
    cells = read_table(tables / "cells.parquet", "cells")
    others = [
        read_table(tables / f"{name}.csv", name)
        for name in (
            *("thresholds", "exponents", "checks", "demand"),
            *("learning_curves", "learning_exponents"),
        )
    ]
    width = figures["width_inches"]
    for stratum, part in cells.groupby(STRATUM):
        thresholds, exponents, checks, demand, *learning = (
            stratum_of(table, stratum) for table in others
        )
        drawn = {
            "demand": draw_demand(thresholds, exponents, demand, width),
            "exponents": draw_exponents(exponents, checks, width),
            "accuracy": draw_accuracy(part, width),
            "learning_curves": draw_learning_curves(part, *learning, width),
            "extrapolation": draw_extrapolation(part, width),
            "outcomes": draw_outcomes(part, width),
        }
        for name, figure in drawn.items():
            stem = options.results / "figures" / f"{name}{stratum_suffix(*stratum)}"
            save(figure, stem, figures["dots_per_inch"])
    if options.job["sharing"]:
        sharing, extrapolation = (
            read_table(tables / f"{name}.csv", name) for name in ("sharing", "extrapolation")
        )
        figure = draw_sharing(sharing, extrapolation, width)
        save(figure, options.results / "figures" / "sharing", figures["dots_per_inch"])


if __name__ == "__main__":
    run(main)
