"""Coordinates and paths are each other's inverse, and bad ones are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nstar.errors import PathError
from nstar.paths import COORDINATES, decode, encode, store_path

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
NUMBERS = st.integers(0, 10**12)
RATES = st.floats(1e-12, 1e12, allow_nan=False)
VALUES = {
    str: NAMES,
    int: NUMBERS,
    tuple[int, ...]: st.lists(NUMBERS, min_size=1, max_size=5).map(tuple),
    tuple[float, ...]: st.lists(RATES, min_size=1, max_size=5).map(tuple),
}
ANY_COORDINATES = st.fixed_dictionaries(
    {}, optional={key: VALUES[kind] for key, kind in COORDINATES.items()}
)


@given(ANY_COORDINATES)
def test_decoding_undoes_encoding(coordinates):
    assert decode(encode(coordinates)) == coordinates


@given(ANY_COORDINATES, ANY_COORDINATES)
def test_different_coordinates_have_different_paths(first, second):
    assert (encode(first) == encode(second)) == (list(first.items()) == list(second.items()))


def test_path_of_a_store():
    path = store_path("results", "cells", {"model": "lstm", "seeds": (0, 1)}, "0123456789ab")
    assert str(path) == "results/cells/model~lstm/seeds~0+1/0123456789ab.zarr.zip"


@pytest.mark.parametrize(
    ("coordinates", "words"),
    [
        ({"modell": "lstm"}, "unknown coordinate 'modell'"),
        ({"length": "8"}, "length: '8' is not of type int"),
        ({"length": True}, "length: True is not of type int"),
        ({"seeds": (0.5,)}, r"seeds: \(0.5,\) is not a sequence of int"),
        ({"model": "a/b"}, "cannot be part of a path"),
        ({"model": ""}, "cannot be part of a path"),
    ],
)
def test_bad_coordinates_are_refused_by_name(coordinates, words):
    with pytest.raises(PathError, match=words):
        encode(coordinates)


@pytest.mark.parametrize("path", ["modell~lstm", "length~eight", "seeds~0+x"])
def test_bad_paths_are_refused(path):
    with pytest.raises(PathError):
        decode(path)
