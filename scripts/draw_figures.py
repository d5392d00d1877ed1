"""Draw the figures of a study from its tables (rule draw_figures)."""

from nstar.command_line import parser, run
from nstar.figures import (
    draw_accuracy,
    draw_demand,
    draw_exponents,
    draw_extrapolation,
    draw_outcomes,
)
from nstar.figures.style import save
from nstar.tables import read_table


def main(arguments=None):
    """Parse the command line and draw."""
    options = parser(__doc__, job=True).parse_args(arguments)
    tables, figures = options.results / "tables", options.job["figures"]
    cells = read_table(tables / "cells.parquet", "cells")
    thresholds = read_table(tables / "thresholds.csv", "thresholds")
    exponents = read_table(tables / "exponents.csv", "exponents")
    checks = read_table(tables / "checks.csv", "checks")
    demand = read_table(tables / "demand.csv", "demand")
    width = figures["width_inches"]
    drawn = {
        "demand": draw_demand(thresholds, exponents, demand, width),
        "exponents": draw_exponents(exponents, checks, width),
        "accuracy": draw_accuracy(cells, width),
        "extrapolation": draw_extrapolation(cells, width),
        "outcomes": draw_outcomes(cells, width),
    }
    for name, figure in drawn.items():
        save(figure, options.results / "figures" / name, figures["dots_per_inch"])


if __name__ == "__main__":
    run(main)
