"""A finished run of the workflow, and a real browser, for the tests of this folder."""

import os
import shutil

import pytest
from filelock import FileLock
from support.required import do_without
from support.studies import EXTREMES
from support.workflow import make_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder in which the study of extremes has run to its end; no test may change it.

    Processes of pytest-xdist share it: the first to need it runs the study, and the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with FileLock(base / "finished.lock"):
        if not (base / "finished").exists():
            make_run(base / "running", EXTREMES).rename(base / "finished")
    return base / "finished"


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the finished run that a test may change; times of files are kept."""
    return shutil.copytree(finished, tmp_path / "run", symlinks=True)


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; where it is not installed, skipped, or failed if it is required."""
    from playwright.sync_api import sync_playwright  # keeps an event loop: for one module only

    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        do_without("BROWSER", f"there is no browser: none of {', '.join(names)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
