"""The transformer against torch's own encoder: outputs, inputs of LayerNorms, initial distributions."""

import itertools

import pytest
import torch
from support.initial_values import assert_same_distribution
from torch import nn

from nstar.models import build_model

SHAPES = {"n_symbols": 2, "n_classes": 1, "n_positions": 9}
OPTIONS = {
    "kind": "transformer",
    "width": 8,
    "depth": 2,
    "heads": 2,
    "norm": "post",
    "causal": False,
    "activation": "relu",
    "embedding": "concatenated",
    "perceptron_width": 8,
    "initialisation": "torch",
}
MATRICES = {"query_key_value": "self_attn.in_proj_", "attention_out": "self_attn.out_proj."}
MATRICES |= {"perceptron_in": "linear1.", "perceptron_out": "linear2."}
NORMS = {"attention_norm": "norm1.", "perceptron_norm": "norm2."}


def encoder_of_torch(width, perceptron_width, depth, heads, norm="post"):
    """Return an encoder without dropout; it stays in training, where hooks of its parts are called."""
    layers = [
        nn.TransformerEncoderLayer(
            width, heads, perceptron_width, 0.0, batch_first=True, norm_first=norm == "pre"
        )
        for _ in range(depth)
    ]
    encoder = nn.TransformerEncoder(
        layers[0],
        depth,
        nn.LayerNorm(width) if norm == "pre" else None,
        enable_nested_tensor=False,
    )
    encoder.layers = nn.ModuleList(layers)
    return encoder


def names_of_torch(depth):
    """Return the name in torch's encoder of each weight and bias of a layer."""
    return {
        f"layer{i}.{ours}.{part}": f"layers.{i}.{theirs}{part}"
        for i in range(depth)
        for ours, theirs in (MATRICES | NORMS).items()
        for part in ("weight", "bias")
    }


@pytest.fixture(params=[("post", 1e-5), ("pre", 1e-5), ("post", 0.0), ("pre", 0.5)])
def both(request):
    """Our model with two replicates, one in torch with the values of the second; double precision."""
    norm, epsilon = request.param
    model = build_model({**OPTIONS, "norm": norm, "norm_epsilon": epsilon}, **SHAPES)
    flat = model.initialise([0, 1]).double()
    flat += 0.1 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(5))
    values = model.views(flat)
    encoder = encoder_of_torch(8, 8, 2, 2, norm).double()
    for module in encoder.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = epsilon
    names = names_of_torch(2)
    if norm == "pre":
        names |= {f"final_norm.{part}": f"norm.{part}" for part in ("weight", "bias")}
    of_torch = dict(encoder.named_parameters())
    assert set(names.values()) == set(of_torch)
    with torch.no_grad():
        for ours, theirs in names.items():
            value = values[ours][1]
            is_matrix = ours.endswith("weight") and "norm" not in ours
            of_torch[theirs].copy_(value.T if is_matrix else value[0])
    return model, values, encoder


@pytest.mark.parametrize("read_from", [0, 4])
def test_outputs_and_inputs_of_norms_are_those_of_torch(both, read_from):
    model, values, encoder = both
    tokens = torch.randint(2, (2, 3, 5), generator=torch.Generator().manual_seed(1))
    table = values["position_embedding"][1, :5].expand(3, -1, -1)
    embedded = torch.cat([values["token_embedding"][1][tokens[1]], table], dim=-1)
    seen = {}
    for name, module in encoder.named_modules():
        if isinstance(module, nn.LayerNorm):
            module.register_forward_pre_hook(
                lambda _, given, name=name: seen.update({name: given[0].detach()})
            )
    with torch.no_grad():
        hidden = encoder(embedded)
    wanted = hidden @ values["head.weight"][1] + values["head.bias"][1]
    found = model.forward(values, tokens, read_from)
    torch.testing.assert_close(found[1], wanted[:, read_from:])

    inputs = model.norm_inputs(values, tokens, read_from)
    ours = ["layer0.attention_norm", "layer0.perceptron_norm"]
    ours += ["layer1.attention_norm", "layer1.perceptron_norm"]
    assert list(inputs) == ours + ["final_norm"] * (model.options.norm == "pre")
    assert len(seen) == len(inputs)
    for (name, part), of_torch in zip(inputs.items(), seen.values(), strict=True):
        sees_all = name.startswith("layer0")
        sees_all |= model.options.norm == "pre" and name == "layer1.attention_norm"
        first = 0 if sees_all else read_from
        assert part.shape == (2, 3, 5 - first, 8)
        torch.testing.assert_close(part[1], of_torch[:, first:])


