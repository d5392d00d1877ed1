"""The architectures: one file each, one registry line each; the contract tests run over the registry."""

from collections.abc import Mapping
from typing import Any

from nstar.models.dense_ssm import DenseSSM
from nstar.models.lstm import LSTM
from nstar.models.stacked import ParameterSpec, StackedModel
from nstar.models.transformer import Transformer

MODELS: dict[str, type[StackedModel]] = {
    "transformer": Transformer,
    "lstm": LSTM,
    "dense_ssm": DenseSSM,
}
"""Model classes by their ``kind``."""


def build_model(options: Mapping[str, Any], **shapes: int) -> StackedModel:
    """Return the model that the options (with their ``kind``) of a specification describe."""
    arguments = {name: value for name, value in options.items() if name != "kind"}
    return MODELS[options["kind"]](**arguments, **shapes)


__all__ = [
    "LSTM",
    "MODELS",
    "DenseSSM",
    "ParameterSpec",
    "StackedModel",
    "Transformer",
    "build_model",
]
