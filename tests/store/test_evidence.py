"""The evidence in the header of a store: there and back, and nothing else in its place."""

import base64
import json
import zlib

import numpy as np
import pytest

from nstar.errors import ArtifactError
from nstar.store.evidence import pack, unpack


def evidence(n=(3, 0, 5), seed=0):
    numbers = np.random.default_rng(seed).random((len(n), max(n), 3, 8)).astype(np.float32)
    for r, count in enumerate(n):
        numbers[r, count:] = np.nan
    return numbers, np.array([0, 2, 7][: len(n)]), np.array(n)


def test_evidence_comes_back_from_a_header_as_it_was():
    numbers, first, n = evidence()
    numbers[0, 1] = np.nan  # a diverged evaluation
    summary = json.loads(json.dumps(pack(numbers, first, n)))
    for found, wanted in zip(unpack(summary, "a.zarr.zip"), (numbers, first, n), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_a_part_without_evaluations_has_an_empty_header():
    numbers, first, n = unpack(pack(np.zeros((2, 0, 3, 8)), [4, 4], [0, 0]), "a.zarr.zip")
    assert numbers.shape == (2, 0, 3, 8)
    assert first.tolist() == [4, 4] and n.tolist() == [0, 0]


def cut(text):
    return text[:-8]


def longer(text):
    return base64.b64encode(zlib.compress(zlib.decompress(base64.b64decode(text)) + b"\0")).decode()


def shorter(text):
    return base64.b64encode(zlib.compress(zlib.decompress(base64.b64decode(text))[:-4])).decode()


def followed(text):
    return base64.b64encode(base64.b64decode(text) + b"more").decode()


@pytest.mark.parametrize(
    ("field", "change"),
    [
        *(("numbers", change) for change in (cut, longer, shorter, followed)),
        ("numbers", lambda text: "no base64!"),
        ("numbers", lambda text: 3),
        ("numbers", lambda text: base64.b64encode(zlib.compress(bytes(10**8))).decode()),
        ("n", lambda n: [n[0] + 1, *n[1:]]),
        ("n", lambda n: n[:-1]),
        ("n", lambda n: [2**62] * 4),
        ("n", lambda n: [-1, *n[1:]]),
        ("n", lambda n: [True, *n[1:]]),
        ("first", lambda first: [str(value) for value in first]),
        ("first", lambda first: [2**70, *first[1:]]),
    ],
)
def test_a_header_that_holds_something_else_is_refused(field, change):
    summary = pack(*evidence())
    summary[field] = change(summary[field])
    with pytest.raises(
        ArtifactError, match=r"store a.zarr.zip has a damaged header.*--repair -- a.zarr.zip"
    ):
        unpack(summary, "a.zarr.zip")


@pytest.mark.parametrize("field", ["first", "n", "numbers"])
def test_a_header_without_evidence_is_refused(field):
    summary = pack(*evidence())
    del summary[field]
    with pytest.raises(ArtifactError, match="damaged header"):
        unpack(summary, "a.zarr.zip")
