"""The encoder-decoder against ``torch.nn.Transformer``, and what it refuses to read."""

import pytest
import torch
from support.initial_values import assert_same_distribution
from support.tokens import tokens_for
from torch import nn

from nstar.models import build_model

OPTIONS = {
    "kind": "encoder_decoder",
    "width": 8,
    "depth": 2,
    "heads": 2,
    "perceptron_width": 6,
}
SHAPES = {"n_symbols": 3, "n_classes": 2, "n_positions": 10}
SEPARATOR = 2
SELF = {"query_key_value": "self_attn.in_proj_", "attention_out": "self_attn.out_proj."}
CROSS = {
    "cross_query_key_value": "multihead_attn.in_proj_",
    "cross_attention_out": "multihead_attn.out_proj.",
}
PERCEPTRON = {"perceptron_in": "linear1.", "perceptron_out": "linear2."}
ENCODER_NORMS = {"attention_norm": "norm1.", "perceptron_norm": "norm2."}
DECODER_NORMS = {
    "attention_norm": "norm1.",
    "cross_attention_norm": "norm2.",
    "perceptron_norm": "norm3.",
}


def torch_transformer(width, hidden, depth, heads):
    """Return torch's own without dropout; in training mode, where hooks of its parts are called."""
    return nn.Transformer(width, heads, depth, depth, hidden, dropout=0.0, batch_first=True)


def names_of_torch(depth):
    """Return the name in torch's module of each weight and bias, but of embeddings and head."""
    parts = {
        "encoder": SELF | PERCEPTRON | ENCODER_NORMS,
        "decoder": SELF | CROSS | PERCEPTRON | DECODER_NORMS,
    }
    names = {f"{part}_norm": f"{part}.norm." for part in parts}
    for part, inside in parts.items():
        for i in range(depth):
            names |= {
                f"{part}{i}.{ours}": f"{part}.layers.{i}.{theirs}"
                for ours, theirs in inside.items()
            }
    return {
        f"{ours}.{kind}": f"{theirs}{kind}"
        for ours, theirs in names.items()
        for kind in ("weight", "bias")
    }


@pytest.fixture
def both():
    """Our model with two replicates, torch's with the values of the second; double precision."""
    model = build_model(OPTIONS, **SHAPES)
    flat = model.initialise([0, 1]).double()
    flat += 0.1 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(5))
    values = {name: part.requires_grad_() for name, part in model.views(flat).items()}
    whole = torch_transformer(8, 6, 2, 2).double()
    of_torch, names = dict(whole.named_parameters()), names_of_torch(2)
    assert set(names.values()) == set(of_torch)
    with torch.no_grad():
        for ours, theirs in names.items():
            of_torch[theirs].copy_(as_in_torch(ours, values[ours][1]))
    return model, values, whole


def as_in_torch(name, value):
    """Return a parameter, or its gradient, in the shape of torch's."""
    is_matrix = name.endswith("weight") and "norm" not in name
    return value.T if is_matrix else value[0]


def logits_of_torch(whole, values, tokens):
    """Return logits (B, m, C) of tokens (B, T), whose first five are symbols."""

    def embedded(part, read):
        table = values[f"{part}_position_embedding"][1, : read.shape[1]].expand(len(read), -1, -1)
        return torch.cat([values["token_embedding"][1][read], table], dim=-1)

    n_decoded = tokens.shape[1] - 5
    hidden = whole(
        embedded("encoder", tokens[:, :5]),
        embedded("decoder", tokens[:, 5:]),
        tgt_mask=torch.ones(n_decoded, n_decoded).triu(1).bool(),
    )
    return hidden @ values["head.weight"][1] + values["head.bias"][1]


def chains(length=10):
    """Return tokens (2, 3, length), of a chain of five symbols and its first states."""
    return tokens_for(OPTIONS, 2, 3, 10, 3)[..., :length]


