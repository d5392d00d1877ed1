"""All figures of a study of networks as functions, from its tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nstar.cells.naming import stratum_suffix
from nstar.report.style import save_all
from nstar.subjects.functions.figures.dynamics import draw_dynamics
from nstar.subjects.functions.figures.functions import draw_degrees, draw_sensitivity, draw_tradeoff
from nstar.subjects.functions.figures.growth import draw_growth
from nstar.subjects.functions.figures.profiles import draw_insensitive, draw_profiles
from nstar.tables import read_tables
from nstar.tables.selection import STRATUM, stratum_of


def draw_figures(job: Mapping[str, Any], results: Path) -> None:
    """Draw the figures.

    Parameters
    ----------
    job : mapping
        ``figures`` (options), ``settled_steps`` (see `nstar.subjects.functions.selection`) and
        ``profile`` (whether sensitivity profiles are drawn).
    results : Path
    """
    width, dots_per_inch = job["figures"]["width_inches"], job["figures"]["dots_per_inch"]
    names = ("measures", "sharpness", "degrees", "sensitivity_profile", "regressions")
    measures, *others = read_tables(results, *names)
    for stratum, part in measures.groupby(STRATUM):
        sharpness, degrees, profile, regressions = (stratum_of(table, stratum) for table in others)
        drawn = {
            "growth": draw_growth(part, sharpness, regressions, job["settled_steps"], width),
            "tradeoff": draw_tradeoff(part, width),
            "dynamics": draw_dynamics(part, sharpness, width),
            "sensitivity": draw_sensitivity(part, sharpness, regressions, width),
            "degrees": draw_degrees(degrees, width),
        }
        if job["profile"]:
            drawn["insensitive"] = draw_insensitive(profile, part, width)
            drawn["profiles"] = draw_profiles(profile, part, width)
        save_all(drawn, results / "figures", stratum_suffix(*stratum), dots_per_inch)
