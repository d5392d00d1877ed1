"""What every registered model has to do."""

import pytest
import torch
import torch.nn.functional as F
from support.pairwise import every_variant_with
from support.tokens import first_output, labels_for, length_read, tokens_for
from support.variants import VARIANTS
from torch import nn

from nstar.kinds import KINDS, PRESETS
from nstar.kinds.size import CHUNK
from nstar.models import MODELS, build_model
from nstar.models.stacked import LANES

SHAPES = {"n_symbols": 5, "n_classes": 4, "n_positions": 70}
LAYER_WEIGHTS = ("weight", "recurrence", "bilinear", "angle", "diagonal", "factor")
every_variant = pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)


pytestmark = pytest.mark.usefixtures("one_thread")


def values_and_gradients(model, flat, tokens, labels):
    """Return logits and gradients by name of a pack whose loss is the sum of each one's mean."""
    views = {name: part.requires_grad_() for name, part in model.views(flat).items()}
    logits = model.forward(views, tokens, read_from=tokens.shape[-1] - labels.shape[-1])
    losses = F.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none")
    total = losses.view(len(tokens), -1).mean(1).sum()
    gradients = torch.autograd.grad(total, list(views.values()))
    return logits.detach(), dict(zip(views, gradients, strict=True))


def test_every_model_has_options_and_a_variant_here():
    kinds = {cls.model_fields["kind"].annotation.__args__[0] for cls in KINDS}
    assert kinds == set(MODELS) == {options["kind"] for options in VARIANTS.values()}


@every_variant
@pytest.mark.parametrize("length", [1, 7, 70])
def test_shape_of_logits(options, length):
    model = build_model(options, **SHAPES)
    parameters = model.views(model.initialise([0, 1, 2]))
    length = length_read(options, length)
    tokens, first = tokens_for(options, 3, length=length), first_output(options, length)
    assert model.forward(parameters, tokens, first).shape == (3, 6, length - first, 4)
    assert model.forward(parameters, tokens, read_from=length - 1).shape == (3, 6, 1, 4)


@every_variant
def test_positions_see_what_they_may(options):
    """In a chain of thought these are the positions of the states; its symbols have no outputs."""
    model = build_model(options, **SHAPES)
    parameters = model.views(model.initialise([0]))
    tokens = tokens_for(options, 1)
    changed = tokens.clone()
    changed[..., 4:] = (changed[..., 4:] + 1) % 4
    first = first_output(options, 7)
    before, after = (model.forward(parameters, read, first) for read in (tokens, changed))
    n_earlier = 4 - first
    assert n_earlier > 0
    unseen = torch.equal(before[:, :, :n_earlier], after[:, :, :n_earlier])
    assert unseen == options.get("causal", True)
    assert not torch.allclose(before[:, :, n_earlier:], after[:, :, n_earlier:])


@every_variant
def test_gradient_reaches_every_parameter(options):
    model = build_model(options, **{**SHAPES, "n_positions": 9})
    tokens = tokens_for(options, 2, length=9)
    labels = labels_for(options, tokens)
    _, gradients = values_and_gradients(model, model.initialise([0, 1]), tokens, labels)
    for name, gradient in gradients.items():
        assert all(row.abs().sum() > 0 for row in gradient), name


