"""Columns of the tables of a study of demand: thresholds, what is fitted to them, learning curves."""

from collections.abc import Mapping

from nstar.columns import (
    BUDGET,
    LENGTH,
    LENGTH_DISTRIBUTION,
    MODEL,
    READING,
    ROLE,
    STATES,
    SUPERVISION,
    TASK,
    TEST_LENGTH,
    Column,
    Table,
)

THRESHOLDS: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "rule": Column(
        "str",
        "1",
        "what counts as success at a budget: `seed`, some learning rate of the seed learnt; `any`, "
        "some replicate learnt (arXiv:2602.18333)",
    ),
    "seed": Column("Int64", "1", "seed as in `cells`, empty for the rule `any`"),
    "n_star": Column("float64", "sequences", "N*, smallest successful budget; empty if none is"),
    "lower": Column(
        "float64",
        "sequences",
        "largest budget below N* (or of all, if none succeeds) that failed although some replicate "
        "fitted its training set; 0 if there is none",
    ),
    "upper": Column("float64", "sequences", "N*, or `inf` if no budget succeeds"),
    "censoring": Column(
        "str",
        "1",
        "`interval`: N* lies in (lower, upper]; `left`: only `upper` is known; `right`: only `lower` "
        "is; `unknown`: neither is, and the row is not in the fit",
    ),
    "monotone": Column("bool", "1", "no budget above N* fails"),
    "limited_by_steps": Column(
        "bool",
        "1",
        "at some budget no replicate even fitted its training set, so that this failure says nothing "
        "about data; more steps might lower N*",
    ),
    "n_available": Column(
        "int64",
        "sequences",
        "training sequences that exist at this length, sets held out apart; along other axes, which "
        "nothing bounds, 2^63 - 1",
    ),
    "least_set": Column(
        "int64",
        "sequences",
        "size of the smallest set that the outcomes behind the row were judged on: validation, and "
        "confirmation where the rule asks for it, and of these the length with the fewest where it asks "
        "for every length or position; below 30 an outcome rests on little",
    ),
    "other_least_set": Column(
        "int64", "sequences", "the same of the other rule that `robustness` judges by"
    ),
    "n_budgets": Column("int64", "1", "budgets tried"),
    "n_replicates": Column("int64", "1", "replicates the row rests on, over all budgets"),
    "n_diverged": Column("int64", "1", "how many of these diverged"),
}
"""One row per curve and seed, and one per curve for the rule `any`."""

_LAW_TASK = Column(
    "str",
    "1",
    "the task of the law; only in studies of several tasks with questions, each of which has a law of "
    "its own",
    optional=True,
)

