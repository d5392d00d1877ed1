"""LSTM: one layer, input and hidden size equal, linear head."""

import math

import torch
from torch import Tensor

from nstar.models.stacked import (
    Dropout,
    Memory,
    Parameters,
    ParameterSpec,
    StackedModel,
    aligned_steps,
    at_least_two,
    in_float32,
    naive_linear,
    read_out,
    step_inputs,
    step_weight,
)

aten = torch.ops.aten


class LSTM(StackedModel):
    """Long short-term memory without peepholes.

    With R = 2, B = 3, T = 4, V = 5, D = 6, C = 2, shapes go ``tokens (2, 3, 4)`` -> inputs one column per
    sequence ``(4, 2, 5, 3)``, a row per symbol as V <= D -> gates of a step ``(2, 24, 3)`` -> hidden
    states ``(4, 2, 6, 3)`` -> logits ``(2, 3, 4, 2)``.

    Parameters
    ----------
    options : LSTMOptions
        ``width``: D, size of the embedding, of the hidden and of the cell state.
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
        inputs = step_inputs(parameters, at_least_two(tokens))
        hidden = _Recurrence.apply(_weight(parameters), inputs)  # (T, R, D, B)
        return read_out(parameters, hidden[read_from:], tokens.shape[1])

    @in_float32
    def read(self, parameters: Parameters, tokens: Tensor, memory: Memory) -> Tensor:
        """Return logits (R, B, C) after the last token; hidden and cell state are kept."""
        if not memory:
            memory |= {"weight": _doubled(_weight(parameters)), "hidden": None, "cell": None}
        inputs = step_inputs(parameters, at_least_two(tokens))
        states, _, cell, _ = _recur(memory["weight"], inputs, memory["hidden"], memory["cell"])
        memory["hidden"], memory["cell"] = states[-1, :, : self.width], cell[-1]
        return read_out(parameters, memory["hidden"][None], tokens.shape[1])[:, :, 0]

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (B, T, C) of one replicate by the formulas; see `StackedModel.naive`."""
        hidden = cell = values["token_embedding"].new_zeros(len(tokens), self.width)
        states = []
        for x in values["token_embedding"][tokens].unbind(1):
            gates = naive_linear(values, "gates", x) + hidden @ values["recurrence"]
            into, keep, out, update = gates.chunk(4, dim=-1)
            cell = keep.sigmoid() * cell + into.sigmoid() * update.tanh()
            hidden = out.sigmoid() * cell.tanh()
            states.append(hidden)
        return naive_linear(values, "head", torch.stack(states, dim=1))


def _weight(parameters: Parameters) -> Tensor:
    """Return the weight (R, 4 D, D + n) of the state before and of the inputs."""
    return torch.cat([parameters["recurrence"].mT, step_weight(parameters, "gates")], dim=-1)


def _doubled(weight: Tensor) -> Tensor:
    """Return the weight (R, 4 D, D + n) with the rows of the update doubled; see `_Recurrence`."""
    width = weight.shape[1] // 4
    return torch.cat([weight[:, : 3 * width], 2 * weight[:, 3 * width :]], dim=1)


def _recur(
    doubled: Tensor, inputs: Tensor, hidden: Tensor | None = None, before: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what `_Recurrence` keeps of all steps from a hidden and a cell state (R, D, B) on.

    These are states with the inputs below them (T + 1, R, D + n, B), gates (T, R, 4 D, B), cells and
    their tanh (T, R, D, B). The first states are 0 where left out.
    """
    length, n_replicates, n_inputs, batch = inputs.shape
    width = doubled.shape[1] // 4
    states = inputs.new_empty(length + 1, n_replicates, width + n_inputs, batch)
    states[0, :, :width] = 0 if hidden is None else hidden
    states[:-1, :, width:] = inputs
    gates, gate_rows = aligned_steps((length, n_replicates, 4 * width, batch), inputs)
    squashed, squashed_rows = aligned_steps((length, n_replicates, width, batch), inputs)
    cell = inputs.new_empty(length, n_replicates, width, batch)
    for t in range(length):
        torch.bmm(doubled, states[t], out=gates[t])
        gate_rows[t].sigmoid_()
        into, keep, out, update = gates[t].split(width, dim=1)
        update.mul_(2).sub_(1)
        torch.mul(into, update, out=cell[t])
        if before is not None:
            cell[t].addcmul_(keep, before)
        before = cell[t]
        torch.mul(cell[t], 2, out=squashed[t])
        squashed_rows[t].sigmoid_().mul_(2).sub_(1)
        torch.mul(out, squashed[t], out=states[t + 1, :, :width])
    return states, gates, cell, squashed


class _Recurrence(torch.autograd.Function):
    """The recurrence over time with its gradient written out.

    Inputs: the weight (R, 4 D, D + n) of the state before and of the inputs, inputs (T, R, n, B).
    Output: hidden states (T, R, D, B). With one column per sequence, each gate of a replicate is one
    stretch of memory. ``tanh(x)`` is taken as ``2 sigmoid(2 x) - 1``, several times cheaper on a CPU.
    """

    @staticmethod
    def forward(ctx, weight: Tensor, inputs: Tensor) -> Tensor:
        states, gates, cell, squashed = _recur(_doubled(weight), inputs)
        ctx.save_for_backward(weight, states, gates, cell, squashed)
        return states[1:, :, : weight.shape[1] // 4]

    @staticmethod
    def backward(ctx, hidden_gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        weight, states, gates, cell, squashed = ctx.saved_tensors
        length, _, width, _ = cell.shape
        gradient = torch.empty_like(gates[0])  # of the pre-activations of a step
        d_into, d_keep, d_out, d_update = gradient.split(width, dim=1)
        d_sigmoids = gradient[:, : 3 * width]
        by_weight = torch.zeros_like(weight)
        to_inputs = ctx.needs_input_grad[1]
        d_inputs = torch.empty_like(states[1:, :, width:]) if to_inputs else None
        transposed = (weight if to_inputs else weight[..., :width]).mT
        d_cell = from_next = None
        for t in reversed(range(length)):
            into, keep, out, update = gates[t].split(width, dim=1)
            d_hidden = hidden_gradient[t]
            if from_next is not None:
                d_hidden = d_hidden + from_next[:, :width]
            from_hidden = aten.tanh_backward(d_hidden * out, squashed[t])
            d_cell = from_hidden if d_cell is None else d_cell.add_(from_hidden)
            torch.mul(d_cell, update, out=d_into)
            torch.mul(d_cell, cell[t - 1] if t > 0 else 0, out=d_keep)
            torch.mul(d_hidden, squashed[t], out=d_out)
            torch.mul(d_cell, into, out=d_update)
            sigmoids = gates[t][:, : 3 * width]
            aten.sigmoid_backward.grad_input(d_sigmoids, sigmoids, grad_input=d_sigmoids)
            aten.tanh_backward.grad_input(d_update, update, grad_input=d_update)
            by_weight.baddbmm_(gradient, states[t].mT)
            if t > 0 or to_inputs:
                from_next = torch.bmm(transposed, gradient)
            if to_inputs:
                d_inputs[t] = from_next[:, width:]
            d_cell.mul_(keep)
        return by_weight, d_inputs