@every_variant_with(VARIANTS, n_replicates=[2, 4, 16, 40], batch=[1, 6, 20])
def test_replicate_is_bitwise_independent_of_the_pack(options, n_replicates, batch):
    """Alone or in any slot of any pack, beside a replicate that is NaN."""
    model = build_model(options, **SHAPES)
    tokens = tokens_for(options, 1, batch=batch)
    labels = labels_for(options, tokens)
    alone, alone_gradients = values_and_gradients(model, model.initialise([0]), tokens, labels)
    for slot in {0, n_replicates // 2, n_replicates - 1}:
        seeds = [0 if r == slot else r + 1 for r in range(n_replicates)]
        flat = model.initialise(seeds)
        flat[(slot + 1) % n_replicates] = float("nan")
        together = (part.expand(n_replicates, -1, -1) for part in (tokens, labels))
        logits, gradients = values_and_gradients(model, flat, *together)
        assert torch.equal(logits[slot], alone[0])
        for name, gradient in gradients.items():
            assert torch.equal(gradient[slot], alone_gradients[name][0]), name


@every_variant
def test_narrowest_replicate_is_bitwise_independent_of_the_pack(options):
    """A width of 2 is the least that the configuration takes; long sums show a difference."""
    narrowest = {"width": 2, "heads": 1, "block_size": 2, "perceptron_width": 2}
    narrow = {key: narrowest.get(key, value) for key, value in options.items()}
    tokens = tokens_for(options, 1, batch=500)
    assert_same_alone(build_model(narrow, **SHAPES), tokens, labels_for(options, tokens))


@every_variant
@pytest.mark.parametrize(("length", "batch", "n_symbols"), [(1, 1, 5), (5, 64, 40), (130, 3, 5)])
def test_wide_replicate_is_bitwise_independent_of_the_pack(options, length, batch, n_symbols):
    """At sizes at which kernels change; both ways to feed symbols, steps of one column, chunks."""
    wide = {**options, "width": 72}
    n_positions = max(SHAPES["n_positions"], 2 * length)
    shapes = {**SHAPES, "n_symbols": n_symbols, "n_positions": n_positions}
    model = build_model(wide, **shapes)
    tokens = tokens_for(options, 1, batch, length_read(options, length), n_symbols)
    assert_same_alone(model, tokens, labels_for(options, tokens))


def assert_same_alone(model, tokens, labels):
    """Logits and gradients of a replicate alone are those in the last slot of three."""
    alone, alone_gradients = values_and_gradients(model, model.initialise([0]), tokens, labels)
    together = (part.expand(3, -1, -1) for part in (tokens, labels))
    logits, gradients = values_and_gradients(model, model.initialise([1, 2, 0]), *together)
    assert torch.equal(logits[2], alone[0])
    for name, gradient in gradients.items():
        assert torch.equal(gradient[2], alone_gradients[name][0]), name


@every_variant
def test_initial_values_depend_on_the_seed_alone(options):
    model = build_model(options, **SHAPES)
    both = model.initialise([3, 4])
    assert torch.equal(both[1], model.initialise([4])[0])
    assert not torch.equal(both[0], both[1])
    assert both.shape[1] % LANES == 0
    assert not both[:, model.n_parameters :].any()


@every_variant
@pytest.mark.parametrize(
    ("n_symbols", "length"), [(5, 1), (5, 7), (5, CHUNK + 1), (5, 70), (40, 7)]
)
def test_stacked_form_equals_the_reference_in_values_and_gradients(options, n_symbols, length):
    """In double precision, where the two differ by rounding errors that no mistake would hide in."""
    model = build_model(options, **{**SHAPES, "n_symbols": n_symbols})
    flat = model.initialise([0, 1]).double()
    length = length_read(options, length)
    tokens = tokens_for(options, 2, length=length, n_symbols=n_symbols)
    labels = labels_for(options, tokens)
    logits, gradients = values_and_gradients(model, flat, tokens, labels)
    for r in range(2):
        values = {name: part[r].clone() for name, part in model.views(flat.detach()).items()}
        for part in values.values():
            part.requires_grad_()
        plain = model.naive(values, tokens[r])
        torch.testing.assert_close(plain, logits[r], rtol=1e-8, atol=1e-10)
        loss = F.cross_entropy(plain.flatten(0, 1), labels[r].flatten())
        wanted = torch.autograd.grad(loss, list(values.values()), allow_unused=length == 1)
        for name, gradient in zip(values, wanted, strict=True):
            expected = torch.zeros_like(values[name]) if gradient is None else gradient
            torch.testing.assert_close(
                gradients[name][r],
                expected,
                rtol=1e-7,
                atol=1e-10,
                msg=lambda m, n=name: f"{n}: {m}",
            )


@every_variant
def test_logits_of_the_positions_that_are_read_are_those_of_all(options):
    model = build_model(options, **SHAPES)
    parameters = model.views(model.initialise([0, 1]))
    tokens = tokens_for(options, 2)
    start = first_output(options, 7)
    every = model.forward(parameters, tokens, start)
    for first in (4, 6):
        part = model.forward(parameters, tokens, read_from=first)
        torch.testing.assert_close(part, every[:, :, first - start :], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "module"), [("lstm", nn.LSTM), ("gru", nn.GRU), ("elman", nn.RNN)]
)
def test_recurrent_models_are_those_of_torch(kind, module):
    options = {"kind": kind, "width": 10}
    model = build_model(options, **SHAPES)
    values = {name: part[0] for name, part in model.views(model.initialise([0])).items()}
    layer = "input" if kind == "elman" else "gates"
    order = [0, 1, 3, 2] if kind == "lstm" else [0, 1, 2]  # torch has u before o

    def reorder(columns):
        blocks = columns.T.split(10)
        return torch.cat([blocks[i] for i in order]) if len(blocks) > 1 else columns.T

    recurrent = module(10, 10, batch_first=True)
    with torch.no_grad():
        recurrent.weight_ih_l0.copy_(reorder(values[f"{layer}.weight"]))
        recurrent.weight_hh_l0.copy_(reorder(values["recurrence"]))
        recurrent.bias_ih_l0.copy_(reorder(values[f"{layer}.bias"])[:, 0])
        recurrent.bias_hh_l0.zero_()
        if kind == "gru":
            recurrent.bias_hh_l0[20:].copy_(values["candidate_bias"][0])
    tokens = tokens_for(options, 1)[0]
    hidden = recurrent(values["token_embedding"][tokens])[0]
    wanted = hidden @ values["head.weight"] + values["head.bias"]
    found = model.forward(model.views(model.initialise([0])), tokens[None])[0]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_factored_model_is_the_dense_one_of_its_tensor():
    """``W_ijk = sum_f (W_h1)_if (W_h2)_jf (W_x)_kf``, in double precision."""
    factored = build_model({"kind": "factored_ssm", "width": 7, "rank": 11}, **SHAPES)
    dense = build_model({"kind": "dense_ssm", "width": 7}, **SHAPES)
    values = factored.views(factored.initialise([0, 1]).double())
    parts = (values[f"{part}_factor"] for part in ("input", "state", "output"))
    values["bilinear"] = torch.einsum("rkf,rjf,rfi->rkji", *parts)
    tokens = tokens_for({"kind": "dense_ssm"}, 2, length=70)
    torch.testing.assert_close(factored.forward(values, tokens), dense.forward(values, tokens))


