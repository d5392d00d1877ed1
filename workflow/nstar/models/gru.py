"""GRU: one layer, input and hidden size equal, linear head."""

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


class GRU(StackedModel):
    """Gated recurrent unit.

    Parameters
    ----------
    width : int
        D, size of the embedding and of the hidden state.
    **shapes
        As for `StackedModel`; ``n_positions`` has no meaning here.

    Notes
    -----
    ``r, z = sigmoid(W x_t + U h_{t-1} + b)``, ``n = tanh(W_n x_t + b_n + r (U_n h_{t-1} + c_n))``,
    ``h_t = (1 - z) n + z h_{t-1}``, logits ``W_u h_t``; h_0 = 0. This is PyTorch's form, in which
    the reset gate acts after the product; the original lets it act before. Weights and biases start
    uniform on ``+-1 / sqrt(D)`` (PyTorch's default), embeddings as Normal(0, 1).
    Gates lie in the order r, z, n. Parameters: ``V D + 6 D^2 + 4 D + D C + C``.

    References
    ----------
    Cho et al. (2014), Learning Phrase Representations using RNN Encoder-Decoder, eq. 5-8.
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
            ParameterSpec("gates.weight", (width, 3 * width), "uniform", bound),
            ParameterSpec("gates.bias", (1, 3 * width), "uniform", bound),
            ParameterSpec("recurrence", (width, 3 * width), "uniform", bound),
            ParameterSpec("candidate_bias", (1, width), "uniform", bound),
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
        inputs = symbol_inputs(parameters, "gates", tokens)  # (R, T, B, 3 D)
        recurrent = parameters["recurrence"], parameters["candidate_bias"]
        hidden = _Recurrence.apply(inputs, *recurrent)[:, read_from:]
        logits = linear(parameters, "head", hidden.flatten(1, 2))
        return logits.view(*hidden.shape[:3], self.n_classes).transpose(1, 2)


class _Recurrence(torch.autograd.Function):
    """The recurrence over time with its gradient written out.

    Inputs: what the inputs give (R, T, B, 3 D), recurrent weight (R, D, 3 D) and bias of the
    candidate (R, 1, D). Output: hidden states (R, T, B, D). ``tanh(x)`` is taken as
    ``2 sigmoid(2 x) - 1``, several times cheaper on a CPU.
    """

    @staticmethod
    def forward(ctx, inputs: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        n_replicates, length, batch, width = (*inputs.shape[:3], weight.shape[1])
        gates, gate_rows = aligned_steps(n_replicates, length, (batch, 2 * width), inputs)
        candidate, candidate_rows = aligned_steps(n_replicates, length, (batch, width), inputs)
        hidden = inputs.new_empty(n_replicates, length, batch, width)
        recalled = torch.empty_like(hidden)  # U_n h + c_n
        gates.copy_(inputs[..., : 2 * width])
        candidate.copy_(inputs[..., 2 * width :])
        gate_weight, candidate_weight = weight.split([2 * width, width], dim=-1)
        for t in range(length):
            recalled[:, t] = bias
            if t > 0:
                before = hidden[:, t - 1]
                torch.baddbmm(gates[:, t], before, gate_weight, out=gates[:, t])
                torch.baddbmm(recalled[:, t], before, candidate_weight, out=recalled[:, t])
            gate_rows[:, t].sigmoid_()
            reset, keep = gates[:, t].split(width, dim=-1)
            candidate[:, t].addcmul_(reset, recalled[:, t])
            candidate_rows[:, t].mul_(2).sigmoid_().mul_(2).sub_(1)
            torch.sub(candidate[:, t], keep * candidate[:, t], out=hidden[:, t])
            if t > 0:
                hidden[:, t].addcmul_(keep, before)
        ctx.save_for_backward(weight, gates, candidate, hidden, recalled)
        return hidden

    @staticmethod
    def backward(ctx, hidden_gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight, gates, candidate, hidden, recalled = ctx.saved_tensors
        length, width = hidden.shape[1], hidden.shape[3]
        gradient = hidden.new_empty(*hidden.shape[:3], 3 * width)  # of the pre-activations
        d_recalled = torch.empty_like(hidden)
        gate_weight, candidate_weight = (
            part.mT for part in weight.split([2 * width, width], dim=-1)
        )
        from_next = 0
        for t in reversed(range(length)):
            reset, keep = gates[:, t].split(width, dim=-1)
            d_gates, d_candidate = gradient[:, t].split([2 * width, width], dim=-1)
            d_reset, d_keep = d_gates.split(width, dim=-1)
            d_hidden = hidden_gradient[:, t] + from_next
            before = hidden[:, t - 1] if t > 0 else 0
            torch.mul(d_hidden, before - candidate[:, t], out=d_keep)
            kept = d_hidden * keep
            aten.tanh_backward.grad_input(d_hidden - kept, candidate[:, t], grad_input=d_candidate)
            torch.mul(d_candidate, recalled[:, t], out=d_reset)
            torch.mul(d_candidate, reset, out=d_recalled[:, t])
            aten.sigmoid_backward.grad_input(d_gates, gates[:, t], grad_input=d_gates)
            if t > 0:
                from_next = torch.baddbmm(kept, d_gates, gate_weight)
                from_next = torch.baddbmm(from_next, d_recalled[:, t], candidate_weight)
        before = hidden[:, :-1].flatten(1, 2)  # (R, (T - 1) B, D)
        after = gradient[:, 1:, :, : 2 * width], d_recalled[:, 1:]
        by_weight = [torch.bmm(before.mT, part.flatten(1, 2)) for part in after]
        return gradient, torch.cat(by_weight, dim=-1), d_recalled.sum((1, 2))[:, None]