EXPONENTS: Mapping[str, Column] = {
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "task": _LAW_TASK,
    "kind": Column("str", "1", "`exponent` of one model, or `difference` of two"),
    "model": Column("str", "1", "the model, or the first of the two"),
    "minus_model": Column("str", "1", "the model that is subtracted; empty for exponents"),
    "quantity": Column(
        "str",
        "1",
        "`length`: alpha, the exponent of n; `n_states`: beta, the exponent of m; `intercept`: a, the "
        "natural logarithm of N* at n = 1 (and m = 1, where m varies)",
    ),
    "estimate": Column("float64", "1", "estimate; empty if it is not identified"),
    "standard_error": Column("float64", "1", "standard error of the estimate"),
    "lower": Column("float64", "1", "lower end of the interval"),
    "upper": Column("float64", "1", "upper end of the interval"),
    "confidence": Column("float64", "1", "nominal coverage of the interval"),
    "p_value": Column(
        "float64", "1", "two-sided, of the exponent or difference being 0; empty for intercepts"
    ),
    "p_value_holm": Column(
        "float64", "1", "`p_value` adjusted by Holm for the `n_tests` tests of the table"
    ),
    "n_tests": Column(
        "int64",
        "1",
        "p values in the table: exponents and differences of all strata; those of a fit that leaves "
        "something out are counted by themselves",
    ),
    "degrees_of_freedom": Column("float64", "1", "of the t distribution behind the interval"),
    "n_used": Column("int64", "1", "runs in the fit: outcomes of a seed at a budget"),
    "n_not_fitted": Column(
        "int64",
        "1",
        "runs left out of the fit because no learning rate fitted even the training set",
    ),
    "n_curves": Column("int64", "1", "curves in the fit"),
    "n_censored": Column("int64", "1", "how many of these have N* outside their budgets"),
    "n_limited_by_steps": Column(
        "int64", "1", "thresholds of the model (curve and seed) that are limited by steps"
    ),
    "n_near_space": Column(
        "int64",
        "1",
        "thresholds of the model (curve and seed) at least half of the sequences that exist",
    ),
    "n_small_sets": Column(
        "int64",
        "1",
        "curves of the model whose outcomes were judged on a set of fewer than 30 sequences, see "
        "`least_set` of `thresholds`",
    ),
    "run_scale": Column(
        "float64", "log sequences", "s, logistic scale of the success of runs about their curve"
    ),
    "curve_scale": Column(
        "float64", "log sequences", "tau, standard deviation of curves about the law"
    ),
    "lapse": Column("float64", "1", "share of runs that fail however large the budget"),
    "dispersion": Column(
        "float64",
        "1",
        "q, residuals of the curves over what the likelihood expects; the interval is widened or "
        "narrowed by its square root",
    ),
    "quantised": Column(
        "bool",
        "1",
        "most curves jump from no run to all runs: runs differ by less than the budgets resolve, and "
        "the interval depends on where thresholds fall between budgets",
    ),
    "identified": Column("bool", "1", "the data determine the estimate"),
    "converged": Column(
        "bool", "1", "the likelihood was maximised, by its gradient and by restarts"
    ),
    "reason": Column("str", "1", "why there is no estimate or no interval; empty if all is well"),
    "method": Column("str", "1", "how it was estimated"),
}
"""One row per model and coefficient, and one per pair of models and coefficient."""

ROBUSTNESS: Mapping[str, Column] = {
    "left_out": Column(
        "str",
        "1",
        "what the fit leaves out: `limited_by_steps`, every curve with a threshold so flagged; "
        "`near_space`, every task and length at which some threshold is near the size of the space; "
        "`near_floor`, every curve with a threshold of at most 2; `no_lapse`, or `fitted_lapse` where "
        "`fit.lapse` is 0: nothing, but the lapse rate is 0, or fitted; `strict_rule`, or "
        "`published_rule` where the study's own rule is the strict one: nothing, but the same runs "
        "judged by the other rule, see `strict_outcome` of `cells`",
    ),
    **EXPONENTS,
    "n_undecided": Column(
        "int64",
        "1",
        "replicates that the other rule would have trained on; they count as not learnt. 0 in other rows",
    ),
}
"""As `EXPONENTS`, for fits that leave doubtful curves out, and for another rule of success."""

CHECKS: Mapping[str, Column] = {
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "task": _LAW_TASK,
    "kind": EXPONENTS["kind"],
    "model": EXPONENTS["model"],
    "minus_model": EXPONENTS["minus_model"],
    "quantity": EXPONENTS["quantity"],
    "check": Column(
        "str",
        "1",
        "the other estimator: `brackets`, a normal law of the brackets in which each seed first learnt; "
        "`bootstrap`, studies drawn from the fitted law; `seeds`, the seeds of every place drawn anew, "
        "all budgets and models of a seed together; `influence`, the fit without the `curve` that moves "
        "it most; `scatter`, the same law with a scatter of runs that grows or shrinks with n; `joint`, "
        "all models in one fit with one scatter; `paired`, differences of the curves that saw the same "
        "sequences",
    ),
    "curve": Column("str", "1", "the curve that `influence` leaves out; empty for other checks"),
    "estimate": EXPONENTS["estimate"],
    "standard_error": EXPONENTS["standard_error"],
    "lower": EXPONENTS["lower"],
    "upper": EXPONENTS["upper"],
    "confidence": EXPONENTS["confidence"],
    "shift": Column(
        "float64", "1", "this estimate minus that of the fit, of `brackets` and `influence`"
    ),
    "shift_error": Column(
        "float64",
        "1",
        "standard deviation of the shift over studies drawn from the fitted law, in which both "
        "estimators read the same outcomes",
    ),
    "p_value": Column(
        "float64",
        "1",
        "two-sided, of such a shift under the fitted law; empty for checks that are not tested",
    ),
    "p_value_holm": Column(
        "float64", "1", "`p_value` adjusted by Holm for the `n_tests` tests of the table"
    ),
    "n_tests": Column("int64", "1", "p values in the table, of all strata"),
    "n_used": Column("int64", "1", "what the check rests on: runs, or pairs of curves"),
    "n_censored": Column("int64", "1", "curves, or pairs, that are censored"),
    "verdict": Column(
        "str",
        "1",
        "`marked`: `p_value_holm` is below one minus `confidence`, so that the law does not explain the "
        "shift; `agrees`: it is not; `not tested`: another answer to read beside the fit; `no answer`: "
        "one of the two has none",
    ),
    "reason": EXPONENTS["reason"],
    "method": EXPONENTS["method"],
}
"""One row per exponent or difference, and other estimator of it."""

