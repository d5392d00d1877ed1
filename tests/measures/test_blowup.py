"""Blow-up of LayerNorms: by hand-made activations, and of networks one input at a time."""

import numpy as np
import pytest
import torch
from support.networks import network

from nstar.measures import accuracy
from nstar.measures.blowup import amplification, blowup
from nstar.models.stacked import NORM_EPSILON

# One input of three positions; variances 1, 4 and 9 over four features, times 4/3 where unbiased.
ACTIVATIONS = torch.tensor([[2.0], [1.0], [3.0]]) * torch.tensor([1.0, -1.0, 1.0, -1.0]) + 5


@pytest.mark.parametrize("epsilon", [0.0, 0.21])
@pytest.mark.parametrize(("unbiased", "stretch"), [(False, 1.0), (True, 4 / 3)])
@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize(("last", "variance"), [(False, 1.0), (True, 9.0)])
def test_one_norm_by_hand(offset, unbiased, stretch, epsilon, last, variance):
    counted = ACTIVATIONS[-1:] if last else ACTIVATIONS
    found = amplification([counted], offset, epsilon, unbiased)
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(offset + 1 / np.sqrt(stretch * variance + epsilon))


def test_norms_multiply_input_by_input():
    """Largest factors are 1 + 1/1 and 1 + 1/2 at the two norms of one input, 1 + 1/4 of the other."""
    both = torch.stack([ACTIVATIONS, 4 * ACTIVATIONS])
    found = amplification([both, both[:, 1:] * 2], offset=1, epsilon=0, unbiased=False)
    np.testing.assert_allclose(found, [2 * 1.5, 1.25 * 1.125])


def test_epsilon_bounds_a_factor():
    constant = torch.ones(1, 3, 4)
    without = amplification(4 * [constant], offset=0, epsilon=NORM_EPSILON, unbiased=False)
    assert without.item() == pytest.approx(1e10)
    within = amplification(4 * [constant], offset=1, epsilon=NORM_EPSILON, unbiased=False)
    assert within.item() == pytest.approx((1 + 10**2.5) ** 4)
    assert amplification([constant], offset=0, epsilon=0, unbiased=True).item() == np.inf


@pytest.mark.parametrize(
    "name",
    ["transformer_sensitivity", "transformer_post", "transformer", "transformer_exact_norm"],
)
def test_it_is_that_of_one_input_at_a_time(name, monkeypatch):
    monkeypatch.setattr(accuracy, "ENTRIES_AT_ONCE", 1)  # parts of 16 inputs, the last one of 5
    model = network(name)
    parameters = model.views(model.initialise([0, 1, 2]))
    tokens = torch.randint(2, (21, 6), generator=torch.Generator().manual_seed(3))
    found = blowup(model, parameters, tokens)
    epsilon = 0.0 if name == "transformer_exact_norm" else 1e-5
    earlier = "layer0" if model.options.depth == 2 else "none"
    for r in range(3):
        own = {key: part[r : r + 1] for key, part in parameters.items()}
        of_theory, of_code = [], []
        for x in tokens:
            theory = code = 1.0
            for key, inputs in model.norm_inputs(own, x[None, None]).items():
                values = inputs[0, 0].double().numpy()  # (T, D)
                theory *= max(1 + 1 / np.sqrt(row.var() + epsilon) for row in values)
                counted = values if key.startswith(earlier) else values[-1:]
                code *= max(1 / row.std(ddof=1) for row in counted)
            of_theory.append(theory)
            of_code.append(code)
        assert found.theory[r].item() == pytest.approx(np.mean(of_theory), rel=1e-4)
        assert found.theory_squared[r].item() == pytest.approx(
            np.mean(np.square(of_theory)), rel=1e-4
        )
        assert found.code[r].item() == pytest.approx(np.mean(of_code), rel=1e-4)
    assert len({round(value, 6) for value in found.theory.tolist()}) == 3


@pytest.mark.parametrize("name", ["lstm", "dense_ssm", "deltanet"])
def test_what_is_no_transformer_has_none(name):
    model = network(name)
    tokens = torch.zeros(4, 5, dtype=torch.int64)
    found = blowup(model, model.views(model.initialise([0, 1])), tokens)
    for part in (found.theory, found.theory_squared, found.code):
        assert part.shape == (2,)
        assert part.isnan().all()
