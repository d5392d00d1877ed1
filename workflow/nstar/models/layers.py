"""Layers that transformers share: norms, perceptrons, projections and positions."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from nstar.models.stacked import (
    Parameters,
    ParameterSpec,
    elementwise,
    layer_norm,
    linear,
)

ROTARY_BASE = 10_000.0


Norm = Callable[[Parameters, str, Tensor], Tensor]
"""As `layer_norm`: parameters, name and inputs (R, n, D) to what comes out."""


def uniform_specs(
    name: str, n_inputs: int, n_outputs: int, bound: float, bias_bound: float
) -> list[ParameterSpec]:
    """Return a linear layer with weights in U(-bound, bound); its bias likewise, or 0 for bound 0."""
    distribution = "uniform" if bias_bound else "constant"
    return [
        ParameterSpec(f"{name}.weight", (n_inputs, n_outputs), "uniform", bound),
        ParameterSpec(f"{name}.bias", (1, n_outputs), distribution, bias_bound),
    ]


def recording_norm(seen: dict[str, Tensor], batch: int, norm: Norm = layer_norm) -> Norm:
    """Return a norm that notes under each name what it is applied to, as (R, B, T', D)."""

    def recording(parameters: Parameters, name: str, inputs: Tensor) -> Tensor:
        seen[name] = inputs.unflatten(1, (batch, -1))
        return norm(parameters, name, inputs)

    return recording


def beside_positions(embedded: Tensor, table: Tensor) -> Tensor:
    """Return embedded tokens (R, B, T, D / 2) beside the first T rows of a table (R, n, D / 2)."""
    rows = table[:, None, : embedded.shape[2]]
    return torch.cat([embedded, rows.expand_as(embedded)], dim=-1)


def perceptron(
    parameters: Parameters, name: str, inputs: Tensor, activation: Callable[[Tensor], Tensor]
) -> Tensor:
    """Apply the perceptron of a layer to inputs (R, n, D)."""
    hidden = elementwise(activation, linear(parameters, f"{name}.perceptron_in", inputs))
    return linear(parameters, f"{name}.perceptron_out", hidden)


def project(
    parameters: Parameters, name: str, inputs: Tensor, heads: int, parts: range
) -> tuple[Tensor, ...]:
    """Return some of queries (0), keys (1) and values (2) of inputs (R, B, T, D), by one linear layer.

    Each has the shape (R B, H, T, D / H).
    """
    n_replicates, batch, length, width = inputs.shape
    columns = slice(parts.start * width, parts.stop * width)
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    rows = inputs.reshape(n_replicates, -1, width)
    projected = torch.baddbmm(bias[..., columns], rows, weight[..., columns])
    shape = (n_replicates * batch, length, len(parts), heads, -1)
    return projected.view(shape).permute(2, 0, 3, 1, 4).unbind(0)


def query_key_value(
    parameters: Parameters, name: str, inputs: Tensor, heads: int, first: int
) -> tuple[Tensor, ...]:
    """Return queries of the positions from the first on, keys and values of all; see `project`."""
    if not first:
        return project(parameters, name, inputs, heads, range(3))
    query = project(parameters, name, inputs[:, :, first:], heads, range(1))
    return *query, *project(parameters, name, inputs, heads, range(1, 3))


@functools.lru_cache(maxsize=16)
def sinusoids(length: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the fixed position table (T, D): sines in even columns, cosines in odd ones."""
    positions = torch.arange(length, dtype=torch.float64)[:, None]
    columns = torch.arange(width, dtype=torch.float64)
    angles = positions * ROTARY_BASE ** (-2 * (columns // 2) / width)
    table = torch.where(columns % 2 == 0, angles.sin(), angles.cos())
    return table.to(device, dtype)


@functools.lru_cache(maxsize=16)
def rotary_angles(length: int, head_width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return cosines and sines (T, D / (2 H), 2) of the angle of each pair at each position."""
    pairs = torch.arange(head_width // 2, dtype=torch.float64)
    positions = torch.arange(length, dtype=torch.float64)[:, None]
    angles = positions * ROTARY_BASE ** (-2 * pairs / head_width)
    return torch.stack([angles.cos(), angles.sin()], dim=-1).to(device, dtype)


def rotate(vectors: Tensor, angles: Tensor) -> Tensor:
    """Turn the first half of (..., T, D / H) against the second, pair by pair."""
    cosine, sine = angles.unbind(-1)
    one, two = vectors.chunk(2, dim=-1)
    return torch.cat([one * cosine - two * sine, two * cosine + one * sine], dim=-1)
