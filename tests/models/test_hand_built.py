"""Linear recurrences can hold the tasks exactly: set by hand, they are right far beyond any training."""

import itertools

import numpy as np
import pytest
import torch

from nstar.kinds import PRESETS
from nstar.models import build_model
from nstar.tasks import build_task

LENGTH = 500

MACHINES = {
    "Z_2": {"kind": "modular_addition", "modulus": 2},
    "Z_7": {"kind": "modular_addition", "modulus": 7},
    "S_3": {"kind": "permutation_composition", "degree": 3},
    "Z_50": {"kind": "modular_addition", "modulus": 50},
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


def setter(values):
    """Return a function that sets the first entries of parameters to given values, by name."""

    def set_parameters(parameters):
        for name, value in values.items():
            value = torch.as_tensor(np.array(value))
            parameters[name][tuple(slice(size) for size in value.shape)] = value

    return set_parameters


def maps_of_symbols(name):
    """Return the state (symbol, state) that a symbol leads to from a state."""
    task = build_task(MACHINES[name])
    states = np.arange(task.n_states)
    if name == "cycle":
        return (states + np.array([[0], [1], [-1]])) % 5
    if name.startswith("Z"):
        return (states + states[:, None]) % task.n_states
    if name.startswith("S"):
        elements = list(itertools.permutations(range(MACHINES[name]["degree"])))
        products = [[tuple(new[i] for i in old) for old in elements] for new in elements]
        return np.array([[elements.index(product) for product in row] for row in products])
    # In a group, the symbol of an element leads from the identity to its state.
    pairs = np.stack(np.meshgrid(states, states, indexing="ij"), axis=-1).reshape(-1, 2)
    return task.labels(pairs)[:, 1].reshape(task.n_states, task.n_states).T


def circle(modulus):
    """Return angles (m,) and points (2, m) of the residues; the head takes cosines with the points."""
    angles = 2 * np.pi * np.arange(modulus) / modulus
    points = np.stack([np.cos(angles), np.sin(angles)])
    return angles, points, {"initial_state": [[1, 0]], "head.weight": points}


either_scale = pytest.mark.parametrize("normalise", ["inference", "never"])


@pytest.mark.parametrize("name", MACHINES)
@either_scale
def test_a_dense_ssm_holds_any_automaton(name, normalise):
    """The state is one-hot, and the matrix of a symbol is that of its map of the states."""
    task = build_task(MACHINES[name])
    states, width = np.arange(task.n_states), max(task.n_states, task.n_symbols)

    def one_hot(parameters):
        parameters["token_embedding"].copy_(torch.eye(task.n_symbols, width))
        for symbol, after in enumerate(maps_of_symbols(name)):
            parameters["bilinear"][symbol, states, after] = 1.0  # (k, j, i): from j to i
        parameters["initial_state"][0, 0] = 1.0
        parameters["head.weight"].copy_(torch.eye(width, task.n_states))

    options = {"kind": "dense_ssm", "width": width, "normalise": normalise}
    assert right_answers(task, options, one_hot) == 1.0


@pytest.mark.parametrize("modulus", [2, 7, 50])
@either_scale
def test_turned_planes_hold_a_cyclic_group(modulus, normalise):
    """A plane turns by 2 pi x / m, and the head looks along the m directions."""
    task = build_task(MACHINES[f"Z_{modulus}"])
    angles, points, values = circle(modulus)
    by_angle = {"token_embedding": angles[:, None], "angle": [[1]]}
    options = {"kind": "rotation_ssm", "width": 2, "normalise": normalise}
    assert right_answers(task, options, setter(values | by_angle)) == 1.0
    # (k, m, j, i) of a block [[cos, -sin], [sin, cos]], with the embedding (cos, sin)
    blocks = [[[[1, 0], [0, 1]]], [[[0, 1], [-1, 0]]]]
    by_entries = {"token_embedding": points.T, "bilinear": blocks}
    options = {"kind": "block_ssm", "width": 2, "block_size": 2, "normalise": normalise}
    assert right_answers(task, options, setter(values | by_entries)) == 1.0


def test_a_sign_holds_parity_and_a_positive_factor_does_not():
    task = build_task({"kind": "modular_addition", "modulus": 2})

    def sign(parameters):
        parameters["token_embedding"][:, 0] = torch.tensor([1.0, -1.0])
        parameters["diagonal"][0, 0] = 1.0
        parameters["initial_state"][0, 0] = 1.0
        parameters["head.weight"].copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))

    options = {"kind": "diagonal_ssm", "width": 2, "positive": False}
    assert right_answers(task, options, sign) == 1.0
    assert right_answers(task, options | {"positive": True}, sign) < 0.6


