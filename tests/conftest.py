"""Settings of all tests."""

import os

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run: a change is judged by what it changed. New examples are looked for
# with `pytest --hypothesis-profile default`, and what they find becomes a test of its own.
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")


def pytest_addoption(parser):
    """Take the results that the claims of the source are checked on; see `tests/results`."""
    parser.addoption(
        "--results", metavar="FOLDER", help="folder `results` of a finished run, to check claims on"
    )


@pytest.fixture(scope="module")
def one_thread():
    """Let torch use one thread, as training does: numbers are then equal to the last bit."""
    import torch  # which most tests do without

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
