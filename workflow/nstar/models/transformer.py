"""Decoder-only transformer: GPT-2 style, pre-LayerNorm, GELU, learned absolute positions."""

import torch.nn.functional as F
from torch import Tensor

from nstar.models.stacked import (
    Parameters,
    ParameterSpec,
    StackedModel,
    elementwise,
    embed,
    linear,
    linear_specs,
)


class Transformer(StackedModel):
    """Causal self-attention and a four times wider perceptron in every layer.

    Parameters
    ----------
    width : int
        D; must be a multiple of `heads`.
    depth : int
        Number of layers.
    heads : int
        Attention heads of width ``D / heads``.
    **shapes
        As for `StackedModel`. ``n_positions`` rows of the position table exist; the rows beyond
        the training length are never trained.

    Notes
    -----
    With x the residual stream of a layer,
    ``x <- x + Attention(LN(x))``; ``x <- x + W_2 GELU(W_1 LN(x))``; logits ``W_u LN(x)``.
    Weights start as Normal(0, 1 / (3 n_inputs)), which is GPT-2's 0.02 at width 768, residual
    projections divided by sqrt(2 depth); embeddings as Normal(0, 0.02). No dropout, head not tied,
    GELU in its exact form. Parameters: ``V D + n_positions D + depth (12 D^2 + 13 D) + 2 D + D C + C``.

    References
    ----------
    Radford et al. (2019), Language Models are Unsupervised Multitask Learners.
    """

    def __init__(self, width: int, depth: int, heads: int, **shapes: int):
        super().__init__(**shapes)
        self.width = width
        self.depth = depth
        self.heads = heads

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        width, residual = self.width, (2 * self.depth) ** -0.5
        specs = [
            ParameterSpec("token_embedding", (self.n_symbols, width), "normal", 0.02),
            ParameterSpec("position_embedding", (self.n_positions, width), "normal", 0.02),
        ]
        for i in range(self.depth):
            specs += _norm_specs(f"layer{i}.attention_norm", width)
            specs += linear_specs(f"layer{i}.query_key_value", width, 3 * width)
            specs += linear_specs(f"layer{i}.attention_out", width, width, gain=residual)
            specs += _norm_specs(f"layer{i}.perceptron_norm", width)
            specs += linear_specs(f"layer{i}.perceptron_in", width, 4 * width)
            specs += linear_specs(f"layer{i}.perceptron_out", 4 * width, width, gain=residual)
        specs += _norm_specs("final_norm", width)
        specs += linear_specs("head", width, self.n_classes)
        return tuple(specs)

    def forward(self, parameters: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (R, B, T, C); see `StackedModel.forward`."""
        n_replicates, batch, length = tokens.shape
        stream = embed(parameters["token_embedding"], tokens)  # (R, B, T, D)
        stream = stream + parameters["position_embedding"][:, None, :length]
        stream = stream.view(n_replicates, batch * length, self.width)
        for i in range(self.depth):
            normed = _norm(parameters, f"layer{i}.attention_norm", stream)
            mixed = self._attention(parameters, f"layer{i}", normed, batch, length)
            stream = stream + linear(parameters, f"layer{i}.attention_out", mixed)
            normed = _norm(parameters, f"layer{i}.perceptron_norm", stream)
            hidden = elementwise(F.gelu, linear(parameters, f"layer{i}.perceptron_in", normed))
            stream = stream + linear(parameters, f"layer{i}.perceptron_out", hidden)
        logits = linear(parameters, "head", _norm(parameters, "final_norm", stream))
        return logits.view(n_replicates, batch, length, self.n_classes)

    def _attention(
        self, parameters: Parameters, layer: str, inputs: Tensor, batch: int, length: int
    ) -> Tensor:
        n_replicates, head_width = inputs.shape[0], self.width // self.heads
        projected = linear(parameters, f"{layer}.query_key_value", inputs)  # (R, B T, 3 D)
        split = projected.view(n_replicates * batch, length, 3, self.heads, head_width)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)  # each (R B, H, T, D / H)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return mixed.transpose(1, 2).reshape(n_replicates, batch * length, self.width)


def _norm_specs(name: str, width: int) -> list[ParameterSpec]:
    return [
        ParameterSpec(f"{name}.weight", (1, width), "constant", 1.0),
        ParameterSpec(f"{name}.bias", (1, width), "constant", 0.0),
    ]


def _norm(parameters: Parameters, name: str, inputs: Tensor) -> Tensor:
    normed = F.layer_norm(inputs, inputs.shape[-1:])
    return normed * parameters[f"{name}.weight"] + parameters[f"{name}.bias"]
