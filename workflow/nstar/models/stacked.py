"""What a replicate-stacked model is: R networks of one architecture, evaluated by the same kernels.

Every parameter has a leading replicate axis. All R networks live in one flat buffer (R, P), so that
an optimiser is a handful of kernels; the named parameters are views into it.

Shapes: R replicates, B batch, T sequence length, V vocabulary, C classes, D width, P parameters.
"""

import functools
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.kinds import ModelKind
from nstar.seeds import derive_seed, numpy_generator

Parameters = Mapping[str, Tensor]

Memory = dict[str, Any]
"""What a model keeps of the tokens that it has read, to read on; empty at first: `StackedModel.read`."""

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

    def draw(self, generator: np.random.Generator, size: int) -> np.ndarray:
        """Return `size` initial values in float32, of which fewer would be the first."""
        if self.distribution == "normal":
            values = generator.standard_normal(size) * self.scale
        elif self.distribution == "uniform":
            values = (generator.random(size) * 2 - 1) * self.scale
        else:
            values = np.full(size, self.scale)
        return values.astype(np.float32)


class StackedModel(ABC):
    """An architecture; it holds shapes and no numbers.

    Parameters
    ----------
    options : ModelKind
        Those of its kind; see `nstar.kinds`.
    n_symbols : int
        V, size of the input alphabet.
    n_classes : int
        C, number of labels.
    n_positions : int
        Longest sequence that the model can read.
    n_trained_positions : int, optional
        Longest sequence that it is trained on; `n_positions` where left out, see
        `nstar.models.lengthen`.
    """

    width: int
    """D, size of the embedding and of what a layer hands on."""

    def __init__(
        self,
        options: ModelKind,
        n_symbols: int,
        n_classes: int,
        n_positions: int,
        n_trained_positions: int | None = None,
    ):
        self.options = options
        self.width = options.width
        self.n_symbols = n_symbols
        self.n_classes = n_classes
        self.n_positions = n_positions
        self.n_trained_positions = n_trained_positions or n_positions

    @property
    @abstractmethod
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""

    @property
    def position_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that encode positions; none where the model has no such table."""
        return ()

    @property
    def in_training(self) -> "StackedModel":
        """The model that training steps run: this one, unless it computes otherwise in evaluations."""
        return self

    def with_options(self, options: ModelKind, n_positions: int | None = None) -> "StackedModel":
        """Return a model of the same shapes and of other options, or of more positions."""
        return type(self)(
            options,
            n_symbols=self.n_symbols,
            n_classes=self.n_classes,
            n_positions=n_positions or self.n_positions,
            n_trained_positions=self.n_trained_positions,
        )

    @property
    def dropout_rate(self) -> float:
        """Share of entries that are dropped in training; 0 where the model knows no dropout."""
        return 0.0

    @abstractmethod
    def forward(
        self,
        parameters: Parameters,
        tokens: Tensor,
        read_from: int = 0,
        dropout: "Dropout | None" = None,
    ) -> Tensor:
        """Return the logits of the positions that are read.

        Parameters
        ----------
        parameters : mapping of str to Tensor, each of shape (R, ...)
        tokens : Tensor of int64, shape (R, B, T)
            Symbols in ``0 .. V - 1``; T is at most ``n_positions``.
        read_from : int
            First position whose logits are wanted, in ``0 .. T - 1``; what only earlier positions
            need of the last layer is not computed.
        dropout : Dropout, optional
            Noise of a training step; none where left out.

        Returns
        -------
        Tensor of float32, shape (R, B, T - read_from, C)
        """

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits of one replicate as the formulas say: slow, obvious, what tests compare with.

        Parameters
        ----------
        values : mapping of str to Tensor
            The named parameters of one replicate, without the replicate axis.
        tokens : Tensor of int64, shape (B, T)

        Returns
        -------
        Tensor, shape (B, T, C)
        """
        raise NotImplementedError(f"{type(self).__name__} has no naive form")

    def read(self, parameters: Parameters, tokens: Tensor, memory: Memory) -> Tensor:
        """Return the logits after the last of some more tokens: for decoding, by a causal model.

        This form keeps the tokens, and reads all of them again. A model that keeps the state of a
        recurrence, or keys and values, does not have to.

        Parameters
        ----------
        parameters : mapping of str to Tensor, each of shape (R, ...)
        tokens : Tensor of int64, shape (R, B, t)
            What follows the tokens read before, t at least 1.
        memory : dict
            What the model keeps of these, empty before the first ones; changed in place. It has no
            gradients.

        Returns
        -------
        Tensor of float32, shape (R, B, C)
        """
        before = [memory["tokens"]] if memory else []
        memory["tokens"] = torch.cat([*before, tokens], dim=2)
        last = memory["tokens"].shape[2] - 1
        return self.forward(parameters, memory["tokens"], last)[:, :, 0]

    @property
    def n_parameters(self) -> int:
        """P, the number of parameters of one replicate."""
        return sum(spec.size for spec in self.parameters)

    def initialise(self, seeds: Sequence[int]) -> Tensor:
        """Return initial parameters on the CPU, each row drawn from its own seed alone.

        A parameter depends on its name, shape, distribution and scale beside, and on nothing else of
        the model: networks that differ in weight decay, dropout or length start from the same weights.
        Of a table of positions the number of rows has no part in it, so the first rows are those of a
        shorter one.

        Returns
        -------
        Tensor of float32, shape (R, P')
            The flat buffer: P parameters, and zeros up to a multiple of `LANES`.
        """
        rows = []
        for seed in seeds:
            parts = [self._initial(spec, seed) for spec in self.parameters]
            rows.append(torch.from_numpy(np.concatenate(parts)))
        return pad_to_lanes(torch.stack(rows))

    def _initial(self, spec: ParameterSpec, seed: int) -> np.ndarray:
        """Return the initial values (size,) of a parameter."""
        of_positions = spec.name in self.position_parameters
        key = {
            "name": spec.name,
            "shape": list(spec.shape[1:] if of_positions else spec.shape),
            "distribution": spec.distribution,
            "scale": spec.scale,
        }
        return spec.draw(numpy_generator("initialisation", seed=seed, **key), spec.size)

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Return the named parameters (R, *shape) as views into a flat buffer (R, P or more)."""
        views, start = {}, 0
        for spec in self.parameters:
            part = flat[:, start : start + spec.size]
            views[spec.name] = part.view(flat.shape[0], *spec.shape)
            start += spec.size
        return views


class Dropout:
    """Dropout of one training step, drawn for each replicate from its own seed and the step.

    Parameters
    ----------
    rate : float
        Share of entries set to zero, in (0, 1); the others are divided by ``1 - rate``.
    seeds : sequence of int
        One per replicate (R,).
    step : int
        A resumed run draws what an uninterrupted one would have drawn.
    device : torch.device
    """

    def __init__(self, rate: float, seeds: Sequence[int], step: int, device: torch.device):
        self.rate = rate
        self.generators = [
            torch.Generator(device).manual_seed(derive_seed("dropout", seed=seed, step=step))
            for seed in seeds
        ]

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return inputs (R, ...) with entries dropped."""
        kept = torch.empty(inputs.shape, device=inputs.device)
        for row, generator in zip(kept, self.generators, strict=True):
            row.bernoulli_(1 - self.rate, generator=generator)
        return inputs * kept.div_(1 - self.rate).to(inputs.dtype)


