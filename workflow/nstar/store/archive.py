"""One artifact is one zipped Zarr store, written whole or not at all, checked when written and read.

A file that is there is complete: it is written beside its place and renamed. Its bytes depend on
nothing but its content. Damage inside of the file is found by the checksums of the zip entries, any
other change of it by the SHA-256 in its header.
"""

import hashlib
import itertools
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.core.buffer import default_buffer_prototype

from nstar.errors import ArtifactError
from nstar.files import written_whole
from nstar.seeds import AnySeed, Seed, seed_of, streams_of
from nstar.specification import canonical_json, digest
from nstar.store.header import ENTRY, UNREADABLE
from nstar.store.schemas import Schema

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_store(
    path: Path | str,
    dataset: xr.Dataset,
    schema: Schema,
    specification: Mapping[str, Any],
    provenance: Mapping[str, Any],
    summary: Mapping[str, Any] | None = None,
) -> None:
    """Write an artifact whole.

    Parameters
    ----------
    path : path
        Ends in ``.zarr.zip``; its folder is made.
    dataset : xarray.Dataset
        Follows the schema.
    schema : Schema
    specification : mapping
        What the artifact is made from.
    provenance : mapping
        Where and by what it was made; see `nstar.store.provenance`.
    summary : mapping, optional
        What a plan has to know of the content; see `nstar.store.header`.

    Raises
    ------
    ArtifactError
        If the dataset does not follow the schema: a mistake in the code that made it.
    """
    _check_schema(path, dataset, schema)
    optional = {name: part for name, part in schema.optional.items() if name in dataset.variables}
    for name, variable in {**schema.variables, **optional}.items():
        dataset[name].attrs.update(long_name=variable.long_name, units=variable.units)
    described = dataset.assign_attrs(
        stage=schema.stage,
        schema_version=schema.version,
        specification=canonical_json(specification),
        digest=digest(specification),
        provenance=canonical_json(provenance),
        summary=canonical_json(summary or {}),
    )
    buffers: dict[str, Any] = {}
    memory = zarr.storage.MemoryStore(store_dict=buffers)
    described.to_zarr(memory, zarr_format=3, consolidated=False)
    entries = {name: content.to_bytes() for name, content in buffers.items()}
    root = json.loads(entries[ENTRY])
    root["attributes"]["checksum"] = _checksum(entries)
    entries[ENTRY] = canonical_json(root).encode()
    with written_whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), entries[name])


def read_store(path: Path | str, schema: Schema) -> xr.Dataset:
    """Read an artifact into memory and check that it is what its name says.

    Returns
    -------
    xarray.Dataset
        Its attributes hold ``specification`` and ``provenance`` as JSON; see `specification_of`.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged, of another stage or schema version, or if its content was
        made from another specification than its name says. The message names the repair.
    """
    path = Path(path)
    repair = f"remove it and run again, only this store is made anew: rm '{path}'"
    if not path.is_file():
        raise ArtifactError(f"store {path} is missing; run the workflow again to make it")
    try:
        dataset = _load(path)
        attributes = dict(dataset.attrs)
        found = (attributes["stage"], attributes["schema_version"], attributes["digest"])
        made_from = digest(json.loads(attributes["specification"]))
    except UNREADABLE as error:
        raise ArtifactError(f"store {path} is damaged ({error}); {repair}") from None
    if found[:2] != (schema.stage, schema.version):
        raise ArtifactError(
            f"store {path} is of stage {found[0]!r}, schema version {found[1]}; wanted is stage "
            f"{schema.stage!r}, schema version {schema.version}; {repair}"
        )
    named = path.name.startswith((f"{found[2]}.", f"{found[2]}-"))  # a later part has a number
    if not (named and made_from == found[2]):
        raise ArtifactError(
            f"store {path} was made from specification {made_from}, not the one it is named after; "
            f"{repair}"
        )
    _check_schema(path, dataset, schema)
    return dataset


