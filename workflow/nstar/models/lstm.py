"""LSTM: one layer, input and hidden size equal, linear head."""

import math

import torch
from torch import Tensor

from nstar.models.stacked import (
    Dropout,
    Parameters,
    ParameterSpec,
    StackedModel,
    aligned_steps,
    in_float32,
    linear,
    symbol_inputs,
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

    @in_float32
    def forward(
        self,
        parameters: Parameters,
        tokens: Tensor,
        read_from: int = 0,
        dropout: Dropout | None = None,
    ) -> Tensor:
        """Return logits (R, B, T - read_from, C); see `StackedModel.forward`."""
        inputs = symbol_inputs(parameters, "gates", tokens)  # (R, T, B, 4 D)
        hidden = _Recurrence.apply(inputs, parameters["recurrence"])[:, read_from:]
        logits = linear(parameters, "head", hidden.flatten(1, 2))
        return logits.view(*hidden.shape[:3], self.n_classes).transpose(1, 2)


class _Recurrence(torch.autograd.Function):
    """The recurrence over time with its gradient written out.

    Inputs: gate pre-activations of the inputs (R, T, B, 4 D), recurrent weight (R, D, 4 D).
    Output: hidden states (R, T, B, D). ``tanh(x)`` is taken as ``2 sigmoid(2 x) - 1``, several
    times cheaper on a CPU.
    """

    @staticmethod
    def forward(ctx, inputs: Tensor, weight: Tensor) -> Tensor:
        n_replicates, length, batch, width = (*inputs.shape[:3], weight.shape[1])
        gates, gate_rows = aligned_steps(n_replicates, length, (batch, 4 * width), inputs)
        squashed, squashed_rows = aligned_steps(n_replicates, length, (batch, width), inputs)
        hidden = inputs.new_empty(n_replicates, length, batch, width)
        cell = torch.empty_like(hidden)
        gates.copy_(inputs)
        for t in range(length):
            if t > 0:
                torch.baddbmm(gates[:, t], hidden[:, t - 1], weight, out=gates[:, t])
            into, keep, out, update = gates[:, t].split(width, dim=-1)
            update.mul_(2)
            gate_rows[:, t].sigmoid_()
            update.mul_(2).sub_(1)
            torch.mul(into, update, out=cell[:, t])
            if t > 0:
                cell[:, t].addcmul_(keep, cell[:, t - 1])
            torch.mul(cell[:, t], 2, out=squashed[:, t])
            squashed_rows[:, t].sigmoid_().mul_(2).sub_(1)
            torch.mul(out, squashed[:, t], out=hidden[:, t])
        ctx.save_for_backward(weight, gates, hidden, cell, squashed)
        return hidden

    @staticmethod
    def backward(ctx, hidden_gradient: Tensor) -> tuple[Tensor, Tensor]:
        weight, gates, hidden, cell, squashed = ctx.saved_tensors
        length, width = hidden.shape[1], hidden.shape[3]
        gradient = gates.new_empty(gates.shape)  # of the pre-activations
        transposed = weight.transpose(1, 2)
        from_next_hidden = from_next_cell = None
        for t in reversed(range(length)):
            into, keep, out, update = gates[:, t].split(width, dim=-1)
            d_into, d_keep, d_out, d_update = gradient[:, t].split(width, dim=-1)
            d_hidden = hidden_gradient[:, t]
            if t < length - 1:
                d_hidden = from_next_hidden.add_(d_hidden)
            d_cell = aten.tanh_backward(d_hidden * out, squashed[:, t])
            if t < length - 1:
                d_cell += from_next_cell
            torch.mul(d_cell, update, out=d_into)
            torch.mul(d_cell, cell[:, t - 1] if t > 0 else 0, out=d_keep)
            torch.mul(d_hidden, squashed[:, t], out=d_out)
            torch.mul(d_cell, into, out=d_update)
            sigmoids, d_sigmoids = gates[:, t, :, : 3 * width], gradient[:, t, :, : 3 * width]
            aten.sigmoid_backward.grad_input(d_sigmoids, sigmoids, grad_input=d_sigmoids)
            aten.tanh_backward.grad_input(d_update, update, grad_input=d_update)
            if t > 0:
                from_next_cell = d_cell.mul_(keep)
                from_next_hidden = torch.bmm(gradient[:, t], transposed)
        before = hidden[:, :-1].flatten(1, 2)  # (R, (T - 1) B, D)
        return gradient, torch.bmm(before.mT, gradient[:, 1:].flatten(1, 2))
