"""Settings of all tests."""

import gc
import os

import pytest
from hypothesis import settings
from support import pretended_cuda
from support.required import is_required

os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run: a change is judged by what it changed. New examples are looked for
# with `pytest --hypothesis-profile default`, and what they find becomes a test of its own.
settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")

NO_COMPILER = pytest.StashKey[str]()

LONGEST = (
    *("test_slurm.py", "test_coverage.py", "test_studies.py"),
    *("test_kills.py", "test_workflow.py", "test_faults.py"),
    *("test_loop.py", "test_two_studies.py", "test_gpu_check.py"),
)
"""Files that take half a minute or more, in the order in which they begin; the first mostly waits."""


def pytest_addoption(parser):
    """Take the results that `tests/results` checks claims on, and where tests of a GPU run."""
    parser.addoption(
        "--results", metavar="FOLDER", help="folder `results` of a finished run, to check claims on"
    )
    parser.addoption(
        "--pretended-cuda",
        action="store_true",
        help="run tests of a GPU on a pretended one; see tests/support/pretended_cuda",
    )


def pytest_configure(config):
    """Pretend a GPU where that is asked for: before anything imports torch."""
    if not config.getoption("--pretended-cuda"):
        return
    try:
        pretended_cuda.install(config.cache.mkdir("pretended_cuda"))
    except pretended_cuda.NoCompilerError as error:
        if is_required("COMPILER"):
            raise pytest.UsageError(f"--pretended-cuda: {error}") from None
        config.stash[NO_COMPILER] = str(error)


def pytest_collection(session):
    """Search for no garbage while tests are collected: nothing of what that loads goes away."""
    gc.disable()


def pytest_collection_finish(session):
    """Leave all that is loaded by now, half a million objects, out of every search for garbage."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    """Begin with the longest files, so that processes that share the tests end together."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_runtest_setup(item):
    """Skip tests of a GPU where there is none that they can run on.

    ``pytest --pretended-cuda -m gpu`` tries on the pretended one what needs a real one.
    """
    cuda, gpu, pretended = map(item.get_closest_marker, ("cuda", "gpu", "pretended"))
    if not (cuda or gpu or pretended):
        return
    import torch  # which most tests do without

    if not torch.cuda.is_available() or (pretended and not pretended_cuda.installed):
        missing = "there is no pretended GPU" if pretended else "torch finds no GPU"
        pytest.skip(item.config.stash.get(NO_COMPILER, f"{missing}; see --pretended-cuda"))
    if gpu and pretended_cuda.installed and item.config.option.markexpr != "gpu":
        pytest.skip(f"needs a real GPU: {gpu.args[0]}")


@pytest.fixture(scope="module")
def one_thread():
    """Let torch use one thread, as training does: numbers are then equal to the last bit."""
    import torch  # which most tests do without

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
