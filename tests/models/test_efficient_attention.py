"""Sparse and linear attention by hand, against softmax attention, and read piece by piece."""

import itertools
import math

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from nstar.kinds import read_options
from nstar.kinds.transformer import AttentionOptions
from nstar.measures.flops import n_seen
from nstar.models import build_model
from nstar.models.attention import (
    CHUNK,
    FEATURE_MAPS,
    LEAST_WEIGHT,
    LinearAttention,
    SoftmaxAttention,
    SparseAttention,
    build_attention,
)

pytestmark = pytest.mark.usefixtures("one_thread")

SPARSE = {"kind": "sparse", "block_size": 4, "window": 1, "global_tokens": 1}
SMALL = {"kind": "transformer", "width": 12, "depth": 2, "heads": 3, "positions": "sinusoidal"}
ATTENTIONS = {"softmax": None, "sparse": SPARSE, "linear": {"kind": "linear", "feature_map": "elu"}}
ATTENTION = TypeAdapter(AttentionOptions)
every_attention = pytest.mark.parametrize("attention", ATTENTIONS.values(), ids=ATTENTIONS)
every_feature_map = pytest.mark.parametrize("feature_map", FEATURE_MAPS)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def draw_parts(length, n=2, heads=3, width=4):
    """Return queries, keys and values (n, H, T, d)."""
    return draw(3, n, heads, length, width).unbind(0)


def tokens_of(n_replicates, batch, length, n_symbols=5):
    generator = torch.Generator().manual_seed(1)
    return torch.randint(n_symbols, (n_replicates, batch, length), generator=generator)


def logits_and_gradients(options, tokens):
    model = build_model(options, n_symbols=5, n_classes=4, n_positions=tokens.shape[2])
    values = [
        part.requires_grad_() for part in model.views(model.initialise(range(len(tokens)))).values()
    ]
    names = [spec.name for spec in model.parameters]
    logits = model.forward(dict(zip(names, values, strict=True)), tokens)
    return logits, *torch.autograd.grad(logits.square().sum(), values)


# What is seen


@pytest.mark.parametrize(
    ("place", "seen"), [(6, {3, 4, 5, 6}), (8, {4, 5, 6, 7, 8}), (10, {4, 7, 8, 9, 10})]
)
def test_a_window_and_the_last_position_of_every_block_are_seen(place, seen):
    """Positions counted from 1, with B = 4, k = 1, c = 1."""
    (row,) = SparseAttention(4, 1, 1).visible(1, place, torch.device("cpu"))
    assert {j + 1 for j in row.nonzero().flatten().tolist()} == seen


@pytest.mark.parametrize(("block_size", "window", "n_global"), [(4, 1, 1), (3, 2, 1), (5, 1, 3)])
def test_the_mask_is_the_union_of_the_definition(block_size, window, n_global):
    """I_i = {j: i - k B < j <= i} and {j <= i: (j - 1) mod B >= B - c}, counted from 1."""
    attention = SparseAttention(block_size, window, n_global)
    found = attention.visible(17, 23, torch.device("cpu"))
    for i, j in itertools.product(range(7, 24), range(1, 24)):
        near = i - window * block_size < j <= i
        is_global = j <= i and (j - 1) % block_size >= block_size - n_global
        assert found[i - 7, j - 1] == (near or is_global), (i, j)


@pytest.mark.parametrize("n_tokens", [1, 3, 4, 5, 22, 23, 64])
@pytest.mark.parametrize(
    "options",
    [
        SPARSE,
        SPARSE | {"block_size": 3, "window": 2},
        SPARSE | {"block_size": 5, "global_tokens": 3},
        SPARSE | {"block_size": 3, "global_tokens": 3},
        SPARSE | {"block_size": 1},
        SPARSE | {"block_size": 100},
        SPARSE | {"block_size": None},
        SPARSE | {"block_size": None, "global_tokens": 12},  # more than the 8 of a block
    ],
)
def test_pairs_that_are_counted_are_those_of_the_mask(options, n_tokens):
    mask = build_attention(ATTENTION.validate_python(options), 64).visible(
        n_tokens, n_tokens, torch.device("cpu")
    )
    assert n_seen(options, n_tokens, 64) == mask.sum()