FORMS: Mapping[str, Column] = {
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "task": _LAW_TASK,
    "model": MODEL,
    "form": Column(
        "str",
        "1",
        "`power`: log N* = a + alpha log n; `exponential`: a + gamma n; `broken_power`: a bend in "
        "log n; each with beta log m where m varies",
    ),
    "knot": Column("float64", "symbols", "length at which the broken law bends"),
    "n_parameters": Column("int64", "1", "parameters, the knot and the scatter counted"),
    "aic": Column("float64", "1", "Akaike's criterion; less is better"),
    "bic": Column("float64", "1", "Schwarz's criterion, for the number of curves"),
    "delta_aic": Column(
        "float64", "1", "distance from the least `aic` of the model; below 2 says little"
    ),
    "identified": Column("bool", "1", "the curves determine the form"),
    "reason": Column("str", "1", "why they do not; empty if they do"),
}
"""One row per model and form of its law in n."""

DEMAND: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "estimate": Column(
        "float64",
        "sequences",
        "budget at which half of the seeds that do not lapse learn; empty where it is censored",
    ),
    "lower": Column("float64", "sequences", "lower end of the interval; 0 where it is open"),
    "upper": Column("float64", "sequences", "upper end of the interval; `inf` where it is open"),
    "confidence": EXPONENTS["confidence"],
    "censoring": Column(
        "str",
        "1",
        "`interval`: the likelihood bounds N* on both sides; `left`: not from below, as where all "
        "seeds learnt but for such as lapse; `right`: not from above; `unknown`: on neither side",
    ),
    "converged": Column(
        "bool", "1", "the search for s and lapse ended, by its gradient and by restarts"
    ),
    "n_seeds": Column("int64", "1", "seeds of the curve"),
    "any_estimate": Column(
        "float64",
        "sequences",
        "budget at which any of its `n_seeds` seeds learns with probability 1/2, by the same curve of "
        "success",
    ),
    "any_lower": Column("float64", "sequences", "lower end of its interval"),
    "any_upper": Column("float64", "sequences", "upper end of its interval"),
    "run_scale": EXPONENTS["run_scale"],
    "lapse": EXPONENTS["lapse"],
    "n_used": Column("int64", "1", "runs of the curve: outcomes of a seed at a budget"),
    "n_not_fitted": Column(
        "int64", "1", "runs left out because no learning rate fitted even the training set"
    ),
    "least_set": THRESHOLDS["least_set"],
    "method": EXPONENTS["method"],
    "reason": Column(
        "str",
        "1",
        "why there is no demand: success falls or alternates by more than chance; empty otherwise",
    ),
}
"""One row per curve: its demand, and how that depends on the number of seeds."""

_RULE = Column(
    "str",
    "1",
    "which N* is compared: `half`, the budget at which half of the seeds learn, `estimate` of "
    "`demand`; `any`, the smallest from which any replicate learnt (arXiv:2602.18333), that rule of "
    "`thresholds`",
)
_CENSORED_REASON = Column("str", "1", "which demands are censored or missing; empty if none is")
_LOWER = Column(
    "float64",
    "1",
    "lower end, 0 where it is open: of the interval for the rule `half`, of all values that the "
    "brackets of N* allow for the rule `any`",
)
_UPPER = Column("float64", "1", "upper end, likewise; `inf` where it is open")
_KIND_OF_BOUND = (
    "`estimate`; `interval`, no estimate, but both sides are known; `lower bound`; `upper bound`; "
    "`unknown`"
)

