"""Columns of the tables that every study has."""

from collections.abc import Mapping

from nstar.columns import (
    BUDGET,
    LENGTH,
    LENGTH_DISTRIBUTION,
    MODEL,
    READING,
    ROLE,
    SEED,
    STATES,
    SUPERVISION,
    TASK,
    TEST_LENGTH,
    Column,
)

_FINAL = "of the final weights on the whole validation set"
_TRAIN = "of the final weights on the training set, or the sample of it that is evaluated"
_TEST = "of the final weights on the test set, which no rule reads"
_BEST = "best over the evaluations during training"


def _counts(name: str) -> dict[str, Column]:
    """Return the columns that count the sequences of a set which the final weights get right."""
    return {
        f"{name}_right": Column(
            "int64", "sequences", f"{name} sequences that the final weights get all right"
        ),
        f"{name}_of": Column("int64", "sequences", f"{name} sequences evaluated"),
    }


def _stream_seed(what: str) -> Column:
    meaning = f"seed of the {what}; only with `replicates.streams`, otherwise it is `seed`"
    return Column("int64", "1", meaning, optional=True)


CELLS: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "budget": BUDGET,
    "seed": SEED,
    "data_seed": _stream_seed("data"),
    "initialisation_seed": _stream_seed("initial weights"),
    "order_seed": _stream_seed("order of the examples, and of dropout"),
    "learning_rate": Column("float64", "1", "learning rate"),
    "outcome": Column(
        "str",
        "1",
        "`learnt`: the success measure passed on the validation set, and on the confirmation set where "
        "the rule asks for it; `not_generalised`: the weights of some evaluation passed on the training "
        "set only; `not_fitted`: those of none did",
    ),
    "strict_outcome": Column(
        "str",
        "1",
        "`outcome` of the same run by the strict rule: with confirmation, and of every length where the "
        "rule takes the mean; `undecided` where that rule would have gone on, `undecided_not_fitted` "
        "where the run has not even fitted its training set by that rule",
    ),
    "published_outcome": Column(
        "str",
        "1",
        "`outcome` of the same run by the published rule: the mean over all sequences, without "
        "confirmation; `undecided` likewise",
    ),
    "diverged": Column("bool", "1", "a loss became NaN or infinite"),
    "n_steps": Column("int64", "steps", "optimiser steps taken"),
    "learnt_at": Column(
        "Int64",
        "steps",
        "steps before the first evaluation that passed the success measure, or before the last one "
        "where only that counts; empty where the replicate did not learn",
    ),
    "fitted_at": Column(
        "Int64",
        "steps",
        "steps before the first evaluation that passed on the training set; empty where none did",
    ),
    "n_confirmations": Column(
        "int64",
        "1",
        "evaluations at which the confirmation set was looked at: passes of validation",
    ),
    "n_parameters": Column("int64", "1", "parameters of the network"),
    "train_loss": Column("float64", "nats", f"mean loss per label, {_TRAIN}"),
    "train_token_accuracy": Column("float64", "1", f"share of labels right, {_TRAIN}"),
    "train_sequence_accuracy": Column("float64", "1", f"share of sequences all right, {_TRAIN}"),
    "best_validation_loss": Column("float64", "nats", _BEST),
    "best_validation_token_accuracy": Column("float64", "1", _BEST),
    "best_validation_sequence_accuracy": Column("float64", "1", _BEST),
    "validation_loss": Column("float64", "nats", f"cross-entropy per label, {_FINAL}"),
    "validation_token_accuracy": Column("float64", "1", f"share of labels right, {_FINAL}"),
    "validation_sequence_accuracy": Column(
        "float64", "1", f"share of sequences with every label right, {_FINAL}"
    ),
    "validation_seen": Column(
        "float64",
        "1",
        "share of the validation sequences that training has drawn, as expected; 0 with a training set",
    ),
    "test_loss": Column("float64", "nats", f"mean loss per label, {_TEST}"),
    "test_token_accuracy": Column("float64", "1", f"share of labels right, {_TEST}"),
    "test_sequence_accuracy": Column("float64", "1", f"share of sequences all right, {_TEST}"),
    **{
        column: meaning
        for name in ("train", "validation", "confirmation", "test")
        for column, meaning in _counts(name).items()
    },
    "validation_decoded_sequence_accuracy": Column(
        "float64", "1", "as `validation_sequence_accuracy`, after its own answers (greedy decoding)"
    ),
    "specification": Column("str", "1", "digest of the specification of the trained cell"),
    "store": Column("str", "1", "path of the first part of the store of the trained replicate"),
    "evaluation_store": Column(
        "str",
        "1",
        "path of the first part of the store of its evaluation (`validation_*`, and table `longer`)",
    ),
}
"""One row per cell and replicate."""

