"""What is measured of trained networks as functions, and what is fitted to it."""

from collections.abc import Mapping

from nstar.columns import (
    LENGTH,
    LENGTH_DISTRIBUTION,
    MODEL,
    SEED,
    SUPERVISION,
    TASK,
    Column,
    Table,
    Variable,
    count,
)

_REPLICATE: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "length": LENGTH,
    "budget": Column(
        "int64", "sequences", "N, size of the training set; 0 where every batch was drawn anew"
    ),
    "seed": SEED,
    "learning_rate": Column("float64", "1", "learning rate"),
    "step": Column("int64", "steps", "optimiser steps before the measurement"),
    "final": Column("bool", "1", "the measured weights are those at the end of training"),
}
_ERROR = Column("float64", "1", "standard error of the number before it, of the draws")

MEASURES: Mapping[str, Column] = {
    **_REPLICATE,
    "learnt": Column("bool", "1", "the replicate has learnt, by the success rule of the study"),
    "converged_at": Column(
        "Int64",
        "steps",
        "steps before the first evaluation with a validation loss of at most "
        "`evaluation.function.converged_loss`; empty where there was none",
    ),
    "loss": Column("float64", "1", "mean squared error on the validation set, targets in [0, 1]"),
    "parameter_norm": Column("float64", "1", "Euclidean norm of all parameters but positions"),
    "blowup": Column(
        "float64",
        "1",
        "LayerNorm blow-up, mean over inputs: the product over all LayerNorms of the largest "
        "1 + 1 / sqrt(var + eps) over positions (arXiv:2402.09963, eq. 5, 11); empty without LayerNorm",
    ),
    "squared_blowup": Column("float64", "1", "mean over inputs of its square (corollary 5)"),
    "plain_blowup": Column(
        "float64",
        "1",
        "the same by the released code: largest 1 / std, unbiased, without eps; of the last layer the "
        "last position alone",
    ),
    "average_sensitivity": Column(
        "float64", "1", "as_n of the network on the scale of {-1, +1} (eq. 7)"
    ),
    "average_sensitivity_error": Column(
        "float64", "1", "its standard error; 0 where all inputs were taken"
    ),
    "rounded_sensitivity": Column("float64", "1", "as_n of its outputs rounded to -1 or +1"),
    "target_sensitivity": Column("float64", "1", "as_n of the function it was taught"),
    "source_outcome": Column(
        "str",
        "1",
        "how the network ended whose function it was taught, see `outcome` of `cells`; empty where the "
        "task is not a learnt function",
    ),
}
"""One row per replicate and measured step."""

SHARPNESS: Mapping[str, Column] = {
    **_REPLICATE,
    "perturbation": Column(
        "str",
        "1",
        "`gaussian`: every parameter by Normal(0, size^2); `sphere`: a step of length `size`; "
        "`relative`: a step of length `size` times the parameter norm; positions are left alone",
    ),
    "size": Column("float64", "1", "size of the perturbation"),
    "radius": Column("float64", "1", "mean length of the step"),
    "sharpness": Column(
        "float64",
        "1",
        "mean over steps and inputs of the squared change of the output, on the scale of {-1, +1} "
        "(arXiv:2402.09963, eq. 15)",
    ),
    "sharpness_error": _ERROR,
    "loss_increase": Column(
        "float64", "1", "mean increase of the squared error, on the same scale (the released code)"
    ),
    "loss_increase_error": _ERROR,
    "training_sharpness": Column(
        "float64",
        "1",
        "sharpness with the mean over the training set in place of all inputs, or of a learnt function "
        "with fresh batches over that of its source; where `evaluation.function.training_set` is true",
        optional=True,
    ),
    "training_sharpness_error": _ERROR._replace(optional=True),
}
"""One row per replicate, measured step and perturbation."""

CUTS = ("half", "median")
"""Where outputs on the scale of {0, 1} are cut to make a Boolean function of them, by their codes."""

SENSITIVITY_PROFILE: Mapping[str, Column] = {
    **_REPLICATE,
    "initialisation_seed": Column("int64", "1", "seed of the initial weights"),
    "cut": Column(
        "str",
        "1",
        "which Boolean function of the outputs it is: +1 where an output is above 1/2 (`half`), or above "
        "the median over all inputs (`median`), which makes it balanced",
    ),
    "sensitivity": Column("int64", "1", "s, how many single flips change the value at an input"),
    "count": Column("int64", "inputs", "K_s, how many of the 2^n inputs have that sensitivity"),
    "share": Column("float64", "1", "K_s / 2^n"),
    "random_share": Column(
        "float64", "1", "its expectation for a random function, binom(n, s) / 2^n"
    ),
    "target_count": Column(
        "int64", "inputs", "K_s of the function it was taught, cut at 1/2 where it is real-valued"
    ),
}
"""One row per replicate, measured step, cut and sensitivity."""

