"""What do observations say, and how surely?"""

from nstar.stats.bootstrap import BootstrapFit, bootstrap_scaling
from nstar.stats.comparison import (
    JointFit,
    compare_coefficients,
    compare_in_joint_fit,
    compare_pairs,
    fit_jointly,
)
from nstar.stats.crossing import Crossing, find_crossings, fit_crossings
from nstar.stats.demand import Demand, fit_demand
from nstar.stats.design import Words
from nstar.stats.fieller import RatioOfEstimates, ratio_of_estimates
from nstar.stats.forms import FormFit, compare_forms
from nstar.stats.interval_regression import IntervalFit, SlopeRange, find_slope_range, fit_intervals
from nstar.stats.learning_curve import LearningCurve, fit_learning_curve
from nstar.stats.linear import LinearFit, fit_linear
from nstar.stats.logistic import LogisticFit, fit_logistic
from nstar.stats.ratio import Ratio, bracket_ratio, describe_censored, find_ratio
from nstar.stats.results import Coefficient, Difference, Result, ScalingFit, make_card
from nstar.stats.scaling import fit_scaling
from nstar.stats.shapes import ShapeFit, compare_shapes
from nstar.stats.sharing import SharingFactor, bracket_sharing_factor, find_sharing_factor
from nstar.stats.thresholds import Threshold, find_threshold

__all__ = [
    "BootstrapFit",
    "Coefficient",
    "Crossing",
    "Demand",
    "Difference",
    "FormFit",
    "IntervalFit",
    "JointFit",
    "LearningCurve",
    "LinearFit",
    "LogisticFit",
    "Ratio",
    "RatioOfEstimates",
    "Result",
    "ScalingFit",
    "ShapeFit",
    "SharingFactor",
    "SlopeRange",
    "Threshold",
    "Words",
    "bootstrap_scaling",
    "bracket_ratio",
    "bracket_sharing_factor",
    "compare_coefficients",
    "compare_forms",
    "compare_in_joint_fit",
    "compare_pairs",
    "compare_shapes",
    "describe_censored",
    "find_crossings",
    "find_ratio",
    "find_sharing_factor",
    "find_slope_range",
    "find_threshold",
    "fit_crossings",
    "fit_demand",
    "fit_intervals",
    "fit_jointly",
    "fit_learning_curve",
    "fit_linear",
    "fit_logistic",
    "fit_scaling",
    "make_card",
    "ratio_of_estimates",
]
