"""Which kinds of models are there, with which options, and how large are they? Without torch."""

from typing import Annotated, Literal

from pydantic import AfterValidator

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


def _look_up(options: Options) -> Options:
    """Return the options that a preset stands for, so that both are the same cell."""
    if not isinstance(options, PresetOptions):
        return options
    chosen = PRESETS[options.name].options
    (kind,) = [
        cls for cls in KINDS if cls.model_fields["kind"].annotation == Literal[chosen["kind"]]
    ]
    return kind.model_validate(chosen)


ModelOptions = Annotated[tagged_union(*KINDS, PresetOptions), AfterValidator(_look_up)]
"""The options of a model of any kind, or the name of a published size."""

__all__ = ["KINDS", "PRESETS", "ModelKind", "ModelOptions", "PresetOptions", "TransformerOptions"]
