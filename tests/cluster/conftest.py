"""A real SLURM for the tests of this folder."""

import os
from collections.abc import Iterator

import pytest
from cluster.slurm import Cluster, missing_programs


@pytest.fixture(scope="session")
def slurm() -> Iterator[Cluster]:
    """A cluster with three nodes; where SLURM is not installed, skipped, or failed if it is required."""
    missing = missing_programs()
    if missing:
        reason = f"SLURM is not installed: no {', '.join(missing)}"
        (pytest.fail if os.environ.get("NSTAR_REQUIRE_SLURM") == "1" else pytest.skip)(reason)
    with Cluster() as cluster:
        yield cluster