def pad_to_lanes(rows: Tensor) -> Tensor:
    """Return rows (..., n) with zeros up to the next multiple of `LANES`."""
    missing = -rows.shape[-1] % LANES
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
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    if weight.shape[-1] == 1:  # MKL computes a product with one column otherwise in a pack of one
        return (inputs * weight.mT).sum(-1, keepdim=True) + bias
    return torch.baddbmm(bias, inputs, weight)


def embed(table: Tensor, tokens: Tensor) -> Tensor:
    """Look tokens (R, ...) up in a table (R, V, D), replicate by replicate; returns (R, ..., D)."""
    n_replicates, n_symbols, width = table.shape
    offsets = torch.arange(n_replicates, device=tokens.device) * n_symbols
    offsets = offsets.view(-1, *[1] * (tokens.dim() - 1))
    return F.embedding(tokens + offsets, table.reshape(n_replicates * n_symbols, width))


def layer_norm_specs(name: str, width: int) -> list[ParameterSpec]:
    """Return gain (1) and shift (0) of a LayerNorm."""
    return [
        ParameterSpec(f"{name}.weight", (1, width), "constant", 1.0),
        ParameterSpec(f"{name}.bias", (1, width), "constant", 0.0),
    ]


NORM_EPSILON = 1e-5
"""What a LayerNorm adds to the variance, unless an option says otherwise."""


def layer_norm(
    parameters: Parameters, name: str, inputs: Tensor, epsilon: float = NORM_EPSILON
) -> Tensor:
    """Apply a LayerNorm to inputs (R, n, D), replicate by replicate."""
    normed = F.layer_norm(inputs, inputs.shape[-1:], eps=epsilon)
    return torch.addcmul(parameters[f"{name}.bias"], normed, parameters[f"{name}.weight"])