@pytest.mark.parametrize(
    ("options", "formula"),
    [
        (
            {"kind": "transformer", "width": 12, "depth": 2, "heads": 3},
            lambda v, d, c, p: v * d + p * d + 2 * (12 * d * d + 13 * d) + 2 * d + d * c + c,
        ),
        (
            {"kind": "transformer", "width": 12, "depth": 2, "heads": 3, "positions": "rotary"},
            lambda v, d, c, p: v * d + 2 * (12 * d * d + 13 * d) + 2 * d + d * c + c,
        ),
        (
            {"kind": "transformer", "width": 12, "depth": 2, "heads": 3, "norm": "post"},
            lambda v, d, c, p: v * d + p * d + 2 * (12 * d * d + 13 * d) + d * c + c,
        ),
        (
            {
                "kind": "encoder_decoder",
                "width": 12,
                "depth": 2,
                "heads": 3,
                "perceptron_width": 7,
            },
            lambda v, d, c, p: (
                (v + p) * d // 2 + 2 * (12 * d * d + 4 * d * 7 + 24 * d + 2 * 7) + 4 * d + d * c + c
            ),
        ),
        (
            VARIANTS["transformer_sensitivity"],
            lambda v, d, c, p: (
                (v + p) * d // 2 + 2 * (4 * d * d + 2 * 12 * d + 9 * d + 12) + d * c + c
            ),
        ),
        ({"kind": "lstm", "width": 10}, lambda v, d, c, p: v * d + 8 * d * d + 4 * d + d * c + c),
        ({"kind": "gru", "width": 10}, lambda v, d, c, p: v * d + 6 * d * d + 4 * d + d * c + c),
        ({"kind": "elman", "width": 10}, lambda v, d, c, p: v * d + 2 * d * d + d + d * c + c),
        ({"kind": "dense_ssm", "width": 7}, lambda v, d, c, p: d**3 + v * d + d + d * c + c),
        (
            {"kind": "factored_ssm", "width": 7, "rank": 11},
            lambda v, d, c, p: 11 * (2 * d + d) + v * d + d + d * c + c,
        ),
        (
            {"kind": "block_ssm", "width": 12, "block_size": 3},
            lambda v, d, c, p: d**2 * 3 + v * d + d + d * c + c,
        ),
        (
            {"kind": "rotation_ssm", "width": 10},
            lambda v, d, c, p: d**2 // 2 + v * d + d + d * c + c,
        ),
        (
            {"kind": "diagonal_ssm", "width": 7, "positive": True},
            lambda v, d, c, p: d**2 + v * d + d + d * c + c,
        ),
        (
            {
                "kind": "deltanet",
                "width": 12,
                "depth": 2,
                "heads": 3,
                "negative_eigenvalues": True,
            },
            lambda v, d, c, p: (
                v * d + 2 * (12 * d * d + 13 * d + d * 3 + 3 + d // 3) + 2 * d + d * c + c
            ),
        ),
    ],
)
def test_documented_number_of_parameters(options, formula):
    model = build_model(options, **SHAPES)
    assert model.n_parameters == formula(5, options["width"], 4, 70)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_the_number_of_weights_that_they_name(name):
    preset = PRESETS[name]
    model = build_model(preset.options, n_symbols=2, n_classes=2, n_positions=2)
    counted = [
        spec.size
        for spec in model.parameters
        if spec.name.endswith(LAYER_WEIGHTS)
        and "norm" not in spec.name
        and not spec.name.startswith("head")
    ]
    assert sum(counted) == preset.n_weights


@pytest.mark.parametrize(("name", "of_torch"), [("lstm_768", 6_144), ("lstm_256", 2_048)])
def test_lstm_has_half_of_the_biases_of_torch(name, of_torch):
    """Torch adds two biases to each gate, and only their sum matters."""
    width = PRESETS[name].options["width"]
    layer = dict(nn.LSTM(width, width, device="meta").named_parameters())
    counted = {
        part: sum(p.numel() for key, p in layer.items() if part in key)
        for part in ("weight", "bias")
    }
    ours = {
        spec.name: spec.size for spec in build_model(PRESETS[name].options, **SHAPES).parameters
    }
    assert counted["bias"] == of_torch == 2 * ours["gates.bias"]
    assert counted["weight"] == PRESETS[name].n_weights
