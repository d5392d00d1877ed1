"""Transformer: GPT-2 style, with the choices that studies vary: positions, norms, mask, dropout."""

import functools
import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.kinds.transformer import TransformerOptions
from nstar.models.attention import (
    LEAST_WEIGHT,
    LinearAttention,
    SparseAttention,
    attend,
    build_attention,
)
from nstar.models.layers import (
    Norm,
    beside_positions,
    perceptron,
    query_key_value,
    recording_norm,
    rotary_angles,
    rotate,
    sinusoids,
    uniform_specs,
)
from nstar.models.stacked import (
    Dropout,
    Memory,
    Parameters,
    ParameterSpec,
    StackedModel,
    classify,
    embed,
    layer_norm,
    layer_norm_specs,
    linear,
    linear_specs,
    naive_linear,
    naive_norm,
)

ACTIVATIONS = {
    "gelu": F.gelu,
    "gelu_tanh": functools.partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}


class Transformer(StackedModel):
    """Self-attention and a perceptron in every layer.

    With R = 2, B = 3, T = 4, D = 6, H = 2, C = 2, shapes go ``tokens (2, 3, 4)`` -> stream
    ``(2, 3, 4, 6)`` -> queries, keys and values ``(2 * 3, 2, 4, 3)`` each -> mixed by head and added to
    the stream ``(2, 3, 4, 6)`` -> perceptron on rows ``(2, 12, 6)`` -> logits ``(2, 3, 4, 2)``.

    Parameters
    ----------
    options : TransformerOptions
        ``width``: D; must be a multiple of `heads`.
        ``depth``: number of layers.
        ``heads``: attention heads of width ``D / heads``, which is even where positions are
        rotary.
        ``positions``: A trained table of ``n_positions`` rows, those beyond the training length
        never trained; a fixed table of sines; rotated queries and keys; or nothing but the
        causal mask.
        ``norm``: layerNorm before each part of a layer and at the end, or after each sum.
        ``causal``: whether a position sees itself and earlier ones only, or all of them.
        ``activation``: the second is the usual approximation of GELU.
        ``dropout``: rate in [0, 1), in training, of the embedded input, the weights of a
        softmax and what each part adds to the stream.
        ``embedding``: whether learned positions are added to tokens, or fill the second half of
        an even width.
        ``perceptron_width``: F, hidden units of a perceptron, at least 2; 4 D where left out.
        ``initialisation``: distributions of the initial parameters, see the notes.
        ``embedding_norm``: whether a LayerNorm follows the sum of tokens and positions.
        ``norm_epsilon``: what a LayerNorm adds to the variance, not negative.
        ``attention``: what positions see, and how; softmax over all of them, or all earlier
        ones, where left out. See `nstar.models.attention`.
    **shapes
        As for `StackedModel`.

    Notes
    -----
    With x the residual stream, a layer with norm "pre" is
    ``x <- x + Attention(LN(x))``; ``x <- x + W_2 f(W_1 LN(x))``, and logits are ``W_u LN(x)``;
    with norm "post" it is ``x <- LN(x + Attention(x))``; ``x <- LN(x + W_2 f(W_1 x))``, logits ``W_u x``.
    The head is not tied, GELU is exact.
    Parameters: ``V D + depth (4 D^2 + 2 D F + 9 D + F) + D C + C``, where F = 4 D that is
    ``V D + depth (12 D^2 + 13 D) + D C + C``; for norm "pre" and for an embedding norm ``2 D`` more
    each, for learned positions
    ``n_positions D`` more; both tables are half as wide where they are concatenated.

    With initialisation "gpt2", weights start as Normal(0, 1 / (3 n_inputs)), which is GPT-2's 0.02 at
    width 768, residual projections divided by sqrt(2 depth), and biases as 0. Embeddings start as
    Normal(0, 0.02^2), those of tokens beside sinusoidal positions as Normal(0, 1/2), the mean square
    of a sine.
    With "torch", everything starts as in ``torch.nn.TransformerEncoderLayer``, ``Embedding`` and
    ``Linear``: weights and biases as U(-b, b), ``b = 1 / sqrt(n_inputs)``, but weights of queries, keys
    and values with ``b = sqrt(6 / (D + 3 D))`` and the biases of attention as 0; embeddings as
    Normal(0, 1). Layers are drawn independently, while ``torch.nn.TransformerEncoder`` starts all of
    its layers as copies of one.
    With "uniform", "gaussian", "xavier_uniform" and "xavier_gaussian", the weights of all linear maps,
    the head among them, start as U(-1, 1), Normal(0, 1), U(-b, b) with ``b = sqrt(6 / (n_in + n_out))``,
    and Normal(0, 2 / (n_in + n_out)); n_out of queries, keys and values together is 3 D. Biases start as
    0, embeddings as Normal(0, 1). These are the names of arXiv:2606.08768; its scales are not known to
    us, and those here are our choice.

    References
    ----------
    Radford et al. (2019), Language Models are Unsupervised Multitask Learners; Vaswani et al. (2017),
    Attention Is All You Need (norm "post", section 3.5 for sines); Su et al. (2021), RoFormer, eq. 34;
    Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural networks
    (eq. 16, "xavier").
    """

    def __init__(self, options: TransformerOptions, **shapes: int):
        super().__init__(options, **shapes)
        self.activation = ACTIVATIONS[options.activation]
        self.perceptron_width = options.perceptron_width or 4 * options.width
        self.attention = build_attention(options.attention, self.n_trained_positions)
        self.norm: Norm = functools.partial(layer_norm, epsilon=options.norm_epsilon)

    @property
    def position_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that encode positions."""
        return ("position_embedding",) if self.options.positions == "learned" else ()

    @property
    def dropout_rate(self) -> float:
        """Share of entries that are dropped in training."""
        return self.options.dropout

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        width, hidden = self.width, self.perceptron_width
        specs = self._embedding_specs()
        for i in range(self.options.depth):
            specs += layer_norm_specs(f"layer{i}.attention_norm", width)
            specs += self._linear_specs(f"layer{i}.query_key_value", width, 3 * width)
            specs += self._linear_specs(f"layer{i}.attention_out", width, width)
            specs += layer_norm_specs(f"layer{i}.perceptron_norm", width)
            specs += self._linear_specs(f"layer{i}.perceptron_in", width, hidden)
            specs += self._linear_specs(f"layer{i}.perceptron_out", hidden, width)
        if self.options.norm == "pre":
            specs += layer_norm_specs("final_norm", width)
        specs += self._linear_specs("head", width, self.n_classes)
        return tuple(specs)

    def _embedding_specs(self) -> list[ParameterSpec]:
        width = self.width // 2 if self.options.embedding == "concatenated" else self.width
        token_scale = 0.5**0.5 if self.options.positions == "sinusoidal" else 0.02
        position_scale = 0.02
        if self.options.initialisation != "gpt2":
            token_scale = position_scale = 1.0
        specs = [ParameterSpec("token_embedding", (self.n_symbols, width), "normal", token_scale)]
        if self.options.positions == "learned":
            shape = (self.n_positions, width)
            specs.append(ParameterSpec("position_embedding", shape, "normal", position_scale))
        if self.options.embedding_norm:
            specs += layer_norm_specs("embedding_norm", self.width)
        return specs

    def _linear_specs(self, name: str, n_inputs: int, n_outputs: int) -> list[ParameterSpec]:
        part = name.rpartition(".")[2]
        if self.options.initialisation == "gpt2":
            is_residual = part in ("attention_out", "perceptron_out")
            gain = (2 * self.options.depth) ** -0.5 if is_residual else 1.0
            return linear_specs(name, n_inputs, n_outputs, gain)
        if self.options.initialisation != "torch":
            return self._equal_specs(name, n_inputs, n_outputs)
        bound = bias_bound = n_inputs**-0.5
        if part == "query_key_value":
            bound = (6 / (n_inputs + n_outputs)) ** 0.5
        if part in ("query_key_value", "attention_out"):
            bias_bound = 0.0
        return uniform_specs(name, n_inputs, n_outputs, bound, bias_bound)

    def _equal_specs(self, name: str, n_inputs: int, n_outputs: int) -> list[ParameterSpec]:
        """Return a linear layer whose weights have one distribution everywhere, and its bias, 0."""
        family, _, kind = self.options.initialisation.rpartition("_")
        scale = 1.0
        if family == "xavier":
            scale = ((6 if kind == "uniform" else 2) / (n_inputs + n_outputs)) ** 0.5
        distribution = "uniform" if kind == "uniform" else "normal"
        return [
            ParameterSpec(f"{name}.weight", (n_inputs, n_outputs), distribution, scale),
            ParameterSpec(f"{name}.bias", (1, n_outputs), "constant", 0.0),
        ]

    def forward(
        self,
        parameters: Parameters,
        tokens: Tensor,
        read_from: int = 0,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Return logits (R, B, T - read_from, C); see `StackedModel.forward`."""
        logits = classify(parameters, self._hidden(parameters, tokens, read_from, dropout))
        n_read = tokens.shape[2] - read_from
        return logits.view(*tokens.shape[:2], n_read, self.n_classes)

    def read(self, parameters: Parameters, tokens: Tensor, memory: Memory) -> Tensor:
        """Return logits (R, B, C) after the last token; keys and values, or states, are kept.

        Where a position sees all others, everything is read again.
        """
        if not self.options.causal:
            return super().read(parameters, tokens, memory)
        start = memory.get("n_read", 0)
        memory["n_read"] = start + tokens.shape[2]
        stream = self._embedded(parameters, tokens, self.norm, start)
        for i in range(self.options.depth):
            name = f"layer{i}"
            kept = memory.setdefault(name, {})
            stream = self._layer(parameters, name, stream, 0, None, self.norm, kept, start)
        hidden = stream[:, :, -1]
        if self.options.norm == "pre":
            hidden = self.norm(parameters, "final_norm", hidden)
        return classify(parameters, hidden)

    def norm_inputs(
        self, parameters: Parameters, tokens: Tensor, read_from: int = 0
    ) -> dict[str, Tensor]:
        """Return what every LayerNorm is applied to, by its name and in the order of application.

        Parameters
        ----------
        parameters, tokens, read_from
            As for `forward`.

        Returns
        -------
        dict of str to Tensor, each of shape (R, B, T', D)
            T' is T in all layers but the last, whose positions are those from `read_from` on; with
            norm "pre", attention of the last layer still sees all positions, and so does its norm.
        """
        seen: dict[str, Tensor] = {}
        norm = recording_norm(seen, tokens.shape[1], self.norm)
        self._hidden(parameters, tokens, read_from, None, norm)
        return seen

    def _hidden(
        self,
        parameters: Parameters,
        tokens: Tensor,
        read_from: int,
        dropout: Dropout | None,
        norm: Norm | None = None,
    ) -> Tensor:
        """Return what the head reads, (R, B T', D) of the positions from `read_from` on."""
        norm = norm or self.norm
        stream = (dropout or _keep)(self._embedded(parameters, tokens, norm))
        for i in range(self.options.depth):
            first = read_from if i == self.options.depth - 1 else 0
            stream = self._layer(parameters, f"layer{i}", stream, first, dropout, norm)
        hidden = stream.reshape(tokens.shape[0], -1, self.width)
        return norm(parameters, "final_norm", hidden) if self.options.norm == "pre" else hidden

    def _embedded(
        self, parameters: Parameters, tokens: Tensor, norm: Norm, start: int = 0
    ) -> Tensor:
        """Return the stream (R, B, T, D) before the first layer, of tokens from a position on."""
        stop = start + tokens.shape[2]
        stream = embed(parameters["token_embedding"], tokens)
        if self.options.positions == "sinusoidal":
            n_rows = max(stop, self.n_positions)  # the same table for every token that is read on
            table = sinusoids(n_rows, self.width, stream.dtype, stream.device)
            stream = stream + table[start:stop]
        if self.options.positions == "learned":
            table = parameters["position_embedding"][:, start:stop]
            if self.options.embedding == "concatenated":
                stream = beside_positions(stream, table)
            else:
                stream = stream + table[:, None]
        if self.options.embedding_norm:
            rows = stream.reshape(stream.shape[0], -1, self.width)
            stream = norm(parameters, "embedding_norm", rows).view(stream.shape)
        return stream

    def _layer(
        self,
        parameters: Parameters,
        name: str,
        stream: Tensor,
        first: int,
        dropout: Dropout | None,
        norm: Norm,
        memory: Memory | None = None,
        start: int = 0,
    ) -> Tensor:
        """Return the positions of the stream (R, B, T, D) from the first on, after a layer.

        With a memory, the stream goes on from position `start`, and those before are in the memory.
        """
        before, after = (norm, _same) if self.options.norm == "pre" else (_same, norm)
        drop = dropout or _keep
        shape = (*stream.shape[:2], stream.shape[2] - first, self.width)
        rows = (stream.shape[0], -1, self.width)
        normed = before(parameters, f"{name}.attention_norm", stream.reshape(rows))
        inputs = normed.view(stream.shape)
        mixed = self._attention(parameters, name, inputs, first, dropout, memory, start)
        added = linear(parameters, f"{name}.attention_out", mixed.reshape(rows))
        stream = stream[:, :, first:].reshape(rows) + drop(added)
        stream = after(parameters, f"{name}.attention_norm", stream)
        normed = before(parameters, f"{name}.perceptron_norm", stream)
        stream = stream + drop(perceptron(parameters, name, normed, self.activation))
        return after(parameters, f"{name}.perceptron_norm", stream).view(shape)

    def _attention(
        self,
        parameters: Parameters,
        name: str,
        inputs: Tensor,
        first: int,
        dropout: Dropout | None,
        memory: Memory | None,
        start: int,
    ) -> Tensor:
        """Return what the positions from the first on see of the inputs (R, B, T, D); see `_layer`."""
        n_replicates, batch, length, width = inputs.shape
        name = f"{name}.query_key_value"
        query, key, value = query_key_value(parameters, name, inputs, self.options.heads, first)
        if self.options.positions == "rotary":
            dtype = parameters["token_embedding"].dtype  # the angles need all their digits
            stop, head_width = start + length, width // self.options.heads
            n_rows = max(stop, self.n_positions)
            angles = rotary_angles(n_rows, head_width, dtype, query.device)[:stop]
            query, key = rotate(query, angles[start + first :]), rotate(key, angles[start:])
        if memory is not None:
            mixed = self.attention.read(query, key, value, memory)
        elif not self.options.causal and dropout is None:
            mixed = attend(query, key, value)
        elif dropout is None or isinstance(self.attention, LinearAttention):
            mixed = self.attention.mix(query, key, value)
        else:
            scores = query @ key.mT / key.shape[-1] ** 0.5
            if self.options.causal:
                seen = self.attention.visible(query.shape[2], key.shape[2], query.device)
                scores = scores.masked_fill(~seen, float("-inf"))
            weights = scores.softmax(-1).unflatten(0, (n_replicates, batch))
            mixed = dropout(weights).flatten(0, 1) @ value
        return mixed.transpose(1, 2).reshape(n_replicates, batch, length - first, width)

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (B, T, C) of one replicate by the formulas; see `StackedModel.naive`."""
        length, width = tokens.shape[1], self.width
        norm = functools.partial(naive_norm, epsilon=self.options.norm_epsilon)
        stream = values["token_embedding"][tokens]
        if self.options.positions == "learned":
            table = values["position_embedding"][:length]
            if self.options.embedding == "added":
                stream = stream + table
            else:
                stream = torch.cat([stream, torch.stack([table] * len(tokens))], dim=-1)
        if self.options.positions == "sinusoidal":
            table = torch.zeros(length, width, dtype=stream.dtype)
            for t in range(length):
                for i in range(width):
                    angle = t / 10_000 ** (2 * (i // 2) / width)
                    table[t, i] = math.sin(angle) if i % 2 == 0 else math.cos(angle)
            stream = stream + table
        if self.options.embedding_norm:
            stream = norm(values, "embedding_norm", stream)
        for i in range(self.options.depth):
            inputs = stream
            if self.options.norm == "pre":
                inputs = norm(values, f"layer{i}.attention_norm", stream)
            stream = stream + naive_linear(
                values, f"layer{i}.attention_out", self._attend_naively(values, f"layer{i}", inputs)
            )
            if self.options.norm == "post":
                stream = norm(values, f"layer{i}.attention_norm", stream)
            inputs = stream
            if self.options.norm == "pre":
                inputs = norm(values, f"layer{i}.perceptron_norm", stream)
            hidden = self.activation(naive_linear(values, f"layer{i}.perceptron_in", inputs))
            stream = stream + naive_linear(values, f"layer{i}.perceptron_out", hidden)
            if self.options.norm == "post":
                stream = norm(values, f"layer{i}.perceptron_norm", stream)
        if self.options.norm == "pre":
            stream = norm(values, "final_norm", stream)
        return naive_linear(values, "head", stream)

    def _attend_naively(self, values: Parameters, layer: str, inputs: Tensor) -> Tensor:
        """Return what every position of the inputs (B, T, D) sees, head by head."""
        length, width = inputs.shape[1:]
        projected = naive_linear(values, f"{layer}.query_key_value", inputs).split(width, dim=-1)
        mixed = []
        for query, key, value in zip(
            *(part.chunk(self.options.heads, dim=-1) for part in projected), strict=True
        ):
            if self.options.positions == "rotary":
                query, key = rotate_naively(query), rotate_naively(key)
            if isinstance(self.attention, LinearAttention):
                mixed.append(_recur(self.attention.features, query, key, value))
                continue
            scores = query @ key.mT / query.shape[-1] ** 0.5
            for i, j in itertools.product(range(length), repeat=2):
                if self.options.causal and not _sees(self.attention, i, j):
                    scores[:, i, j] = float("-inf")
            mixed.append(scores.softmax(-1) @ value)
        return torch.cat(mixed, dim=-1)


def _same(parameters: Parameters, name: str, inputs: Tensor) -> Tensor:
    return inputs


def _keep(inputs: Tensor) -> Tensor:
    return inputs


def _sees(attention, i: int, j: int) -> bool:
    """Return whether position i sees position j, both counted from 0."""
    if not isinstance(attention, SparseAttention):
        return j <= i
    size = attention.block_size
    near = i - attention.window * size < j <= i
    return near or (j <= i and j % size >= size - attention.global_tokens)


def _recur(features, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return linear attention (B, T, d) as a recurrence: a state S and a sum z of keys."""
    state = torch.zeros(len(key), key.shape[-1], value.shape[-1], dtype=key.dtype)
    total = torch.zeros(len(key), key.shape[-1], dtype=key.dtype)
    mixed = []
    for t in range(key.shape[1]):
        asked, kept = features(query[:, t]), features(key[:, t])
        state = state + kept[:, :, None] * value[:, t, None]
        total = total + kept
        weight = (asked * total).sum(-1, keepdim=True).clamp_min(LEAST_WEIGHT)
        mixed.append((asked[:, :, None] * state).sum(1) / weight)
    return torch.stack(mixed, dim=1)


def rotate_naively(vectors: Tensor) -> Tensor:
    """Multiply pairs (j, j + D/2), as complex numbers, by e^(i t theta_j)."""
    length, width = vectors.shape[-2:]
    theta = 10_000.0 ** (-2 * torch.arange(width // 2, dtype=vectors.dtype) / width)
    angles = torch.arange(length)[:, None] * theta
    turn = torch.polar(torch.ones_like(angles), angles)
    one, two = vectors.chunk(2, dim=-1)
    turned = torch.complex(one, two) * turn
    return torch.cat([turned.real, turned.imag], dim=-1)
