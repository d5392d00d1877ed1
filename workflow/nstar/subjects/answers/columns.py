"""What is measured of networks that answer questions, and how the width that they need grows."""

from collections.abc import Mapping

from nstar.columns import LENGTH, LENGTH_DISTRIBUTION, MODEL, SEED, SUPERVISION, TASK, Column, Table

_FAMILY = Column(
    "str", "1", "family of models that differ in width alone; of a model without one, its own name"
)
_WIDTH = Column("int64", "units", "D, size of the residual stream")
_BUDGET = Column("int64", "questions", "N, size of the training set")
_TOKENS = Column(
    "int64",
    "tokens",
    "L, most tokens that a network reads of a text of the training set",
)
_LOCALITY = Column(
    "Int64",
    "symbols",
    "m, how many entries before it a step of the task depends on; empty where the task has no bound",
)
_FLOPS = (
    "multiplications and additions, each as 1, of a forward pass over L tokens, by the accounting of "
    "`nstar.measures.flops`"
)

ANSWERS: Mapping[str, Column] = {
    "model": MODEL,
    "family": _FAMILY,
    "width": _WIDTH,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "length": LENGTH,
    "locality": _LOCALITY,
    "budget": _BUDGET,
    "seed": SEED,
    "learning_rate": Column("float64", "1", "learning rate"),
    "n_tokens": _TOKENS,
    "n_parameters": Column("int64", "1", "parameters of one network"),
    "forward_flops": Column("float64", "operations", _FLOPS),
    "outcome": Column("str", "1", "how training ended, see `outcome` of `cells`"),
    "answer_accuracy": Column(
        "float64",
        "1",
        "share of questions of the validation set whose answer is right: the token before the end, "
        "after greedy decoding",
    ),
    "chain_accuracy": Column(
        "float64",
        "1",
        "share of questions all of whose steps and answer are right, by the rules of the task where "
        "steps are not unique",
    ),
    "exact_accuracy": Column(
        "float64",
        "1",
        "share of questions whose steps and answer are those of the data set, token by token",
    ),
    "end_rate": Column(
        "float64", "1", "share of questions whose answer ended within the most tokens of a text"
    ),
    "chance": Column(
        "float64", "1", "share of questions with the likeliest answer: what a guess reaches"
    ),
}
"""One row per replicate of a study with `evaluation.answers`."""

_MEASURE = Column(
    "str", "1", "`answer` or `chain`: whether `answer_accuracy` or `chain_accuracy` counts"
)
_THRESHOLD = Column("float64", "1", "accuracy that is asked for")
_STRATUM = {"supervision": SUPERVISION, "length_distribution": LENGTH_DISTRIBUTION}

WIDTHS: Mapping[str, Column] = {
    "family": _FAMILY,
    "task": TASK,
    **_STRATUM,
    "length": LENGTH,
    "locality": _LOCALITY,
    "budget": _BUDGET,
    "n_tokens": _TOKENS,
    "measure": _MEASURE,
    "threshold": _THRESHOLD,
    "rule": Column(
        "str",
        "1",
        "`seed`: each seed for itself, with its best learning rate; `any`: the best seed at each width; "
        "`mean`: the mean accuracy over seeds, made monotone in the width",
    ),
    "seed": Column("Int64", "1", "seed; empty by the rules `any` and `mean`"),
    "d_star": Column(
        "float64", "units", "D*, smallest width that reaches the threshold; empty if none does"
    ),
    "lower": Column("float64", "units", "D* is more than this; 0 if no smaller width was tried"),
    "upper": Column("float64", "units", "D* is at most this; `inf` if no width reaches it"),
    "censoring": Column("str", "1", "`interval`, `left`, `right` or `unknown`"),
    "monotone": Column("bool", "1", "no width above D* fails again"),
    "n_widths": Column("int64", "1", "widths tried"),
    "least_flops": Column("float64", "operations", f"{_FLOPS}, at the width D*; empty if none"),
}
"""One row per family, task, length, budget, measure, threshold, rule and seed."""

WIDTH_EXPONENTS: Mapping[str, Column] = {
    **_STRATUM,
    "task": Column(
        "str", "1", "name of the task; of tasks alike but for their locality, what they share"
    ),
    "length": Column("Int64", "symbols", "n at which the locality varies; empty else"),
    "budget": _BUDGET,
    "measure": _MEASURE,
    "threshold": _THRESHOLD,
    "quantity": Column(
        "str", "1", "`width`: D*; `flops`: operations of a forward pass at the threshold"
    ),
    "covariate": Column(
        "str", "1", "what it grows with: `n_tokens` L, `length` n, or `locality` m at one length"
    ),
    "family": _FAMILY,
    "minus_family": Column(
        "str", "1", "family whose exponent is taken away; empty for the exponent itself"
    ),
    "estimate": Column("float64", "1", "exponent, or difference; empty if it is not identified"),
    "lower": Column("float64", "1", "lower end of the interval"),
    "upper": Column("float64", "1", "upper end of the interval"),
    "confidence": Column("float64", "1", "nominal coverage of the interval"),
    "p_value": Column("float64", "1", "two-sided, of the exponent or difference being 0"),
    "p_value_holm": Column(
        "float64", "1", "`p_value` adjusted by Holm for the `n_tests` tests of the table"
    ),
    "n_tests": Column("int64", "1", "p values in the table: those of exponents and of differences"),
    "slope_lower": Column(
        "float64",
        "1",
        "least slope of a line through all brackets of D* by the rule `mean`, without any assumption "
        "on scatter; `-inf` where there is no bound; empty where there is no such line",
    ),
    "slope_upper": Column("float64", "1", "largest such slope; `inf` where there is no bound"),
    "theory": Column(
        "float64",
        "1",
        "exponent of L that the bounds of arXiv:2402.13934 leave, up to logarithms, as derived by us; "
        "empty where there is none, as for answers without steps",
    ),
    "n_curves": Column("int64", "1", "problem sizes, or localities, in the fit"),
    "n_bracketed": Column("int64", "1", "those whose D* lies between two widths tried"),
    "n_left_censored": Column("int64", "1", "those that the smallest width reaches"),
    "n_right_censored": Column("int64", "1", "those that no width reaches"),
    "identified": Column("bool", "1", "the sizes determine the exponent"),
    "converged": Column("bool", "1", "the fit converged"),
    "reason": Column("str", "1", "why there is no estimate or interval; empty if there is"),
    "method": Column("str", "1", "how it was estimated"),
}
"""One row per family, or pair of families, and task, measure, threshold, quantity and covariate."""

TABLES = {
    "answers": Table(
        "how networks answer questions, one row per replicate.",
        ANSWERS,
    ),
    "widths": Table(
        "D*, the width from which a threshold is reached.",
        WIDTHS,
    ),
    "width_exponents": Table(
        "how D* and the operations at D* grow.",
        WIDTH_EXPONENTS,
    ),
}
"""All tables of the subject by name."""
