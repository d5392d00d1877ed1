"""LSTM: one layer, input and hidden size equal, linear head."""

import math

import torch
from torch import Tensor

from nstar.models.stacked import (
    LANES,
    Parameters,
    ParameterSpec,
    StackedModel,
    embed,
    linear,
)

aten = torch.ops.aten


class LSTM(StackedModel):
    """Long short-term memory without peepholes.

    Parameters
    ----------
    width : int
        D, size of the embedding, of the hidden and of the cell state.
    **shapes
        As for `StackedModel`; ``n_positions`` has no meaning here.

    Notes
    -----
    ``i, f, o = sigmoid(W x_t + U h_{t-1} + b)``, ``u = tanh(...)``, ``c_t = f c_{t-1} + i u``,
    ``h_t = o tanh(c_t)``, logits ``W_u h_t``; h_0 = c_0 = 0. One bias per gate. Weights and biases
    start uniform on ``+-1 / sqrt(D)`` (PyTorch's default), embeddings as Normal(0, 1).
    Gates lie in the order i, f, o, u. Parameters: ``V D + 8 D^2 + 4 D + D C + C``.

    References
    ----------
    Hochreiter and Schmidhuber (1997), Long Short-Term Memory; Gers et al. (2000) for the forget gate.
    """

    def __init__(self, width: int, **shapes: int):
        super().__init__(**shapes)
        self.width = width

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        width, bound = self.width, 1 / math.sqrt(self.width)
        return (
            ParameterSpec("token_embedding", (self.n_symbols, width), "normal", 1.0),
            ParameterSpec("gates.weight", (width, 4 * width), "uniform", bound),
            ParameterSpec("gates.bias", (1, 4 * width), "uniform", bound),
            ParameterSpec("recurrence", (width, 4 * width), "uniform", bound),
            ParameterSpec("head.weight", (width, self.n_classes), "uniform", bound),
            ParameterSpec("head.bias", (1, self.n_classes), "uniform", bound),
        )

    def forward(self, parameters: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (R, B, T, C); see `StackedModel.forward`."""
        n_replicates, batch, length = tokens.shape
        inputs = embed(parameters["token_embedding"], tokens.transpose(1, 2))  # (R, T, B, D)
        inputs = inputs.reshape(n_replicates, length * batch, self.width)
        gates = linear(parameters, "gates", inputs)  # (R, T B, 4 D)
        gates = gates.view(n_replicates, length, batch, 4 * self.width).transpose(0, 1).contiguous()
        hidden = _Recurrence.apply(gates, parameters["recurrence"])  # (T, R, B, D)
        hidden = hidden.transpose(0, 1).reshape(n_replicates, length * batch, self.width)
        logits = linear(parameters, "head", hidden)
        return logits.view(n_replicates, length, batch, self.n_classes).transpose(1, 2)


class _Recurrence(torch.autograd.Function):
    """The recurrence over time with its gradient written out.

    Inputs: gate pre-activations (T, R, B, 4 D) and the recurrent weight (R, D, 4 D).
    Output: hidden states (T, R, B, D). ``tanh(x)`` is taken as ``2 sigmoid(2 x) - 1``, several
    times cheaper on a CPU.
    """

    @staticmethod
    def forward(ctx, pre_activations: Tensor, weight: Tensor) -> Tensor:
        length, n_replicates, batch, four_width = pre_activations.shape
        width = four_width // 4
        gates, all_gates = _aligned(pre_activations, four_width)
        squashed, all_squashed = _aligned(pre_activations, width)
        hidden = pre_activations.new_empty(length, n_replicates, batch, width)
        cell = torch.empty_like(hidden)
        for t in range(length):
            if t == 0:
                gates[t].copy_(pre_activations[t])
            else:
                torch.baddbmm(pre_activations[t], hidden[t - 1], weight, out=gates[t])
            update = gates[t][..., 3 * width :].mul_(2)
            all_gates[t].sigmoid_()
            update.mul_(2).sub_(1)
            into, keep, out, _ = gates[t].split(width, dim=-1)
            torch.mul(into, update, out=cell[t])
            if t > 0:
                cell[t].addcmul_(keep, cell[t - 1])
            torch.mul(cell[t], 2, out=squashed[t])
            all_squashed[t].sigmoid_().mul_(2).sub_(1)
            torch.mul(out, squashed[t], out=hidden[t])
        ctx.save_for_backward(weight, gates, hidden, cell, squashed)
        return hidden

    @staticmethod
    def backward(ctx, hidden_gradient: Tensor) -> tuple[Tensor, Tensor]:
        weight, gates, hidden, cell, squashed = ctx.saved_tensors
        length, n_replicates, batch, width = hidden.shape
        gradient = gates.new_empty(length, n_replicates, batch, 4 * width)  # of pre-activations
        transposed = weight.transpose(1, 2)
        from_next_hidden = from_next_cell = None
        for t in reversed(range(length)):
            into, keep, out, update = gates[t].split(width, dim=-1)
            d_into, d_keep, d_out, d_update = gradient[t].split(width, dim=-1)
            d_hidden = hidden_gradient[t]
            if t < length - 1:
                d_hidden = from_next_hidden.add_(d_hidden)
            d_cell = aten.tanh_backward(d_hidden * out, squashed[t])
            if t < length - 1:
                d_cell += from_next_cell
            torch.mul(d_cell, update, out=d_into)
            torch.mul(d_cell, cell[t - 1] if t > 0 else 0, out=d_keep)
            torch.mul(d_hidden, squashed[t], out=d_out)
            torch.mul(d_cell, into, out=d_update)
            sigmoids, d_sigmoids = gates[t][..., : 3 * width], gradient[t][..., : 3 * width]
            aten.sigmoid_backward.grad_input(d_sigmoids, sigmoids, grad_input=d_sigmoids)
            aten.tanh_backward.grad_input(d_update, update, grad_input=d_update)
            if t > 0:
                from_next_cell = d_cell.mul_(keep)
                from_next_hidden = torch.bmm(gradient[t], transposed)
        steps = (length - 1) * batch
        before = hidden[:-1].transpose(0, 1).reshape(n_replicates, steps, width)
        after = gradient[1:].transpose(0, 1).reshape(n_replicates, steps, 4 * width)
        return gradient, torch.bmm(before.transpose(1, 2), after)


def _aligned(like: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Return (T, R, B, width) and the buffer (T, R, n) under it, n a multiple of `LANES`.

    Elementwise functions are applied to the buffer; see `LANES`.
    """
    length, n_replicates, batch = like.shape[:3]
    n_entries = batch * width
    buffer = like.new_empty(length, n_replicates, n_entries + -n_entries % LANES)
    return buffer[..., :n_entries].unflatten(-1, (batch, width)), buffer
