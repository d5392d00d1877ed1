"""How does each kind of model compute its outputs, and their gradients?"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nstar.kinds import ModelKind, read_options
from nstar.models.deltanet import DeltaNet
from nstar.models.elman import Elman
from nstar.models.encoder_decoder import EncoderDecoder
from nstar.models.factored_ssm import FactoredSSM
from nstar.models.gru import GRU
from nstar.models.linear_rnn import BlockSSM, DenseSSM, DiagonalSSM, RotationSSM
from nstar.models.lstm import LSTM
from nstar.models.stacked import Dropout, ParameterSpec, StackedModel, pad_to_lanes
from nstar.models.transformer import Transformer
from nstar.seeds import numpy_generator

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


def lengthen(
    model: StackedModel, flat: Tensor, n_positions: int, seeds: Sequence[int]
) -> tuple[StackedModel, Tensor]:
    """Return a trained model that reads longer sequences, and its parameters.

    On sequences that the given model can read, the two are equal to the last bit: rows are added to
    tables of positions, as they would stand untrained, and blocks of attention keep their size.

    Parameters
    ----------
    model : StackedModel
    flat : Tensor, shape (R, P')
        Its parameters; see `StackedModel.initialise`.
    n_positions : int
        Longest sequence to read; a shorter one than the model reads already changes nothing.
    seeds : sequence of int
        Of the initial weights of the R replicates.

    Returns
    -------
    StackedModel
    Tensor, shape (R, P'')
    """
    if n_positions <= model.n_positions:
        return model, flat
    longer = model.with_options(model.options, n_positions)
    trained, parts = model.views(flat), []
    for spec in longer.parameters:
        part = trained[spec.name]
        if spec.name in longer.position_parameters:
            rows = range(part.shape[1], spec.shape[0])
            added = [[_longer_row(spec, seed, row) for row in rows] for seed in seeds]
            added = np.array(added, np.float32).reshape(len(seeds), len(rows), *spec.shape[1:])
            part = torch.cat([part, torch.from_numpy(added).to(flat)], dim=1)
        parts.append(part.flatten(1))
    return longer, pad_to_lanes(torch.cat(parts, dim=1))


def _longer_row(spec: ParameterSpec, seed: int, row: int) -> np.ndarray:
    """Return a row of a table of positions that training never read."""
    key = {"name": spec.name, "distribution": spec.distribution, "scale": spec.scale, "row": row}
    generator = numpy_generator("longer_positions", seed=seed, **key)
    return spec.draw(generator, math.prod(spec.shape[1:]))


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
    "lengthen",
]
