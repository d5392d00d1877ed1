"""What a replicate-stacked model is: R networks of one architecture, evaluated by the same kernels.

Every parameter has a leading replicate axis. All R networks live in one flat buffer (R, P), so that
an optimiser is a handful of kernels; the named parameters are views into it.

Shapes: R replicates, B batch, T sequence length, V vocabulary, C classes, D width, P parameters.
"""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Parameters = Mapping[str, Tensor]

# MKL may choose its kernels by the alignment of a matrix, and so by the slot of a replicate in the pack;
# in this mode (conditional numerical reproducibility) it does not. It asks before its first operation.
os.environ.setdefault("MKL_CBWR", "AUTO")

LANES = 32
"""Entries that a CPU kernel handles at once, at most (two AVX-512 registers of float32).

What is left over at the end of a tensor goes through scalar code, which rounds differently. Where
the entries of every replicate are a multiple of this, nothing is left over, whatever R is, and a
replicate's numbers do not depend on the pack around it.
"""


@dataclass(frozen=True)
class ParameterSpec:
    """Name, shape of one replicate, and initial distribution of a parameter.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Without the replicate axis.
    distribution : {"normal", "uniform", "constant"}
    scale : float
        Standard deviation, bound of the symmetric interval, or the constant itself.
    """

    name: str
    shape: tuple[int, ...]
    distribution: Literal["normal", "uniform", "constant"]
    scale: float

    @property
    def size(self) -> int:
        """Number of entries of one replicate."""
        return math.prod(self.shape)

    def draw(self, generator: torch.Generator) -> Tensor:
        """Return initial values (size,) from the generator."""
        if self.distribution == "normal":
            return torch.randn(self.size, generator=generator) * self.scale
        if self.distribution == "uniform":
            return (torch.rand(self.size, generator=generator) * 2 - 1) * self.scale
        return torch.full((self.size,), self.scale)


class StackedModel(ABC):
    """An architecture; it holds shapes and no numbers.

    Parameters
    ----------
    n_symbols : int
        V, size of the input alphabet.
    n_classes : int
        C, number of labels.
    n_positions : int
        Longest sequence that the model will ever see, the one of the extrapolation test included.
    """

    def __init__(self, n_symbols: int, n_classes: int, n_positions: int):
        self.n_symbols = n_symbols
        self.n_classes = n_classes
        self.n_positions = n_positions

    @property
    @abstractmethod
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""

    @abstractmethod
    def forward(self, parameters: Parameters, tokens: Tensor) -> Tensor:
        """Return the logits of every position.

        Parameters
        ----------
        parameters : mapping of str to Tensor, each of shape (R, ...)
        tokens : Tensor of int64, shape (R, B, T)
            Symbols in ``0 .. V - 1``; T is at most ``n_positions``.

        Returns
        -------
        Tensor of float32, shape (R, B, T, C)
        """

    @property
    def n_parameters(self) -> int:
        """P, the number of parameters of one replicate."""
        return sum(spec.size for spec in self.parameters)

    def initialise(self, seeds: Sequence[int]) -> Tensor:
        """Return initial parameters on the CPU, each row drawn from its own seed alone.

        Returns
        -------
        Tensor of float32, shape (R, P')
            The flat buffer: P parameters, and zeros up to a multiple of `LANES`.
        """
        rows = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            rows.append(torch.cat([spec.draw(generator) for spec in self.parameters]))
        return pad_to_lanes(torch.stack(rows))

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Return the named parameters (R, *shape) as views into a flat buffer (R, P or more)."""
        views, start = {}, 0
        for spec in self.parameters:
            part = flat[:, start : start + spec.size]
            views[spec.name] = part.view(flat.shape[0], *spec.shape)
            start += spec.size
        return views


def pad_to_lanes(rows: Tensor) -> Tensor:
    """Return rows (R, n) with zeros up to the next multiple of `LANES`."""
    missing = -rows.shape[1] % LANES
    return F.pad(rows, (0, missing)) if missing else rows


def elementwise(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Apply an elementwise function to inputs (R, ...) so that packs of any size round alike."""
    rows = inputs.flatten(1)
    return function(pad_to_lanes(rows))[:, : rows.shape[1]].reshape(inputs.shape)


def linear_specs(
    name: str, n_inputs: int, n_outputs: int, gain: float = 1.0
) -> list[ParameterSpec]:
    """Return weight (n_inputs, n_outputs) and bias of a linear layer.

    The weight is Normal(0, gain**2 / (3 n_inputs)): GPT-2's fixed 0.02 is that at width 768.
    """
    return [
        ParameterSpec(
            f"{name}.weight", (n_inputs, n_outputs), "normal", gain / math.sqrt(3 * n_inputs)
        ),
        ParameterSpec(f"{name}.bias", (1, n_outputs), "constant", 0.0),
    ]


def linear(parameters: Parameters, name: str, inputs: Tensor) -> Tensor:
    """Apply a linear layer to inputs (R, n, n_inputs), replicate by replicate."""
    return torch.baddbmm(parameters[f"{name}.bias"], inputs, parameters[f"{name}.weight"])


def embed(table: Tensor, tokens: Tensor) -> Tensor:
    """Look tokens (R, ...) up in a table (R, V, D), replicate by replicate; returns (R, ..., D)."""
    n_replicates, n_symbols, width = table.shape
    offsets = torch.arange(n_replicates, device=tokens.device) * n_symbols
    offsets = offsets.view(-1, *[1] * (tokens.dim() - 1))
    return F.embedding(tokens + offsets, table.reshape(n_replicates * n_symbols, width))