def test_initial_distributions_are_those_of_torch():
    width, hidden, depth, n_positions, n_draws = 64, 48, 2, 30, 20
    options = OPTIONS | {"width": width, "perceptron_width": hidden}
    model = build_model(options, n_symbols=20, n_classes=3, n_positions=n_positions)
    ours = model.views(model.initialise(range(n_draws)))
    names = names_of_torch(depth)
    names |= {f"head.{part}": f"head.{part}" for part in ("weight", "bias")}
    names |= {"token_embedding": "tokens.weight", "position_embedding": "positions.weight"}
    assert set(names) == set(ours)

    draws = {name: [] for name in names.values()}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(n_draws):
            whole = encoder_of_torch(width, hidden, depth, 2)
            whole.head = nn.Linear(width, 3)
            whole.tokens = nn.Embedding(20, width // 2)
            whole.positions = nn.Embedding(n_positions, width // 2)
            for name, value in whole.named_parameters():
                draws[name].append(value.detach().flatten())
    kinds = {spec.name: spec.distribution for spec in model.parameters}
    for name, of_torch in names.items():
        assert_same_distribution(ours[name], torch.cat(draws[of_torch]), kinds[name], name)


FILLED = {
    "uniform": lambda weight: nn.init.uniform_(weight, -1, 1),
    "gaussian": nn.init.normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
    "xavier_gaussian": nn.init.xavier_normal_,
}


@pytest.mark.parametrize("initialisation", FILLED)
def test_weights_of_one_distribution_are_those_of_torch(initialisation):
    options = OPTIONS | {"width": 32, "perceptron_width": 48, "initialisation": initialisation}
    model = build_model(options, **SHAPES)
    ours = model.views(model.initialise(range(20)))
    shapes = {f"layer1.{part}": shape for part, shape in _MATRIX_SHAPES.items()} | {"head": (1, 32)}
    for name, shape in shapes.items():
        weights = []
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for _ in range(20):
                weights.append(FILLED[initialisation](torch.empty(shape)).flatten())
        kind = "uniform" if initialisation.endswith("uniform") else "normal"
        assert_same_distribution(ours[f"{name}.weight"], torch.cat(weights), kind, name)
        assert not ours[f"{name}.bias"].any()
    assert 0.9 < ours["token_embedding"].std() < 1.1


_MATRIX_SHAPES = {
    "query_key_value": (96, 32),
    "attention_out": (32, 32),
    "perceptron_in": (48, 32),
    "perceptron_out": (32, 48),
}


def test_layers_are_drawn_independently():
    model = build_model(OPTIONS, **SHAPES)
    values = model.views(model.initialise([0]))
    for one, other in itertools.pairwise(range(model.options.depth)):
        for part in MATRICES:
            weights = [values[f"layer{i}.{part}.weight"] for i in (one, other)]
            assert not torch.equal(*weights)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary", "none"])
def test_parameters_of_positions_are_the_learned_table(positions):
    model = build_model({**OPTIONS, "embedding": "added", "positions": positions}, **SHAPES)
    names = {spec.name for spec in model.parameters}
    table = {"position_embedding"} & names
    assert set(model.position_parameters) == table
    assert bool(table) == (positions == "learned")
