"""The figures of a study: tables in, figures out; only `save` touches files."""

from nstar.figures.demand import draw_demand
from nstar.figures.dynamics import draw_dynamics
from nstar.figures.exponents import draw_exponents
from nstar.figures.extrapolation import draw_extrapolation
from nstar.figures.functions import draw_degrees, draw_sensitivity, draw_tradeoff
from nstar.figures.growth import draw_growth
from nstar.figures.learning import draw_accuracy
from nstar.figures.outcomes import draw_outcomes
from nstar.figures.sharing import draw_sharing
from nstar.figures.style import save
from nstar.figures.widths import draw_locality, draw_operations, draw_width_accuracy, draw_widths

__all__ = [
    "draw_accuracy",
    "draw_degrees",
    "draw_demand",
    "draw_dynamics",
    "draw_exponents",
    "draw_extrapolation",
    "draw_growth",
    "draw_locality",
    "draw_operations",
    "draw_outcomes",
    "draw_sensitivity",
    "draw_sharing",
    "draw_tradeoff",
    "draw_width_accuracy",
    "draw_widths",
    "save",
]
