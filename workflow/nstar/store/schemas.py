"""Schemas: the variables that each kind of store holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nstar.columns import Variable
from nstar.subjects.registry import SUBJECTS


@dataclass(frozen=True)
class Schema:
    """What a kind of store holds.

    Attributes
    ----------
    stage : str
        The ``stage`` of its specification.
    version : int
        Raised when the names or meanings of the variables change.
    variables : mapping of str to Variable
    optional : mapping of str to Variable
        Variables that a store has only where its specification asks for them, or its task has them.
    """

    stage: str
    version: int
    variables: Mapping[str, Variable]
    optional: Mapping[str, Variable] = field(default_factory=dict)


_STREAM, _REPLICATE = ("sequence", "position"), ("replicate",)

_CURVE = ("replicate", "evaluation")

_LOSS = "nats, or 1 of a squared error"

_SEED = Variable(_REPLICATE, "seed of data, initialisation and order of examples")

_LEARNING_RATE = Variable(_REPLICATE, "learning rate")

DATA = Schema(
    "data",
    2,
    {
        "symbols": Variable(_STREAM, "input symbol"),
        "states": Variable(_STREAM, "state after the symbol"),
        "length": Variable(("sequence",), "length of the sequence; zeros follow", "symbols"),
    },
)

CELL = Schema(
    "training",
    1,
    {
        "seed": _SEED,
        "learning_rate": _LEARNING_RATE,
        "step": Variable(("evaluation",), "optimiser steps before the evaluation", "steps"),
        "outcome": Variable(_REPLICATE, "how the replicate ended"),
        "diverged": Variable(_REPLICATE, "whether the training loss became NaN or infinite"),
        "n_steps": Variable(_REPLICATE, "optimiser steps taken", "steps"),
        "train_loss": Variable(_CURVE, "mean training loss since the last evaluation", _LOSS),
        "train_token_accuracy": Variable(_CURVE, "share of training labels right"),
        "train_sequence_accuracy": Variable(_CURVE, "share of training sequences all right"),
        "validation_loss": Variable(_CURVE, "validation loss", _LOSS),
        "validation_token_accuracy": Variable(_CURVE, "share of validation labels right"),
        "validation_sequence_accuracy": Variable(_CURVE, "share of validation sequences all right"),
        "parameters": Variable(("replicate", "parameter"), "weights in the order of the model"),
    },
    optional={
        "snapshot_step": Variable(("snapshot",), "optimiser steps before the snapshot", "steps"),
        "snapshot_parameters": Variable(
            ("replicate", "snapshot", "parameter"), "weights at that step; NaN after the end"
        ),
        "n_tokens": Variable(
            _REPLICATE, "most tokens read of a text of the training set", "tokens"
        ),
    },
)


def _scores(split: str, axis: str, words: str) -> dict[str, Variable]:
    position = ("replicate", axis)
    return {
        f"{split}_loss": Variable(_REPLICATE, f"mean loss per label, {words}", _LOSS),
        f"{split}_token_accuracy": Variable(_REPLICATE, f"share of labels right, {words}"),
        f"{split}_sequence_accuracy": Variable(
            _REPLICATE, f"share of sequences with every label right, {words}"
        ),
        f"{split}_decoded_token_accuracy": Variable(
            _REPLICATE, f"share of labels right after its own answers, {words}"
        ),
        f"{split}_decoded_sequence_accuracy": Variable(
            _REPLICATE, f"share of sequences all right after its own answers, {words}"
        ),
        f"{split}_position_loss": Variable(position, f"loss by position, {words}", _LOSS),
        f"{split}_position_accuracy": Variable(position, f"share right by position, {words}"),
    }


EVALUATION = Schema(
    "evaluation",
    2,
    {
        "seed": _SEED,
        "learning_rate": _LEARNING_RATE,
        **_scores("validation", "position", "validation set"),
    },
    optional={
        **_scores("extrapolation", "extrapolation_position", "twice the length"),
        "answer_accuracy": Variable(_REPLICATE, "share of answers right after greedy decoding"),
        "chain_accuracy": Variable(_REPLICATE, "share of texts with all steps and answer right"),
        "exact_accuracy": Variable(_REPLICATE, "share of texts that are those of the data set"),
        "end_rate": Variable(_REPLICATE, "share of texts that ended"),
        "chance": Variable(_REPLICATE, "share of the likeliest answer"),
        **{name: variable for subject in SUBJECTS for name, variable in subject.variables.items()},
    },
)
