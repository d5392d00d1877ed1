"""Columns of the tables that every study has."""

from collections.abc import Mapping

from nstar.columns import (
    BUDGET,
    LENGTH,
    LENGTH_DISTRIBUTION,
    MODEL,
    SEED,
    STATES,
    SUPERVISION,
    TASK,
    Column,
)

_FINAL = "of the final weights on the whole validation set"
_BEST = "best over the evaluations during training"

CELLS: Mapping[str, Column] = {
    "model": MODEL,
    "task": TASK,
    "supervision": SUPERVISION,
    "length_distribution": LENGTH_DISTRIBUTION,
    "n_states": STATES,
    "length": LENGTH,
    "budget": BUDGET,
    "seed": SEED,
    "learning_rate": Column("float64", "1", "learning rate"),
    "outcome": Column(
        "str",
        "1",
        "`learnt`: the success measure passed on the validation set; `not_generalised`: only on the "
        "training batches; `not_fitted`: on neither",
    ),
    "diverged": Column("bool", "1", "the training loss became NaN or infinite"),
    "n_steps": Column("int64", "steps", "optimiser steps taken"),
    "learnt_at": Column(
        "Int64",
        "steps",
        "steps before the first evaluation that passed the success measure, or before the last one "
        "where only that counts; empty where the replicate did not learn",
    ),
    "n_parameters": Column("int64", "1", "parameters of the network"),
    "train_loss": Column("float64", "nats", "mean over the batches since the last evaluation"),
    "train_sequence_accuracy": Column(
        "float64", "1", "share of training sequences all right, over the same batches"
    ),
    "best_validation_loss": Column("float64", "nats", _BEST),
    "best_validation_token_accuracy": Column("float64", "1", _BEST),
    "best_validation_sequence_accuracy": Column("float64", "1", _BEST),
    "validation_loss": Column("float64", "nats", f"cross-entropy per label, {_FINAL}"),
    "validation_token_accuracy": Column("float64", "1", f"share of labels right, {_FINAL}"),
    "validation_sequence_accuracy": Column(
        "float64", "1", f"share of sequences with every label right, {_FINAL}"
    ),
    "extrapolation_length": Column(
        "int64", "symbols", "2n, length of the test sequences; n where there are none"
    ),
    "extrapolation_token_accuracy": Column(
        "float64", "1", "share of labels right at length 2n, all positions"
    ),
    "extrapolation_sequence_accuracy": Column(
        "float64", "1", "share of sequences with every label right at length 2n"
    ),
    "validation_decoded_sequence_accuracy": Column(
        "float64", "1", "as `validation_sequence_accuracy`, after its own answers (greedy decoding)"
    ),
    "extrapolation_decoded_sequence_accuracy": Column(
        "float64", "1", "as `extrapolation_sequence_accuracy`, after its own answers"
    ),
    "extrapolation_above_chance": Column(
        "float64",
        "1",
        "share right of the last n labels of sequences of length 2n, of the states beyond the trained "
        "length, with chance mapped to 0 and perfection to 1",
    ),
    "specification": Column("str", "1", "digest of the specification of the trained cell"),
    "store": Column("str", "1", "path of the store of the trained replicate"),
    "evaluation_store": Column(
        "str", "1", "path of the store of its evaluation (`validation_*`, `extrapolation_*`)"
    ),
}
"""One row per cell and replicate."""

PROVENANCE: Mapping[str, Column] = {
    "store": Column("str", "1", "path of the store of trained replicates"),
    "specification": Column("str", "1", "digest of its specification"),
    "n_replicates": Column("int64", "1", "replicates in it"),
    "commit": Column("str", "1", "commit of nstar that made it; `+changes` if files were edited"),
    "device": Column("str", "1", "device it was trained on"),
    "torch": Column("str", "1", "version of torch"),
    "python": Column("str", "1", "version of Python"),
    "wall_time_s": Column("float64", "s", "training time; the one column that no rerun reproduces"),
}
"""One row per store of trained replicates."""
