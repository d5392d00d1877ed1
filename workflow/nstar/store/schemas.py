"""Schemas: the variables that each kind of store holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nstar.columns import Variable, count, share
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

_SEED = count(_REPLICATE, "seed of data, initialisation and order of examples")

_STREAMS = count(
    ("replicate", "stream"),
    "seeds of data, initialisation and order of examples, of a block in which some of them differ; "
    "`seed` is that of the data there",
)

_LEARNING_RATE = Variable(_REPLICATE, "learning rate", least=0.0)

DATA = Schema(
    "data",
    2,
    {
        "symbols": count(_STREAM, "input symbol"),
        "states": Variable(_STREAM, "state after the symbol", kinds="iuf"),
        "length": count(("sequence",), "length of the sequence; zeros follow", "symbols"),
    },
)

_EVIDENCE = ("replicate", "evaluation", "set")
_SETS = ("replicate", "known_set")
_KEPT = ("kept",)

CELL = Schema(
    "training",
    2,
    {
        "seed": _SEED,
        "learning_rate": _LEARNING_RATE,
        "evaluate_every": count((), "distance of two evaluations", "steps"),
        "first_evaluation": count(
            _REPLICATE, "the first evaluation that this part adds, counted from 0"
        ),
        "n_evaluations": count(_REPLICATE, "evaluations that this part adds"),
        "numbers": Variable(
            (*_EVIDENCE, "quantity"), "what rules may read; see `nstar.verdicts.QUANTITIES`"
        ),
        "whole_right": count(_EVIDENCE, "sequences all right", "sequences"),
        "position_right": count((*_EVIDENCE, "position"), "labels right", "labels"),
        "position_loss": Variable((*_EVIDENCE, "position"), "mean loss of a label", _LOSS),
        "n_sequences": count(_SETS, "sequences of the set", "sequences"),
        "position_of": count((*_SETS, "position"), "labels of the set", "labels"),
        "batch_loss": Variable(_CURVE, "mean over the batches since the last evaluation", _LOSS),
        "batch_token_accuracy": share(_CURVE, "share of labels right, over these batches"),
        "batch_sequence_accuracy": share(
            _CURVE, "share of sequences all right, over these batches"
        ),
        "diverged": Variable(_REPLICATE, "whether a loss became NaN or infinite", kinds="b"),
        "kept_replicate": count(_KEPT, "the replicate that the weights are of, from 0"),
        "kept_step": count(_KEPT, "optimiser steps before the weights", "steps"),
        "weights": Variable((*_KEPT, "parameter"), "weights in the order of the model"),
        "test_numbers": Variable((*_KEPT, "quantity"), "the same numbers of the test set"),
        "test_whole_right": count(_KEPT, "sequences of the test set all right", "sequences"),
        "test_position_right": count(
            (*_KEPT, "position"), "labels of the test set right", "labels"
        ),
        "test_position_loss": Variable(
            (*_KEPT, "position"), "mean loss of a label of the test set", _LOSS
        ),
        "state_replicate": count(
            ("state",), "the replicate that can go on from its last weights, from 0"
        ),
        "first_moment": Variable(("state", "parameter"), "first moment of Adam"),
        "second_moment": Variable(("state", "parameter"), "second moment of Adam"),
    },
    optional={
        "streams": _STREAMS,
        "length_right": count((*_EVIDENCE, "length"), "labels right by length", "labels"),
        "length_whole": count((*_EVIDENCE, "length"), "sequences all right", "sequences"),
        "length_loss": Variable((*_EVIDENCE, "length"), "mean loss of a label", _LOSS),
        "length_of": count((*_SETS, "length"), "sequences of the set by length", "sequences"),
        "length_labels": count((*_SETS, "length"), "labels of the set by length", "labels"),
        "test_length_right": count((*_KEPT, "length"), "labels right by length", "labels"),
        "test_length_whole": count((*_KEPT, "length"), "sequences all right", "sequences"),
        "test_length_loss": Variable((*_KEPT, "length"), "mean loss of a label", _LOSS),
        "n_tokens": count(_REPLICATE, "most tokens read of a text of the training set", "tokens"),
    },
)
"""One part of the trajectories of a block; `nstar.store.parts` joins parts, `nstar.store.view` cuts
them. Of the axes ``set`` holds training, validation and confirmation set, ``known_set`` the test set
as well.
Row i of a replicate is its evaluation ``first_evaluation + i``, after ``evaluate_every`` times as many
and one more steps."""


def _scores(split: str, axis: str, words: str) -> dict[str, Variable]:
    position = ("replicate", axis)
    return {
        f"{split}_loss": Variable(_REPLICATE, f"mean loss per label, {words}", _LOSS),
        f"{split}_token_accuracy": share(_REPLICATE, f"share of labels right, {words}"),
        f"{split}_sequence_accuracy": share(
            _REPLICATE, f"share of sequences with every label right, {words}"
        ),
        f"{split}_decoded_token_accuracy": share(
            _REPLICATE, f"share of labels right after its own answers, {words}"
        ),
        f"{split}_decoded_sequence_accuracy": share(
            _REPLICATE, f"share of sequences all right after its own answers, {words}"
        ),
        f"{split}_position_loss": Variable(position, f"loss by position, {words}", _LOSS),
        f"{split}_position_accuracy": share(position, f"share right by position, {words}"),
    }


_TESTED, _BY_STATE = ("replicate", "tested"), ("replicate", "tested", "state")
_OWN_ANSWERS = "after its own answers"

LONGER: Mapping[str, Variable] = {
    "tested_length": count(
        ("tested",), "length of the sequences, beyond that of training", "symbols"
    ),
    "n_longer": count(("tested",), "sequences of that length, per seed", "sequences"),
    "longer_loss": Variable(_TESTED, "mean loss per label", _LOSS),
    "longer_token_accuracy": share(_TESTED, "share of labels right"),
    "longer_sequence_accuracy": share(_TESTED, "share of sequences with every label right"),
    "longer_state_loss": Variable(_BY_STATE, "mean loss of the label of a state", _LOSS),
    "longer_state_accuracy": share(_BY_STATE, "share of right labels of a state"),
    "longer_decoded_token_accuracy": share(_TESTED, f"share of labels right {_OWN_ANSWERS}"),
    "longer_decoded_sequence_accuracy": share(
        _TESTED, f"share of sequences all right {_OWN_ANSWERS}"
    ),
    "longer_decoded_state_accuracy": share(
        _BY_STATE, f"share of right labels of a state {_OWN_ANSWERS}"
    ),
}
"""What a network does at lengths beyond that of training. The axis ``state`` counts the states of a
sequence from 1, and is NaN where no label is asked for; ``decoded`` are chains of thought alone."""

OWN_SETS = 0
"""Stands among tested lengths for the sets of training and for what subjects measure."""

EVALUATION = Schema(
    "evaluation",
    4,
    {
        "seed": _SEED,
        "learning_rate": _LEARNING_RATE,
        "step": count(_REPLICATE, "optimiser steps before the weights", "steps"),
    },
    optional={
        "streams": _STREAMS,
        **_scores("validation", "position", "validation set"),
        **LONGER,
        "answer_accuracy": share(_REPLICATE, "share of answers right after greedy decoding"),
        "chain_accuracy": share(_REPLICATE, "share of texts with all steps and answer right"),
        "exact_accuracy": share(_REPLICATE, "share of texts that are those of the data set"),
        "end_rate": share(_REPLICATE, "share of texts that ended"),
        "chance": share(_REPLICATE, "share of the likeliest answer"),
        **{name: variable for subject in SUBJECTS for name, variable in subject.variables.items()},
    },
)
"""One part of the evaluation of a block: some ends of runs, each on the same tested lengths, the own
sets among them or not."""
