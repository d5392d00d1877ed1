"""DeltaNet: a linear recurrence on a matrix of memory, each step a rank-one correction of it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nstar.kinds.size import CHUNK
from nstar.models.stacked import (
    Dropout,
    Memory,
    Parameters,
    ParameterSpec,
    StackedModel,
    classify,
    elementwise,
    embed,
    in_float32,
    layer_norm,
    layer_norm_specs,
    linear,
    linear_specs,
    naive_linear,
    naive_norm,
    rms_norm,
)

KEY_EPSILON = 1e-6
"""Added to the mean square of queries and keys before its root is taken."""

OUTPUT_EPSILON = 1e-5
"""The same for what is read from a memory."""


class DeltaNet(StackedModel):
    """The delta rule and a four times wider perceptron in every layer.

    With R = 2, B = 3, T = 4, D = 6, H = 2, C = 2, shapes go ``tokens (2, 3, 4)`` -> stream
    ``(2, 3, 4, 6)`` -> queries, keys and values ``(12, 4, 3)`` by replicate, sequence and head, beta
    ``(12, 4, 1)`` -> read from memories ``(12, 3, 3)``, chunk by chunk -> stream -> logits
    ``(2, 3, 4, 2)``.

    Parameters
    ----------
    options : DeltaNetOptions
        ``width``: D; must be a multiple of `heads`.
        ``depth``: number of layers.
        ``heads``: H, memories of ``D / H`` times ``D / H`` numbers in every layer.
        ``negative_eigenvalues``: whether beta lies in (0, 2) rather than (0, 1), so that the
        eigenvalue of a transition along its key lies in (-1, 1) rather than (0, 1).
    **shapes
        As for `StackedModel`; ``n_positions`` has no meaning here.

    Notes
    -----
    With x the residual stream, a layer is ``x <- x + Delta(LN(x))``; ``x <- x + W_2 f(W_1 LN(x))``,
    and logits are ``W_u LN(x)``; f is the exact GELU. In Delta, every head with its input y has

    - ``k_t = SiLU(W_k y_t) / |SiLU(W_k y_t)|``, q_t likewise, ``v_t = W_v y_t``,
    - ``beta_t = sigmoid(w_beta y_t)``, times 2 for negative eigenvalues,
    - ``S_t = S_{t-1} (I - beta_t k_t k_t^T) + beta_t v_t k_t^T``, with ``S_0 = 0``,
    - ``o_t = S_t q_t``, divided by its root mean square and multiplied by a learnt gain,

    and W_o maps the heads together back to the stream. No positions are embedded.
    The published layer has no biases, and a convolution over four positions and a SiLU behind W_q,
    W_k and W_v. Here linear layers have biases, and there is neither a convolution, so that all
    mixing over time is the recurrence, nor a SiLU of the values.
    Weights start as Normal(0, 1 / (3 n_inputs)), residual projections (W_o, W_2) divided by
    sqrt(2 depth), embeddings as Normal(0, 0.02^2), gains as 1, biases as 0. The head is not tied.
    Parameters: ``V D + depth (12 D^2 + 13 D + D H + H + D / H) + 2 D + D C + C``.

    References
    ----------
    Schlag et al. (2021), Linear Transformers Are Secretly Fast Weight Programmers (delta rule);
    Yang et al. (2024), Parallelizing Linear Transformers with the Delta Rule over Sequence Length,
    arXiv:2406.06484 (the layer); Grazzi et al. (2025), Unlocking State-Tracking in Linear RNNs
    Through Negative Eigenvalues, arXiv:2411.12537 (the factor 2).
    """

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        width, residual = self.width, (2 * self.options.depth) ** -0.5
        specs = [ParameterSpec("token_embedding", (self.n_symbols, width), "normal", 0.02)]
        for i in range(self.options.depth):
            specs += layer_norm_specs(f"layer{i}.delta_norm", width)
            specs += linear_specs(f"layer{i}.query", width, width)
            specs += linear_specs(f"layer{i}.key", width, width)
            specs += linear_specs(f"layer{i}.value", width, width)
            specs += linear_specs(f"layer{i}.beta", width, self.options.heads)
            gain_shape = (1, width // self.options.heads)
            specs.append(ParameterSpec(f"layer{i}.delta_gain", gain_shape, "constant", 1.0))
            specs += linear_specs(f"layer{i}.delta_out", width, width, gain=residual)
            specs += layer_norm_specs(f"layer{i}.perceptron_norm", width)
            specs += linear_specs(f"layer{i}.perceptron_in", width, 4 * width)
            specs += linear_specs(f"layer{i}.perceptron_out", 4 * width, width, gain=residual)
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
        return self._logits(parameters, tokens, read_from)

    def read(self, parameters: Parameters, tokens: Tensor, memory: Memory) -> Tensor:
        """Return logits (R, B, C) after the last token; `delta_rule` says what is kept of each layer."""
        return self._logits(parameters, tokens, tokens.shape[2] - 1, memory)[:, :, 0]

    def _logits(
        self,
        parameters: Parameters,
        tokens: Tensor,
        read_from: int,
        memory: Memory | None = None,
    ) -> Tensor:
        """Return logits (R, B, T - read_from, C) after tokens that follow those in memory."""
        stream = embed(parameters["token_embedding"], tokens)  # (R, B, T, D)
        for i in range(self.options.depth):
            name, first = f"layer{i}", read_from if i == self.options.depth - 1 else 0
            kept = None if memory is None else memory.setdefault(name, {})
            stream = self._layer(parameters, name, stream, first, kept)
        hidden = layer_norm(parameters, "final_norm", stream.flatten(1, 2))
        return classify(parameters, hidden).view(*stream.shape[:3], self.n_classes)

    def _layer(
        self, parameters: Parameters, name: str, stream: Tensor, first: int, memory: Memory | None
    ) -> Tensor:
        """Return the positions of the stream (R, B, T, D) from the first on, after a layer."""
        normed = layer_norm(parameters, f"{name}.delta_norm", stream.flatten(1, 2))
        mixed = self._delta(parameters, name, normed.view(stream.shape), first, memory)
        stream = stream[:, :, first:]
        rows = stream.flatten(1, 2) + linear(parameters, f"{name}.delta_out", mixed)
        normed = layer_norm(parameters, f"{name}.perceptron_norm", rows)
        hidden = elementwise(F.gelu, linear(parameters, f"{name}.perceptron_in", normed))
        rows = rows + linear(parameters, f"{name}.perceptron_out", hidden)
        return rows.view(stream.shape)

    def _delta(
        self, parameters: Parameters, name: str, inputs: Tensor, first: int, memory: Memory | None
    ) -> Tensor:
        """Return what the heads read from the inputs (R, B, T, D): (R, B (T - first), D)."""
        n_replicates, batch, length, width = inputs.shape
        rows, rows_read = inputs.flatten(1, 2), inputs[:, :, first:].flatten(1, 2)
        query = self._unit_heads(linear(parameters, f"{name}.query", rows_read))
        key = self._unit_heads(linear(parameters, f"{name}.key", rows))
        value = linear(parameters, f"{name}.value", rows)
        beta = elementwise(torch.sigmoid, linear(parameters, f"{name}.beta", rows))
        if self.options.negative_eigenvalues:
            beta = 2 * beta

        def by_head(part: Tensor, n_positions: int) -> Tensor:  # (R B H, positions, columns)
            split = part.reshape(n_replicates * batch, n_positions, self.options.heads, -1)
            return split.transpose(1, 2).flatten(0, 1)

        read = delta_rule(
            by_head(query, length - first),
            by_head(key, length),
            by_head(value, length),
            by_head(beta, length),
            memory,
        )
        read = read.unflatten(0, (-1, self.options.heads)).transpose(
            1, 2
        )  # (R B, T - first, H, D / H)
        read = read.reshape(n_replicates, -1, width // self.options.heads)
        scaled = rms_norm(read, OUTPUT_EPSILON) * parameters[f"{name}.delta_gain"]
        return scaled.view(n_replicates, -1, width)

    @in_float32
    def _unit_heads(self, inputs: Tensor) -> Tensor:
        """Return SiLU of inputs (R, n, D), each head of length 1."""
        heads = elementwise(F.silu, inputs).unflatten(-1, (self.options.heads, -1))
        size = heads.shape[-1]
        return rms_norm(heads, KEY_EPSILON) * size**-0.5

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (B, T, C) of one replicate by the formulas; see `StackedModel.naive`."""
        stream = values["token_embedding"][tokens]  # (B, T, D)
        for i in range(self.options.depth):
            inputs = naive_norm(values, f"layer{i}.delta_norm", stream)
            query, key, value = (
                naive_linear(values, f"layer{i}.{part}", inputs)
                for part in ("query", "key", "value")
            )
            beta = torch.sigmoid(naive_linear(values, f"layer{i}.beta", inputs))  # (B, T, H)
            if self.options.negative_eigenvalues:
                beta = 2 * beta
            heads = []
            for h, part in enumerate(torch.arange(self.width).chunk(self.options.heads)):
                read = _memory(
                    _unit_rms(F.silu(query[..., part]), KEY_EPSILON) / len(part) ** 0.5,
                    _unit_rms(F.silu(key[..., part]), KEY_EPSILON) / len(part) ** 0.5,
                    value[..., part],
                    beta[..., h],
                )
                heads.append(_unit_rms(read, OUTPUT_EPSILON) * values[f"layer{i}.delta_gain"])
            stream = stream + naive_linear(values, f"layer{i}.delta_out", torch.cat(heads, dim=-1))
            inputs = naive_norm(values, f"layer{i}.perceptron_norm", stream)
            hidden = F.gelu(naive_linear(values, f"layer{i}.perceptron_in", inputs))
            stream = stream + naive_linear(values, f"layer{i}.perceptron_out", hidden)
        return naive_linear(values, "head", naive_norm(values, "final_norm", stream))


