"""Stores hold what xarray and zarr would write, to the last byte, and are read as they read them."""

import json

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.core.buffer import default_buffer_prototype

from nstar.store import packing
from nstar.store.packing import pack, unpack

GENERATOR = np.random.default_rng(0)
MISSING = np.array([[1.5, np.nan, 0.0], [np.nan] * 3], np.float32)

DATASET = xr.Dataset(
    {
        "bools": (("replicate", "position"), np.array([[True, False, True], [False] * 3])),
        "missing": (("replicate", "position"), MISSING, {"units": "1", "long_name": "a number"}),
        "all_missing": ("replicate", np.full(2, np.nan)),
        "halves": ("position", MISSING[0].astype(np.float16)),
        "zeros": (("position", "replicate"), np.zeros((3, 2), np.int16)),
        "codes": (
            "replicate",
            np.array([1, 0]),
            {"flag_values": [0, 1], "flag_meanings": "no yes"},
        ),
        "alone": ((), np.int64(7)),
        "none": (("nothing", "position"), np.zeros((0, 3))),
        "foreign": ("replicate", np.array([1, 2], ">i4")),
        "turned": (("position", "replicate"), GENERATOR.normal(size=(2, 3)).T),
    },
    coords={
        "position": np.arange(1, 4, dtype=np.uint8),
        "seed": ("replicate", [3, 4]),
        "learning_rate": ("replicate", [0.1, 0.2]),
        "unlike": ("other", [1.0, 2.0]),
    },
)
"""An array of every kind: empty, whole, without an axis, of nothing but what is not written down."""


def by_xarray(dataset, **options):
    """Return the entries that xarray and zarr write."""
    buffers = {}
    store = zarr.storage.MemoryStore(store_dict=buffers)
    dataset.to_zarr(store, zarr_format=3, consolidated=False, **options)
    return {name: buffer.to_bytes() for name, buffer in buffers.items()}


def read_by_xarray(entries):
    prototype = default_buffer_prototype()
    buffers = {name: prototype.buffer.from_bytes(content) for name, content in entries.items()}
    store = zarr.storage.MemoryStore(store_dict=buffers)
    return xr.open_zarr(store, zarr_format=3, consolidated=False, chunks=None).load()


def test_entries_are_those_that_xarray_writes():
    found = pack(DATASET, {"stage": "any"})
    expected = by_xarray(DATASET.assign_attrs(stage="any"))
    assert json.loads(found.pop("zarr.json")) == json.loads(expected.pop("zarr.json"))
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []


@pytest.mark.parametrize("chunk_bytes", [16, 2**24])
def test_both_read_what_either_has_written(chunk_bytes, monkeypatch):
    monkeypatch.setattr(packing, "LARGEST_CHUNK", chunk_bytes)
    dataset = DATASET.assign_attrs(stage="any")
    written = pack(DATASET, dataset.attrs)
    assert ("turned/c/1/0" in written) == (chunk_bytes == 16)
    for entries in (written, by_xarray(dataset)):
        for read in (unpack, read_by_xarray):
            found = read(entries)
            xr.testing.assert_identical(found, dataset)
            assert found["foreign"].dtype == np.int32 and found["bools"].dtype == bool
    halves = by_xarray(dataset, encoding={"turned": {"chunks": (2, 1)}})
    xr.testing.assert_identical(unpack(halves), dataset)
