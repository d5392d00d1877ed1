"""Initial weights depend on shapes and initialisation alone, and networks are lengthened afterwards."""

import numpy as np
import pytest
import torch

from nstar.kinds import read_options
from nstar.models import build_model, lengthen

TRANSFORMER = {"kind": "transformer", "width": 8, "depth": 2, "heads": 2}
SPARSE = TRANSFORMER | {"attention": {"kind": "sparse"}}
DELTANET = {"kind": "deltanet", "width": 8, "depth": 1, "heads": 2, "negative_eigenvalues": True}
ENCODER_DECODER = {"kind": "encoder_decoder", "width": 8, "depth": 1, "heads": 2}
SHAPES = {"n_symbols": 4, "n_classes": 3, "n_positions": 8}
SEEDS = [3, 5]


def built(options, **shapes):
    return build_model(options, **SHAPES | shapes)


@pytest.mark.parametrize(
    "changes", [{"weight_decay": 0.0}, {"weight_decay": 0.1}, {"dropout": 0.1}, {"causal": False}]
)
def test_what_has_no_part_in_a_draw_does_not_change_it(changes):
    """The published value of the weight decay is null; other values are 0 and 0.1."""
    wanted = built(TRANSFORMER).initialise(SEEDS)
    assert torch.equal(built(TRANSFORMER | changes).initialise(SEEDS), wanted)


def test_seeds_and_names_have_values_of_their_own():
    model = built(TRANSFORMER)
    flat = model.initialise([3, 5, 3])
    views = model.views(flat)
    assert torch.equal(flat[0], flat[2]) and not torch.equal(flat[0], flat[1])
    first, second = views["layer0.attention_out.weight"], views["layer1.attention_out.weight"]
    assert first.shape == second.shape and not torch.equal(first, second)


def test_draws_have_the_mean_and_the_spread_that_the_specification_says():
    for options in (TRANSFORMER | {"width": 64}, {"kind": "lstm", "width": 48}):
        model = built(options)
        views = model.views(model.initialise(range(20)))
        for spec in model.parameters:
            values = views[spec.name].double().numpy()
            if spec.distribution == "constant":
                assert (values == np.float32(spec.scale)).all()
                continue
            spread = spec.scale / (1 if spec.distribution == "normal" else 3**0.5)
            error = spread / values.size**0.5
            assert abs(values.mean()) < 5 * error, spec.name
            assert abs(values.std() - spread) < 5 * error, spec.name


@pytest.mark.parametrize("options", [TRANSFORMER, ENCODER_DECODER])
def test_a_longer_table_of_positions_begins_with_the_rows_of_a_shorter_one(options):
    short, long = built(options), built(options, n_positions=20)
    parts, longer = (model.views(model.initialise(SEEDS)) for model in (short, long))
    for name, part in parts.items():
        assert torch.equal(longer[name][:, : part.shape[1]], part)


@pytest.mark.parametrize("options", [TRANSFORMER, SPARSE, {"kind": "lstm", "width": 8}, DELTANET])
def test_a_lengthened_network_is_bitwise_the_trained_one_where_that_can_read(options):
    model = built(read_options(options))
    flat = model.initialise(SEEDS) * 3
    longer, lengthened = lengthen(model, flat, 17, SEEDS)
    tokens = torch.randint(4, (2, 5, 8), generator=torch.Generator().manual_seed(0))
    wanted = model.forward(model.views(flat), tokens)
    assert torch.equal(longer.forward(longer.views(lengthened), tokens), wanted)
    more = torch.cat([tokens, tokens, tokens[..., :1]], dim=2)
    assert longer.forward(longer.views(lengthened), more).shape == (2, 5, 17, 3)
    for name, part in model.views(flat).items():
        assert torch.equal(longer.views(lengthened)[name][:, : part.shape[1]], part)


def test_rows_beyond_training_depend_on_the_seed_and_not_on_how_far_a_test_reaches():
    model = built(TRANSFORMER)
    flat = model.initialise(SEEDS)
    tables = {}
    for n in (12, 30):
        longer, lengthened = lengthen(model, flat, n, SEEDS)
        tables[n] = longer.views(lengthened)["position_embedding"]
    assert torch.equal(tables[30][:, :12], tables[12])
    assert not torch.equal(tables[12][0, 8:], tables[12][1, 8:])
    assert tables[30][:, 8:].std() == pytest.approx(0.02, rel=0.2)


def test_a_test_length_does_not_move_the_blocks_of_sparse_attention():
    model = built(SPARSE)
    longer, _ = lengthen(model, model.initialise(SEEDS), 200, SEEDS)
    assert longer.attention.block_size == model.attention.block_size
    assert built(SPARSE, n_positions=200).attention.block_size != model.attention.block_size


def test_nothing_is_added_for_sequences_that_a_network_reads_already():
    model = built(TRANSFORMER)
    flat = model.initialise(SEEDS)
    assert lengthen(model, flat, 8, SEEDS) == (model, flat)
