"""Elman network: one layer, input and hidden size equal, linear head."""

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


class Elman(StackedModel):
    """Simple recurrent network.

    Parameters
    ----------
    width : int
        D, size of the embedding and of the hidden state.
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

    def __init__(self, width: int, **shapes: int):
        super().__init__(**shapes)
        self.width = width

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
        inputs = symbol_inputs(parameters, "input", tokens)  # (R, T, B, D)
        hidden = _Recurrence.apply(inputs, parameters["recurrence"])[:, read_from:]
        logits = linear(parameters, "head", hidden.flatten(1, 2))
        return logits.view(*hidden.shape[:3], self.n_classes).transpose(1, 2)


class _Recurrence(torch.autograd.Function):
    """The recurrence over time with its gradient written out.

    Inputs: what the inputs give (R, T, B, D), recurrent weight (R, D, D). Output: hidden states
    (R, T, B, D). ``tanh(x)`` is taken as ``2 sigmoid(2 x) - 1``, several times cheaper on a CPU.
    """

    @staticmethod
    def forward(ctx, inputs: Tensor, weight: Tensor) -> Tensor:
        n_replicates, length, batch, width = inputs.shape
        hidden, rows = aligned_steps(n_replicates, length, (batch, width), inputs)
        hidden.copy_(inputs)
        for t in range(length):
            if t > 0:
                torch.baddbmm(hidden[:, t], hidden[:, t - 1], weight, out=hidden[:, t])
            rows[:, t].mul_(2).sigmoid_().mul_(2).sub_(1)
        ctx.save_for_backward(weight, hidden)
        return hidden

    @staticmethod
    def backward(ctx, hidden_gradient: Tensor) -> tuple[Tensor, Tensor]:
        weight, hidden = ctx.saved_tensors
        length = hidden.shape[1]
        gradient = hidden.new_empty(hidden.shape)  # of the pre-activations
        transposed = weight.transpose(1, 2)
        for t in reversed(range(length)):
            d_hidden = hidden_gradient[:, t]
            if t < length - 1:
                d_hidden = torch.baddbmm(d_hidden, gradient[:, t + 1], transposed)
            aten.tanh_backward.grad_input(d_hidden, hidden[:, t], grad_input=gradient[:, t])
        before = hidden[:, :-1].flatten(1, 2)  # (R, (T - 1) B, D)
        return gradient, torch.bmm(before.mT, gradient[:, 1:].flatten(1, 2))
