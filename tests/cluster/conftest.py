"""A real SLURM for the tests of this folder."""

from collections.abc import Iterator

import pytest
from cluster.slurm import Cluster, missing_programs
from support.required import do_without


@pytest.fixture(scope="session")
def slurm() -> Iterator[Cluster]:
    """A cluster with three nodes; where SLURM is not installed, skipped, or failed if it is required."""
    missing = missing_programs()
    if missing:
        do_without("SLURM", f"SLURM is not installed: no {', '.join(missing)}")
    with Cluster() as cluster:
        yield cluster
