"""Files that are there whole or not at all, and what is left of them after a kill."""

import errno
import os
import re
import select
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nstar.errors import PathError
from nstar.processes import is_running, this_process

QUIET_S = 86_400
"""A partial file of another machine that nobody has written to for so long is left over; seconds."""

SILENT_S = 10
"""How long a pipe may be silent before it is given up; seconds."""

_PARTIAL = re.compile(r"\.([0-9a-f]{8}-\d+-\w+)\.partial\..+")


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there when the block ends without error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{this_process()}.partial.{path.name}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_at_most(path: Path | str, n_bytes: int) -> bytes:
    """Return the content of a file, reading no more than a byte beyond the bound, even of a device.

    Raises
    ------
    ValueError
        If it holds more than `n_bytes`.
    TimeoutError
        If it is a pipe or a terminal from which nothing comes for `SILENT_S`.
    OSError
        If it cannot be read.
    """
    with open(path, "rb", buffering=0, opener=_at_once) as file:
        content, waiting = bytearray(), select.poll()
        waiting.register(file, select.POLLIN)
        while len(content) <= n_bytes:
            if not waiting.poll(1000 * SILENT_S):
                raise TimeoutError(errno.ETIMEDOUT, f"nothing came from it for {SILENT_S} s")
            part = file.read(n_bytes + 1 - len(content))
            if not part:
                return bytes(content)
            content += part
    raise ValueError(f"{path} holds more than {n_bytes} bytes")


def _at_once(path: str, flags: int) -> int:
    """Open a file; a pipe that nobody writes into does not block."""
    return os.open(path, flags | os.O_NONBLOCK)


def is_partial(path: Path) -> bool:
    """Return whether a file is the temporary file of `written_whole`."""
    return _PARTIAL.fullmatch(path.name) is not None


def is_left_over(path: Path) -> bool:
    """Return whether nobody will move a partial file to its place any more.

    Its name says which process writes it. Where this machine cannot tell whether that one still runs, the
    file must have been quiet for `QUIET_S`.
    """
    running = is_running(_PARTIAL.fullmatch(path.name)[1])
    if running is not None:
        return not running
    try:
        return time_in(path.parent) - path.stat().st_mtime > QUIET_S
    except FileNotFoundError:  # it has just been moved to its place
        return False


def time_in(folder: Path) -> float:
    """Return the time by the clock that dates the files of a folder; seconds.

    On a file system that machines share it is another clock than theirs. Where nothing can be written the
    clock of this machine is taken.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:
        return time.time()


def list_files(results: Path, folders: Iterable[str], follow_links: bool = False) -> list[Path]:
    """Return the files below some folders of a results folder, sorted.

    Raises
    ------
    PathError
        If it has none of the folders, so that it is no results folder, or if one cannot be listed.
    """
    there = [folder for folder in folders if (results / folder).is_dir()]
    if not there:
        raise PathError(
            f"results folder {results} has none of the folders {', '.join(folders)}; name another with "
            "--results, or run the workflow to make it"
        )

    def refuse(error: OSError) -> None:
        raise PathError(f"folder {error.filename} cannot be listed: {error.strerror}")

    return sorted(
        Path(folder, name)
        for start in there
        for folder, _, names in os.walk(results / start, onerror=refuse, followlinks=follow_links)
        for name in names
    )