@pytest.mark.parametrize(
    ("n_positions", "block_size"), [(3, 1), (4, 2), (23, 4), (255, 8), (256, 16), (505, 16)]
)
def test_blocks_of_no_given_size_grow_with_the_root_of_the_longest_sequence(
    n_positions, block_size
):
    """B = 2^floor(log2 sqrt L)."""
    assert block_size == 2 ** math.floor(math.log2(math.sqrt(n_positions)))
    options = SPARSE | {"block_size": None}
    assert build_attention(ATTENTION.validate_python(options), n_positions).block_size == block_size


@pytest.mark.parametrize(("block_size", "window"), [(9, 1), (20, 1), (3, 3), (1, 9)])
def test_a_window_of_all_positions_is_softmax_attention(block_size, window):
    tokens = tokens_of(2, 5, 9)
    sparse = SPARSE | {"block_size": block_size, "window": window}
    found = logits_and_gradients(SMALL | {"attention": sparse}, tokens)
    for one, other in zip(found, logits_and_gradients(SMALL, tokens), strict=True):
        torch.testing.assert_close(one, other)


def test_a_smaller_window_is_not():
    tokens = tokens_of(2, 5, 9)
    found, *_ = logits_and_gradients(SMALL | {"attention": SPARSE}, tokens)
    wanted, *_ = logits_and_gradients(SMALL, tokens)
    torch.testing.assert_close(found[:, :, :4], wanted[:, :, :4])
    assert not torch.allclose(found[:, :, 4], wanted[:, :, 4], atol=1e-4)


@every_attention
@pytest.mark.parametrize("place", [0, 3, 64, 69, 129])
def test_a_token_is_not_seen_before_it(attention, place):
    """In any chunk of linear attention, and any block of sparse."""
    model = build_model(SMALL | {"attention": attention}, n_symbols=5, n_classes=4, n_positions=130)
    parameters = model.views(model.initialise([0]))
    tokens = tokens_of(1, 3, 130)
    changed = tokens.clone()
    changed[..., place] = (changed[..., place] + 1) % 5
    before, after = model.forward(parameters, tokens), model.forward(parameters, changed)
    assert torch.equal(before[:, :, :place], after[:, :, :place])
    assert not torch.allclose(before[:, :, place], after[:, :, place])


# Linear attention


@pytest.mark.parametrize(
    ("feature_map", "values"),
    [
        ("elu", [math.exp(-1), 1.0, 3.0]),
        ("relu", [0.0, 0.0, 2.0]),
        ("exp", [math.exp(-1), 1.0, math.exp(2)]),
    ],
)
def test_features_of_three_numbers(feature_map, values):
    found = FEATURE_MAPS[feature_map](torch.tensor([-1.0, 0.0, 2.0]))
    torch.testing.assert_close(found, torch.tensor(values))


def recur(feature_map, query, key, value):
    """Return linear attention (n, H, T, d): ``S += phi(k) v'``, ``z += phi(k)``, position by position."""
    features = FEATURE_MAPS[feature_map]
    state, total, mixed = 0.0, 0.0, []
    for q, k, v in zip(*(part.unbind(2) for part in (query, key, value)), strict=True):
        state = state + features(k)[..., :, None] * v[..., None, :]
        total = total + features(k)
        weights = (features(q) * total).sum(-1, keepdim=True)
        summed = (features(q)[..., None, :] @ state)[..., 0, :]
        mixed.append(summed / weights.clamp_min(LEAST_WEIGHT))
    return torch.stack(mixed, dim=2)


def weigh(feature_map, query, key, value):
    """Return linear attention (n, H, T, d) from its weights (n, H, T, T), in full."""
    features = FEATURE_MAPS[feature_map]
    weights = (features(query) @ features(key).mT).tril()
    return weights @ value / weights.sum(-1, keepdim=True).clamp_min(LEAST_WEIGHT)


@every_feature_map
@pytest.mark.parametrize("length", [1, CHUNK, CHUNK + 1, 2 * CHUNK + 22])
def test_chunks_are_a_recurrence_and_a_matrix_of_weights(feature_map, length):
    parts = draw_parts(length)
    found = LinearAttention(feature_map).mix(*parts)
    for form in (recur, weigh):
        torch.testing.assert_close(found, form(feature_map, *parts), rtol=1e-5, atol=1e-5)


