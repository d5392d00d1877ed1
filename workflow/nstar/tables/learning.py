"""Learning curves: how loss and accuracies change with the budget, and the exponents of their fall."""

from collections.abc import Mapping

from nstar.tables.columns import (
    LENGTH,
    LENGTH_DISTRIBUTION,
    MODEL,
    STATES,
    SUPERVISION,
    TASK,
    Column,
)

_CURVE: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
}
_MEASURE = Column(
    "str",
    "1",
    "`loss` (nats per label, or squared error), `token_accuracy` or `sequence_accuracy`, of the "
    "validation set",
)
_UNIT = "nats for `loss`, else 1"

LEARNING_CURVES: Mapping[str, Column] = {
    **_CURVE,
    "budget": Column("int64", "sequences", "N, size of the training set"),
    "measure": _MEASURE,
    "least": Column(
        "float64",
        _UNIT,
        "least value of the measure over seeds, each at its best evaluation and learning rate",
    ),
    "median": Column("float64", _UNIT, "their median"),
    "most": Column("float64", _UNIT, "the largest of them"),
    "chance": Column(
        "float64",
        _UNIT,
        "what a guess reaches that knows length and position only; of `sequence_accuracy`, with labels "
        "taken as independent; empty where it is not known",
    ),
    "n_seeds": Column("int64", "1", "seeds"),
    "n_fitted": Column("int64", "1", "seeds of which some learning rate fitted its training set"),
    "n_stopped": Column(
        "int64",
        "1",
        "seeds of which some learning rate ended at its first success: the stopping rule decided how "
        "good they became; 0 with `training.stop_on_success: false`",
    ),
    "n_available": Column("int64", "sequences", "training sequences that exist"),
}
"""One row per curve, budget and measure."""

LEARNING_EXPONENTS: Mapping[str, Column] = {
    **_CURVE,
    "measure": Column(
        "str", "1", "as in `learning_curves`; of an accuracy, the share of wrong answers is fitted"
    ),
    "estimate": Column(
        "float64",
        "1",
        "b: far above N0, what is left of the loss or error above its floor falls as N^-b; empty if it "
        "is not identified",
    ),
    "lower": Column("float64", "1", "lower end of the interval of b"),
    "upper": Column("float64", "1", "upper end of the interval of b"),
    "standard_error": Column("float64", "1", "standard error of b"),
    "confidence": Column("float64", "1", "nominal coverage of the interval"),
    "midpoint": Column(
        "float64", "sequences", "N0, budget at half of the way from chance to the floor"
    ),
    "floor": Column("float64", _UNIT, "loss or error that unlimited data would leave"),
    "chance": Column("float64", _UNIT, "loss or error of guessing, where the curve begins"),
    "holdout_error": Column(
        "float64",
        _UNIT,
        "mean absolute error at the largest budget, predicted from the others; empty if these do not "
        "identify a curve",
    ),
    "n_budgets": Column("int64", "1", "budgets in the fit, or that could be used"),
    "n_left_out": Column(
        "int64",
        "1",
        "budgets left out: a seed was stopped by its success, or did not fit its training set",
    ),
    "n_used": Column("int64", "1", "runs in the fit: seeds at budgets"),
    "n_seeds": Column("int64", "1", "seeds among them"),
    "identified": Column("bool", "1", "the budgets determine the curve"),
    "converged": Column("bool", "1", "the fit converged"),
    "reason": Column("str", "1", "why there is no estimate or no interval; empty if all is well"),
    "method": Column("str", "1", "how it was estimated"),
}
"""One row per curve and measure."""