INSENSITIVE: Mapping[str, Column] = {
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "model": MODEL,
    "task": Column(
        "str", "1", "name of the task in the configuration; empty for untrained networks"
    ),
    "length": LENGTH,
    "networks": Column(
        "str",
        "1",
        "which networks: `untrained`, those of every seed at step 0, which all tasks have in common; at "
        "the end of training those that `learnt`, and those that did not, `not_learnt`",
    ),
    "cut": SENSITIVITY_PROFILE["cut"],
    "n_networks": Column("int64", "1", "networks"),
    "n_insensitive": Column("int64", "1", "networks with at least one insensitive input, K_0 >= 1"),
    "n_constant": Column("int64", "1", "networks that are constant, K_0 = 2^n"),
    "estimate": Column("float64", "1", "share of networks with K_0 >= 1"),
    "lower": Column("float64", "1", "lower end of its interval (Clopper and Pearson)"),
    "upper": Column("float64", "1", "upper end of its interval"),
    "confidence": Column("float64", "1", "least coverage of the interval"),
    "median_share": Column("float64", "1", "median over networks of K_0 / 2^n"),
    "least_share": Column("float64", "1", "least K_0 / 2^n"),
    "greatest_share": Column("float64", "1", "greatest K_0 / 2^n"),
    "random_share": Column("float64", "1", "expected K_0 / 2^n of a random function, 2^-n"),
    "target_share": Column(
        "float64", "1", "K_0 / 2^n of the function taught; empty for untrained networks"
    ),
}
"""One row per model, task, length, kind of networks and cut."""

DEGREES: Mapping[str, Column] = {
    **_REPLICATE,
    "degree": Column("int64", "1", "how many bits are multiplied"),
    "weight": Column(
        "float64", "1", "d_i, sum of the squared Fourier coefficients of that degree (eq. 17)"
    ),
    "target_weight": Column("float64", "1", "that of the function it was taught"),
}
"""One row per replicate, measured step and degree."""

_INTERVAL: Mapping[str, Column] = {
    "estimate": Column("float64", "1", "estimate; empty if it is not identified"),
    "lower": Column("float64", "1", "lower end of the interval; `-inf` where it is open"),
    "upper": Column("float64", "1", "upper end of the interval; `inf` where it is open"),
    "confidence": Column("float64", "1", "nominal coverage of the interval"),
}
_OF_FIT: Mapping[str, Column] = {
    "identified": Column("bool", "1", "the rows determine the estimate"),
    "reason": Column("str", "1", "why they do not; empty if they do"),
}
_STRATUM = {"supervision": SUPERVISION, "length_distribution": LENGTH_DISTRIBUTION}
_MOMENT = Column(
    "str",
    "1",
    "which weights: `final`, or `settled`, those `evaluation.function.settled_steps` after convergence",
)
_QUANTITY = Column(
    "str",
    "1",
    "a column of `measures`, or `sharpness` with perturbation and size: `sharpness_gaussian_0.02`",
)

REGRESSIONS: Mapping[str, Column] = {
    **_STRATUM,
    "regression": Column(
        "str",
        "1",
        "`growth`: the quantity on n; `log_growth`: its logarithm on log n; `learning`: whether a run "
        "learnt, logistic, on n; `tradeoff`: the parameter norm on log10 of the plain blow-up, its "
        "square and n; `reverse_tradeoff`: log10 of the plain blow-up on the norm, its square and n; "
        "`sensitivity`: the quantity on the average sensitivity, over all tasks",
    ),
    "model": MODEL,
    "task": Column("str", "1", "name of the task in the configuration; empty for all together"),
    "length": Column("Int64", "symbols", "n where one length is taken; empty for all"),
    "moment": _MOMENT,
    "quantity": _QUANTITY,
    "coefficient": Column(
        "str", "1", "`intercept`, or the covariate: `n`, `log_n`, `log10_blowup`, ..."
    ),
    **_INTERVAL,
    "standard_error": Column("float64", "1", "standard error of the estimate"),
    "p_value": Column("float64", "1", "two-sided, of the coefficient being 0"),
    "p_value_holm": Column(
        "float64",
        "1",
        "`p_value` adjusted by Holm for the `n_tests` tests of the table; empty for intercepts",
    ),
    "n_tests": Column("int64", "1", "p values in the table, those of intercepts left out"),
    "r": Column("float64", "1", "correlation of fitted and measured values; empty if logistic"),
    "n_used": Column("int64", "1", "runs in the fit"),
    "n_left_out": Column("int64", "1", "runs left out because they did not learn"),
    "n_missing": Column(
        "int64",
        "1",
        "runs that learnt but lack the number: it was not measured at that moment, or has no logarithm",
    ),
    "n_clusters": Column(
        "int64", "1", "lengths or tasks whose runs count as dependent; `n_used` where none do"
    ),
    **_OF_FIT,
    "method": Column("str", "1", "how it was estimated"),
}
"""One row per regression, model, task, quantity and coefficient."""