def pairs_of(dataset: xr.Dataset) -> list[tuple[AnySeed, float]]:
    """Return seed and learning rate of each replicate of a store."""
    seeds = dataset["seed"].values.tolist()
    if "streams" in dataset:
        seeds = list(itertools.starmap(seed_of, dataset["streams"].values.tolist()))
    return list(zip(seeds, dataset["learning_rate"].values.tolist(), strict=True))


def seed_coordinates(
    pairs: Sequence[tuple[AnySeed, float]], seeds: Iterable[AnySeed]
) -> dict[str, tuple]:
    """Return the coordinates of replicates: the inverse of `pairs_of`.

    Parameters
    ----------
    pairs : sequence of tuple
        Seed and learning rate of each.
    seeds : iterable of seeds
        Those of the block: where one of them has streams of its own, all parts of the block have
        ``streams``.
    """
    streams = np.array([streams_of(seed) for seed, _ in pairs])
    found = {
        "seed": ("replicate", streams[:, 0]),
        "learning_rate": ("replicate", np.array([rate for _, rate in pairs])),
    }
    if any(isinstance(seed, Seed) for seed in seeds):
        found["streams"] = (("replicate", "stream"), streams)
    return found


def replicate_coordinates(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the coordinates that say which replicates a store, or what was made of it, holds."""
    names = ("seed", "learning_rate", "streams")
    return {name: dataset[name] for name in names if name in dataset}


def check_replicates(path: Path | str, dataset: xr.Dataset, block: Any) -> None:
    """Check that a store holds the replicates that its path says, in their order.

    Parameters
    ----------
    path : path
    dataset : xarray.Dataset
        With coordinates ``seed`` and ``learning_rate``.
    block : object with ``seeds`` and ``learning_rates``

    Raises
    ------
    ArtifactError
        If it holds others: the file was moved or copied by hand.
    """
    wanted = [(seed, rate) for seed in block.seeds for rate in block.learning_rates]
    found = pairs_of(dataset)
    if found != wanted:
        raise ArtifactError(
            f"store {path} holds the replicates {found}, not the {wanted} that its path says; remove "
            f"it and run again, only this store is made anew: rm '{path}'"
        )


def specification_of(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the specification a store was made from."""
    return json.loads(dataset.attrs["specification"])


def _load(path: Path) -> xr.Dataset:
    """Read every byte through the checksums of the zip file and of the store, then decode."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if json.loads(entries[ENTRY])["attributes"]["checksum"] != _checksum(entries):
        raise ValueError("its content is not that of its checksum")
    prototype = default_buffer_prototype()
    buffers = {name: prototype.buffer.from_bytes(content) for name, content in entries.items()}
    memory = zarr.storage.MemoryStore(store_dict=buffers)
    return xr.open_zarr(memory, zarr_format=3, consolidated=False, chunks=None).load()


def _checksum(entries: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of names and contents of all entries, the checksum in the header left out."""
    root = json.loads(entries[ENTRY])
    root["attributes"].pop("checksum", None)
    content = {**entries, ENTRY: canonical_json(root).encode()}
    hashes = {name: hashlib.sha256(content[name]).hexdigest() for name in content}
    return hashlib.sha256(canonical_json(hashes).encode()).hexdigest()


def _check_schema(path: Path | str, dataset: xr.Dataset, schema: Schema) -> None:
    dimensions = {str(name): tuple(part.dims) for name, part in dataset.variables.items()}
    for name in schema.variables:
        if name not in dimensions:
            raise ArtifactError(
                f"store {path}: variable {name} of schema {schema.stage} is missing"
            )
    for name, variable in {**schema.variables, **schema.optional}.items():
        if dimensions.get(name, variable.dimensions) != variable.dimensions:
            raise ArtifactError(
                f"store {path}: variable {name} has dimensions {dimensions[name]}, not "
                f"{variable.dimensions}"
            )
