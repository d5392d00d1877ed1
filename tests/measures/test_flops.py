"""Operations of a forward pass: published sizes worked out by hand, and how they grow with the length."""

import math

import pytest

from nstar.measures.flops import forward_flops, n_seen

SPARSE = {"kind": "sparse", "block_size": None, "window": 1, "global_tokens": 1}
LINEAR = {"kind": "linear", "feature_map": "elu"}


def options_of(width, attention=None, **others):
    transformer = {"kind": "transformer", "width": width, "depth": 3, "heads": 4}
    return transformer | {"attention": attention} | others


def flops(width, length, attention=None, **others):
    return forward_flops(options_of(width, attention, **others), length, length)


@pytest.mark.parametrize(
    ("width", "length", "attention", "billions"),
    [
        (128, 505, None, 0.79),
        (512, 505, LINEAR, 9.93),
        (128, 342, None, 0.49),
        (256, 342, LINEAR, 1.68),
        (256, 502, None, 2.76),
        (1024, 502, LINEAR, 39.5),
    ],
)
def test_smallest_widths_of_the_source(width, length, attention, billions):
    """The widths that reach 0.9 in figure 1 of Yang et al. (2024), arXiv:2402.13934; 3 layers, 4 heads.

    The source prints no operations: these are ``3 (24 L D^2 + 2 L^2 D)`` and
    ``3 (24 L D^2 + 4 L D^2 / H)``, to the digits given.
    """
    found = flops(width, length, attention) / 1e9
    assert found == pytest.approx(billions, abs=0.005 if billions < 10 else 0.05)


@pytest.mark.parametrize(("width", "length", "billions"), [(256, 505, 2.42), (1024, 342, 25.9)])
def test_sparse_attention_sees_what_an_average_over_blocks_says(width, length, billions):
    """With ``B / 2 + L / 2 B`` keys for a position: a window that starts at the block of the position.

    The window here always has B positions, half a block more: a pass takes 0.1 and 0.4 % more.
    """
    block = 16
    maps, keys = 24 * length * width**2, block / 2 + length / (2 * block)
    average = 3 * (maps + 4 * width * length * keys)
    assert average / 1e9 == pytest.approx(billions, abs=0.005 if billions < 10 else 0.05)
    found = flops(width, length, SPARSE)
    assert average < found < 1.005 * average
    assert found == flops(width, length, SPARSE | {"block_size": block})


def mixing(attention, length):
    """Return the operations of attention alone, in one layer of width 8."""
    maps = length * 24 * 8**2
    return flops(8, length, attention, depth=1) - maps


def test_maps_grow_with_the_square_of_the_width_and_attention_with_the_width():
    narrow, wide = (flops(width, 100) / 3 for width in (8, 16))
    assert narrow == 100 * 24 * 8**2 + 2 * 100**2 * 8
    assert wide == 4 * 100 * 24 * 8**2 + 2 * 2 * 100**2 * 8


@pytest.mark.parametrize(("attention", "exponent"), [(None, 2), (LINEAR, 1)], ids=["all", "linear"])
def test_attention_grows_as_its_order_says(attention, exponent):
    """L^2 D and L D^2."""
    assert mixing(attention, 200) == 2**exponent * mixing(attention, 100)


def test_sparse_attention_grows_with_the_length_to_one_and_a_half():
    """L sqrt L D in the limit: four times the length has blocks of twice the size."""
    ratios = [mixing(SPARSE, 4 * length) / mixing(SPARSE, length) for length in (64, 256, 1024)]
    assert ratios[0] > ratios[1] > ratios[2] > 8
    assert ratios[2] == pytest.approx(8, rel=0.03)
    block_of_8 = SPARSE | {"block_size": 8}
    assert mixing(block_of_8, 8000) / mixing(block_of_8, 4000) == pytest.approx(4, rel=0.02)


def test_pairs_of_a_short_text_are_those_before_it_ends():
    """With B = 4, positions 1 .. 10 see 1, 2, 3, 4, 4, 4, 4, and then one more, the fourth position."""
    counted = SPARSE | {"block_size": 4}
    assert [n_seen(counted, length, 6) for length in range(1, 7)] == [1, 3, 6, 10, 14, 18]
    assert n_seen(counted, 10, 10) == 18 + 4 + 5 + 5 + 5


def test_blocks_are_those_of_the_longest_text_that_a_model_is_built_for():
    options = options_of(8, SPARSE)
    assert forward_flops(options, 20, 256) == forward_flops(
        options_of(8, SPARSE | {"block_size": 16}), 20, 20
    )
    assert forward_flops(options, 20, 256) != forward_flops(options, 20, 20)


def test_perceptrons_of_another_width():
    """4 L D F operations in each layer, where F is 4 D if it is not given."""
    whole = flops(8, 10)
    assert flops(8, 10, perceptron_width=32) == flops(8, 10, perceptron_width=None) == whole
    assert whole - flops(8, 10, perceptron_width=12) == 3 * 4 * 10 * 8 * 20


@pytest.mark.parametrize("kind", ["lstm", "encoder_decoder"])
def test_other_models_are_not_counted(kind):
    assert math.isnan(forward_flops({"kind": kind, "width": 8}, 10, 10))
