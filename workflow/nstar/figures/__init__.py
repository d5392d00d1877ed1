"""The figures of a study: tables in, figures out; only `save` touches files."""

from nstar.figures.demand import draw_demand
from nstar.figures.exponents import draw_exponents
from nstar.figures.extrapolation import draw_extrapolation
from nstar.figures.learning import draw_accuracy
from nstar.figures.outcomes import draw_outcomes
from nstar.figures.sharing import draw_sharing
from nstar.figures.style import save

__all__ = [
    "draw_accuracy",
    "draw_demand",
    "draw_exponents",
    "draw_extrapolation",
    "draw_outcomes",
    "draw_sharing",
    "save",
]
