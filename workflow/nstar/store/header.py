"""What a store says of itself, read in a fraction of a millisecond and without decoding its arrays.

A plan reads thousands of headers; `nstar.store.archive.read_store` reads whole stores and checks them.
"""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

from nstar.errors import ArtifactError

ENTRY = "zarr.json"
"""The entry of the zip file that holds the attributes of the store: the root of the Zarr hierarchy."""

UNREADABLE = (
    *(OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What the libraries below raise for a file that is damaged, or is something else than a store."""


def read_header(path: Path | str) -> dict[str, Any]:
    """Return the attributes of a store; ``specification``, ``provenance`` and ``summary`` parsed.

    A store of an older recipe may have no summary.

    Raises
    ------
    ArtifactError
        If the file is no store, or damaged where its header lies. The rest of it is not checked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            attributes = json.loads(archive.read(ENTRY))["attributes"]
        for name in ("specification", "provenance", "summary"):
            attributes[name] = json.loads(attributes.get(name, "{}"))
    except UNREADABLE as error:
        raise ArtifactError(
            f"store {path} is damaged ({error}); remove it and run again, only this store is made "
            f"anew: rm '{path}'"
        ) from None
    return attributes
