"""What may be wrong with a file, and what to do: faults of the machine, of the content, of the version.

A fault of the machine says nothing of the file, and nobody is told to remove anything. A file with a
fault of content is set aside, and it alone is made anew. All messages about either are made here.
"""

import errno
import os
import shlex
import stat
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from nstar.errors import DamageError, MachineError, NstarError, UnusableError, visible

Result = TypeVar("Result")

_FREE = "free space on its disk, then run again: what is done is kept"
_WAIT = (
    "the disk or the server of this file system does not answer as it should; wait until it does, or ask "
    "who looks after it, then run again"
)
_IN_THE_WAY = "something of another kind lies there; move it away, then run again"

ADVICE = {
    errno.EACCES: "ask its owner for the right to read and write it, or run as that user",
    errno.EPERM: "ask its owner for the right to change it, or run as that user",
    errno.EROFS: "its file system is mounted for reading only; change that, or name another --results",
    errno.ENOSPC: _FREE,
    errno.EDQUOT: f"the quota of this user is used up; {_FREE}",
    errno.EFBIG: f"the file system or the limit `ulimit -f` takes no larger file; {_FREE}",
    errno.EMFILE: "raise the limit with `ulimit -n 4096`, then run again",
    errno.ENFILE: "end other programs, which have too many files open, then run again",
    errno.ENOMEM: "free memory, or ask the scheduler for more, then run again",
    **dict.fromkeys(
        (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.ENODEV), _WAIT
    ),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY), _IN_THE_WAY),
}
"""What to do about an error of the operating system."""

PASSING = frozenset({errno.ESTALE, errno.EIO, errno.EAGAIN, errno.ETIMEDOUT, errno.ENFILE})
"""Errors of reading that another try may get around, as of a file server that starts again."""

LONGEST_REASON = 300
"""Characters of what a library says."""

PAUSES_S = (0.1, 1.0)
"""Pauses before further tries; seconds."""


def is_of_machine(error: BaseException) -> bool:
    """Return whether an error of reading says nothing of the file that was read.

    ``EINVAL`` does: a damaged zip file names places before its beginning. So do errors without a number,
    which libraries raise.
    """
    if isinstance(error, OSError):
        return error.errno not in (None, errno.EINVAL)
    return isinstance(error, MemoryError)


def machine_fault(
    error: OSError | MemoryError, path: Path | str | None = None, verb: str = "read"
) -> MachineError:
    """Return the error that says what the machine refuses, of which path, and what to do.

    Parameters
    ----------
    error : OSError or MemoryError
    path : path, optional
        That of the error by default.
    verb : str
        What was to be done with it: ``read``, ``written``, ``moved``.

    Examples
    --------
    >>> print(machine_fault(OSError(errno.EMFILE, "Too many open files"), "a.csv"))
    a.csv cannot be read: Too many open files; raise the limit with `ulimit -n 4096`, then run again
    """
    if isinstance(error, MemoryError):
        number, reason = errno.ENOMEM, "there is not enough memory"
    else:
        number, reason = error.errno or 0, error.strerror or str(error)
        path = error.filename if path is None else path
    advice = ADVICE.get(number, "mend that, then run again: what is done is kept")
    named = visible(os.fspath(path)) if isinstance(path, str | Path) else "a file"
    return MachineError(f"{named} cannot be {verb}: {reason}; {advice}", number)


def patiently(read: Callable[[], Result]) -> Result:
    """Return what a function reads, tried again where the error may pass; see `PASSING`."""
    for pause in PAUSES_S:
        try:
            return read()
        except (OSError, MachineError) as error:
            if error.errno not in PASSING:
                raise
        time.sleep(pause)
    return read()


UNREADABLE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, OSError, RuntimeError),
    *(TypeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What libraries raise for a file that is damaged, or is something else than they read."""


@contextmanager
def reading(path: Path | str, what: str = "store") -> Iterator[None]:
    """Turn what reading a file raises into one message: of the machine, or of the file's content.

    Raises
    ------
    MachineError
        If the machine does not let it be read.
    DamageError
        If its content cannot be read.
    """
    try:
        yield
    except NstarError:
        raise
    except (MemoryError, *UNREADABLE) as error:
        if is_of_machine(error):
            raise machine_fault(error, path) from None
        missing = isinstance(error, KeyError)
        reason = f"{error} is missing" if missing else str(error) or type(error).__name__
        raise damage(path, f"is damaged ({reason[:LONGEST_REASON]})", what) from None


def damage(
    path: Path | str, problem: str, what: str = "store", is_made_anew: bool = True
) -> DamageError:
    """Return the error about a file whose content or type is wrong, with the command that repairs it.

    Parameters
    ----------
    path : path
        Below a results folder.
    problem : str
        What is wrong, after the name of the file: ``is damaged (its end is missing)``.
    what : str
        What the file should be.
    is_made_anew : bool
        Whether a run makes it again once it is set aside.
    """
    anew = f" and run again, only this {what} is made anew" if is_made_anew else ""
    text = f"{what} {visible(path)} {visible(problem)}; set it aside{anew}: {repair_command(path)}"
    return DamageError(text, Path(path))


def other_version(path: Path | str, problem: str, what: str = "store") -> UnusableError:
    """Return the error about a file of another version of nstar, with both ways out."""
    return UnusableError(
        f"{what} {visible(path)} {visible(problem)}; use the version that made it, or set it aside, and "
        f"this version makes it anew: {repair_command(path)}",
        Path(path),
    )


def orphan(path: Path | str, problem: str, what: str = "store") -> UnusableError:
    """Return the error about a file that goes with one which is missing, with both ways out."""
    return UnusableError(
        f"{what} {visible(path)} {visible(problem)}, which is missing; run the workflow, which makes it, "
        f"or set this {what} aside: {repair_command(path)}",
        Path(path),
    )


def wrong_type(
    path: Path | str, mode: int, what: str = "store", wanted: str = "a file"
) -> DamageError:
    """Return the error about a folder or a device in the place of a file, or of what else is wanted."""
    kind = next((kind for test, kind in _KINDS if test(mode)), "of no known kind")
    return damage(path, f"is {kind}, not {wanted}", what)


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISREG, "a file"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "a device"),
)


def repair_command(path: Path | str) -> str:
    """Return the command for a shell that checks a file and sets it aside if it is damaged."""
    script = Path(__file__).parents[3] / "scripts" / "verify_results.py"
    words = [_from_here(sys.executable), _from_here(script), "--repair", "--", path]
    return " ".join(map(quoted, words))


def quoted(word: Path | str) -> str:
    r"""Return a word for the command line of a shell; control characters are escaped as in bash and zsh.

    Examples
    --------
    >>> print(quoted("it's"), quoted("a\n;b"))
    'it'"'"'s' $'a\x0a;b'
    """
    word = os.fspath(word)
    if word.isprintable():
        return shlex.quote(word)
    escaped = "".join(
        character
        if character.isprintable() and character not in "'\\"
        else "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))
        for character in word
    )
    return f"$'{escaped}'"


def _from_here(path: Path | str) -> str:
    """Return a path relative to the working folder if it lies below."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
