"""Elman network: one layer, input and hidden size equal, linear head."""

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


class Elman(StackedModel):
    """Simple recurrent network.

    With R = 2, B = 3, T = 4, V = 5, D = 6, C = 2, shapes go ``tokens (2, 3, 4)`` -> inputs one column per
    sequence ``(4, 2, 5, 3)``, a row per symbol as V <= D -> state of a step ``(2, 6, 3)`` -> hidden
    states ``(4, 2, 6, 3)`` -> logits ``(2, 3, 4, 2)``.

    Parameters
    ----------
    options : ElmanOptions
        ``width``: D, size of the embedding and of the hidden state.
    **shapes
        As for `StackedModel`; ``n_positions`` has no meaning here.

    Notes
    -----
    ``h_t = tanh(W x_t + U h_{t-1} + b)``, logits ``W_u h_t``; h_0 = 0. Weights and the bias start
    uniform on ``+-1 / sqrt(D)`` (PyTorch's default), embeddings as Normal(0, 1).
    Parameters: ``V D + 2 D^2 + D + D C + C``.

    References
    ----------
    Elman (1990), Finding Structure in Time.
    """

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        width, bound = self.width, 1 / math.sqrt(self.width)
        return (
            ParameterSpec("token_embedding", (self.n_symbols, width), "normal", 1.0),
            ParameterSpec("input.weight", (width, width), "uniform", bound),
            ParameterSpec("input.bias", (1, width), "uniform", bound),
            ParameterSpec("recurrence", (width, width), "uniform", bound),
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
        """Return logits (R, B, C) after the last token; the hidden state is kept."""
        if not memory:
            memory |= {"weight": 2 * _weight(parameters), "hidden": None}
        inputs = step_inputs(parameters, at_least_two(tokens))
        states = _recur(memory["weight"], inputs, memory["hidden"])
        memory["hidden"] = states[-1, :, : self.width]
        return read_out(parameters, memory["hidden"][None], tokens.shape[1])[:, :, 0]

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (B, T, C) of one replicate by the formulas; see `StackedModel.naive`."""
        hidden = values["token_embedding"].new_zeros(len(tokens), self.width)
        states = []
        for x in values["token_embedding"][tokens].unbind(1):
            hidden = (naive_linear(values, "input", x) + hidden @ values["recurrence"]).tanh()
            states.append(hidden)
        return naive_linear(values, "head", torch.stack(states, dim=1))


def _weight(parameters: Parameters) -> Tensor:
    """Return the weight (R, D, D + n) of the state before and of the inputs."""
    return torch.cat([parameters["recurrence"].mT, step_weight(parameters, "input")], dim=-1)


def _recur(doubled: Tensor, inputs: Tensor, hidden: Tensor | None = None) -> Tensor:
    """Return states, with the inputs below them (T + 1, R, D + n, B), from a hidden one (R, D, B) on.

    It is 0 where left out. The weight is doubled; see `_Recurrence`.
    """
    length, n_replicates, n_inputs, batch = inputs.shape
    width = doubled.shape[1]
    states = inputs.new_empty(length + 1, n_replicates, width + n_inputs, batch)
    states[0, :, :width] = 0 if hidden is None else hidden
    states[:-1, :, width:] = inputs
    step, rows = aligned_steps((1, n_replicates, width, batch), inputs)
    for t in range(length):
        torch.bmm(doubled, states[t], out=step[0])
        rows.sigmoid_().mul_(2).sub_(1)
        states[t + 1, :, :width] = step[0]
    return states


class _Recurrence(torch.autograd.Function):
    """The recurrence over time with its gradient written out.

    Inputs: the weight (R, D, D + n) of the state before and of the inputs, inputs (T, R, n, B).
    Output: hidden states (T, R, D, B). ``tanh(x)`` is taken as ``2 sigmoid(2 x) - 1``, several times
    cheaper on a CPU.
    """

    @staticmethod
    def forward(ctx, weight: Tensor, inputs: Tensor) -> Tensor:
        states = _recur(2 * weight, inputs)
        ctx.save_for_backward(weight, states)
        return states[1:, :, : weight.shape[1]]

    @staticmethod
    def backward(ctx, hidden_gradient: Tensor) -> tuple[Tensor, Tensor | None]:
        weight, states = ctx.saved_tensors
        length, width = len(hidden_gradient), weight.shape[1]
        by_weight = torch.zeros_like(weight)
        to_inputs = ctx.needs_input_grad[1]
        d_inputs = torch.empty_like(states[1:, :, width:]) if to_inputs else None
        transposed = (weight if to_inputs else weight[..., :width]).mT
        from_next = None
        for t in reversed(range(length)):
            d_hidden = hidden_gradient[t]
            if from_next is not None:
                d_hidden = d_hidden + from_next[:, :width]
            gradient = aten.tanh_backward(d_hidden, states[t + 1, :, :width])
            by_weight.baddbmm_(gradient, states[t].mT)
            if t > 0 or to_inputs:
                from_next = torch.bmm(transposed, gradient)
            if to_inputs:
                d_inputs[t] = from_next[:, width:]
        return by_weight, d_inputs