STUDY = "study"
"""Name of the study's own rule of success, beside those of its other forms."""

SHARING: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": Column("str", "1", "that of the joint curve, of all lengths at once"),
    "n_states": STATES,
    "length": Column("int64", "symbols", "L, the longest length"),
    "shortest": Column("int64", "symbols", "n_min, the shortest length: `data.shortest_length`"),
    "rule": _RULE,
    "success": Column(
        "str",
        "1",
        "by which rule of success runs have learnt: `study`, that of the study; `strict` or `published`, "
        "the other form that `robustness` judges by, of the same runs",
    ),
    "over": Column(
        "str",
        "1",
        "what passes by it: `mean` over all labels or sequences, which lets a joint model off its "
        "longest length in part; `every_length` and `every_position`, which test the joint model as they "
        "test those of one length",
    ),
    "kappa": Column(
        "float64",
        "1",
        "sum of N* over models of the one length n_min, .., L each, over N* of the joint model; empty "
        "where one of these is censored or missing. Where no replicate learnt from all sequences that "
        "exist, their number is the lower bound of N*",
    ),
    "lower": _LOWER,
    "upper": _UPPER,
    "kind": Column("str", "1", _KIND_OF_BOUND),
    "null": Column(
        "float64",
        "1",
        "kappa of a learner that shares nothing between lengths and has to pass at each, from these N* "
        "of single lengths and the mixture: length n is learnt once N*_n sequences have shown it, with "
        "aligned states those of length n and more, else those of length n; empty where an N* is "
        "censored or missing, or batches are fresh",
    ),
    "null_lower": Column("float64", "1", "least value that N* within their ends allow"),
    "null_upper": Column("float64", "1", "greatest value, likewise"),
    "against_null": Column(
        "float64",
        "1",
        "N* of such a learner for all lengths over N* of the joint model, that is kappa over `null` "
        "where no N* exceeds the sequences that there are, to which `null` cuts it: above 1 lengths "
        "share, below 1 they interfere; empty where one of these is censored",
    ),
    "against_null_lower": _LOWER,
    "against_null_upper": _UPPER,
    "n_used": Column("int64", "1", "lengths in the sum"),
    "n_censored": Column("int64", "1", "censored demands, the joint one included"),
    "n_undecided": Column(
        "int64",
        "1",
        "replicates behind the row that the rule of success would have trained on; N* of their curves "
        "has no estimate, and ends that hold whatever they would have learnt. 0 by that of the study",
    ),
    "least_set": THRESHOLDS["least_set"],
    "reason": _CENSORED_REASON,
    "method": EXPONENTS["method"],
}
"""One row per joint curve that has a curve of some single length beside it, and pair of rules."""

RATIOS: Mapping[str, Column] = {
    "kind": Column(
        "str",
        "1",
        "what differs: `supervision`, `length_distribution` or `model`; its column is empty",
    ),
    "numerator": Column("str", "1", "its value in the curve above the line"),
    "denominator": Column("str", "1", "its value in the curve below the line"),
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "rule": _RULE,
    "ratio": Column("float64", "1", "N* over N*; empty where one of the two is censored"),
    "lower": _LOWER,
    "upper": _UPPER,
    "bound": Column("str", "1", _KIND_OF_BOUND),
    "reason": _CENSORED_REASON,
}
"""One row per pair of curves that differ in one coordinate other than task and length, and rule."""

STEPS: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "max_steps": Column(
        "int64",
        "steps",
        "the smaller budget of steps: an eighth, a quarter, half and all of `training.max_steps`, "
        "rounded down to an evaluation",
    ),
    "n_star": Column(
        "float64",
        "sequences",
        "smallest budget from which any replicate learnt within these steps; empty if none is",
    ),
    "lower": Column(
        "float64",
        "sequences",
        "largest budget below N* (or of all, if none succeeds) that failed although some replicate "
        "fitted its training set within these steps; 0 if there is none",
    ),
    "upper": THRESHOLDS["upper"],
    "censoring": THRESHOLDS["censoring"],
    "reason": Column("str", "1", "why fewer steps cannot be judged; empty where they can"),
}
"""One row per curve and smaller budget of steps: N* by the rule `any`, had training ended there."""