@either_scale
def test_one_factor_holds_parity(normalise):
    task = build_task(MACHINES["Z_2"])
    values = {
        "token_embedding": [[1, 0], [-1, 0]],
        "input_factor": [[1], [0]],
        "state_factor": [[1], [0]],
        "output_factor": [[1, 0]],
        "initial_state": [[1, 0]],
        "head.weight": [[1, -1], [0, 0]],
    }
    options = {"kind": "factored_ssm", "width": 2, "rank": 1, "normalise": normalise}
    assert right_answers(task, options, setter(values)) == 1.0


@either_scale
def test_as_many_factors_as_states_hold_the_swap_of_two(normalise):
    """Permutations that are their own inverses share real eigenvectors: here (1, 1) and (1, -1)."""
    one_hot = np.eye(2)
    vectors = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    values = {
        "token_embedding": one_hot,
        "initial_state": one_hot[:1],
        "head.weight": one_hot,
        "state_factor": vectors,
        "output_factor": vectors.T,
        "input_factor": [[1, 1], [1, -1]],  # eigenvalues of the identity and of the swap
    }
    options = {"kind": "factored_ssm", "width": 2, "rank": 2, "normalise": normalise}
    assert right_answers(build_task(MACHINES["Z_2"]), options, setter(values)) == 1.0


@pytest.mark.parametrize("name", ["Z_7", "S_3", "Q_8", "cycle"])
@either_scale
def test_a_factor_for_each_state_and_symbol_holds_any_automaton(name, normalise):
    """Factor (symbol, state) leads from the state to the one after the symbol."""
    task = build_task(MACHINES[name])
    n_states, n_symbols = task.n_states, task.n_symbols
    one_hot = np.eye(n_states)
    values = {
        "token_embedding": np.eye(n_symbols),
        "initial_state": one_hot[:1],
        "head.weight": one_hot,
        "input_factor": np.repeat(np.eye(n_symbols), n_states, axis=1),
        "state_factor": np.tile(one_hot, n_symbols),
        "output_factor": one_hot[maps_of_symbols(name).ravel()],
    }
    rank = n_states * n_symbols
    options = {"kind": "factored_ssm", "width": n_states, "rank": rank, "normalise": normalise}
    assert right_answers(task, options, setter(values)) == 1.0


@pytest.mark.parametrize("modulus", [2, 7, 50])
@either_scale
def test_three_factors_hold_a_cyclic_group(modulus, normalise):
    """Gauss: of c (h_1 + h_2), (s - c) h_1 and (c + s) h_2 come c h_1 - s h_2 and s h_1 + c h_2."""
    _, points, values = circle(modulus)
    values |= {
        "token_embedding": points.T,
        "input_factor": [[1, -1, 1], [0, 1, 1]],
        "state_factor": [[1, 1, 0], [1, 0, 1]],
        "output_factor": [[1, 1], [0, 1], [-1, 0]],
    }
    options = {"kind": "factored_ssm", "width": 2, "rank": 3, "normalise": normalise}
    assert right_answers(build_task(MACHINES[f"Z_{modulus}"]), options, setter(values)) == 1.0


@pytest.mark.parametrize("name", ["S_3", "S_5"])
@pytest.mark.parametrize("size", ["smallest", "preset"])
def test_factors_multiply_the_matrices_of_permutations(name, size):
    """The state is S, and X S after a symbol; factor (i, l, j) adds X_il S_lj to the entry (i, j)."""
    k = MACHINES[name]["degree"]
    elements = itertools.permutations(range(k))
    matrices = np.array([np.eye(k)[:, one] for one in elements]).reshape(-1, k * k)
    row, inner, column = (axis.ravel() for axis in np.indices((k, k, k)))
    entries = np.eye(k * k)
    values = {
        "token_embedding": matrices,
        "input_factor": entries[:, row * k + inner],
        "state_factor": entries[:, inner * k + column],
        "output_factor": entries[row * k + column],
        "initial_state": matrices[:1],
        "head.weight": matrices.T,
    }
    options = {"kind": "factored_ssm", "width": k * k, "rank": k**3}
    if size == "preset":
        options = PRESETS["factored_ssm_256"].options
    assert right_answers(build_task(MACHINES[name]), options, setter(values)) == 1.0
