"""What the arrays of a store may be: names, types, sizes and codecs, checked before they are decoded.

A store that was written by nstar has the variables of its schema as plain arrays of numbers, chunked by
Zarr and compressed by zstd. Anything else is refused, whatever its checksum says: no size that it
promises is trusted, and none of the conventions by which readers change numbers (CF) has a place in it.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from nstar.columns import Variable
from nstar.store.entries import MOST_ENTRIES, Entries
from nstar.store.header import ENTRY
from nstar.store.schemas import Schema

LARGEST_DESCRIPTION = 2**16
"""Bytes of the description of an array."""

LARGEST_EXPANSION, LARGEST_SMALL = 1000, 2**26
"""Bytes of all arrays for a byte of the file, and bytes that any store may have. Trained numbers shrink
by a third, sequences to a tenth or twentieth."""

_TYPES = frozenset({"bool", "float16", "float32", "float64"}) | {
    f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
}
_ATTRIBUTES = frozenset(
    {"long_name", "units", "flag_values", "flag_meanings", "coordinates", "_FillValue"}
)
_ROUNDING = 1e-6
"""How far a mean may lie beyond its bounds."""

_NAN = "AAAAAAAA+H8="
"""What xarray writes for NaN as the value of what is missing."""


@dataclass(frozen=True)
class Description:
    """What an array says of itself."""

    name: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: np.dtype

    @property
    def size_bytes(self) -> int:
        """Bytes of the array once it is decoded."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def chunk_bytes(self) -> int:
        """Bytes of each of its chunks once it is decoded; those at its edge are filled up."""
        return math.prod(self.chunk) * self.dtype.itemsize

    @property
    def n_chunks(self) -> int:
        """Chunks of the array; one that holds nothing but the fill value is not in the file."""
        return math.prod(self._counts)

    @property
    def _counts(self) -> list[int]:
        """Chunks along each axis."""
        return [-(-n // size) for n, size in zip(self.shape, self.chunk, strict=True)]

    def has_chunk(self, place: str) -> bool:
        """Return whether a chunk of this name, such as ``c/0/1``, belongs to the array."""
        first, *numbers = place.split("/")
        return (
            first == "c"
            and len(numbers) == len(self.shape)
            and all(
                number.isdecimal() and str(int(number)) == number and int(number) < count
                for number, count in zip(numbers, self._counts, strict=True)
            )
        )


def read_arrays(
    entries: Entries, schema: Schema, sizes: Mapping[str, int], file_bytes: int
) -> dict[str, bytes]:
    """Return the entries of the arrays of a store, none of which unpacks to more than it may.

    Parameters
    ----------
    entries : Entries
    schema : Schema
    sizes : mapping of str to int
        Sizes of axes that follow from the header.
    file_bytes : int
        Size of the file.

    Raises
    ------
    ValueError, KeyError, TypeError
        If the store is not one that nstar writes.
    """
    found = {
        name: entries.read(name, LARGEST_DESCRIPTION)
        for name in entries.sizes
        if name.endswith(f"/{ENTRY}")
    }
    arrays = {
        name: _described(name, text)
        for name, text in ((entry.removesuffix(f"/{ENTRY}"), text) for entry, text in found.items())
    }
    _check_variables(arrays, schema)
    _check_sizes([*arrays.values()], sizes, file_bytes)
    for entry in entries.sizes.keys() - found.keys() - {ENTRY}:
        name, _, place = entry.partition("/")
        if name not in arrays or not arrays[name].has_chunk(place):
            raise ValueError(f"it has the foreign entry {entry}")
        size = arrays[name].chunk_bytes
        content = entries.read(entry, size + size // 128 + 1024)  # zstd never needs more
        if unpacked_bytes(content) != size:
            raise ValueError(f"entry {entry} does not unpack to {size} bytes")
        found[entry] = content
    return found


def _described(name: str, text: bytes) -> Description:
    """Return the description of an array, which is one that nstar writes."""
    entry = json.loads(text)
    dtype, attributes = entry["data_type"], entry["attributes"]
    if not (isinstance(dtype, str) and dtype in _TYPES):
        raise ValueError(f"variable {name} has the data type {dtype!r:.80}, not a plain number")
    chunk_grid = entry["chunk_grid"]
    layout = {
        "node_type": "array",
        "zarr_format": 3,
        "storage_transformers": [],
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    }
    if any(entry[key] != value for key, value in layout.items()):
        raise ValueError(f"variable {name} is laid out as no store is")
    codecs = [codec["name"] for codec in entry["codecs"]]
    ends = entry["codecs"][0].get("configuration", {"endian": "little"})
    if (
        codecs != ["bytes", "zstd"]
        or ends != {"endian": "little"}
        or chunk_grid["name"] != "regular"
    ):
        raise ValueError(f"variable {name} is packed by {', '.join(map(str, codecs)):.80}")
    shape, chunk = entry["shape"], chunk_grid["configuration"]["chunk_shape"]
    dimensions = entry.get("dimension_names") or []
    if not (
        all(type(n) is int and n >= 0 for n in shape)
        and all(type(n) is int and n >= 1 for n in chunk)
        and len(shape) == len(chunk) == len(dimensions)
    ):
        raise ValueError(f"variable {name} has shape {shape!r:.80} in chunks {chunk!r:.80}")
    if foreign := attributes.keys() - _ATTRIBUTES:
        raise ValueError(f"variable {name} has foreign attributes: {', '.join(sorted(foreign))}")
    if attributes.get("_FillValue", _NAN) != _NAN or entry["fill_value"] not in (0, "NaN"):
        raise ValueError(f"variable {name} has a value that stands for missing ones")
    return Description(name, tuple(dimensions), tuple(shape), tuple(chunk), np.dtype(dtype))


def _check_variables(arrays: Mapping[str, Description], schema: Schema) -> None:
    """Check names, axes and kinds of numbers of the arrays against the schema."""
    known: dict[str, Variable] = {**schema.variables, **schema.optional}
    for array in arrays.values():
        if array.name not in known:
            if array.dimensions == (array.name,):  # the labels of an axis
                continue
            raise ValueError(f"variable {array.name} is not of schema {schema.stage}")
        variable = known[array.name]
        if array.dimensions != variable.dimensions:
            raise ValueError(
                f"variable {array.name} has dimensions {array.dimensions}, not {variable.dimensions}"
            )
        if array.dtype.kind not in variable.kinds:
            raise ValueError(f"variable {array.name} has the data type {array.dtype}")
    if missing := schema.variables.keys() - arrays.keys():
        raise ValueError(f"variable {min(missing)} of schema {schema.stage} is missing")


def _check_sizes(
    descriptions: list[Description], sizes: Mapping[str, int], file_bytes: int
) -> None:
    """Check that every axis has one size, that of the header where it says so, and bound all arrays."""
    wanted = dict(sizes)
    for array in descriptions:
        for axis, size in zip(array.dimensions, array.shape, strict=True):
            if wanted.setdefault(axis, size) != size:
                raise ValueError(
                    f"variable {array.name} has {size} entries along {axis}, not {wanted[axis]}"
                )
    if (n_chunks := sum(array.n_chunks for array in descriptions)) > MOST_ENTRIES:
        raise ValueError(f"its arrays are cut into {n_chunks} chunks, more than {MOST_ENTRIES}")
    # Where some rows of a store became another one, a chunk may be larger than its array.
    total = sum(max(array.size_bytes, array.chunk_bytes) for array in descriptions)
    if total > LARGEST_SMALL + LARGEST_EXPANSION * file_bytes:
        raise ValueError(f"its arrays have {total} bytes, too many for a file of {file_bytes}")


def unpacked_bytes(frame: bytes) -> int | None:
    """Return how many bytes a frame of zstd says that it unpacks to; None if it does not say.

    References
    ----------
    RFC 8878, section 3.1.1.
    """
    if frame[:4] != b"\x28\xb5\x2f\xfd" or len(frame) < 5:
        return None
    descriptor = frame[4]
    single_segment = descriptor >> 5 & 1
    n_bytes = (single_segment, 2, 4, 8)[descriptor >> 6]
    start = 5 + (not single_segment) + (0, 1, 2, 4)[descriptor & 3]
    if not n_bytes or len(frame) < start + n_bytes:
        return None
    return int.from_bytes(frame[start : start + n_bytes], "little") + 256 * (n_bytes == 2)


def check_ranges(dataset: xr.Dataset, schema: Schema) -> None:
    """Check that the numbers of a store lie where its schema says; NaN always may.

    Raises
    ------
    ValueError
        Which names a variable and a value.
    """
    known = {**schema.variables, **schema.optional}
    for name, variable in known.items():
        if name not in dataset or not dataset[name].size:
            continue
        values = dataset[name].values
        outside = (values < variable.least - _ROUNDING) | (values > variable.most + _ROUNDING)
        if outside.any():
            raise ValueError(
                f"variable {name} holds {values[outside].flat[0]}; legal is "
                f"{variable.least} to {variable.most}"
            )
