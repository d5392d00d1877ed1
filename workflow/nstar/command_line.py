"""What all scripts share: their common flags, and errors as one readable line."""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nstar.errors import NstarError


def parser(
    description: str | None, job: bool = False, device: bool = False
) -> argparse.ArgumentParser:
    """Return a parser with the flags that several scripts have.

    Parameters
    ----------
    description : str
        First line of the help; the docstring of the script.
    job, device : bool
        Whether the script takes ``--job`` or ``--device``.
    """
    arguments = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "--results", type=Path, default=Path("results"), help="results folder (default: results)"
    )
    if job:
        arguments.add_argument(
            "--job", type=_json, required=True, help="what to make, as JSON; the workflow writes it"
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


def _json(text: str):
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
