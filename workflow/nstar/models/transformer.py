"""Transformer: GPT-2 style, with the choices that studies vary: positions, norms, mask, dropout."""

import functools
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.models.stacked import (
    Dropout,
    Parameters,
    ParameterSpec,
    StackedModel,
    classify,
    elementwise,
    embed,
    layer_norm,
    layer_norm_specs,
    linear,
    linear_specs,
)

ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu}
ROTARY_BASE = 10_000.0

MOST_AT_ONCE = 2**16 - 1
"""Sequences times heads that attention takes at once. Torch's CUDA kernels lay them along an axis of the
grid, which ends there: more is an invalid configuration (github.com/pytorch/pytorch/issues/142228)."""


class Transformer(StackedModel):
    """Self-attention and a four times wider perceptron in every layer.

    Parameters
    ----------
    width : int
        D; must be a multiple of `heads`.
    depth : int
        Number of layers.
    heads : int
        Attention heads of width ``D / heads``, which is even where positions are rotary.
    positions : {"learned", "sinusoidal", "rotary", "none"}
        A trained table of ``n_positions`` rows, those beyond the training length never trained;
        a fixed table of sines; rotated queries and keys; or nothing but the causal mask.
    norm : {"pre", "post"}
        LayerNorm before each part of a layer and at the end, or after each sum.
    causal : bool
        Whether a position sees itself and earlier ones only, or all of them.
    activation : {"gelu", "relu"}
    dropout : float
        Rate in [0, 1), in training, of the embedded input, the attention weights and what each
        part adds to the stream.
    **shapes
        As for `StackedModel`.

    Notes
    -----
    With x the residual stream, a layer with norm "pre" is
    ``x <- x + Attention(LN(x))``; ``x <- x + W_2 f(W_1 LN(x))``, and logits are ``W_u LN(x)``;
    with norm "post" it is ``x <- LN(x + Attention(x))``; ``x <- LN(x + W_2 f(W_1 x))``, logits ``W_u x``.
    Weights start as Normal(0, 1 / (3 n_inputs)), which is GPT-2's 0.02 at width 768, residual
    projections divided by sqrt(2 depth). Embeddings start as Normal(0, 0.02^2), those of tokens
    beside sinusoidal positions as Normal(0, 1/2), the mean square of a sine. The head is not tied,
    GELU is exact.
    Parameters: ``V D + depth (12 D^2 + 13 D) + D C + C``, for norm "pre" ``2 D`` more, for learned
    positions ``n_positions D`` more.

    References
    ----------
    Radford et al. (2019), Language Models are Unsupervised Multitask Learners; Vaswani et al. (2017),
    Attention Is All You Need (norm "post", section 3.5 for sines); Su et al. (2021), RoFormer, eq. 34.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        positions: Literal["learned", "sinusoidal", "rotary", "none"] = "learned",
        norm: Literal["pre", "post"] = "pre",
        causal: bool = True,
        activation: Literal["gelu", "relu"] = "gelu",
        dropout: float = 0.0,
        **shapes: int,
    ):
        super().__init__(**shapes)
        self.width = width
        self.depth = depth
        self.heads = heads
        self.positions = positions
        self.norm = norm
        self.causal = causal
        self.activation = ACTIVATIONS[activation]
        self.dropout = dropout

    @property
    def dropout_rate(self) -> float:
        """Share of entries that are dropped in training."""
        return self.dropout

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        width, residual = self.width, (2 * self.depth) ** -0.5
        token_scale = 0.5**0.5 if self.positions == "sinusoidal" else 0.02
        specs = [ParameterSpec("token_embedding", (self.n_symbols, width), "normal", token_scale)]
        if self.positions == "learned":
            shape = (self.n_positions, width)
            specs.append(ParameterSpec("position_embedding", shape, "normal", 0.02))
        for i in range(self.depth):
            specs += layer_norm_specs(f"layer{i}.attention_norm", width)
            specs += linear_specs(f"layer{i}.query_key_value", width, 3 * width)
            specs += linear_specs(f"layer{i}.attention_out", width, width, gain=residual)
            specs += layer_norm_specs(f"layer{i}.perceptron_norm", width)
            specs += linear_specs(f"layer{i}.perceptron_in", width, 4 * width)
            specs += linear_specs(f"layer{i}.perceptron_out", 4 * width, width, gain=residual)
        if self.norm == "pre":
            specs += layer_norm_specs("final_norm", width)
        specs += linear_specs("head", width, self.n_classes)
        return tuple(specs)

    def forward(
        self,
        parameters: Parameters,
        tokens: Tensor,
        read_from: int = 0,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Return logits (R, B, T - read_from, C); see `StackedModel.forward`."""
        n_replicates, _, length = tokens.shape
        drop = dropout or _keep
        stream = embed(parameters["token_embedding"], tokens)  # (R, B, T, D)
        if self.positions == "learned":
            stream = stream + parameters["position_embedding"][:, None, :length]
        elif self.positions == "sinusoidal":
            stream = stream + sinusoids(length, self.width, stream.dtype, stream.device)
        stream = drop(stream)
        for i in range(self.depth):
            first = read_from if i == self.depth - 1 else 0
            stream = self._layer(parameters, f"layer{i}", stream, first, dropout)
        hidden = stream.reshape(n_replicates, -1, self.width)
        if self.norm == "pre":
            hidden = layer_norm(parameters, "final_norm", hidden)
        logits = classify(parameters, hidden)
        return logits.view(*stream.shape[:3], self.n_classes)

    def _layer(
        self,
        parameters: Parameters,
        name: str,
        stream: Tensor,
        first: int,
        dropout: Dropout | None,
    ) -> Tensor:
        """Return the positions of the stream (R, B, T, D) from the first on, after a layer."""
        before, after = (layer_norm, _same) if self.norm == "pre" else (_same, layer_norm)
        drop = dropout or _keep
        shape = (*stream.shape[:2], stream.shape[2] - first, self.width)
        rows = (stream.shape[0], -1, self.width)
        normed = before(parameters, f"{name}.attention_norm", stream.reshape(rows))
        mixed = self._attention(parameters, name, normed.view(stream.shape), first, dropout)
        added = linear(parameters, f"{name}.attention_out", mixed.reshape(rows))
        stream = stream[:, :, first:].reshape(rows) + drop(added)
        stream = after(parameters, f"{name}.attention_norm", stream)
        normed = before(parameters, f"{name}.perceptron_norm", stream)
        hidden = elementwise(self.activation, linear(parameters, f"{name}.perceptron_in", normed))
        stream = stream + drop(linear(parameters, f"{name}.perceptron_out", hidden))
        return after(parameters, f"{name}.perceptron_norm", stream).view(shape)

    def _attention(
        self,
        parameters: Parameters,
        name: str,
        inputs: Tensor,
        first: int,
        dropout: Dropout | None,
    ) -> Tensor:
        """Return what the positions from the first on see of the inputs (R, B, T, D)."""
        n_replicates, batch, length, width = inputs.shape
        query, key, value = self._project(parameters, f"{name}.query_key_value", inputs, first)
        if self.positions == "rotary":
            dtype = parameters["token_embedding"].dtype  # the angles need all their digits
            angles = rotary_angles(length, width // self.heads, dtype, query.device)
            query, key = rotate(query, angles[first:]), rotate(key, angles)
        if dropout is None and self.causal and not first:
            mixed = attend(query, key, value, is_causal=True)
        else:
            visible = None
            if self.causal:
                visible = inputs.new_ones(length, length, dtype=torch.bool).tril()[first:]
            if dropout is None:
                mixed = attend(query, key, value, attn_mask=visible)
            else:
                scores = query @ key.mT / key.shape[-1] ** 0.5
                if visible is not None:
                    scores = scores.masked_fill(~visible, float("-inf"))
                weights = scores.softmax(-1).unflatten(0, (n_replicates, batch))
                mixed = dropout(weights).flatten(0, 1) @ value
        return mixed.transpose(1, 2).reshape(n_replicates, batch, length - first, width)

    def _project(
        self, parameters: Parameters, name: str, inputs: Tensor, first: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries from the first on, keys and values, each (R B, H, positions, D / H)."""
        n_replicates, batch, _, width = inputs.shape
        weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]

        def project(part: Tensor, start: int, n_parts: int) -> tuple[Tensor, ...]:
            columns = slice(start * width, (start + n_parts) * width)
            rows = part.reshape(n_replicates, -1, width)
            projected = torch.baddbmm(bias[..., columns], rows, weight[..., columns])
            shape = (n_replicates * batch, part.shape[2], n_parts, self.heads, -1)
            return projected.view(shape).permute(2, 0, 3, 1, 4).unbind(0)

        if not first:
            return project(inputs, 0, 3)
        return (*project(inputs[:, :, first:], 0, 1), *project(inputs, 1, 2))


def attend(query: Tensor, key: Tensor, value: Tensor, **mask: Tensor | bool | None) -> Tensor:
    """Return `F.scaled_dot_product_attention` of (n, H, positions, D / H) for any number of sequences."""
    n_sequences = max(1, MOST_AT_ONCE // query.shape[1])
    parts = zip(*(part.split(n_sequences) for part in (query, key, value)), strict=True)
    mixed = [F.scaled_dot_product_attention(*part, **mask) for part in parts]
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed)


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


def _same(parameters: Parameters, name: str, inputs: Tensor) -> Tensor:
    return inputs


def _keep(inputs: Tensor) -> Tensor:
    return inputs
