"""Which kinds of models are there, with which options, and how large are they? Without torch."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, TypeAdapter

from nstar.kinds.base import ModelKind
from nstar.kinds.deltanet import DeltaNetOptions
from nstar.kinds.elman import ElmanOptions
from nstar.kinds.encoder_decoder import EncoderDecoderOptions
from nstar.kinds.factored_ssm import FactoredSSMOptions
from nstar.kinds.gru import GRUOptions
from nstar.kinds.linear_rnn import (
    BlockSSMOptions,
    DenseSSMOptions,
    DiagonalSSMOptions,
    RotationSSMOptions,
)
from nstar.kinds.lstm import LSTMOptions
from nstar.kinds.presets import PRESETS, PresetOptions
from nstar.kinds.transformer import TransformerOptions
from nstar.options import Options, tagged_union

KINDS: tuple[type[ModelKind], ...] = (
    TransformerOptions,
    EncoderDecoderOptions,
    LSTMOptions,
    GRUOptions,
    ElmanOptions,
    DenseSSMOptions,
    FactoredSSMOptions,
    BlockSSMOptions,
    RotationSSMOptions,
    DiagonalSSMOptions,
    DeltaNetOptions,
)
"""The options of every kind of model."""

_OWN_OPTIONS = TypeAdapter(tagged_union(*KINDS))


def _look_up(options: Options) -> Options:
    """Return the options that a preset stands for, so that both are the same cell."""
    if not isinstance(options, PresetOptions):
        return options
    return _OWN_OPTIONS.validate_python(PRESETS[options.name].options)


ModelOptions = Annotated[tagged_union(*KINDS, PresetOptions), AfterValidator(_look_up)]
"""The options of a model of any kind, or the name of a published size."""

_OPTIONS = TypeAdapter(ModelOptions)


def read_options(options: Mapping[str, Any]) -> ModelKind:
    """Return the options of a model, as in a configuration or in a specification.

    Raises
    ------
    pydantic.ValidationError
        If they are not what their kind allows.
    """
    return _OPTIONS.validate_python(options)


__all__ = [
    "KINDS",
    "PRESETS",
    "ModelKind",
    "ModelOptions",
    "PresetOptions",
    "TransformerOptions",
    "read_options",
]
