"""GRU: one layer, input and hidden size equal, linear head."""

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


class GRU(StackedModel):
    """Gated recurrent unit.

    With R = 2, B = 3, T = 4, V = 5, D = 6, C = 2, shapes go ``tokens (2, 3, 4)`` -> inputs one column per
    sequence ``(4, 2, 5, 3)``, a row per symbol as V <= D -> two gates ``(2, 12, 3)`` and the candidate
    ``(2, 6, 3)`` of a step -> hidden states ``(4, 2, 6, 3)`` -> logits ``(2, 3, 4, 2)``.

    Parameters
    ----------
    options : GRUOptions
        ``width``: D, size of the embedding and of the hidden state.
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
        inputs = step_inputs(parameters, at_least_two(tokens))
        hidden = _Recurrence.apply(*_weights(parameters), inputs)  # (T, R, D, B)
        return read_out(parameters, hidden[read_from:], tokens.shape[1])

    @in_float32
    def read(self, parameters: Parameters, tokens: Tensor, memory: Memory) -> Tensor:
        """Return logits (R, B, C) after the last token; the hidden state is kept."""
        if not memory:
            memory |= {"weights": _weights(parameters), "hidden": None}
        inputs = step_inputs(parameters, at_least_two(tokens))
        states, *_ = _recur(*memory["weights"], inputs, memory["hidden"])
        memory["hidden"] = states[-1]
        return read_out(parameters, states[-1:], tokens.shape[1])[:, :, 0]

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (B, T, C) of one replicate by the formulas; see `StackedModel.naive`."""
        hidden = values["token_embedding"].new_zeros(len(tokens), self.width)
        states = []
        for x in values["token_embedding"][tokens].unbind(1):
            from_input = naive_linear(values, "gates", x).chunk(3, dim=-1)
            from_state = (hidden @ values["recurrence"]).chunk(3, dim=-1)
            reset, keep = (
                (a + b).sigmoid() for a, b in zip(from_input[:2], from_state[:2], strict=True)
            )
            recalled = from_state[2] + values["candidate_bias"]
            hidden = (1 - keep) * (from_input[2] + reset * recalled).tanh() + keep * hidden
            states.append(hidden)
        return naive_linear(values, "head", torch.stack(states, dim=1))


def _weights(parameters: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    """Return the weights (R, 3 D, D) of the state before, (R, 3 D, n) of the inputs, and the bias."""
    weight = step_weight(parameters, "gates")
    return parameters["recurrence"].mT, weight, parameters["candidate_bias"].mT


def _recur(
    recurrence: Tensor,
    weight: Tensor,
    bias: Tensor,
    inputs: Tensor,
    hidden: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return what `_Recurrence` keeps of all steps from a hidden state (R, D, B) on, 0 where left out.

    These are states (T + 1, R, D, B), gates (T, R, 2 D, B), candidates and what the state before adds to
    them (T, R, D, B).
    """
    length, n_replicates, _, batch = inputs.shape
    width = recurrence.shape[2]
    states = inputs.new_empty(length + 1, n_replicates, width, batch)
    states[0] = 0 if hidden is None else hidden
    gates, gate_rows = aligned_steps((length, n_replicates, 2 * width, batch), inputs)
    candidate, candidate_rows = aligned_steps((length, n_replicates, width, batch), inputs)
    recalled = inputs.new_empty(length, n_replicates, width, batch)  # U_n h + c_n
    of_gates, of_candidate = recurrence.split([2 * width, width], dim=1)
    for t in range(length):
        torch.bmm(weight[:, : 2 * width], inputs[t], out=gates[t])
        torch.bmm(weight[:, 2 * width :], inputs[t], out=candidate[t])
        gates[t].baddbmm_(of_gates, states[t])
        torch.baddbmm(bias, of_candidate, states[t], out=recalled[t])
        gate_rows[t].sigmoid_()
        reset, keep = gates[t].split(width, dim=1)
        candidate[t].addcmul_(reset, recalled[t])
        candidate_rows[t].mul_(2).sigmoid_().mul_(2).sub_(1)
        change = states[t] - candidate[t]
        torch.addcmul(candidate[t], keep, change, out=states[t + 1])
    return states, gates, candidate, recalled


class _Recurrence(torch.autograd.Function):
    """The recurrence over time with its gradient written out.

    Inputs: the weights of the state before (R, 3 D, D) and of the inputs (R, 3 D, n), the bias
    (R, D, 1) inside the candidate, inputs (T, R, n, B). Output: hidden states (T, R, D, B).
    ``tanh(x)`` is taken as ``2 sigmoid(2 x) - 1``, several times cheaper on a CPU.
    """

    @staticmethod
    def forward(ctx, recurrence: Tensor, weight: Tensor, bias: Tensor, inputs: Tensor) -> Tensor:
        states, gates, candidate, recalled = _recur(recurrence, weight, bias, inputs)
        ctx.save_for_backward(recurrence, weight, inputs, states, gates, candidate, recalled)
        return states[1:]

    @staticmethod
    def backward(ctx, hidden_gradient: Tensor) -> tuple[Tensor | None, ...]:
        recurrence, weight, inputs, states, gates, candidate, recalled = ctx.saved_tensors
        length, n_replicates, width, batch = recalled.shape
        to_state = states.new_empty(n_replicates, 3 * width, batch)  # of what multiplies the state
        d_gates, d_recalled = to_state.split([2 * width, width], dim=1)
        d_reset, d_keep = d_gates.split(width, dim=1)
        by_recurrence, by_bias = torch.zeros_like(recurrence), to_state.new_zeros(d_recalled.shape)
        by_gates, by_candidate = map(torch.zeros_like, weight.split([2 * width, width], dim=1))
        d_inputs = torch.empty_like(inputs) if ctx.needs_input_grad[3] else None
        from_next = None
        for t in reversed(range(length)):
            reset, keep = gates[t].split(width, dim=1)
            d_hidden = hidden_gradient[t]
            if from_next is not None:
                d_hidden = d_hidden + from_next
            torch.mul(d_hidden, states[t] - candidate[t], out=d_keep)
            kept = d_hidden * keep
            d_candidate = aten.tanh_backward(d_hidden - kept, candidate[t])
            torch.mul(d_candidate, recalled[t], out=d_reset)
            torch.mul(d_candidate, reset, out=d_recalled)
            aten.sigmoid_backward.grad_input(d_gates, gates[t], grad_input=d_gates)
            by_recurrence.baddbmm_(to_state, states[t].mT)
            by_bias += d_recalled
            by_gates.baddbmm_(d_gates, inputs[t].mT)
            by_candidate.baddbmm_(d_candidate, inputs[t].mT)
            if d_inputs is not None:
                both = torch.cat([d_gates, d_candidate], dim=1)
                torch.bmm(weight.mT, both, out=d_inputs[t])
            if t > 0:
                from_next = kept.baddbmm_(recurrence.mT, to_state)
        by_weight = torch.cat([by_gates, by_candidate], dim=1)
        return by_recurrence, by_weight, by_bias.sum(-1, keepdim=True), d_inputs
