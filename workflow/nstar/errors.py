"""What nstar raises for input that a user can put right: one readable message, no traceback.

A message names the thing, its value, what is allowed and what to do.
"""

import difflib
from collections.abc import Iterable
from pathlib import Path


class NstarError(Exception):
    """Base of all errors that a user can put right."""


class ConfigError(NstarError):
    """A configuration that does not describe a study; lists every mistake at once."""


class PathError(NstarError):
    """A path or a coordinate that does not follow the ``key~value/`` layout of ``nstar.cells.paths``."""


class ArtifactError(NstarError):
    """A file of a results folder that is missing, or that the study cannot use."""


class DamageError(ArtifactError):
    """A file whose content or type is wrong: damaged, foreign, oversized, a folder, a device.

    Only these files are ever set aside; see `nstar.files.faults.damage`.
    """

    def __init__(self, message: str, path: Path):
        super().__init__(message)
        self.path = path


class UnusableError(DamageError):
    """A whole file that is of no use as it is. It is set aside only where a user names it."""


class MachineError(NstarError):
    """What the machine refuses: rights, space, memory, an answer of the disk. No file is to blame."""

    def __init__(self, message: str, errno: int = 0):
        super().__init__(message)
        self.errno = errno


class DataError(NstarError):
    """Data that are asked for and do not exist."""


class DeviceError(NstarError):
    """A device that is asked for and not there."""


class StoppedError(NstarError):
    """A job that was asked to stop, and has saved what it had done."""


class InUseError(NstarError):
    """What a run or a job at work needs, and must not be taken away."""


def nearest(name: str, legal: Iterable[str]) -> str:
    """Return ``' (did you mean X?)'`` for the legal name nearest to `name`, or ``''``.

    Examples
    --------
    >>> nearest("transfomer", ["lstm", "transformer"])
    ' (did you mean transformer?)'
    >>> nearest("zebra", ["lstm"])
    ''
    """
    found = difflib.get_close_matches(str(name), [str(entry) for entry in legal], n=1)
    return f" (did you mean {found[0]}?)" if found else ""


MOST_LINES = 30
"""Mistakes that a message lists; who has more reads no further."""

LONGEST_LINE = 500
"""Characters of a mistake; of a longer one, as of a key that is a page long, the middle is left out."""


def all_mistakes(subject: str, mistakes: list[str]) -> ConfigError:
    """Return the error that lists all mistakes of `subject`, each as one line.

    Examples
    --------
    >>> print(all_mistakes("the configuration", ["name: missing; add it"]))
    the configuration has 1 mistake; nothing was started
      name: missing; add it
    """
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    lines = [f"{subject} has {count}; nothing was started"]
    half = LONGEST_LINE // 2
    for mistake in map(visible, mistakes[:MOST_LINES]):
        long = len(mistake) > LONGEST_LINE
        lines.append(f"{mistake[:half]} ... {mistake[-half:]}" if long else mistake)
    if len(mistakes) > MOST_LINES:
        lines.append(f"... and {len(mistakes) - MOST_LINES} more")
    return ConfigError("\n  ".join(lines))


def visible(text: object) -> str:
    r"""Return a text, or the text of a path, with every unprintable character escaped.

    Examples
    --------
    >>> visible("a" + chr(27) + "[31m" + chr(0x202E))
    'a\\x1b[31m\\u202e'
    """
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in str(text)
    )