_LARGEST = Column(
    "int64",
    "sequences",
    "largest budget of the curve with this role, where this is measured; along other axes the largest "
    "value",
)

EXTRAPOLATION: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "role": ROLE,
    "budget": _LARGEST,
    "test_length": TEST_LENGTH,
    "reading": READING,
    "n_seeds": Column("int64", "1", "seeds, each at the learning rate that validates best"),
    "n_learnt": Column("int64", "1", "how many of these replicates learnt"),
    "median": Column("float64", "1", "median of `above_chance` over the seeds that have one"),
    "least": Column("float64", "1", "the least of them"),
    "most": Column("float64", "1", "the greatest of them"),
    "token_median": Column("float64", "1", "median of `token_accuracy`, likewise"),
    "sequence_median": Column("float64", "1", "median of `sequence_accuracy`, likewise"),
}
"""One row per curve, test length and reading: how well its seeds do beyond the length of training."""

_OVER = Column(
    "str",
    "1",
    "`position`: accuracy of each state of the longest test; `test_length`: that at each test length, "
    "where only the last state is asked for",
)
_LONGEST = Column("int64", "symbols", "longest test length")

HORIZONS: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "role": ROLE,
    "budget": _LARGEST,
    "reading": READING,
    "over": _OVER,
    "longest": _LONGEST,
    "rule": Column(
        "str",
        "1",
        "`seed`; or `median` over the seeds, of an even number the lower one of the middle two",
    ),
    "seed": Column("Int64", "1", "seed, empty for the median"),
    "horizon": Column(
        "float64",
        "symbols",
        "first position, or test length, at which accuracy lies below `evaluation.horizon`; empty if it "
        "is not known",
    ),
    "censoring": Column(
        "str",
        "1",
        "`exact`; `beyond`: no accuracy lies below, and the horizon is beyond `longest`; `unknown`: the "
        "network has no accuracy",
    ),
}
"""One row per curve, reading and seed, and one for their median: how far networks are right."""

POSITIONS: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "role": ROLE,
    "budget": _LARGEST,
    "reading": READING,
    "over": _OVER,
    "longest": _LONGEST,
    "position": Column("int64", "symbols", "number of the state, from 1; or the test length"),
    "chance": Column("float64", "1", "accuracy of the best guess that knows the position alone"),
    "n_seeds": Column("int64", "1", "seeds that have an accuracy"),
    "median": Column("float64", "1", "median over these of the share of sequences right there"),
    "least": Column("float64", "1", "the least of them"),
    "most": Column("float64", "1", "the greatest of them"),
}
"""One row per curve, reading and position: accuracy by position in the longest test."""

COMPOSITION: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "budget": BUDGET,
    "n_replicates": Column("int64", "1", "replicates: seeds times learning rates"),
    "n_learnt": Column("int64", "1", "how many of them learnt"),
    "n_not_generalised": Column("int64", "1", "how many passed on the training set only"),
    "n_not_fitted": Column("int64", "1", "how many did not pass even there"),
    "n_diverged": Column(
        "int64", "1", "how many diverged, whichever of the three they count among"
    ),
}
"""One row per curve and budget: how its replicates ended."""

LENGTHS: Mapping[str, Column] = {
    "task": TASK,
    "length_distribution": LENGTH_DISTRIBUTION,
    "length": Column("int64", "symbols", "L, the longest length"),
    "seed": Column("int64", "1", "seed of the data"),
    "budget": BUDGET,
    "sequence_length": Column("int64", "symbols", "length of a sequence"),
    "n_sequences": Column("int64", "sequences", "training sequences that have it"),
    "n_available": Column("int64", "sequences", "training sequences of it that exist"),
}
"""One row per training set of several lengths, and length: how many sequences it has of each."""

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
    "budget": BUDGET,
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
    "n_seeds": Column("int64", "1", "seeds of the data among them; the interval counts these"),
    "identified": Column("bool", "1", "the budgets determine the curve"),
    "converged": Column("bool", "1", "the fit converged"),
    "reason": Column("str", "1", "why there is no estimate or no interval; empty if all is well"),
    "method": Column("str", "1", "how it was estimated"),
}
"""One row per curve and measure."""

