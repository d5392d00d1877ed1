"""A finished run of the workflow, and a real browser, for the tests of this folder."""

import shutil

import pytest
from support.required import do_without
from support.studies import EXTREMES
from support.workflow import make_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A folder in which the study of extremes has run to its end; no test may change it."""
    return make_run(tmp_path_factory.mktemp("finished"), EXTREMES)


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the finished run that a test may change; times of files are kept."""
    shutil.copytree(finished, tmp_path / "run", symlinks=True)
    return tmp_path / "run"


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
