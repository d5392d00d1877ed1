"""What all scripts share: their common flags, and errors as one readable line."""

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nstar.errors import NstarError
from nstar.files.faults import machine_fault


def parser(
    description: str | None, job: bool = False, device: bool = False, seal: bool = False
) -> argparse.ArgumentParser:
    """Return a parser with the flags that several scripts have.

    Parameters
    ----------
    description : str
        First line of the help; the docstring of the script.
    job, device, seal : bool
        Whether the script takes ``--job``, ``--device``, or ``--seal`` and ``--unless-sealed``.
    """
    arguments = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "--results", type=Path, default=Path("results"), help="results folder (default: results)"
    )
    if job:
        arguments.add_argument(
            "--job",
            type=Path,
            required=True,
            metavar="FILE",
            help="what to make: a file of results/jobs/, which the workflow writes",
        )
    if seal:
        arguments.add_argument(
            "--seal",
            type=lambda path: Path(path).stem,
            metavar="FILE",
            help="the seal to write, in seals/ of the study (default: one with the name of the job)",
        )
        arguments.add_argument(
            "--unless-sealed",
            action="store_true",
            help="make nothing if a seal of the job fits its files: another run has made them",
        )
    if device:
        arguments.add_argument(
            "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where models run"
        )
    return arguments


def run(main: Callable[[Sequence[str] | None], None]) -> None:
    """Run a script; an error that the user can put right is readable, with exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        main(None)
    except NstarError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except (OSError, MemoryError) as error:
        print(f"error: {machine_fault(error, verb='used')}", file=sys.stderr)
        sys.exit(1)


class StopSignals:
    """Notes the signals by which a scheduler or a user ends a job, so that it can end by itself.

    A second SIGINT interrupts at once. Schedulers send SIGTERM more than once.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)

    def __init__(self):
        self._asked: str | None = None

    def __enter__(self) -> "StopSignals":
        self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> str | None:
        """Return the name of the signal that came, or None."""
        return self._asked

    def _note(self, number: int, frame) -> None:
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = self._asked or signal.Signals(number).name