@pytest.mark.parametrize("length", [6, 8, 10])
def test_logits_and_gradients_are_those_of_torch(both, length):
    model, values, whole = both
    tokens = chains(length)
    found = model.forward(values, tokens, read_from=5)
    wanted = logits_of_torch(whole, values, tokens[1])
    torch.testing.assert_close(found[1], wanted)

    names, of_torch = names_of_torch(2), dict(whole.named_parameters())
    outside = [name for name in values if name not in names]
    assert len(outside) == 5  # three tables, weight and bias of the head
    ours = torch.autograd.grad(found[1].square().sum(), list(values.values()))
    ours = dict(zip(values, ours, strict=True))
    chosen = [*(of_torch[name] for name in names.values()), *(values[name] for name in outside)]
    theirs = torch.autograd.grad(wanted.square().sum(), chosen)
    for name, gradient in zip([*names, *outside], theirs, strict=True):
        own = as_in_torch(name, ours[name][1]) if name in names else ours[name]
        torch.testing.assert_close(own, gradient, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("read_from", [5, 7])
def test_inputs_of_norms_are_those_of_torch(both, read_from):
    model, values, whole = both
    tokens, theirs = chains(), {}
    for name, module in whole.named_modules():
        if isinstance(module, nn.LayerNorm):
            module.register_forward_pre_hook(
                lambda _, given, name=name: theirs.update({f"{name}.weight": given[0]})
            )
    logits_of_torch(whole, values, tokens[1])
    ours, names = model.norm_inputs(values, tokens, read_from), names_of_torch(2)
    assert [names[f"{name}.weight"] for name in ours] == list(theirs)
    for (name, found), wanted in zip(ours.items(), theirs.values(), strict=True):
        is_last = name.startswith(("decoder1", "decoder_norm"))
        first = read_from - 5 if is_last else 0
        torch.testing.assert_close(found[1], wanted[:, first:])


def test_initial_distributions_are_those_of_torch():
    width, hidden, depth, n_positions, n_draws = 64, 48, 2, 30, 20
    options = OPTIONS | {"width": width, "perceptron_width": hidden}
    model = build_model(options, n_symbols=20, n_classes=3, n_positions=2 * n_positions)
    ours = model.views(model.initialise(range(n_draws)))
    names = names_of_torch(depth)
    names |= {f"head.{part}": f"head.{part}" for part in ("weight", "bias")}
    tables = ("token_embedding", *model.position_parameters)
    names |= {name: f"{name}.weight" for name in tables}
    assert set(names) == set(ours)

    draws = {name: [] for name in names.values()}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(n_draws):
            whole = torch_transformer(width, hidden, depth, 2)
            whole.head = nn.Linear(width, 3)
            for name, size in zip(tables, (20, n_positions, n_positions), strict=True):
                setattr(whole, name, nn.Embedding(size, width // 2))
            for name, value in whole.named_parameters():
                draws[name].append(value.detach().flatten())
    kinds = {spec.name: spec.distribution for spec in model.parameters}
    for name, of_torch in names.items():
        assert_same_distribution(ours[name], torch.cat(draws[of_torch]), kinds[name], name)


def test_number_of_parameters_at_the_size_of_the_source():
    """34,641 without positions: what torch's module, a head and a table of half the width add up to."""
    options = OPTIONS | {"width": 32, "perceptron_width": 32}
    model = build_model(options, n_symbols=3, n_classes=1, n_positions=8)
    positions = [s.size for s in model.parameters if s.name in model.position_parameters]
    of_torch = sum(part.numel() for part in torch_transformer(32, 32, 2, 2).parameters())
    assert positions == [4 * 16, 4 * 16]
    assert model.n_parameters - sum(positions) == of_torch + 33 + 3 * 16 == 34_641


def test_every_output_sees_every_symbol_and_the_states_before_it():
    model = build_model(OPTIONS, **SHAPES)
    values = model.views(model.initialise([0]))
    tokens = chains()[:1]
    before = model.forward(values, tokens, read_from=5)
    for at in (0, 1, 2, 3, 4, 6, 7, 8, 9):
        changed = tokens.clone()
        changed[..., at] = 1 - changed[..., at]
        differs = (model.forward(values, changed, read_from=5) != before).any(-1)
        first = max(0, at - 5)
        assert differs[..., first:].all() and not differs[..., :first].any()


@pytest.mark.parametrize(
    ("tokens", "read_from", "words"),
    [
        ([[0, 1, 0]], 0, "no separator"),
        ([[SEPARATOR, 1, 0]], 0, "begin with the separator"),
        ([[0, 1, SEPARATOR, 1], [0, SEPARATOR, 1, 1]], 2, "elsewhere in others"),
        ([[0, SEPARATOR, 1, 1], [0, 1, SEPARATOR, 1]], 2, "elsewhere in others"),
        ([[0, 1, SEPARATOR, 1]], 1, "position 1 on.* which is at 2; read from there or later"),
    ],
)
def test_what_is_no_chain_of_thought_is_refused(tokens, read_from, words):
    model = build_model(OPTIONS, **SHAPES)
    values = model.views(model.initialise([0]))
    with pytest.raises(ValueError, match=words):
        model.forward(values, torch.tensor([tokens]), read_from)
