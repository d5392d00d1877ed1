"""The records that a stage of `gpu_check.py` leaves, also where it is cut off: one line of JSON per case.

The first line names all cases of the stage, and each case adds a line as soon as it ends. As a plugin of
pytest (``-p gpu_records``) this module records tests.
"""

import json
import os
from pathlib import Path

import pytest

PATH_VARIABLE = "NSTAR_GPU_RECORDS"
"""Environment variable that holds the path of the file."""

LONGEST_ERROR = 2000
"""Characters of the end of a test's error that are kept."""


def write_plan(cases):
    """Record the names of all cases of the stage."""
    _append({"planned": list(cases)})


def write_record(case, **values):
    """Record the values of a case, a name of the plan; `failed` holds why it failed."""
    _append({"case": case, **values})


def read_records(path):
    """Return the names of the planned cases and the records so far; both are empty without a file."""
    text = path.read_text() if path.exists() else ""
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    planned = [name for line in lines for name in line.get("planned", ())]
    return planned, [line for line in lines if "case" in line]


def _append(record):
    with Path(os.environ[PATH_VARIABLE]).open("a") as file:
        file.write(json.dumps(record) + "\n")


def pytest_configure(config):
    """Record in the main process of pytest alone, which hears of the tests of all its workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


class Recorder:
    """Records the tests of a run, in one process or in several."""

    def pytest_collection_finish(self, session):
        """Plan the tests of a run in one process."""
        write_plan(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node, ids):
        """Plan the tests of a run in several processes, which all collect the same."""
        if node.gateway.id == "gw0":
            write_plan(ids)

    def pytest_runtest_logreport(self, report):
        """Record a test that ran; a skipped test stays a case without a record."""
        if report.failed:
            write_record(report.nodeid, failed=report.longreprtext[-LONGEST_ERROR:])
        elif report.passed and report.when == "call":
            write_record(report.nodeid, seconds=report.duration)