VARIANCE_COMPONENTS: Mapping[str, Column] = {
    "model": Column("str", "1", "name of the model in the configuration, or its family"),
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "component": Column(
        "str",
        "1",
        "`data`, `initialisation`, `order`; `a x b`, their interaction; `residual`, that of all streams "
        "with several seeds, and what rounding to the grid of budgets adds",
    ),
    "n_levels": Column(
        "int64", "1", "seeds of the stream; of an interaction, combinations of them"
    ),
    "degrees_of_freedom": Column("int64", "1", "of the mean square, over all curves"),
    "mean_square": Column(
        "float64",
        "1",
        "mean square of ln N* within curves, pooled over curves; empty if none is used",
    ),
    "variance": Column(
        "float64",
        "1",
        "variance of ln N* that the component adds, by the method of moments; 0 where that is negative",
    ),
    "negative": Column("bool", "1", "the method of moments gives a negative variance"),
    "share": Column("float64", "1", "of the sum of all components; empty where all are 0"),
    "lower": Column(
        "float64", "1", "lower end of the interval of the variance; empty if there is none"
    ),
    "upper": Column("float64", "1", "upper end"),
    "confidence": EXPONENTS["confidence"],
    "n_curves": Column("int64", "1", "curves used: N* of every combination of seeds is a bracket"),
    "n_left_out": Column("int64", "1", "curves left out: N* of some combination is censored"),
    "method": EXPONENTS["method"],
    "reason": Column("str", "1", "why there is no interval; empty if there is one"),
}
"""One row per model, task, supervision, length distribution and component of the variance of ln N*."""

TABLES = {
    "thresholds": Table(
        "one row per curve (model, task, length) and seed, and one per curve for the rule `any`.",
        THRESHOLDS,
    ),
    "exponents": Table(
        "one row per model and coefficient of `log N* = a + alpha log n + beta log m`, and one per pair "
        "of models and exponent.",
        EXPONENTS,
    ),
    "robustness": Table(
        "the same for fits that leave doubtful thresholds out, and for another rule of success.",
        ROBUSTNESS,
    ),
    "checks": Table(
        "other estimates of the exponents and differences, and whether they agree.",
        CHECKS,
    ),
    "forms": Table(
        "power law, exponential and broken power law in n compared.",
        FORMS,
    ),
    "demand": Table(
        "N* of every curve from the success of all its seeds, and of any of them.",
        DEMAND,
    ),
    "sharing": Table(
        "the sharing factor, what all lengths need for themselves over what they need together.",
        SHARING,
    ),
    "ratios": Table(
        "N* of one curve over that of another.",
        RATIOS,
    ),
    "steps": Table(
        "N* of every curve, had training ended earlier.",
        STEPS,
    ),
    "extrapolation": Table(
        "accuracy of every curve at longer lengths than that of training.",
        EXTRAPOLATION,
    ),
    "horizons": Table(
        "the position from which networks are no longer right.",
        HORIZONS,
    ),
    "positions": Table(
        "accuracy of every curve by position, in the longest test.",
        POSITIONS,
    ),
    "composition": Table(
        "how the replicates of every cell ended.",
        COMPOSITION,
    ),
    "lengths": Table(
        "how many sequences of each length a training set of several has.",
        LENGTHS,
    ),
    "learning_curves": Table(
        "loss and accuracies of every curve against the budget.",
        LEARNING_CURVES,
    ),
    "variance_components": Table(
        "how much of the scatter of N* between runs comes with the data, the initial weights and the "
        "order of the examples; only with `replicates.streams`.",
        VARIANCE_COMPONENTS,
    ),
    "learning_exponents": Table(
        "how fast losses and errors fall with the budget, one row per curve and measure.",
        LEARNING_EXPONENTS,
    ),
}
"""All tables of the subject by name."""
