"""Published points, read from the figures of papers.

They are not part of the project; where they are not at hand, in ``../shared/reference`` or in the folder
that NSTAR_REFERENCE names, the tests that need them are skipped.
"""

import os
from pathlib import Path

import pandas as pd
import pytest

FOLDER = Path(os.environ.get("NSTAR_REFERENCE", Path(__file__).parents[3] / "shared/reference"))


def points(name):
    """Return a table of published points, or skip the test."""
    if not (FOLDER / name).is_file():
        pytest.skip(f"the points read from the paper's figure, {name}, are not at hand")
    return pd.read_csv(FOLDER / name)
