"""Where every file of a study lies. The only module that knows the layout of ``results/``.

A coordinate is one path segment ``key~value``; a sequence of values is joined by ``+``. A seed is a
number, or ``data.initialisation.order`` where these streams have seeds of their own. Models and tasks
stand there as their kind and a digest of their options, so that their names are in no path. The file of
a store is named by the digest of its specification, so a changed specification is a missing file. What
is added to a store later, a longer run or weights that were not kept, is a further part of it.

::

    data/task~parity-09ab12/length_distribution~fixed/length~8/seed~0/split~train/shard~0/<digest>.zarr.zip
    cells/model~lstm-3fa9c1/task~parity-09ab12/supervision~aligned/length_distribution~fixed/length~8/
        budget~64/seeds~0+0.0.1+1/learning_rates~0.001/<digest>.zarr.zip, <digest>-1.zarr.zip, ...
    evaluations/<as cells>/<digest>.zarr.zip, <digest>-1.zarr.zip, ...
    checkpoints/<digest of the path of a part of cells>-<device>.pt
    leases/<digest of the path of a file that is being made>, a link to <process>.json
    studies/<name>/config.json, tables/, figures/, findings.html, ..., seals/
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from nstar.cells.slices import shard_at
from nstar.errors import PathError
from nstar.seeds import AnySeed, Seed, read_seed, seed_text
from nstar.specification import digest

Coordinate = str | int | float | tuple[str, ...] | tuple[AnySeed, ...] | tuple[float, ...]

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
    "seeds": tuple[AnySeed, ...],
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

_NAME = re.compile(r"([0-9a-f]+)(?:-([1-9][0-9]{0,5}))?")
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
    return PurePosixPath(_encoded(coordinates))


def _encoded(coordinates: Mapping[str, Coordinate]) -> str:
    return "/".join(f"{key}~{_encode_value(key, value)}" for key, value in coordinates.items())


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


def segment(options: Mapping[str, Any]) -> str:
    """Return what stands for a model or a task in a path: its kind, and a digest of its options.

    Parameters
    ----------
    options : mapping
        As in a specification.

    Examples
    --------
    >>> segment({"kind": "lstm", "width": 32})
    'lstm-bcf237'
    """
    return f"{options['kind']}-{digest(options)[:6]}"


def coordinates_of(
    specification: Mapping[str, Any],
    seeds: Sequence[AnySeed] = (),
    learning_rates: Sequence[float] = (),
) -> dict[str, Coordinate]:
    """Return the coordinates of what a specification describes: the only way to a path.

    Parameters
    ----------
    specification : mapping
        Of a trained cell, or of a stretch of data.
    seeds, learning_rates : sequence of seeds, of float
        Of a block of the cell; without them those of the cell are returned.
    """
    found = {"task": segment(specification["task"])}
    if specification["stage"] == "data":
        found |= {name: specification[name] for name in STAGES["data"][1:-1]}
        return found | {"shard": shard_at(specification["start"])}
    found = {"model": segment(specification["model"]), **found}
    found |= {name: specification[name] for name in _OF_A_BLOCK[2:-2]}
    if seeds:
        found |= {"seeds": tuple(seeds), "learning_rates": tuple(learning_rates)}
    return found


def store_path(
    results: Path | str,
    stage: str,
    coordinates: Mapping[str, Coordinate],
    digest: str,
    part: int = 0,
) -> Path:
    """Return the path of a part of the store of a stage (``data``, ``cells`` or ``evaluations``)."""
    return Path(results, stage, _encoded(coordinates), part_path(f"{digest}{STORE_SUFFIX}", part))


def part_path(first: str, part: int) -> str:
    """Return the path of a part of a store from that of its first part, number 0."""
    return f"{first.removesuffix(STORE_SUFFIX)}-{part}{STORE_SUFFIX}" if part else first


def parse_store_path(path: PurePosixPath | str) -> tuple[str, dict[str, Coordinate], str, int]:
    """Return stage, coordinates, digest and part of a store: the inverse of `store_path`.

    Parameters
    ----------
    path : path
        Below the results folder, ``cells/model~lstm-3fa9c1/...``.

    Raises
    ------
    PathError
        If no store lies at such a path.
    """
    path = PurePosixPath(path)
    stage = path.parts[0]
    if stage not in STAGES:
        raise PathError(f"no store lies in {stage}; stores lie in {', '.join(STAGES)}")
    try:
        found = decode(path)
        same = tuple(found) == STAGES[stage] and PurePosixPath(stage, encode(found)) == path.parent
    except PathError:
        same = False
    name = _NAME.fullmatch(path.name.removesuffix(STORE_SUFFIX))
    if name and name[2] and stage == "data":  # a stretch of data has no parts
        name = None
    if not (same and name and path.name.endswith(STORE_SUFFIX)):
        layout = "/".join([stage, *(f"{key}~..." for key in STAGES[stage])])
        raise PathError(f"no store lies at {path}; they lie at {layout}/<digest>{STORE_SUFFIX}")
    return stage, found, name[1], int(name[2] or 0)


STUDIES = "studies"
"""The folder of results with a folder for each study."""


def study_folder(results: Path | str, name: str) -> Path:
    """Return the folder of all that is made of the stores for one study."""
    return Path(results) / STUDIES / name


def checkpoint_path(results: Path | str, store: Path | str, device: str) -> Path:
    """Return the path of the checkpoint of a part of ``cells`` while it is trained on a device."""
    name = f"{checkpoint_digest(results, store)}-{re.sub(r'[^A-Za-z0-9]+', '-', device)}.pt"
    return Path(results) / "checkpoints" / name


def lease_path(results: Path | str, store: Path | str) -> Path:
    """Return the path of the link by which a process says that it makes a file of the results."""
    return Path(results) / "leases" / checkpoint_digest(results, store)


def checkpoint_digest(results: Path | str, store: Path | str) -> str:
    """Return the name of the lease of a file; checkpoints of a part of ``cells`` begin with it, too."""
    relative = PurePosixPath(store).relative_to(PurePosixPath(results))
    return hashlib.sha256(str(relative).encode()).hexdigest()[:12]


def _encode_value(key: str, value: Coordinate) -> str:
    kind = _kind(key)
    if kind in (str, int):
        if type(value) is not kind:
            raise PathError(f"coordinate {key}: {value!r} is not of type {kind.__name__}")
        text = str(value)
    else:
        legal = _kinds_of_entries(kind)
        if not isinstance(value, Sequence) or any(type(part) not in legal for part in value):
            names = " or ".join(entry.__name__ for entry in legal)
            raise PathError(f"coordinate {key}: {value!r} is not a sequence of {names}")
        text = "+".join(map(_encode_entry, value))
    if not _VALUE.fullmatch(text):
        raise PathError(
            f"coordinate {key}: {text!r} cannot be part of a path; use letters, digits, _ . -"
        )
    return text


def _encode_entry(entry: AnySeed | float) -> str:
    return seed_text(entry) if isinstance(entry, Seed) else repr(entry).replace("e+", "e")


def _decode_value(key: str, text: str) -> Coordinate:
    kind = _kind(key)
    try:
        if kind in (str, int):
            return kind(text)
        return tuple(_decode_entry(kind, part) for part in text.split("+"))
    except ValueError:
        raise PathError(f"coordinate {key}: {text!r} is not of the type of this key") from None


def _decode_entry(kind: type, text: str) -> AnySeed | float:
    entry, *others = _kinds_of_entries(kind)
    if not others or "." not in text:
        return entry(text)
    data, initialisation, order = map(entry, text.split("."))
    return read_seed([data, initialisation, order])


def _kinds_of_entries(kind: type) -> tuple[type, ...]:
    """Return the types that the entries of a sequence may have."""
    entry = get_args(kind)[0]
    return get_args(entry) or (entry,)


def _kind(key: str) -> type:
    if key not in COORDINATES:
        raise PathError(f"unknown coordinate {key!r}; known are {', '.join(COORDINATES)}")
    return COORDINATES[key]
