"""Small networks with one output for the tests of what is measured of functions."""

from types import SimpleNamespace

import torch
from support.variants import VARIANTS

from nstar.models import build_model
from nstar.models.stacked import ParameterSpec, StackedModel


class Linear(StackedModel):
    """T_t(x) = theta . phi_t(x) + p_t, with phi_t(x) = (1, 2 x_1, 3 x_2, ..., (t + 1) x_t, 0, ..., 0).

    With x in {-1, +1}^n, |phi_t|^2 is 1 + 4 + ... + (t + 1)^2.
    """

    position_parameters = ("position_embedding",)

    def __init__(self, length):
        super().__init__(SimpleNamespace(width=4), n_symbols=2, n_classes=1, n_positions=length)

    @property
    def parameters(self):
        return (
            ParameterSpec("position_embedding", (self.n_positions,), "normal", 1.0),
            ParameterSpec("theta", (self.n_positions + 1,), "normal", 1.0),
        )

    def forward(self, parameters, tokens, read_from=0, dropout=None):
        bits = (2 * tokens - 1).to(parameters["theta"].dtype)
        weights = parameters["theta"] * torch.arange(1, self.n_positions + 2)
        sums = (bits * weights[:, None, 1:]).cumsum(-1)
        read = sums + weights[:, None, :1] + parameters["position_embedding"][:, None]
        return read[:, :, read_from:, None]


class Positions(StackedModel):
    """Answers with a number of the position, whatever it reads."""

    position_parameters = ("table",)
    parameters = (
        ParameterSpec("table", (3,), "normal", 1.0),
        ParameterSpec("idle", (5,), "normal", 1.0),
    )

    def __init__(self, n_positions):
        options = SimpleNamespace(width=4)
        super().__init__(options, n_symbols=2, n_classes=1, n_positions=n_positions)

    def forward(self, parameters, tokens, read_from=0, dropout=None):
        read = parameters["table"][:, None, read_from : tokens.shape[2]]
        return read.expand(*tokens.shape[:2], -1)[..., None]


def network(name, length=7):
    """Return a variant with symbols 0 and 1 and one output."""
    return build_model(VARIANTS[name], n_symbols=2, n_classes=1, n_positions=length)
