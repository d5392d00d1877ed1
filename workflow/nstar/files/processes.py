"""Names of processes that are unique over machines and restarts, and whether one still runs.

A number of a process says nothing on another machine, in another container, or after the number was
given to a later process. A name also holds which of these counts its processes, and when it started.
"""

import hashlib
import os
import re
from functools import cache
from pathlib import Path

import psutil

_BOOT, _CONTAINER = "/proc/sys/kernel/random/boot_id", "/proc/self/ns/pid"


def this_process() -> str:
    """Return the name of this process, ``<machine>-<number>-<start>``."""
    return f"{_machine()}-{os.getpid()}-{_start(os.getpid())}"


def is_name(text: str) -> bool:
    """Return whether a text is the name of a process.

    Examples
    --------
    >>> is_name("0a1b2c3d-4711-998877"), is_name("a lease")
    (True, False)
    """
    return re.fullmatch(r"[0-9a-f]{8}-\d+-\w+", text) is not None


def number_of(process: str) -> str:
    """Return the number that a process has on its machine.

    Examples
    --------
    >>> number_of("0a1b2c3d-4711-998877")
    '4711'
    """
    return process.split("-")[1]


def is_running(process: str) -> bool | None:
    """Return whether a process runs, also if it is suspended; None where this machine cannot tell.

    It cannot tell of processes of other machines, of other users where the system hides these, and
    of any where there is no ``/proc``.
    """
    machine, _, rest = process.partition("-")
    if machine != _machine() or not Path(_BOOT).exists():
        return None
    number, _, start = rest.partition("-")
    found = _start(int(number))
    if found is None and psutil.pid_exists(int(number)):
        return None
    return found == start


def _start(number: int) -> str | None:
    """Return when a process started, in ticks since the machine did; None if it cannot be seen.

    A process that has ended, and whose parent has not noticed yet, has the start ``ended``.
    """
    try:
        status = Path(f"/proc/{number}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = status.rpartition(b")")[2].split()  # the name before may hold anything
    return "ended" if state in (b"Z", b"X") else fields[18].decode()


@cache
def _machine() -> str:
    """Return a digest of what numbers processes: a boot of a machine, and a container on it."""
    try:
        counted_by = Path(_BOOT).read_text() + os.readlink(_CONTAINER)
    except OSError:  # nobody can be asked whether a process runs, so this one is alone in its name
        counted_by = f"{os.uname().nodename} {os.getpid()}"
    return hashlib.sha256(counted_by.encode()).hexdigest()[:8]
