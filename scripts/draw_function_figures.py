"""Draw the figures of networks measured as functions (rule draw_function_figures)."""

from nstar.cells.naming import stratum_suffix
from nstar.jobs.command_line import parser, run
from nstar.report.style import save
from nstar.subjects.functions.figures.dynamics import draw_dynamics
from nstar.subjects.functions.figures.functions import draw_degrees, draw_sensitivity, draw_tradeoff
from nstar.subjects.functions.figures.growth import draw_growth
from nstar.tables import read_table
from nstar.tables.selection import STRATUM, stratum_of


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
