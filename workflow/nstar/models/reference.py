"""The same networks for one replicate, as their formulas say: slow and obvious. Tests compare with them.

Each function takes the named parameters of one replicate, of the stacked shapes without their
replicate axis, and tokens (B, T); it returns logits (B, T, C), of an encoder-decoder those that it has.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.models.attention import LEAST_WEIGHT, LinearAttention, SparseAttention
from nstar.models.deltanet import KEY_EPSILON, OUTPUT_EPSILON, DeltaNet
from nstar.models.elman import Elman
from nstar.models.encoder_decoder import EncoderDecoder
from nstar.models.factored_ssm import FactoredSSM
from nstar.models.gru import GRU
from nstar.models.linear_rnn import BlockSSM, DenseSSM, DiagonalSSM, RotationSSM
from nstar.models.lstm import LSTM
from nstar.models.stacked import StackedModel
from nstar.models.transformer import Transformer

Values = Mapping[str, Tensor]


def reference_logits(model: StackedModel, values: Values, tokens: Tensor) -> Tensor:
    """Return logits (B, T, C) of one replicate of any model, by the obvious form of it."""
    return REFERENCES[type(model)](model, values, tokens)


def transformer(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits of `nstar.models.Transformer`, attention head by head."""
    length, width = tokens.shape[1], model.width
    stream = values["token_embedding"][tokens]
    if model.positions == "learned":
        table = values["position_embedding"][:length]
        if model.embedding == "added":
            stream = stream + table
        else:
            stream = torch.cat([stream, torch.stack([table] * len(tokens))], dim=-1)
    if model.positions == "sinusoidal":
        table = torch.zeros(length, width, dtype=stream.dtype)
        for t in range(length):
            for i in range(width):
                angle = t / 10_000 ** (2 * (i // 2) / width)
                table[t, i] = math.sin(angle) if i % 2 == 0 else math.cos(angle)
        stream = stream + table
    if model.embedding_norm:
        stream = _norm(values, "embedding_norm", stream)
    for i in range(model.depth):
        inputs = stream
        if model.norm == "pre":
            inputs = _norm(values, f"layer{i}.attention_norm", stream)
        stream = stream + _linear(
            values, f"layer{i}.attention_out", _attend(model, values, f"layer{i}", inputs)
        )
        if model.norm == "post":
            stream = _norm(values, f"layer{i}.attention_norm", stream)
        inputs = stream
        if model.norm == "pre":
            inputs = _norm(values, f"layer{i}.perceptron_norm", stream)
        hidden = model.activation(_linear(values, f"layer{i}.perceptron_in", inputs))
        stream = stream + _linear(values, f"layer{i}.perceptron_out", hidden)
        if model.norm == "post":
            stream = _norm(values, f"layer{i}.perceptron_norm", stream)
    if model.norm == "pre":
        stream = _norm(values, "final_norm", stream)
    return _linear(values, "head", stream)


def _attend(model, values: Values, layer: str, inputs: Tensor) -> Tensor:
    length, width = inputs.shape[1:]
    projected = _linear(values, f"{layer}.query_key_value", inputs).split(width, dim=-1)
    mixed = []
    for query, key, value in zip(
        *(part.chunk(model.heads, dim=-1) for part in projected), strict=True
    ):
        if model.positions == "rotary":
            query, key = _rotate(query), _rotate(key)
        if isinstance(model.attention, LinearAttention):
            mixed.append(_recur(model.attention.features, query, key, value))
            continue
        scores = query @ key.mT / query.shape[-1] ** 0.5
        for i, j in itertools.product(range(length), repeat=2):
            if model.causal and not _sees(model.attention, i, j):
                scores[:, i, j] = float("-inf")
        mixed.append(scores.softmax(-1) @ value)
    return torch.cat(mixed, dim=-1)


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


def encoder_decoder(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits (B, m, C) of `nstar.models.EncoderDecoder`, from the separator on."""
    n_encoded = tokens[0].tolist().index(model.n_symbols - 1)

    def embedded(part, read):
        table = values[f"{part}_position_embedding"][: read.shape[1]]
        return torch.cat(
            [values["token_embedding"][read], torch.stack([table] * len(read))], dim=-1
        )

    def attention(name, stream, seen, visible=None):
        weight, bias = (
            values[f"{name}query_key_value.weight"],
            values[f"{name}query_key_value.bias"],
        )
        query, key, value = (
            inputs @ weight[:, part] + bias[:, part]
            for inputs, part in zip(
                (stream, seen, seen), torch.arange(3 * model.width).chunk(3), strict=True
            )
        )
        heads = []
        for part in torch.arange(model.width).chunk(model.heads):
            scores = query[..., part] @ key[..., part].mT / len(part) ** 0.5
            if visible is not None:
                scores = scores.masked_fill(~visible, float("-inf"))
            heads.append(scores.softmax(-1) @ value[..., part])
        added = _linear(values, f"{name}attention_out", torch.cat(heads, dim=-1))
        return _norm(values, f"{name}attention_norm", stream + added)

    def perceptron(name, stream):
        hidden = F.relu(_linear(values, f"{name}_in", stream))
        return _norm(values, f"{name}_norm", stream + _linear(values, f"{name}_out", hidden))

    encoded = embedded("encoder", tokens[:, :n_encoded])
    for i in range(model.depth):
        encoded = attention(f"encoder{i}.", encoded, encoded)
        encoded = perceptron(f"encoder{i}.perceptron", encoded)
    encoded = _norm(values, "encoder_norm", encoded)

    decoded = embedded("decoder", tokens[:, n_encoded:])
    past = torch.ones(decoded.shape[1], decoded.shape[1]).tril().bool()
    for i in range(model.depth):
        decoded = attention(f"decoder{i}.", decoded, decoded, past)
        decoded = attention(f"decoder{i}.cross_", decoded, encoded)
        decoded = perceptron(f"decoder{i}.perceptron", decoded)
    return _linear(values, "head", _norm(values, "decoder_norm", decoded))


def _rotate(vectors: Tensor) -> Tensor:
    """Multiply pairs (j, j + D/2), as complex numbers, by e^(i t theta_j)."""
    length, width = vectors.shape[-2:]
    theta = 10_000.0 ** (-2 * torch.arange(width // 2, dtype=vectors.dtype) / width)
    angles = torch.arange(length)[:, None] * theta
    turn = torch.polar(torch.ones_like(angles), angles)
    one, two = vectors.chunk(2, dim=-1)
    turned = torch.complex(one, two) * turn
    return torch.cat([turned.real, turned.imag], dim=-1)


def lstm(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits of `nstar.models.LSTM`."""
    hidden = cell = values["token_embedding"].new_zeros(len(tokens), model.width)
    states = []
    for x in values["token_embedding"][tokens].unbind(1):
        gates = _linear(values, "gates", x) + hidden @ values["recurrence"]
        into, keep, out, update = gates.chunk(4, dim=-1)
        cell = keep.sigmoid() * cell + into.sigmoid() * update.tanh()
        hidden = out.sigmoid() * cell.tanh()
        states.append(hidden)
    return _linear(values, "head", torch.stack(states, dim=1))


def gru(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits of `nstar.models.GRU`."""
    hidden = values["token_embedding"].new_zeros(len(tokens), model.width)
    states = []
    for x in values["token_embedding"][tokens].unbind(1):
        from_input = _linear(values, "gates", x).chunk(3, dim=-1)
        from_state = (hidden @ values["recurrence"]).chunk(3, dim=-1)
        reset, keep = (
            (a + b).sigmoid() for a, b in zip(from_input[:2], from_state[:2], strict=True)
        )
        recalled = from_state[2] + values["candidate_bias"]
        hidden = (1 - keep) * (from_input[2] + reset * recalled).tanh() + keep * hidden
        states.append(hidden)
    return _linear(values, "head", torch.stack(states, dim=1))


def elman(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits of `nstar.models.Elman`."""
    hidden = values["token_embedding"].new_zeros(len(tokens), model.width)
    states = []
    for x in values["token_embedding"][tokens].unbind(1):
        hidden = (_linear(values, "input", x) + hidden @ values["recurrence"]).tanh()
        states.append(hidden)
    return _linear(values, "head", torch.stack(states, dim=1))


def dense_ssm(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits (B, T, C) of tokens (B, T): ``A(x)_ij = sum_k W_ijk x_k``, W stored (k, j, i)."""

    def transition(x):
        return torch.einsum("kji,bk->bij", values["bilinear"], x)

    return _linear_rnn(model, values, tokens, transition)


def factored_ssm(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits (B, T, C): ``A(x) = W_h1 diag(W_x^T x) W_h2^T``, W_h1 stored (f, i)."""

    def transition(x):
        coefficients = torch.diag_embed(x @ values["input_factor"])
        return values["output_factor"].T @ coefficients @ values["state_factor"].T

    return _linear_rnn(model, values, tokens, transition)


def block_ssm(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits (B, T, C): blocks ``A_m(x)_ij = sum_k W_mijk x_k``, W stored (k, m, j, i)."""

    def transition(x):
        blocks = torch.einsum("kmji,bk->bmij", values["bilinear"], x)
        return torch.stack([torch.block_diag(*of_example) for of_example in blocks])

    return _linear_rnn(model, values, tokens, transition)


def rotation_ssm(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits (B, T, C): plane m is turned by ``theta_m(x) = sum_k W_mk x_k``, W stored (k, m)."""

    def turned(theta):
        cos, sin = torch.cos(theta), torch.sin(theta)
        return torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])

    def transition(x):
        angles = torch.einsum("km,bk->bm", values["angle"], x)
        return torch.stack([torch.block_diag(*map(turned, thetas)) for thetas in angles])

    return _linear_rnn(model, values, tokens, transition)


def diagonal_ssm(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits (B, T, C): ``a_i(x) = sum_k W_ik x_k`` or its sigmoid, W stored (k, i)."""

    def transition(x):
        diagonal = torch.einsum("ki,bk->bi", values["diagonal"], x)
        return torch.diag_embed(torch.sigmoid(diagonal) if model.positive else diagonal)

    return _linear_rnn(model, values, tokens, transition)


def _linear_rnn(model, values: Values, tokens: Tensor, transition) -> Tensor:
    """Return logits of ``h_t = A(x_t) h_{t-1}``; ``transition`` maps embeddings (B, D) to A (B, D, D)."""
    state = values["initial_state"].expand(len(tokens), -1)  # (B, D)
    logits = []
    for t in range(tokens.shape[1]):
        embedded = values["token_embedding"][tokens[:, t]]
        state = torch.einsum("bij,bj->bi", transition(embedded), state)
        if model.normalise:
            state = state / state.square().mean(-1, keepdim=True).sqrt()
        logits.append(state @ values["head.weight"] + values["head.bias"][0])
    return torch.stack(logits, dim=1)


def deltanet(model, values: Values, tokens: Tensor) -> Tensor:
    """Return logits (B, T, C) of tokens (B, T) from the parameters of one replicate."""
    stream = values["token_embedding"][tokens]  # (B, T, D)
    for i in range(model.depth):
        inputs = _norm(values, f"layer{i}.delta_norm", stream)
        query, key, value = (
            _linear(values, f"layer{i}.{part}", inputs) for part in ("query", "key", "value")
        )
        beta = torch.sigmoid(_linear(values, f"layer{i}.beta", inputs))  # (B, T, H)
        if model.negative_eigenvalues:
            beta = 2 * beta
        heads = []
        for h, part in enumerate(torch.arange(model.width).chunk(model.heads)):
            read = _memory(
                _unit_rms(F.silu(query[..., part]), KEY_EPSILON) / len(part) ** 0.5,
                _unit_rms(F.silu(key[..., part]), KEY_EPSILON) / len(part) ** 0.5,
                value[..., part],
                beta[..., h],
            )
            heads.append(_unit_rms(read, OUTPUT_EPSILON) * values[f"layer{i}.delta_gain"])
        stream = stream + _linear(values, f"layer{i}.delta_out", torch.cat(heads, dim=-1))
        inputs = _norm(values, f"layer{i}.perceptron_norm", stream)
        hidden = F.gelu(_linear(values, f"layer{i}.perceptron_in", inputs))
        stream = stream + _linear(values, f"layer{i}.perceptron_out", hidden)
    return _linear(values, "head", _norm(values, "final_norm", stream))


def _unit_rms(inputs: Tensor, epsilon: float) -> Tensor:
    """Return inputs (..., n) divided by the root of their mean square."""
    return inputs / (inputs.square().mean(-1, keepdim=True) + epsilon).sqrt()


def _memory(query: Tensor, key: Tensor, value: Tensor, beta: Tensor) -> Tensor:
    """Return ``o_t = S_t q_t`` (B, T, d) of one head, by the recurrence for ``S_t``; beta (B, T)."""
    batch, length, size = key.shape
    memory, read = key.new_zeros(batch, size, size), []
    for t in range(length):
        rate = beta[:, t, None, None]
        written = torch.einsum("bi,bj->bij", key[:, t], key[:, t])  # k k^T
        memory = memory @ (torch.eye(size, dtype=key.dtype) - rate * written)
        memory = memory + rate * torch.einsum("bi,bj->bij", value[:, t], key[:, t])
        read.append(torch.einsum("bij,bj->bi", memory, query[:, t]))
    return torch.stack(read, dim=1)


def _linear(values: Values, name: str, inputs: Tensor) -> Tensor:
    return inputs @ values[f"{name}.weight"] + values[f"{name}.bias"]


def _norm(values: Values, name: str, inputs: Tensor) -> Tensor:
    weight, bias = values[f"{name}.weight"][0], values[f"{name}.bias"][0]
    return F.layer_norm(inputs, inputs.shape[-1:], weight, bias)


REFERENCES: Mapping[type[StackedModel], Callable[[Any, Values, Tensor], Tensor]] = {
    Transformer: transformer,
    EncoderDecoder: encoder_decoder,
    LSTM: lstm,
    GRU: gru,
    Elman: elman,
    DenseSSM: dense_ssm,
    FactoredSSM: factored_ssm,
    BlockSSM: block_ssm,
    RotationSSM: rotation_ssm,
    DiagonalSSM: diagonal_ssm,
    DeltaNet: deltanet,
}
"""The reference of each model."""