@every_feature_map
@pytest.mark.parametrize("first", [1, CHUNK, CHUNK + 7, 2 * CHUNK + 5])
def test_the_last_positions_see_what_they_see_among_all(feature_map, first):
    query, key, value = draw_parts(2 * CHUNK + 22)
    attention = LinearAttention(feature_map)
    found = attention.mix(query[:, :, first:], key, value)
    whole = attention.mix(query, key, value)
    torch.testing.assert_close(found, whole[:, :, first:], rtol=1e-5, atol=1e-5)


def test_equal_weights_give_the_running_mean():
    """Queries and keys of 0, whose features are 1."""
    value = draw(1, 1, 150, 1)
    nothing = torch.zeros_like(value)
    found = LinearAttention("elu").mix(nothing, nothing, value)
    counts = torch.arange(1, 151)[:, None]
    torch.testing.assert_close(found, value.cumsum(2) / counts, rtol=1e-5, atol=1e-6)


def test_where_all_weights_are_0_nothing_is_seen():
    """Features of "relu" may all vanish; the mean of nothing is 0, and so are its gradients."""
    query, key, value = (part.requires_grad_() for part in draw(3, 1, 1, 70, 4).unbind(0))
    vanishing = -key.abs()
    mixed = LinearAttention("relu").mix(query, vanishing, value)
    assert (mixed == 0).all()
    for gradient in torch.autograd.grad(mixed.sum(), (query, key, value)):
        assert (gradient == 0).all()


# Sizes and options

PUBLISHED_SHAPE = {"depth": 3, "heads": 4, "positions": "sinusoidal", "embedding_norm": True}
"""Of the transformer of Feng et al. (2023), arXiv:2305.15408, in their public code."""

SIZES = {
    21: {32: 39_605, 64: 152_917, 128: 600_725, 256: 2_381_077, 512: 9_480_725},
    91: {32: 44_155, 64: 161_947, 128: 618_715, 256: 2_416_987, 512: 9_552_475, 1024: 37_979_227},
    253: {32: 54_685, 64: 182_845, 128: 660_349, 256: 2_500_093, 512: 9_718_525, 1024: 38_311_165},
}
"""V D + 2 D + 3 (12 D^2 + 13 D) + 2 D + V D + V, worked out for the vocabularies of the tasks."""


@every_attention
@pytest.mark.parametrize("n_words", SIZES)
def test_parameters_of_the_grid_of_the_source(attention, n_words):
    for width, n_parameters in SIZES[n_words].items():
        options = {"kind": "transformer", "width": width, "attention": attention}
        shapes = {"n_symbols": n_words, "n_classes": n_words, "n_positions": 505}
        assert build_model(options | PUBLISHED_SHAPE, **shapes).n_parameters == n_parameters


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": SPARSE, "causal": False}, "attention sparse sees what comes before"),
        ({"attention": {"kind": "linear"}, "causal": False}, "attention linear sees what comes"),
        ({"attention": SPARSE | {"global_tokens": 5}}, "global_tokens 5 is more than block_size 4"),
        ({"attention": SPARSE | {"window": 0}}, "greater than 0"),
        ({"attention": SPARSE | {"block_size": 0}}, "greater than 0"),
        ({"attention": {"kind": "linear", "feature_map": "square"}}, "'elu', 'relu' or 'exp'"),
        ({"attention": {"kind": "linear", "block_size": 4}}, "block_size"),
        ({"attention": {"kind": "softmax"}}, "softmax"),
        ({"attention": SPARSE, "heads": 5}, "width 12 is not a multiple of heads 5"),
        ({"attention": SPARSE, "heads": 12}, "width 12 / heads 12 = 1, at least 2"),
    ],
)
def test_attention_without_sense_is_refused(changes, message):
    read_options(SMALL | {"attention": SPARSE})
    with pytest.raises(ValidationError, match=message):
        read_options(SMALL | changes)


def test_attention_that_is_not_named_is_softmax():
    assert type(build_attention(None, 9)) is SoftmaxAttention
