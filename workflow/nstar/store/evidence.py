"""The evidence of a store in its header: one float32 per evaluation, replicate, set and quantity.

Plans and searches judge from headers alone; see `nstar.verdicts`.
"""

import base64
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nstar.store.header import of_header
from nstar.verdicts import QUANTITIES, SETS

_OF_AN_EVALUATION = (len(SETS), len(QUANTITIES))

MOST_EVALUATIONS = 2**23
"""Replicates of a part, times the last evaluation of one; their evidence takes 0.8 GB."""


def pack(numbers: np.ndarray, first: np.ndarray, n: np.ndarray) -> dict[str, Any]:
    """Return the entries of a summary that hold the evidence of a part.

    Parameters
    ----------
    numbers : ndarray of float32, shape (R, E, 3, 8)
        Row i of a replicate is its evaluation ``first + i``; rows from n on are left out.
    first, n : ndarray of int, shape (R,)
        First evaluation of the part and how many there are, by replicate.

    Returns
    -------
    dict
        ``first`` and ``n`` as lists, ``numbers`` as text.
    """
    rows = [numbers[r, :count] for r, count in enumerate(n)]
    joined = np.concatenate(rows) if rows else np.zeros((0, *_OF_AN_EVALUATION))  # (sum n, 3, 8)
    content = np.ascontiguousarray(np.moveaxis(joined, 0, -1), dtype="<f4").tobytes()
    return {
        "first": [int(value) for value in first],
        "n": [int(value) for value in n],
        "numbers": base64.b64encode(zlib.compress(content, 6)).decode(),
    }


def unpack(
    summary: Mapping[str, Any], path: Path | str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the evidence of a part from its header: the inverse of `pack`.

    Parameters
    ----------
    summary : mapping
        Of `nstar.store.header.read_header`.
    path : path
        Of the store, for the message of an error.

    Returns
    -------
    numbers : ndarray of float32, shape (R, max n, 3, 8)
        NaN behind the last evaluation of a replicate.
    first, n : ndarray of int64, shape (R,)

    Raises
    ------
    DamageError
        If the header lacks the evidence, or holds something else in its place.
    """
    with of_header(path):
        return unpacked(summary)


def unpacked(summary: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `unpack` does; what it raises is as different as what may stand in a header."""
    first, n = (_counts(summary[name]) for name in ("first", "n"))
    if len(first) != len(n):
        raise ValueError(f"{len(first)} first evaluations of {len(n)} replicates")
    total = sum(summary["n"])
    size = 4 * total * int(np.prod(_OF_AN_EVALUATION))
    packed = base64.b64decode(summary["numbers"], validate=True)
    # Bytes do not bound these: equal numbers shrink to almost nothing, and each replicate is filled up.
    last = int((first + n).max(initial=0))
    if len(n) * last > MOST_EVALUATIONS:
        raise ValueError(f"{len(n)} replicates of {last} evaluations are too many for a store")
    reader = zlib.decompressobj()
    content = reader.decompress(packed, size + 1)
    if len(content) != size or not reader.eof or reader.unused_data:
        raise ValueError(f"the evidence of {total} evaluations has not {size} bytes")
    rows = np.moveaxis(np.frombuffer(content, "<f4").reshape(*_OF_AN_EVALUATION, -1), -1, 0)
    numbers = np.full((len(n), n.max(initial=0), *_OF_AN_EVALUATION), np.nan, np.float32)
    numbers[np.arange(numbers.shape[1]) < n[:, None]] = rows
    return numbers, first, n


def _counts(values: Any) -> np.ndarray:
    """Return a list of whole numbers of at least 0 as an array."""
    if not isinstance(values, list) or not all(type(v) is int and v >= 0 for v in values):
        raise ValueError(f"{values!r:.80} is not a list of counts")
    return np.array(values, dtype=np.int64)
