"""Programs that tests need: without one they are skipped, or fail where the program is required."""

import os

import pytest


def is_required(program: str) -> bool:
    """Return whether ``NSTAR_REQUIRE_<program>=1`` is set."""
    return os.environ.get(f"NSTAR_REQUIRE_{program}") == "1"


def do_without(program: str, reason: str) -> None:
    """Skip the test, or fail it if the program is required."""
    (pytest.fail if is_required(program) else pytest.skip)(reason)
