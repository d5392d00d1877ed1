"""What is wrong with a file of a results folder, in one line, and whether repair sets it aside."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nstar.errors import DamageError, NstarError, UnusableError, visible


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file.

    Attributes
    ----------
    path : Path
        The file to be moved away, where one is.
    text : str
        One line: what is wrong, and what to do.
    is_damage : bool
        Whether the file is to be set aside, and not the machine or another file mended.
    is_named_only : bool
        Whether it is set aside only where a user names it: a whole store that is of no use.
    """

    path: Path
    text: str
    is_damage: bool
    is_named_only: bool = False

    def is_repairable(self, is_named: bool) -> bool:
        """Return whether the file is to be set aside, where a user has named it or not."""
        return self.is_damage and (is_named or not self.is_named_only)


def problem_of(path: Path, check: Callable[[Path], object]) -> Problem | None:
    """Return what a check says of a file, or None where it says nothing.

    Parameters
    ----------
    path : Path
    check : callable
        Takes the path, and raises an error that a user can put right.
    """
    try:
        check(path)
    except NstarError as error:
        return as_problem(path, error)
    return None


def as_problem(path: Path, error: NstarError) -> Problem:
    """Return what an error says of a file; a fault of content names the file to be set aside itself."""
    text = " ".join(visible(line) for line in str(error).splitlines())
    if isinstance(error, DamageError):
        return Problem(error.path, text, True, isinstance(error, UnusableError))
    return Problem(path, text, False)
