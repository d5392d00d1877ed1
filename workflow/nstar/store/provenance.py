"""Where and by what an artifact was made: versions, commit, device."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def provenance(**details: Any) -> dict[str, Any]:
    """Return versions, commit and host system, with the caller's details (device, wall time).

    The commit is that of the checkout nstar is installed from, with ``+changes`` where tracked files
    were edited, and ``unknown`` where there is no checkout.
    """
    versions = {name: _version(name) for name in ("nstar", "torch", "numpy", "xarray", "zarr")}
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "versions": versions,
        **details,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


@cache
def _commit() -> str:
    folder = Path(__file__).parent
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+changes" if changes else commit


def _git(folder: Path, *arguments: str) -> str:
    finished = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    )
    return finished.stdout.strip()
