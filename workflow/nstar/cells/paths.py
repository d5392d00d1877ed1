"""Where every file of a study lies. The only module that knows the layout of ``results/``.

A coordinate is one path segment ``key~value``; a sequence of values is joined by ``+``. The file of
a store is named by the digest of its specification, so a changed specification is a missing file.

::

    data/task~parity/length_distribution~fixed/length~8/seed~0/split~train/shard~0/<digest>.zarr.zip
    cells/model~lstm/task~parity/supervision~aligned/length_distribution~fixed/length~8/budget~64/
        seeds~0+1/learning_rates~0.001/<digest>.zarr.zip
    evaluations/<as cells>/<digest>.zarr.zip
    checkpoints/<digest of the path of a store of cells>-<device>.pt
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from nstar.errors import PathError

Coordinate = str | int | float | tuple[str, ...] | tuple[int, ...] | tuple[float, ...]

COORDINATES: Mapping[str, type] = {
    "task": str,
    "model": str,
    "supervision": str,
    "length_distribution": str,
    "length": int,
    "budget": int,
    "seed": int,
    "split": str,
    "shard": int,
    "seeds": tuple[int, ...],
    "learning_rates": tuple[float, ...],
}
"""Every coordinate and the type of its values."""

_OF_A_BLOCK = (
    *("model", "task", "supervision", "length_distribution", "length", "budget"),
    *("seeds", "learning_rates"),
)
STAGES: Mapping[str, tuple[str, ...]] = {
    "data": ("task", "length_distribution", "length", "seed", "split", "shard"),
    "cells": _OF_A_BLOCK,
    "evaluations": _OF_A_BLOCK,
}
"""Every stage that has stores, and the coordinates in their paths, in their order."""

STORE_SUFFIX = ".zarr.zip"

_DIGEST = re.compile(r"[0-9a-f]+")
_VALUE = re.compile(r"[A-Za-z0-9_.+\-]+")


def encode(coordinates: Mapping[str, Coordinate]) -> PurePosixPath:
    """Return the path of the coordinates, one ``key~value`` segment each, in the order given.

    Raises
    ------
    PathError
        For an unknown key, a value of the wrong type, or one that cannot be a path segment.

    Examples
    --------
    >>> str(encode({"model": "lstm", "length": 8, "learning_rates": (0.001, 0.003)}))
    'model~lstm/length~8/learning_rates~0.001+0.003'
    """
    return PurePosixPath(
        *(f"{key}~{_encode_value(key, value)}" for key, value in coordinates.items())
    )


def decode(path: PurePosixPath | str) -> dict[str, Coordinate]:
    """Return the coordinates in a path; segments without ``~`` are passed over.

    Raises
    ------
    PathError
        For an unknown key or a value that does not parse.

    Examples
    --------
    >>> decode("cells/model~lstm/length~8/seeds~0+1/0123456789ab.zarr.zip")
    {'model': 'lstm', 'length': 8, 'seeds': (0, 1)}
    """
    coordinates = {}
    for segment in PurePosixPath(path).parts:
        key, separator, text = segment.partition("~")
        if separator:
            coordinates[key] = _decode_value(key, text)
    return coordinates


def store_path(
    results: Path | str, stage: str, coordinates: Mapping[str, Coordinate], digest: str
) -> Path:
    """Return the path of the store of a stage (``data``, ``cells`` or ``evaluations``)."""
    return Path(results) / stage / encode(coordinates) / f"{digest}{STORE_SUFFIX}"


def parse_store_path(path: PurePosixPath | str) -> tuple[str, dict[str, Coordinate], str]:
    """Return stage, coordinates and digest of a store: the inverse of `store_path`.

    Parameters
    ----------
    path : path
        Below the results folder, ``cells/model~lstm/...``.

    Raises
    ------
    PathError
        If no store lies at such a path.
    """
    path = PurePosixPath(path)
    stage, name = path.parts[0], path.name.removesuffix(STORE_SUFFIX)
    if stage not in STAGES:
        raise PathError(f"no store lies in {stage}; stores lie in {', '.join(STAGES)}")
    try:
        found = decode(path)
        same = tuple(found) == STAGES[stage] and PurePosixPath(stage, encode(found)) == path.parent
    except PathError:
        same = False
    if not (same and _DIGEST.fullmatch(name) and path.name.endswith(STORE_SUFFIX)):
        layout = "/".join([stage, *(f"{key}~..." for key in STAGES[stage])])
        raise PathError(f"no store lies at {path}; they lie at {layout}/<digest>{STORE_SUFFIX}")
    return stage, found, name


def checkpoint_path(results: Path | str, store: Path | str, device: str) -> Path:
    """Return the path of the checkpoint of a store of ``cells`` while it is trained on a device."""
    name = f"{checkpoint_digest(results, store)}-{re.sub(r'[^A-Za-z0-9]+', '-', device)}.pt"
    return Path(results) / "checkpoints" / name


def checkpoints_of(results: Path | str, store: Path | str) -> list[Path]:
    """Return the checkpoints of a store of ``cells`` that are there, of any device."""
    return list((Path(results) / "checkpoints").glob(f"{checkpoint_digest(results, store)}-*.pt"))


def checkpoint_digest(results: Path | str, store: Path | str) -> str:
    """Return what the names of the checkpoints of a store of ``cells`` have before their first ``-``."""
    relative = PurePosixPath(store).relative_to(PurePosixPath(results))
    return hashlib.sha256(str(relative).encode()).hexdigest()[:12]


def _encode_value(key: str, value: Coordinate) -> str:
    kind = _kind(key)
    if kind in (str, int):
        if type(value) is not kind:
            raise PathError(f"coordinate {key}: {value!r} is not of type {kind.__name__}")
        text = str(value)
    else:
        entry = kind.__args__[0]
        if not isinstance(value, Sequence) or any(type(part) is not entry for part in value):
            raise PathError(f"coordinate {key}: {value!r} is not a sequence of {entry.__name__}")
        text = "+".join(_encode_number(part) for part in value)
    if not _VALUE.fullmatch(text):
        raise PathError(
            f"coordinate {key}: {text!r} cannot be part of a path; use letters, digits, _ . -"
        )
    return text


def _encode_number(number: int | float) -> str:
    return repr(number).replace("e+", "e")


def _decode_value(key: str, text: str) -> Coordinate:
    kind = _kind(key)
    try:
        if kind in (str, int):
            return kind(text)
        return tuple(kind.__args__[0](part) for part in text.split("+"))
    except ValueError:
        raise PathError(f"coordinate {key}: {text!r} is not of the type of this key") from None


def _kind(key: str) -> type:
    if key not in COORDINATES:
        raise PathError(f"unknown coordinate {key!r}; known are {', '.join(COORDINATES)}")
    return COORDINATES[key]
