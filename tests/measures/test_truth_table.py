"""Networks as functions on the cube."""

import numpy as np
import pytest
import torch
from support.networks import Linear, network

from nstar.measures import accuracy
from nstar.measures.sensitivity import average_sensitivity, cube
from nstar.measures.truth_table import outputs, truth_table
from nstar.models import build_model


def test_table_of_a_linear_network():
    """In the order of the cube, on the scale of {-1, +1}."""
    model = Linear(4)
    flat = model.initialise([0, 1])
    values = {name: part.numpy() for name, part in model.views(flat).items()}
    table = truth_table(model, model.views(flat), 4)
    assert table.dtype == torch.float64
    weights = values["theta"] * np.arange(1, 6)
    sums = weights[:, 1:] @ cube(4).T + weights[:, :1] + values["position_embedding"][:, 3:]
    np.testing.assert_allclose(table, 2 * sums - 1, rtol=1e-5)
    # Of 2 T - 1 the coefficient of bit i is twice its weight, and as_n is the sum of their squares.
    wanted = (4 * weights[:, 1:] ** 2).sum(1)
    np.testing.assert_allclose(average_sensitivity(table.numpy()), wanted, rtol=1e-5)


@pytest.mark.parametrize("name", ["transformer_sensitivity", "lstm"])
def test_tables_in_parts_are_those_of_all_at_once(name, monkeypatch):
    model = network(name)
    parameters = model.views(model.initialise([0, 1]))
    tokens = torch.from_numpy((cube(6) + 1) // 2).long()
    whole = model.forward(parameters, tokens.expand(2, -1, -1))[..., 0].double()
    monkeypatch.setattr(accuracy, "ENTRIES_AT_ONCE", 1)  # parts of 16 inputs
    torch.testing.assert_close(outputs(model, parameters, tokens), whole, rtol=1e-4, atol=1e-5)
    table = truth_table(model, parameters, 6)
    torch.testing.assert_close(table, 2 * whole[..., -1] - 1, rtol=1e-4, atol=1e-5)


def test_a_network_of_several_outputs_is_refused():
    model = build_model({"kind": "lstm", "width": 10}, n_symbols=2, n_classes=2, n_positions=3)
    with pytest.raises(ValueError, match="the model has 2 outputs"):
        truth_table(model, model.views(model.initialise([0])), 3)
