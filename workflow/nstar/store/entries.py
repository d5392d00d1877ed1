"""The zip file below a store: what its directory promises is checked before anything is unpacked.

nstar writes entries as they are, without compression and a comment, each name once. So a file holds no
more than its size, and whatever differs from that was not written by nstar.
"""

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from nstar.errors import ArtifactError
from nstar.files import is_there
from nstar.files.faults import reading

MOST_ENTRIES = 50_000
"""Entries of a store; chunks of arrays are so large that no store comes near."""

_ENTRY_BYTES = 200
"""At most that many bytes of the directory describe an entry: 46 and a name."""


class Entries:
    """The entries of an open zip file.

    Attributes
    ----------
    sizes : mapping of str to int
        Bytes of every entry.
    """

    def __init__(self, archive: zipfile.ZipFile):
        self._archive = archive
        self.sizes: Mapping[str, int] = {info.filename: info.file_size for info in archive.filelist}

    def read(self, name: str, most: int) -> bytes:
        """Return an entry of at most so many bytes, checked by its CRC-32."""
        if self.sizes[name] > most:
            raise ValueError(f"entry {name} has {self.sizes[name]} bytes, more than {most}")
        return self._archive.read(name)


@contextmanager
def open_entries(path: Path | str) -> Iterator[Entries]:
    """Open a store, and check what its directory says of the sizes of its entries.

    Raises
    ------
    ArtifactError
        If it is missing.
    DamageError
        If it is damaged, is not a file, or was not written by nstar. The block's own errors of reading
        become this error too.
    MachineError
        If the machine does not let it be read.
    """
    if not is_there(path):
        raise ArtifactError(f"store {path} is missing; run the workflow again to make it")
    with reading(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        _check_end(file, size)
        with zipfile.ZipFile(file) as archive:
            _check_directory(archive.filelist, size)
            yield Entries(archive)


def _check_end(file, size: int) -> None:
    """Check how long the directory of the zip file is, which its library reads as a whole."""
    tail_bytes = (
        22 + 20 + 56
    )  # the end of the directory, its locator and end in files of 4 GiB and more
    file.seek(max(0, size - tail_bytes))
    tail = file.read(tail_bytes)
    if tail[-22:-18] != b"PK\5\6":
        raise ValueError("the end of its zip file is missing")
    length = int.from_bytes(tail[-10:-6], "little")
    if tail[-42:-38] == b"PK\6\7":
        length = int.from_bytes(tail[40:48], "little") if tail[:4] == b"PK\6\6" else size
    if length > MOST_ENTRIES * _ENTRY_BYTES:
        raise ValueError(f"the directory of its zip file has {length} bytes, too many for a store")


def _check_directory(infos: list[zipfile.ZipInfo], size: int) -> None:
    """Check that entries are stored as they are, each once, and hold no more than the file."""
    if len(infos) > MOST_ENTRIES:
        raise ValueError(f"its zip file has {len(infos)} entries, more than {MOST_ENTRIES}")
    if len({info.filename for info in infos}) < len(infos):
        raise ValueError("its zip file has an entry twice")
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise ValueError(
                f"entry {info.filename} of its zip file is compressed, to {info.compress_size} from "
                f"{info.file_size} bytes; nstar stores entries as they are"
            )
    if sum(info.file_size for info in infos) > size:
        raise ValueError("the entries of its zip file overlap")
