"""One artifact is one zipped Zarr store, written whole or not at all, checked when written and read.

A file that is there is complete: it is written beside its place and renamed. Its bytes depend on
nothing but its content. Damage inside of the file is found by the checksums of the zip entries, any
other change of it by the SHA-256 in its header.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from nstar.errors import ArtifactError
from nstar.files import written_whole
from nstar.files.faults import damage, other_version, patiently
from nstar.specification import canonical_json, digest
from nstar.store.arrays import check_ranges, read_arrays
from nstar.store.entries import open_entries
from nstar.store.header import ENTRY, LARGEST_HEADER, attributes_of
from nstar.store.packing import pack, unpack
from nstar.store.schemas import Schema
from nstar.store.summaries import check_summary, sizes_of

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
    attributes = {
        "stage": schema.stage,
        "schema_version": schema.version,
        "specification": canonical_json(specification),
        "digest": digest(specification),
        "provenance": canonical_json(provenance),
        "summary": canonical_json(summary or {}),
    }
    entries = pack(dataset, attributes)
    root = json.loads(entries[ENTRY])
    root["attributes"]["checksum"] = _checksum(entries)
    entries[ENTRY] = canonical_json(root).encode()
    with written_whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(entries):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), entries[name])


def read_store(path: Path | str, schema: Schema) -> xr.Dataset:
    """Read an artifact into memory and check that it is what its name says.

    No more memory is taken than a store of its header may need; see `nstar.store.arrays`.

    Returns
    -------
    xarray.Dataset
        Its attributes hold ``specification`` and ``provenance`` as JSON; see `specification_of`.

    Raises
    ------
    ArtifactError
        If the file is missing.
    DamageError
        If it is damaged, of another stage or schema version, or if its content was made from another
        specification than its name says, or is not what its header says. The message names the repair.
    MachineError
        If it cannot be read.
    """
    path = Path(path)
    return patiently(lambda: _read(path, schema))


def _read(path: Path, schema: Schema) -> xr.Dataset:
    with open_entries(path) as entries:
        header = attributes_of(entries)
        _check_origin(path, header, schema)
        sizes = sizes_of(schema, header["specification"], header["summary"])
        root = {ENTRY: entries.read(ENTRY, LARGEST_HEADER)}
        content = root | read_arrays(entries, schema, sizes, path.stat().st_size)
        if header["checksum"] != _checksum(content):
            raise ValueError("its content is not that of its checksum")
        dataset = unpack(content)
        check_ranges(dataset, schema)
        check_summary(dataset, schema, header["summary"])
    return dataset


def _check_origin(path: Path, header: Mapping[str, Any], schema: Schema) -> None:
    """Check that a store is of a stage, and made from the specification that its name says."""
    wanted = schema.stage, schema.version
    if (header["stage"], header["schema_version"]) != wanted:
        problem = (
            f"is of stage {header['stage']!r}, schema version {header['schema_version']}; wanted is "
            f"stage {schema.stage!r}, schema version {schema.version}"
        )
        other = damage if header["stage"] != schema.stage else other_version
        raise other(path, problem)
    made_from = digest(header["specification"])
    named = path.name.startswith((f"{made_from}.", f"{made_from}-"))  # a later part has a number
    if not (named and made_from == header["digest"]):
        raise damage(
            path, f"was made from specification {made_from}, not the one it is named after"
        )


def specification_of(dataset: xr.Dataset) -> dict[str, Any]:
    """Return the specification a store was made from."""
    return json.loads(dataset.attrs["specification"])


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
