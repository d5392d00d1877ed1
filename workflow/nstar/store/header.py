"""What a store says of itself, read in a fraction of a millisecond and without decoding its arrays.

A plan reads thousands of headers; `nstar.store.archive.read_store` reads whole stores and checks them.
A header is data: whatever lies in the place of one is refused with the message of a damaged store.
"""

import json
import math
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nstar.files.faults import damage, patiently
from nstar.seeds import AnySeed, read_seed
from nstar.store.entries import Entries, open_entries

ENTRY = "zarr.json"
"""The entry of the zip file that holds the attributes of the store: the root of the Zarr hierarchy."""

LARGEST_HEADER = 2**28
"""Bytes of this entry. The evidence of an evaluation of a replicate takes 128 at most."""

_TYPES = {"stage": str, "schema_version": int, "digest": str, "checksum": str}
PARSED = ("specification", "provenance", "summary")
"""Attributes that are JSON objects, as text."""


def read_header(path: Path | str) -> dict[str, Any]:
    """Return the attributes of a store; ``specification``, ``provenance`` and ``summary`` parsed.

    Raises
    ------
    ArtifactError
        If the file is missing, is not a store, or is damaged where its header lies. The rest of it is
        not checked.
    MachineError
        If it cannot be read.
    """

    def read() -> dict[str, Any]:
        with open_entries(path) as entries:
            return attributes_of(entries)

    return patiently(read)


def attributes_of(entries: Entries) -> dict[str, Any]:
    """Return the attributes in the entries of a store; see `read_header`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If they are not those that `nstar.store.archive.write_store` writes.
    """
    root = json.loads(entries.read(ENTRY, LARGEST_HEADER))
    if not isinstance(root, dict) or not isinstance(root["attributes"], dict):
        raise ValueError("its header has no attributes")
    attributes = root["attributes"]
    for name, kind in _TYPES.items():
        if type(attributes[name]) is not kind:
            raise ValueError(f"{name} in its header is {attributes[name]!r:.80}")
    if foreign := attributes.keys() - {*_TYPES, *PARSED, "coordinates"}:
        raise ValueError(f"its header has foreign keys: {', '.join(sorted(foreign))}")
    parsed = {}
    for name in PARSED:
        parsed[name] = json.loads(attributes[name])
        if not isinstance(parsed[name], dict):
            raise ValueError(f"{name} in its header is not an object")
    _check_provenance(parsed["provenance"])
    return attributes | parsed


@contextmanager
def of_header(path: Path | str) -> Iterator[None]:
    """Turn what an odd summary raises where it is used into one message about the store.

    Raises
    ------
    DamageError
    """
    try:
        yield
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else f"{error}"
        raise damage(path, f"has a damaged header ({reason:.300})") from None


def evaluated_rows(
    summary: Mapping[str, Any], path: Path | str
) -> list[tuple[tuple[AnySeed, float, int], int]]:
    """Return the rows of a part of an evaluation with each of its tests, by its header.

    Parameters
    ----------
    summary : mapping
        Of `read_header`.
    path : path
        Of the store, for the message of an error.

    Returns
    -------
    list of tuple
        Seed, learning rate and step of a row, and a test.

    Raises
    ------
    DamageError
        If the summary is not that of an evaluation.
    """
    with of_header(path):
        return [(row, test) for row in rows_of(summary) for test in summary["tests"]]


def rows_of(summary: Mapping[str, Any]) -> list[tuple[AnySeed, float, int]]:
    """Return what `evaluated_rows` does, without tests; what it raises is as odd as the summary."""
    rows = [(checked_seed(seed), rate, step) for seed, rate, step in summary["rows"]]
    if not all(type(rate) is float and type(step) is int for _, rate, step in rows):
        raise ValueError("its rows are not seeds, learning rates and steps")
    if not all(type(test) is int for test in summary["tests"]):
        raise ValueError("its tests are not lengths")
    return rows


def checked_seed(value: Any) -> AnySeed:
    """Return a seed from a header; see `nstar.seeds.read_seed`.

    Raises
    ------
    TypeError, ValueError
        If it is neither a whole number nor a list of three.
    """
    streams = value if isinstance(value, list) else [value]
    if not all(type(seed) is int for seed in streams):
        raise ValueError(f"{value!r:.80} is not a seed")
    return read_seed(value)


def _check_provenance(made: Mapping[str, Any]) -> None:
    """Check what is read of a provenance: types, and a time that is a number."""
    for name, kind in (("versions", dict), ("called", dict), ("device", str), ("system", str)):
        if not isinstance(made.get(name, kind()), kind):
            raise ValueError(f"{name} in its provenance is {made[name]!r:.80}")
    seconds = made.get("wall_time_s", 0.0)
    if type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
        raise ValueError(f"wall_time_s in its provenance is {seconds!r:.80}")
