"""What do observations say, and how surely?

A name is imported from its module when it is first used: SciPy and statsmodels take more than a second
to load, which who counts thresholds or draws a figure need not wait for.
"""

from importlib import import_module

HOMES = {
    "bootstrap": ("BootstrapFit", "bootstrap_scaling", "interval_of_draws"),
    "comparison": (
        *("JointFit", "adjust_by_holm", "adjust_table", "compare_coefficients"),
        "compare_in_joint_fit",
        *("compare_pairs", "fit_jointly"),
    ),
    "demand": ("Demand", "fit_demand"),
    "design": ("Words",),
    "fieller": ("RatioOfEstimates", "ratio_of_estimates"),
    "forms": ("FormFit", "compare_forms"),
    "interval_regression": ("IntervalFit", "SlopeRange", "find_slope_range", "fit_intervals"),
    "isolated": ("IsolatedSharing", "find_isolated_sharing"),
    "learning_curve": ("LearningCurve", "fit_learning_curve"),
    "linear": ("LinearFit", "fit_linear"),
    "logistic": ("LogisticFit", "fit_logistic"),
    "ratio": ("Ratio", "bracket_ratio", "describe_censored", "find_ratio"),
    "results": ("Coefficient", "Difference", "Result", "ScalingFit", "make_card"),
    "scaling": ("fit_scaling",),
    "seeds": ("SeedChecks", "SeedOutcomes", "compare_shift"),
    "shapes": ("ShapeFit", "compare_shapes"),
    "sharing": ("SharingFactor", "bracket_sharing_factor", "find_sharing_factor"),
    "thresholds": ("Threshold", "find_threshold"),
    "variance": ("Component", "divide_variance"),
}
"""The names of this package by the module that holds them."""

__all__ = sorted(name for names in HOMES.values() for name in names)


def __getattr__(name: str):
    """Return a name of this package, importing its module."""
    for module, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