SHAPES: Mapping[str, Column] = {
    **_STRATUM,
    "model": MODEL,
    "task": TASK,
    "moment": _MOMENT,
    "quantity": _QUANTITY,
    "shape": Column("str", "1", "name of the shape"),
    "formula": Column("str", "1", "the quantity as a function of x, which is n"),
    **{letter: Column("float64", "1", f"{letter} of the formula") for letter in "abc"},
    "n_used": Column("int64", "1", "runs in the fit"),
    "aic": Column("float64", "1", "Akaike's criterion; less is better"),
    "delta_aic": Column(
        "float64", "1", "distance from the least `aic` of the quantity; below 2 says little"
    ),
    **_OF_FIT,
}
"""One row per model, task, quantity and shape of its growth with n."""

CONTRASTS: Mapping[str, Column] = {
    **_STRATUM,
    "model": MODEL,
    "task": Column("str", "1", "the task in the numerator: that with the larger size of estimate"),
    "over_task": Column("str", "1", "the task in the denominator"),
    "moment": _MOMENT,
    "quantity": _QUANTITY,
    "kind": Column("str", "1", "`slope`: of the slopes in n; `level`: of the means at one length"),
    "length": Column("Int64", "symbols", "n of the means; empty for slopes"),
    **_INTERVAL,
    "identified": Column("bool", "1", "both estimates and their errors are known"),
    "reason": Column("str", "1", "why they are not, or why the interval is open; else empty"),
}
"""One row per pair of tasks, quantity and ratio."""

TABLES = {
    "measures": Table(
        "what is measured of networks as functions, one row per replicate and measured step.",
        MEASURES,
    ),
    "sharpness": Table(
        "one row per replicate, step and perturbation.",
        SHARPNESS,
    ),
    "degrees": Table(
        "Fourier weight by degree, of short inputs.",
        DEGREES,
    ),
    "sensitivity_profile": Table(
        "inputs by sensitivity, of short inputs; no rows unless `evaluation.function.profile` is true.",
        SENSITIVITY_PROFILE,
    ),
    "insensitive": Table(
        "how many networks have insensitive inputs, before and after training; as `sensitivity_profile`.",
        INSENSITIVE,
    ),
    "regressions": Table(
        "slopes of what is measured, one row per coefficient.",
        REGRESSIONS,
    ),
    "shapes": Table(
        "which shape describes the growth with n best.",
        SHAPES,
    ),
    "contrasts": Table(
        "ratios of slopes and levels of two tasks.",
        CONTRASTS,
    ),
}
"""All tables of the subject by name."""

PERTURBATIONS = ("gaussian", "sphere", "relative")
"""Kinds of steps in weight space, by their codes in the store of an evaluation."""

_OF_REPLICATE = ("replicate",)
_OF_MOMENT = ("replicate", "moment")
_OF_STEP = ("replicate", "moment", "perturbation")

VARIABLES = {
    "measured_step": Variable(_OF_MOMENT, "optimiser steps before the measures", "steps", "iu"),
    "parameter_norm": Variable(_OF_MOMENT, "norm of all parameters but positions"),
    "blowup": Variable(_OF_MOMENT, "LayerNorm blow-up of the theory, mean over inputs"),
    "squared_blowup": Variable(_OF_MOMENT, "its square, mean over inputs"),
    "plain_blowup": Variable(_OF_MOMENT, "LayerNorm blow-up of the released code"),
    "average_sensitivity": Variable(_OF_MOMENT, "average sensitivity of the network"),
    "average_sensitivity_error": Variable(_OF_MOMENT, "its standard error, 0 where it is exact"),
    "rounded_sensitivity": Variable(_OF_MOMENT, "average sensitivity of the rounded outputs"),
    "target_sensitivity": Variable(_OF_REPLICATE, "average sensitivity of the function taught"),
    "degree_weight": Variable((*_OF_MOMENT, "degree"), "Fourier weight by degree"),
    "target_degree_weight": Variable(("replicate", "degree"), "that of the function taught"),
    "perturbation_kind": count(("perturbation",), "kind of the steps in weight space, a code"),
    "perturbation_size": Variable(("perturbation",), "their size"),
    "radius": Variable(_OF_STEP, "mean length of the steps"),
    "sharpness": Variable(_OF_STEP, "mean squared change of the output"),
    "sharpness_error": Variable(_OF_STEP, "its standard error"),
    "loss_increase": Variable(_OF_STEP, "mean increase of the squared error"),
    "loss_increase_error": Variable(_OF_STEP, "its standard error"),
    "training_sharpness": Variable(_OF_STEP, "sharpness on the training set"),
    "training_sharpness_error": Variable(_OF_STEP, "its standard error"),
    "sensitivity_profile": Variable(
        (*_OF_MOMENT, "cut", "sensitivity"),
        "inputs by sensitivity of the outputs, cut",
        "inputs",
        "iuf",
    ),
    "target_sensitivity_profile": Variable(
        ("replicate", "sensitivity"), "that of the function taught", "inputs", "iuf"
    ),
}
"""What an evaluation adds to its store."""
