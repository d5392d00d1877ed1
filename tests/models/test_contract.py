"""What every registered model has to do."""

import pytest
import torch
from torch import nn

from nstar.models import MODELS, build_model
from nstar.models.reference import build_reference, load_replicate, stacked_names
from nstar.models.stacked import LANES

OPTIONS = {
    "transformer": {"kind": "transformer", "width": 12, "depth": 2, "heads": 3},
    "lstm": {"kind": "lstm", "width": 10},
    "dense_ssm": {"kind": "dense_ssm", "width": 7},
}
SHAPES = {"n_symbols": 5, "n_classes": 4, "n_positions": 9}
KINDS = sorted(MODELS)


def tokens_for(n_replicates, batch=6, length=7):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(5, (n_replicates, batch, length), generator=generator)


def test_every_model_has_options_here():
    assert set(OPTIONS) == set(MODELS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 7, 9])
def test_shape_of_logits(kind, length):
    model = build_model(OPTIONS[kind], **SHAPES)
    parameters = model.views(model.initialise([0, 1, 2]))
    assert model.forward(parameters, tokens_for(3, length=length)).shape == (3, 6, length, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_is_causal(kind):
    model = build_model(OPTIONS[kind], **SHAPES)
    parameters = model.views(model.initialise([0]))
    tokens = tokens_for(1)
    changed = tokens.clone()
    changed[..., 4:] = (changed[..., 4:] + 1) % 5
    before, after = model.forward(parameters, tokens), model.forward(parameters, changed)
    assert torch.equal(before[:, :, :4], after[:, :, :4])
    assert not torch.allclose(before[:, :, 4:], after[:, :, 4:])


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_every_parameter(kind):
    model = build_model(OPTIONS[kind], **SHAPES)
    views = {k: v.requires_grad_() for k, v in model.views(model.initialise([0, 1])).items()}
    logits = model.forward(views, tokens_for(2, length=9))
    loss = nn.functional.cross_entropy(logits.flatten(0, 2), tokens_for(2, length=9).flatten() % 4)
    gradients = torch.autograd.grad(loss, list(views.values()))
    for name, gradient in zip(views, gradients, strict=True):
        assert all(row.abs().sum() > 0 for row in gradient), name


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("companions", [(1,), (1, 2, 3), tuple(range(1, 16))])
def test_replicate_is_bitwise_independent_of_the_pack(kind, companions):
    model = build_model(OPTIONS[kind], **SHAPES)
    tokens = tokens_for(1)
    alone = model.forward(model.views(model.initialise([0])), tokens)
    for slot in {0, len(companions) // 2, len(companions)}:
        seeds = [*companions[:slot], 0, *companions[slot:]]
        flat = model.initialise(seeds)
        flat[(slot + 1) % len(seeds)] = float("nan")
        packed = model.forward(model.views(flat), tokens.expand(len(seeds), -1, -1))
        assert torch.equal(packed[slot], alone[0])


@pytest.mark.parametrize("kind", KINDS)
def test_initial_values_depend_on_the_seed_alone(kind):
    model = build_model(OPTIONS[kind], **SHAPES)
    both = model.initialise([3, 4])
    assert torch.equal(both[1], model.initialise([4])[0])
    assert not torch.equal(both[0], both[1])


@pytest.mark.parametrize("kind", KINDS)
def test_stacked_form_equals_the_reference_in_values_and_gradients(kind):
    model = build_model(OPTIONS[kind], **SHAPES)
    flat = model.initialise([0, 1])
    views = {name: part.requires_grad_() for name, part in model.views(flat).items()}
    tokens, labels = tokens_for(2), tokens_for(2) % 4
    logits = model.forward(views, tokens)
    losses = nn.functional.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none")
    losses = losses.view(2, -1).mean(1)
    gradients = torch.autograd.grad(losses.sum(), list(views.values()))
    for r in range(2):
        module = build_reference(model)
        load_replicate(module, {name: part[r].detach() for name, part in views.items()})
        plain = module(tokens[r])
        torch.testing.assert_close(plain, logits[r], rtol=1e-4, atol=1e-5)
        nn.functional.cross_entropy(plain.flatten(0, 1), labels[r].flatten()).backward()
        wanted = stacked_names(module, {k: p.grad for k, p in module.named_parameters()})
        for (name, _), gradient in zip(views.items(), gradients, strict=True):
            torch.testing.assert_close(gradient[r], wanted[name], rtol=1e-3, atol=1e-6, msg=name)


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        (
            "transformer",
            lambda v, d, c, p: v * d + p * d + 2 * (12 * d * d + 13 * d) + 2 * d + d * c + c,
        ),
        ("lstm", lambda v, d, c, p: v * d + 8 * d * d + 4 * d + d * c + c),
        ("dense_ssm", lambda v, d, c, p: d**3 + v * d + d + d * c + c),
    ],
)
def test_documented_number_of_parameters(kind, formula):
    model = build_model(OPTIONS[kind], **SHAPES)
    assert model.n_parameters == formula(5, OPTIONS[kind]["width"], 4, 9)
    buffer = model.initialise([0])
    assert buffer.shape[1] % LANES == 0
    assert not buffer[:, model.n_parameters :].any()


def test_weights_of_the_published_sizes():
    """arXiv:2602.18333, appendix A.3: 4,718,592 block weights, 4,718,592 gate weights, 256^3."""
    shapes = {"n_symbols": 2, "n_classes": 2, "n_positions": 2}
    transformer = build_model(
        {"kind": "transformer", "width": 256, "depth": 6, "heads": 8}, **shapes
    )
    block = [
        spec.size
        for spec in transformer.parameters
        if spec.name.startswith("layer")
        and spec.name.endswith("weight")
        and "norm" not in spec.name
    ]
    assert sum(block) == 4_718_592
    lstm = build_model({"kind": "lstm", "width": 768}, **shapes)
    sizes = {spec.name: spec.size for spec in lstm.parameters}
    assert sizes["gates.weight"] + sizes["recurrence"] == 4_718_592
    dense = build_model({"kind": "dense_ssm", "width": 256}, **shapes)
    assert {spec.name: spec.size for spec in dense.parameters}["bilinear"] == 256**3
