"""How does each kind of model compute its outputs, and their gradients?"""

from collections.abc import Mapping
from typing import Any

from nstar.kinds import ModelKind, read_options
from nstar.models.deltanet import DeltaNet
from nstar.models.elman import Elman
from nstar.models.encoder_decoder import EncoderDecoder
from nstar.models.factored_ssm import FactoredSSM
from nstar.models.gru import GRU
from nstar.models.linear_rnn import BlockSSM, DenseSSM, DiagonalSSM, RotationSSM
from nstar.models.lstm import LSTM
from nstar.models.stacked import Dropout, ParameterSpec, StackedModel
from nstar.models.transformer import Transformer

MODELS: dict[str, type[StackedModel]] = {
    "transformer": Transformer,
    "encoder_decoder": EncoderDecoder,
    "lstm": LSTM,
    "gru": GRU,
    "elman": Elman,
    "dense_ssm": DenseSSM,
    "factored_ssm": FactoredSSM,
    "block_ssm": BlockSSM,
    "rotation_ssm": RotationSSM,
    "diagonal_ssm": DiagonalSSM,
    "deltanet": DeltaNet,
}
"""Model classes by their ``kind``."""


def build_model(options: ModelKind | Mapping[str, Any], **shapes: int) -> StackedModel:
    """Return the model that some options describe.

    Parameters
    ----------
    options : ModelKind or mapping
        As in a configuration or in a specification; their ``kind`` chooses the class.
    **shapes : int
        ``n_symbols``, ``n_classes`` and ``n_positions``; see `StackedModel`.

    Raises
    ------
    pydantic.ValidationError
        If a mapping is not what its kind allows.
    """
    if isinstance(options, Mapping):
        options = read_options(options)
    return MODELS[options.kind](options, **shapes)


__all__ = [
    "GRU",
    "LSTM",
    "MODELS",
    "BlockSSM",
    "DeltaNet",
    "DenseSSM",
    "DiagonalSSM",
    "Dropout",
    "Elman",
    "EncoderDecoder",
    "FactoredSSM",
    "ParameterSpec",
    "RotationSSM",
    "StackedModel",
    "Transformer",
    "build_model",
]
