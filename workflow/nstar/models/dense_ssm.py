"""Dense-SSM: a linear recurrence whose transition matrix is a full bilinear function of the input."""

import math

import torch
from torch import Tensor

from nstar.models.stacked import Parameters, ParameterSpec, StackedModel, linear, linear_specs


class DenseSSM(StackedModel):
    """``h_t = A(x_t) h_{t-1}`` with ``A(x)_ij = sum_k W_ijk x_k`` and no additive term.

    Parameters
    ----------
    width : int
        D, size of the embedding and of the state.
    **shapes
        As for `StackedModel`; ``n_positions`` has no meaning here.

    Notes
    -----
    The alphabet is finite, so the V transition matrices are formed once per step and applied as a
    table: ``h [A_1 .. A_V]``, then the columns of the token are picked. This is exact, and faster
    than one matrix per token up to V of about 32.
    The recurrence has no additive term, hence the scale of the state carries nothing but
    numerical trouble; the state is divided by its root mean square after each step, in training
    and in evaluation. (The source of the model normalises in evaluation only.)
    The published initialisation is not known. Here W is Normal(0, 1 / D^2) and the embedding
    Normal(0, 1), so that A(x) has entries of variance 1 / D and keeps the norm of a state on
    average; the initial state h_0 is learnt and starts as Normal(0, 1).
    Parameters: ``D^3 + V D + D + D C + C``.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, appendix A.3; Ebrahimi and Memisevic (2025), Revisiting
    Bi-Linear State Transitions in Recurrent Neural Networks, arXiv:2505.21749.
    """

    def __init__(self, width: int, **shapes: int):
        super().__init__(**shapes)
        self.width = width

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The parameters in the order of the flat buffer."""
        width = self.width
        return (
            ParameterSpec("token_embedding", (self.n_symbols, width), "normal", 1.0),
            ParameterSpec("bilinear", (width, width, width), "normal", 1 / width),
            ParameterSpec("initial_state", (1, width), "normal", 1.0),
            *linear_specs("head", width, self.n_classes, gain=math.sqrt(3)),
        )

    def forward(self, parameters: Parameters, tokens: Tensor) -> Tensor:
        """Return logits (R, B, T, C); see `StackedModel.forward`."""
        n_replicates, batch, length = tokens.shape
        n_symbols, width = self.n_symbols, self.width
        bilinear = parameters["bilinear"].reshape(n_replicates, width, width * width)  # k, (j, i)
        table = torch.bmm(parameters["token_embedding"], bilinear)  # (R, V, D D)
        table = table.view(n_replicates, n_symbols, width, width)
        table = table.transpose(1, 2).reshape(n_replicates, width, n_symbols * width)
        state = parameters["initial_state"].expand(n_replicates, batch, width)
        chosen = tokens[..., None, None].expand(-1, -1, -1, 1, width)
        states = []
        for t in range(length):
            candidates = torch.bmm(state, table).view(n_replicates, batch, n_symbols, width)
            state = candidates.gather(2, chosen[:, :, t]).squeeze(2)
            state = state * torch.rsqrt(state.square().mean(-1, keepdim=True) + 1e-12)
            states.append(state)
        stacked = torch.stack(states, dim=2).view(n_replicates, batch * length, width)
        return linear(parameters, "head", stacked).view(n_replicates, batch, length, self.n_classes)
