"""Draw the figures of a study from its tables (rule draw_figures)."""

from nstar.command_line import parser, run
from nstar.figures import (
    draw_accuracy,
    draw_demand,
    draw_exponents,
    draw_extrapolation,
    draw_outcomes,
    draw_sharing,
)
from nstar.figures.style import save
from nstar.naming import stratum_suffix
from nstar.selection import STRATUM, stratum_of
from nstar.tables import read_table


def main(arguments=None):
    """Parse the command line and draw."""
    options = parser(__doc__, job=True).parse_args(arguments)
    tables, figures = options.results / "tables", options.job["figures"]
    cells = read_table(tables / "cells.parquet", "cells")
    others = [
        read_table(tables / f"{name}.csv", name)
        for name in ("thresholds", "exponents", "checks", "demand")
    ]
    width = figures["width_inches"]
    for stratum, part in cells.groupby(STRATUM):
        thresholds, exponents, checks, demand = (stratum_of(table, stratum) for table in others)
        drawn = {
            "demand": draw_demand(thresholds, exponents, demand, width),
            "exponents": draw_exponents(exponents, checks, width),
            "accuracy": draw_accuracy(part, width),
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
