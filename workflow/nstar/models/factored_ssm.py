"""Linear recurrence with a sum of outer products for a transition, which needs no matrix per symbol.

Shapes, beside those of `stacked`: F factors, the R of the source.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from nstar.models.linear_rnn import (
    recur_naively,
    root_mean_square,
    states_read_out,
    tangential,
    without_normalisation,
)
from nstar.models.stacked import (
    Dropout,
    Memory,
    Parameters,
    ParameterSpec,
    StackedModel,
    embed,
    in_float32,
    linear_specs,
)


class FactoredSSM(StackedModel):
    """``h_t = A(x_t) h_{t-1}`` with ``A(x) = W_h1 diag(W_x^T x) W_h2^T``, and a linear head.

    It is the Dense-SSM whose tensor of weights has a canonical polyadic decomposition,
    ``W_ijk = sum_f (W_h1)_if (W_h2)_jf (W_x)_kf``.

    With R = 2, B = 3, T = 4, V = 5, D = 6, F = 7, C = 2, shapes go ``tokens (2, 3, 4)`` -> coefficients
    per symbol ``(2, 5, 7)``, looked up ``(2, 4, 3, 7)`` -> times the state seen by the factors
    ``(2, 3, 7)`` -> next state ``(2, 3, 6)`` -> logits ``(2, 3, 4, 2)``.

    Parameters
    ----------
    options : FactoredSSMOptions
        ``width``: D, size of the embedding and of the state.
        ``rank``: F, number of outer products; it may be larger than D.
        ``normalise``: when the state is divided by its root mean square after each step; as for
        `LinearRNN`.
    **shapes
        As for `StackedModel`; ``n_positions`` has no meaning here.

    Notes
    -----
    A step computes ``z_t = (W_x^T x_t) * (W_h2^T h_{t-1})`` and ``h_t = W_h1 z_t``, and never forms
    A(x). The coefficients ``W_x^T x`` are found once for each symbol.

    The published initialisation is not known. Here, x and h_0 start as Normal(0, 1), W_x and W_h2 as
    Normal(0, 1 / D), W_h1 as Normal(0, 1 / F), and the head as Normal(0, 1 / D) with bias 0. Entries
    of A(x) then have variance 1 / D, as in `DenseSSM`, and every product keeps the norm on average.
    Parameters: ``3 D F + V D + D + D C + C``; the source counts ``R (2 H + D)`` for W_h1, W_h2, W_x.

    What a rank can do: ``F = D`` with invertible W_h1 and W_h2 makes all ``A(x) A(y)^-1`` commute
    and have real eigenvalues, so of groups of permutations of D states it has only those whose
    elements are their own inverses, parity first. ``F = D V`` is enough for any machine of D states
    and V <= D symbols, with a factor for each state and symbol. Representations need less. A plane
    turned by multiples of 2 pi / m is Z_m, and takes 3 factors. S_k takes k^3: the state is the k
    times k matrix of a permutation, and the factors multiply matrices by the schoolbook. With one
    factor a normalised state remembers but a sign: that is parity. `tests/models/test_hand_built.py`
    has each of these.

    References
    ----------
    Ebrahimi and Memisevic (2025), Revisiting Bi-Linear State Transitions in Recurrent Neural
    Networks, arXiv:2505.21749.
    """

    @property
    def in_training(self) -> StackedModel:
        """The model that training steps run; as for `LinearRNN`."""
        return without_normalisation(self) if self.options.normalise == "inference" else self

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer; W_h1 is stored as (f, i)."""
        width, rank = self.width, self.options.rank
        fan_in = 1 / math.sqrt(width)
        return (
            ParameterSpec("token_embedding", (self.n_symbols, width), "normal", 1.0),
            ParameterSpec("input_factor", (width, rank), "normal", fan_in),
            ParameterSpec("state_factor", (width, rank), "normal", fan_in),
            ParameterSpec("output_factor", (rank, width), "normal", 1 / math.sqrt(rank)),
            ParameterSpec("initial_state", (1, width), "normal", 1.0),
            *linear_specs("head", width, self.n_classes, gain=math.sqrt(3)),
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
        states = self._states(
            parameters, self._coefficients(parameters), parameters["initial_state"], tokens
        )
        return states_read_out(parameters, states[:, read_from:])

    @in_float32
    def read(self, parameters: Parameters, tokens: Tensor, memory: Memory) -> Tensor:
        """Return logits (R, B, C) after the last token; the state and the coefficients are kept."""
        if not memory:
            memory["coefficients"] = self._coefficients(parameters)
            memory["state"] = parameters["initial_state"]
        states = self._states(parameters, memory["coefficients"], memory["state"], tokens)
        memory["state"] = states[:, -1]
        return states_read_out(parameters, states[:, -1:])[:, :, 0]

    def _factor(self, parameters: Parameters, part: str) -> Tensor:
        """Return W_x, W_h2 or W_h1 of "input", "state" or "output"; a factor of 0 beside a single one.

        MKL computes a product with one column otherwise in a pack of one.
        """
        factor = parameters[f"{part}_factor"]
        if self.options.rank > 1:
            return factor
        return pad(factor, (0, 0, 0, 1) if part == "output" else (0, 1))

    def _coefficients(self, parameters: Parameters) -> Tensor:
        """Return ``W_x^T x`` of all symbols, (R, V, F)."""
        return torch.bmm(parameters["token_embedding"], self._factor(parameters, "input"))

    def _states(
        self, parameters: Parameters, coefficients: Tensor, initial: Tensor, tokens: Tensor
    ) -> Tensor:
        """Return the states (R, T, B, D) that tokens lead to from initial ones (R, B or 1, D)."""
        return _Recurrence.apply(
            embed(coefficients, tokens.transpose(1, 2)),
            self._factor(parameters, "state"),
            self._factor(parameters, "output"),
            initial,
            self.options.normalise != "never",
        )

    def naive_transition(self, values: Parameters, embedded: Tensor) -> Tensor:
        """Return A (B, D, D) of embedded symbols (B, D), by the formula."""
        coefficients = torch.diag_embed(embedded @ values["input_factor"])
        return values["output_factor"].T @ coefficients @ values["state_factor"].T

    def naive(self, values: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (B, T, C) of one replicate by the formulas; see `StackedModel.naive`."""
        return recur_naively(self, values, tokens)


class _Recurrence(torch.autograd.Function):
    """The recurrence over time with its gradient written out.

    Inputs: coefficients (R, T, B, F), W_h2 (R, D, F), W_h1 as (R, F, D), initial state (R, B or 1, D),
    ``normalise``. Output: states (R, T, B, D). For normalisation, see `tangential`.

    Each product of a step goes to a tensor of its own, not to a stretch of a larger one: BLAS would
    take the latter matrix by matrix, and in another way where the pack is one replicate.
    """

    @staticmethod
    def forward(
        ctx,
        coefficients: Tensor,
        from_state: Tensor,
        out_of: Tensor,
        initial: Tensor,
        normalise: bool,
    ) -> Tensor:
        n_replicates, length, batch, _ = coefficients.shape
        width = from_state.shape[1]
        states = coefficients.new_empty(n_replicates, length + 1, batch, width)  # h_0 .. h_T
        states[:, 0] = initial
        seen = torch.empty_like(coefficients)  # W_h2^T h
        scales = states.new_empty(n_replicates, length, batch, 1) if normalise else None
        for t in range(length):
            seen_now = torch.bmm(states[:, t], from_state)
            seen[:, t] = seen_now
            state = torch.bmm(seen_now.mul_(coefficients[:, t]), out_of)
            if normalise:
                state /= root_mean_square(state, (2,), out=scales[:, t])
            states[:, t + 1] = state
        ctx.save_for_backward(coefficients, from_state, out_of, states, seen, scales)
        return states[:, 1:]

    @staticmethod
    def backward(ctx, from_above: Tensor) -> tuple[Tensor | None, ...]:
        coefficients, from_state, out_of, states, seen, scales = ctx.saved_tensors
        if scales is not None:
            from_above = tangential(from_above, states[:, 1:], (3,))
        of_products = torch.empty_like(states[:, 1:])  # of A(x) h, before it is normalised
        of_factors = torch.empty_like(seen)  # of z
        of_seen = torch.empty_like(seen)
        to_factors, to_states = out_of.transpose(1, 2), from_state.transpose(1, 2)
        gradient = from_above[:, -1]
        for t in reversed(range(seen.shape[1])):
            if scales is not None:
                gradient = gradient / scales[:, t]
            of_products[:, t] = gradient
            of_factors_now = torch.bmm(gradient, to_factors)
            of_factors[:, t] = of_factors_now
            of_seen_now = of_factors_now.mul_(coefficients[:, t])
            of_seen[:, t] = of_seen_now
            if t > 0:
                gradient = torch.baddbmm(from_above[:, t - 1], of_seen_now, to_states)
        of_initial = torch.bmm(of_seen_now, to_states).sum(1, keepdim=True)

        def over_steps(left: Tensor, right: Tensor) -> Tensor:
            return torch.bmm(left.flatten(1, 2).transpose(1, 2), right.flatten(1, 2))

        of_from_state = over_steps(states[:, :-1], of_seen)
        factors = torch.mul(coefficients, seen, out=of_seen)  # z, where its gradient is used up
        of_out_of = over_steps(factors, of_products)
        return of_factors.mul_(seen), of_from_state, of_out_of, of_initial, None