@in_float32
def delta_rule(
    query: Tensor, key: Tensor, value: Tensor, beta: Tensor, memory: Memory | None = None
) -> Tensor:
    """Return what queries read from the memories that keys and values have written.

    Parameters
    ----------
    query : Tensor, shape (n, T', d)
        Of the last T' of T positions.
    key, value : Tensor, shape (n, T, d)
    beta : Tensor, shape (n, T, 1)
    memory : dict, optional
        Of the positions before, empty where there are none; changed in place. It holds the chunk at hand,
        which is computed anew with every position that joins it, and S^T before it.

    Returns
    -------
    Tensor, shape (n, T', d)
        ``o_t = S_t q_t`` with ``S_t = S_{t-1} (I - beta_t k_t k_t^T) + beta_t v_t k_t^T``.

    Notes
    -----
    ``S_t = S_{t-1} + u_t k_t^T`` with ``u_t = beta_t (v_t - S_{t-1} k_t)``. Within a chunk that
    starts from the memory S, with one row per position, the u_t solve the triangular system
    ``(I + tril(diag(beta) K K^T, -1)) U = diag(beta) (V - K S^T)``. Then
    ``O = Q S^T + tril(Q K^T) U``, and the next chunk starts from ``S + U^T K``.

    References
    ----------
    Yang et al. (2024), arXiv:2406.06484, section 3 (chunkwise form).
    """
    memory = {} if memory is None else memory
    if memory:
        chunk = zip(memory["chunk"], (key, value, beta), strict=True)
        key, value, beta = (torch.cat(parts, dim=1) for parts in chunk)
    state = memory.get("state")  # S^T, (n, d, d); None where it is zero
    length = key.shape[1]
    first = length - query.shape[1]
    read = []
    for start in range(0, length, CHUNK):
        memory["chunk"] = [part[:, start : start + CHUNK] for part in (key, value, beta)]
        memory["state"] = state
        keys, values, betas = memory["chunk"]
        stop = start + keys.shape[1]
        if state is not None:
            values = torch.baddbmm(values, keys, state, alpha=-1)
        system = (betas * keys) @ keys.mT  # what counts of it lies below the diagonal
        # Transposed, since LAPACK takes the transpose of a row-major matrix without a copy.
        corrections = torch.linalg.solve_triangular(
            system.mT, (betas * values).mT, upper=True, left=False, unitriangular=True
        ).mT
        if stop > first:
            begin = max(start, first)
            queries = query[:, begin - first : stop - first]
            seen = torch.bmm(queries, keys.mT).tril(begin - start) @ corrections
            read.append(seen if state is None else torch.baddbmm(seen, queries, state))
        if stop < length:
            written = keys.mT @ corrections
            state = written if state is None else state + written
    return torch.cat(read, dim=1)


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
