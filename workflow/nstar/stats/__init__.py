"""Thresholds N*, and how log N* scales with the covariates of a study."""

from nstar.stats.scaling import (
    Coefficient,
    Difference,
    ScalingFit,
    compare_coefficients,
    fit_scaling,
)
from nstar.stats.thresholds import Threshold, find_threshold

__all__ = [
    "Coefficient",
    "Difference",
    "ScalingFit",
    "Threshold",
    "compare_coefficients",
    "find_threshold",
    "fit_scaling",
]
