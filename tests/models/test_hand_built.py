"""Linear recurrences can hold the tasks exactly: set by hand, they are right far beyond any training."""

import numpy as np
import pytest
import torch

from nstar.models import build_model
from nstar.tasks import build_task

LENGTH = 500

MACHINES = {
    "Z_7": {"kind": "modular_addition", "modulus": 7},
    "S_3": {"kind": "permutation_composition", "degree": 3},
    "S_5": {"kind": "permutation_composition", "degree": 5},
    "Q_8": {"kind": "group_product", "group": "Q_8"},
    "cycle": {"kind": "cycle_navigation", "size": 5},
}


def right_answers(task, options, set_parameters, n_sequences=3):
    """Return the share of right answers of a model whose parameters a function sets."""
    shapes = {"n_symbols": task.n_symbols, "n_classes": task.n_states, "n_positions": LENGTH}
    model = build_model(options, **shapes)
    flat = torch.zeros_like(model.initialise([0]))
    set_parameters({name: part[0] for name, part in model.views(flat).items()})
    tokens = np.random.default_rng(0).integers(0, task.n_symbols, (n_sequences, LENGTH))
    with torch.no_grad():
        logits = model.forward(model.views(flat), torch.from_numpy(tokens)[None])[0]
    return (logits.argmax(-1).numpy() == task.labels(tokens)).mean()


@pytest.mark.parametrize("name", MACHINES)
def test_a_dense_ssm_holds_any_automaton(name):
    """The state is one-hot, and the matrix of a symbol is that of its map of the states."""
    task = build_task(MACHINES[name])
    states, width = np.arange(task.n_states), max(task.n_states, task.n_symbols)
    if name == "cycle":
        maps = (states + np.array([[0], [1], [-1]])) % 5
    else:  # in a group, the symbol of an element leads from the identity to its state
        pairs = np.stack(np.meshgrid(states, states, indexing="ij"), axis=-1).reshape(-1, 2)
        maps = task.labels(pairs)[:, 1].reshape(task.n_states, task.n_states).T  # (symbol, state)

    def one_hot(parameters):
        parameters["token_embedding"].copy_(torch.eye(task.n_symbols, width))
        for symbol, after in enumerate(maps):
            parameters["bilinear"][symbol, states, after] = 1.0  # (k, j, i): from j to i
        parameters["initial_state"][0, 0] = 1.0
        parameters["head.weight"].copy_(torch.eye(width, task.n_states))

    assert right_answers(task, {"kind": "dense_ssm", "width": width}, one_hot) == 1.0


def test_rotations_hold_a_cyclic_group():
    """A plane turns by 2 pi x / 7, and the head looks along the seven directions."""
    task = build_task(MACHINES["Z_7"])
    angles = 2 * np.pi * torch.arange(7) / 7

    def rotations(parameters):
        parameters["token_embedding"][:, 0] = angles
        parameters["angle"][0, 0] = 1.0
        parameters["initial_state"][0, 0] = 1.0
        parameters["head.weight"].copy_(torch.stack([angles.cos(), angles.sin()]))

    assert right_answers(task, {"kind": "rotation_ssm", "width": 2}, rotations) == 1.0


def test_a_sign_holds_parity_and_a_positive_factor_does_not():
    task = build_task({"kind": "modular_addition", "modulus": 2})

    def sign(parameters):
        parameters["token_embedding"][:, 0] = torch.tensor([1.0, -1.0])
        parameters["diagonal"][0, 0] = 1.0
        parameters["initial_state"][0, 0] = 1.0
        parameters["head.weight"].copy_(torch.tensor([[1.0, -1.0]]))

    options = {"kind": "diagonal_ssm", "width": 1, "positive": False}
    assert right_answers(task, options, sign) == 1.0
    assert right_answers(task, options | {"positive": True}, sign) < 0.6
