"""A dataset as the entries of a Zarr hierarchy, and back: what xarray and zarr make, in less time.

A store has some twenty small arrays, and zarr goes through its event loop for each of them. Only what a
store may hold is written and read here: numbers in chunks that zstd packs (see `nstar.store.arrays`). Any
reader of Zarr opens the entries, and the tests compare them with what xarray writes and reads.

References
----------
Zarr core specification, version 3; https://zarr-specs.readthedocs.io/en/latest/v3/core/.
"""

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numcodecs import zstd

from nstar.specification import canonical_json
from nstar.store.header import ENTRY

LARGEST_CHUNK = 2**24
"""Bytes of a chunk; a larger array is halved along its axes in turn."""

_NAN = "AAAAAAAA+H8="
"""NaN as xarray writes it for the value of what is missing."""


def pack(dataset: xr.Dataset, attributes: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the entries of a dataset by name; attributes are those of its root."""
    entries, attached = {}, set()
    others = sorted({*dataset.coords} - {*dataset.dims})
    for name, variable in dataset.variables.items():
        coordinates = [
            other
            for other in others
            if name not in dataset.coords and {*dataset[other].dims} <= {*variable.dims}
        ]
        attached |= {*coordinates}
        entries |= _pack_array(name, variable, " ".join(coordinates))
    alone = [other for other in others if other not in attached]
    attributes = {**attributes, "coordinates": " ".join(alone)} if alone else dict(attributes)
    root = {"attributes": attributes, "zarr_format": 3, "node_type": "group"}
    return {**entries, ENTRY: canonical_json(root).encode()}


def unpack(entries: Mapping[str, bytes]) -> xr.Dataset:
    """Return the dataset of entries that `nstar.store.arrays.read_arrays` has checked."""
    variables, coordinates = {}, set()
    for entry in entries.keys() - {ENTRY}:
        name, _, rest = entry.partition("/")
        if rest == ENTRY:
            array = json.loads(entries[entry])
            attributes = array["attributes"]
            coordinates |= {*attributes.pop("coordinates", "").split()}
            attributes.pop("_FillValue", None)  # NaN, which numpy has too
            values = _unpack_array(name, array, entries)
            variables[name] = (array.get("dimension_names", ()), values, attributes)
    attributes = json.loads(entries[ENTRY])["attributes"]
    coordinates |= {*attributes.pop("coordinates", "").split()}
    dataset = xr.Dataset(dict(sorted(variables.items())), attrs=attributes)
    return dataset.set_coords(sorted(coordinates))


def _pack_array(name: str, variable: xr.Variable, coordinates: str) -> dict[str, bytes]:
    """Return description and chunks of an array; chunks of nothing but the fill value are left out."""
    values = variable.values
    floating = values.dtype.kind == "f"
    fill = np.array(np.nan if floating else 0, values.dtype)
    chunk = _chunk_of(values.shape, values.dtype.itemsize)
    attributes = {key: np.asarray(value).tolist() for key, value in variable.attrs.items()}
    attributes |= {"coordinates": coordinates} if coordinates else {}
    attributes |= {"_FillValue": _NAN} if floating else {}
    described = {
        "shape": values.shape,
        "data_type": values.dtype.name,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "NaN" if floating else fill.item(),
        "codecs": [
            {"name": "bytes"}
            | ({"configuration": {"endian": "little"}} if fill.itemsize > 1 else {}),
            {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
        ],
        "attributes": attributes,
        **({"dimension_names": variable.dims} if variable.dims else {}),
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
    entries = {f"{name}/{ENTRY}": json.dumps(described, indent=2).encode()}
    for key, place in _places(values.shape, chunk):
        part = values[place]
        if np.array_equal(part, np.broadcast_to(fill, part.shape), equal_nan=floating):
            continue
        whole = np.full(chunk, fill, values.dtype.newbyteorder("<"))
        whole[tuple(slice(size) for size in part.shape)] = part
        entries[f"{name}/{key}"] = bytes(zstd.compress(whole, level=0))
    return entries


def _unpack_array(name: str, array: Mapping[str, Any], entries: Mapping[str, bytes]) -> np.ndarray:
    """Return the numbers of an array of this name."""
    dtype, shape = np.dtype(array["data_type"]), array["shape"]
    chunk = array["chunk_grid"]["configuration"]["chunk_shape"]
    values = np.full(shape, np.array(array["fill_value"], dtype))
    for key, place in _places(shape, chunk):
        if packed := entries.get(f"{name}/{key}"):
            whole = np.frombuffer(zstd.decompress(packed), dtype.newbyteorder("<")).reshape(chunk)
            part = values[place]
            values[place] = whole[tuple(slice(size) for size in part.shape)]
    return values


def _chunk_of(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Return the shape of the chunks of an array."""
    chunk = [max(1, size) for size in shape]
    for axis in itertools.cycle(range(len(chunk))):
        if math.prod(chunk) * item_bytes <= LARGEST_CHUNK:
            break
        chunk[axis] = -(-chunk[axis] // 2)
    return tuple(chunk)


def _places(shape, chunk) -> Iterator[tuple[str, tuple[slice, ...]]]:
    """Yield name and place of every chunk of an array."""
    counts = [-(-size // part) for size, part in zip(shape, chunk, strict=True)]
    for numbers in itertools.product(*map(range, counts)):
        place = tuple(
            slice(n * part, (n + 1) * part) for n, part in zip(numbers, chunk, strict=True)
        )
        yield "/".join(["c", *map(str, numbers)]), place