def rms_norm(inputs: Tensor, epsilon: float) -> Tensor:
    """Return inputs (R, ..., n) divided by the root of their mean square plus epsilon."""
    mean_square = inputs.square().mean(-1, keepdim=True)
    return inputs * elementwise(torch.rsqrt, mean_square + epsilon)


def step_inputs(parameters: Parameters, tokens: Tensor) -> Tensor:
    """Return what a linear layer reads in each step of a recurrence, (T, R, n, B) of tokens (R, B, T).

    It has one column per sequence: the embedding of its token above a one for the bias, or, where the
    alphabet is no larger than the embedding, a one in the row of its symbol.
    """
    table = parameters["token_embedding"]
    if _is_tabled(table):
        symbols = torch.arange(table.shape[1], device=tokens.device)[:, None]
        inputs = tokens.permute(2, 0, 1)[:, :, None] == symbols
        return inputs.to(table.dtype)
    embedded = embed(table, tokens).permute(2, 0, 3, 1)  # (T, R, D, B)
    ones = torch.ones_like(embedded[:, :, :1])
    return torch.cat([embedded, ones], dim=2)


def step_weight(parameters: Parameters, name: str) -> Tensor:
    """Return the weight (R, n_outputs, n) whose product with `step_inputs` is the output of a layer.

    For small alphabets it is a table of the outputs for all symbols, which costs nothing to make.
    """
    table = parameters["token_embedding"]
    if _is_tabled(table):
        return linear(parameters, name, table).mT
    return torch.cat([parameters[f"{name}.weight"], parameters[f"{name}.bias"]], dim=1).mT


def _is_tabled(table: Tensor) -> bool:
    return table.shape[1] <= table.shape[2]


def at_least_two(tokens: Tensor) -> Tensor:
    """Return tokens (R, B, T), a batch of one twice.

    MKL computes a product with one column in another way in a pack of one than in larger ones.
    """
    return tokens.expand(-1, 2, -1) if tokens.shape[1] == 1 else tokens


def aligned_steps(shape: tuple[int, int, int, int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return an empty tensor (T, R, n, B) and the buffer (T, R, m) under it, m in whole `LANES`.

    Elementwise functions of a step are applied to the buffer; see `LANES`.
    """
    n_entries = shape[2] * shape[3]
    buffer = like.new_empty(*shape[:2], n_entries + -n_entries % LANES)
    return buffer[..., :n_entries].unflatten(-1, shape[2:]), buffer


def read_out(parameters: Parameters, hidden: Tensor, batch: int) -> Tensor:
    """Return logits (R, B, T', C) of hidden states (T', R, D, B or more)."""
    length, n_replicates, width, _ = hidden.shape
    rows = hidden[..., :batch].permute(1, 0, 3, 2).reshape(n_replicates, length * batch, width)
    logits = classify(parameters, rows)
    return logits.view(n_replicates, length, batch, -1).transpose(1, 2)


def in_float32(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Decorate a function to compute in float32 where reduced precision is on.

    A recurrence multiplies its rounding errors from step to step, and solvers know no bfloat16.
    """

    @functools.wraps(function)
    def wrapped(*arguments, **options):
        given = [*arguments, *options.values()]
        (device, *_) = (part.device.type for part in given if isinstance(part, Tensor))
        options = {name: _unreduced(part) for name, part in options.items()}
        with torch.autocast(device, enabled=False):
            return function(*map(_unreduced, arguments), **options)

    return wrapped


def _unreduced(argument):
    reduced = isinstance(argument, Tensor) and argument.dtype in (torch.bfloat16, torch.float16)
    return argument.float() if reduced else argument


@in_float32
def classify(parameters: Parameters, hidden: Tensor) -> Tensor:
    """Return logits (R, n, C) of hidden states (R, n, D); rounded ones would tie."""
    return linear(parameters, "head", hidden)


def naive_linear(values: Parameters, name: str, inputs: Tensor) -> Tensor:
    """Return a linear layer of one replicate, of inputs (..., n)."""
    return inputs @ values[f"{name}.weight"] + values[f"{name}.bias"]


def naive_norm(
    values: Parameters, name: str, inputs: Tensor, epsilon: float = NORM_EPSILON
) -> Tensor:
    """Return a LayerNorm of one replicate, of inputs (..., n)."""
    weight, bias = values[f"{name}.weight"][0], values[f"{name}.bias"][0]
    return F.layer_norm(inputs, inputs.shape[-1:], weight, bias, epsilon)