LONGER: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "budget": BUDGET,
    "seed": SEED,
    "learning_rate": Column("float64", "1", "learning rate"),
    "role": ROLE,
    "outcome": Column("str", "1", "how the run ended, as `outcome` of `cells`"),
    "n_steps": Column("int64", "steps", "optimiser steps before the weights that are tested"),
    "validation_loss": Column("float64", "nats", "of these weights, at the lengths of training"),
    "validation_sequence_accuracy": Column(
        "float64", "1", "of these weights, at the lengths of training"
    ),
    "test_length": TEST_LENGTH,
    "reading": READING,
    "n_sequences": Column("int64", "sequences", "sequences of the test"),
    "loss": Column("float64", "nats", "mean loss per label; empty where `decoded`"),
    "token_accuracy": Column("float64", "1", "share of labels right, of all positions"),
    "sequence_accuracy": Column("float64", "1", "share of sequences with every label right"),
    "above_chance": Column(
        "float64",
        "1",
        "share of right labels of the states beyond `length`, with chance mapped to 0 and perfection "
        "to 1",
    ),
}
"""One row per replicate, test length and reading: tests beyond the length of training."""

PROVENANCE: Mapping[str, Column] = {
    "store": Column("str", "1", "path of the store of trained replicates"),
    "specification": Column("str", "1", "digest of its specification"),
    "n_replicates": Column("int64", "1", "replicates in it"),
    "commit": Column("str", "1", "commit of nstar that made it; `+changes` if files were edited"),
    "device": Column("str", "1", "device it was trained on"),
    "torch": Column("str", "1", "version of torch"),
    "python": Column("str", "1", "version of Python"),
    "called_model": Column("str", "1", "name of the model when it was made; identifies nothing"),
    "called_task": Column("str", "1", "name of the task when it was made; identifies nothing"),
    "wall_time_s": Column("float64", "s", "training time; the one column that no rerun reproduces"),
}
"""One row per part of a store of trained replicates that the study reads."""

VERDICTS: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "budget": BUDGET,
    "rule": Column(
        "str",
        "1",
        "who judges: the rule of the study, `study`; its `published` or its `strict` form, see "
        "`published_outcome` and `strict_outcome` of `cells`",
    ),
    "n_replicates": Column("int64", "1", "replicates"),
    "n_learnt": Column("int64", "1", "how many learnt by the rule"),
    "n_unknown": Column(
        "int64", "1", "learnt replicates whose weights at that evaluation the study does not keep"
    ),
    "n_below": Column(
        "int64",
        "1",
        "learnt replicates that miss the threshold of success on the test set, at the evaluation at "
        "which they learnt, over all its sequences",
    ),
    "median_test": Column(
        "float64", "1", "median of the success measure on the test set there; nats of a loss"
    ),
    "n_test": Column("int64", "sequences", "sequences of the test set"),
    "n_flagged": Column(
        "Int64",
        "1",
        "replicates below the threshold by more than chance: one-sided binomial test, level 0.05, "
        "adjusted by Holm for all learnt replicates of the study under the rule; of "
        "`token_accuracy` each sequence counts once. Empty for a loss",
    ),
    "reason": Column("str", "1", "why nothing is tested; empty where it is"),
}
"""One row per cell and rule: do replicates that count as learnt pass on sequences that no rule reads?"""
