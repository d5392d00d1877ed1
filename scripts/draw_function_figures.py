"""Draw the figures of networks measured as functions (rule draw_function_figures)."""

from nstar.command_line import parser, run
from nstar.figures import (
    draw_degrees,
    draw_dynamics,
    draw_growth,
    draw_sensitivity,
    draw_tradeoff,
    save,
)
from nstar.naming import stratum_suffix
from nstar.selection import STRATUM, stratum_of
from nstar.tables import read_table


def main(arguments=None):
    """Parse the command line and draw."""
    options = parser(__doc__, job=True).parse_args(arguments)
    tables, figures = options.results / "tables", options.job["figures"]
    measures, *others = (
        read_table(tables / f"{name}.csv", name)
        for name in ("measures", "sharpness", "degrees", "regressions")
    )
    width = figures["width_inches"]
    for stratum, part in measures.groupby(STRATUM):
        sharpness, degrees, regressions = (stratum_of(table, stratum) for table in others)
        drawn = {
            "growth": draw_growth(
                part, sharpness, regressions, options.job["settled_steps"], width
            ),
            "tradeoff": draw_tradeoff(part, width),
            "dynamics": draw_dynamics(part, sharpness, width),
            "sensitivity": draw_sensitivity(part, sharpness, regressions, width),
            "degrees": draw_degrees(degrees, width),
        }
        for name, figure in drawn.items():
            stem = options.results / "figures" / f"{name}{stratum_suffix(*stratum)}"
            save(figure, stem, figures["dots_per_inch"])


if __name__ == "__main__":
    run(main)
