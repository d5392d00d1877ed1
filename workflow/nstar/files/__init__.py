"""How is a file written whole, and how is a reader sure that it is what was made?"""

import errno
import os
import re
import select
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nstar.errors import PathError, visible
from nstar.files.faults import damage, machine_fault, patiently, wrong_type
from nstar.files.processes import is_running, this_process

QUIET_S = 86_400
"""A partial file of another machine that nobody has written to for so long is left over; seconds."""

SILENT_S = 10
"""How long a pipe may be silent before it is given up; seconds."""

_PARTIAL = re.compile(r"\.([0-9a-f]{8}-\d+-\w+)\.partial\..+")


@contextmanager
def written_whole(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there when the block ends without error.

    Raises
    ------
    MachineError
        If it cannot be written; what lay at `path` is still there.
    """
    path = Path(path)
    temporary = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise machine_fault(error, path, "written") from None
    finally:
        with suppress(OSError):  # what is left over is found by its name
            temporary.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file, where there is one.

    Raises
    ------
    MachineError
        If it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise machine_fault(error, path, "removed") from None


def partial_path(path: Path) -> Path:
    """Return where this process writes what it then moves to `path`."""
    return path.with_name(f".{this_process()}.partial.{path.name}")


def is_there(path: Path | str, what: str = "store") -> bool:
    """Return whether a file lies at a path.

    Raises
    ------
    DamageError
        If something else lies there: a folder, a device, a link that leads nowhere.
    MachineError
        If the machine does not say.
    """
    try:
        mode = patiently(lambda: os.stat(path)).st_mode
    except FileNotFoundError:
        if os.path.islink(path):
            target = os.readlink(path)
            raise damage(path, f"is a link to {target}, which is not there", what) from None
        return False
    except NotADirectoryError:
        wrong = next(parent for parent in reversed(Path(path).parents) if not parent.is_dir())
        raise damage(wrong, "is not a folder, and files belong below it", "file") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise damage(path, "is a link that leads to itself", what) from None
        raise machine_fault(error, path) from None
    if not stat.S_ISREG(mode):
        raise wrong_type(path, mode, what)
    return True


def is_folder(path: Path | str) -> bool:
    """Return whether a path is that of a folder.

    Raises
    ------
    MachineError
        If the machine does not say; `os.path.isdir` says no then.
    """
    try:
        return stat.S_ISDIR(patiently(lambda: os.stat(path)).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise machine_fault(error, path) from None


def names_in(folder: Path | str) -> list[str]:
    """Return the names in a folder, sorted; none where there is no such folder.

    Raises
    ------
    MachineError
        If it cannot be listed.
    """
    try:
        return sorted(patiently(lambda: os.listdir(folder)))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise machine_fault(error, folder, "listed") from None


def whole_in(folder: Path | str, suffix: str = "") -> list[Path]:
    """Return the paths in a folder, sorted, without the temporary files of `written_whole`.

    Parameters
    ----------
    folder : path
        Need not exist.
    suffix : str
        How their names end.

    Raises
    ------
    MachineError
        If the folder cannot be listed.
    """
    paths = (Path(folder, name) for name in names_in(folder) if name.endswith(suffix))
    return [path for path in paths if not is_partial(path)]


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
    """Return whether a file has a name of `partial_path`."""
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


def check_folders(results: Path) -> None:
    """Check that a results folder, and what lies directly in it, can be written to; they need not exist.

    Raises
    ------
    PathError
        If one is something else than a folder, or a link that leads nowhere.
    MachineError
        If the machine does not say.
    """
    for folder in (results, *(results / name for name in names_in(results) if "." not in name)):
        if os.path.lexists(folder) and not is_folder(folder):
            raise PathError(
                f"{visible(folder)} is not a folder; move it away, results are written there"
            )


def list_files(
    results: Path, folders: Iterable[str], follow_links: bool = False, suffix: str = ".zip"
) -> list[Path]:
    """Return the files below some folders of a results folder, sorted.

    A folder with the `suffix` of a file is listed in the place of what lies below it.

    Raises
    ------
    PathError
        If it has none of the folders, so that it is no results folder.
    MachineError
        If one cannot be listed.
    """
    there = [folder for folder in folders if (results / folder).is_dir()]
    if not there:
        raise PathError(
            f"results folder {visible(results)} has none of the folders {', '.join(folders)}; name "
            "another with --results, or run the workflow to make it"
        )

    def refuse(error: OSError) -> None:
        raise machine_fault(error, verb="listed") from None

    files, seen = [], set()
    for start in there:
        for folder, below, names in os.walk(
            results / start, onerror=refuse, followlinks=follow_links
        ):
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:  # a link to a folder above
                below.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
            names += [name for name in below if name.endswith(suffix)]
            below[:] = (name for name in below if not name.endswith(suffix))
            files += (Path(folder, name) for name in names)
    return sorted(files)
