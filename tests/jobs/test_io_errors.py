"""Every call of the file system fails once; a later run gives the bytes of a run left alone."""

import builtins
import errno
import hashlib
import io
import os
import shutil
from pathlib import Path

import pytest
from support.stores import make_stores
from support.studies import tiny

import nstar.store.provenance
from nstar.errors import MachineError, NstarError
from nstar.files import is_partial
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study

STUDY = tiny(
    models={"lstm": {"kind": "lstm", "width": 8}},
    **{
        "grid": [{"lengths": [4], "budgets": [2]}],
        "training.max_steps": 20,
        "replicates": {"seeds": [0], "learning_rates": [0.01]},
    },
)
FAILURES = (errno.ENOSPC, errno.EIO, errno.ESTALE, None)
"""What the call raises; None ends the process there."""
ENDED = 77


class Failing:
    """Counts the calls that concern files of a folder, and lets one of them fail.

    These are `open`, writing to what is open for writing, and `fsync`, `replace`, `rename`, `unlink` and
    `mkdir` of `os`.
    """

    def __init__(self, monkeypatch, folder, at=0, failure=None):
        self.folder, self.at, self.failure, self.n = str(folder), at, failure, 0
        for name in ("fsync", "replace", "rename", "unlink", "mkdir"):
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name)))
        opened = self._opening(io.open)
        monkeypatch.setattr(io, "open", opened)
        monkeypatch.setattr(builtins, "open", opened)

    def _count(self, path):
        self.n += 1
        if self.n == self.at:
            if self.failure is None:
                os._exit(ENDED)
            raise OSError(self.failure, os.strerror(self.failure), str(path))

    def _concerns(self, path):
        return isinstance(path, int) or os.fspath(path).startswith(self.folder)

    def _wrapped(self, call):
        def wrapped(path, *arguments, **options):
            if self._concerns(path):
                self._count(path)
            return call(path, *arguments, **options)

        return wrapped

    def _opening(self, call):
        def opening(path, mode="r", *arguments, **options):
            if isinstance(path, int) or not self._concerns(path):
                return call(path, mode, *arguments, **options)
            self._count(path)
            file = call(path, mode, *arguments, **options)
            return file if mode in ("r", "rb") else _Written(file, lambda: self._count(path))

        return opening


class _Written:
    """A file that tells of every call of `write`."""

    def __init__(self, file, tell):
        self._file, self._tell = file, tell

    def write(self, content):
        self._tell()
        return self._file.write(content)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._file.close()


def run(results):
    planned = plan_jobs(make_plan(load_study(STUDY), results))
    for job in planned.every:
        job.save(results)
    make_stores(planned, results)


def stores_of(results):
    """Return the digest of every store; nothing but partial files may lie beside them."""
    files = [
        path for stage in ("data", "cells", "evaluations") for path in (results / stage).rglob("*")
    ]
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.is_file() and not is_partial(path)
    }


@pytest.fixture
def timeless(monkeypatch):
    """Let stores say the same wall time whenever they are made, and retries come at once."""

    def provenance(**details):
        made = nstar.store.provenance.provenance(**details)
        return made | ({"wall_time_s": 1.0} if "wall_time_s" in made else {})

    monkeypatch.setattr("nstar.jobs.part.provenance", provenance)
    monkeypatch.setattr("nstar.files.faults.PAUSES_S", (0.0, 0.0))


@pytest.fixture
def left_alone(timeless, tmp_path):
    """The stores of a run in which nothing fails, and the number of calls in it."""
    with pytest.MonkeyPatch.context() as patch:
        calls = Failing(patch, tmp_path / "whole")
        run(tmp_path / "whole")
    return stores_of(tmp_path / "whole"), calls.n


def fails_once(results, at, failure):
    """Run with a failure; return whether it was noticed: an error by name, the end of the process."""
    if failure is None:
        process = os.fork()
        if process:
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            assert status in (0, ENDED)
            return status == ENDED
    with pytest.MonkeyPatch.context() as patch:
        Failing(patch, results, at, failure)
        try:
            run(results)
            noticed = False
        except NstarError as error:
            assert isinstance(error, MachineError) and str(results) in str(error), error
            noticed = True
    if failure is None:
        os._exit(0)
    return noticed


def check(folder, stores, points):
    """Let the given calls fail, each in a run of its own; return how many failures were noticed."""
    noticed = 0
    for at, failure in points:
        results = Path(folder) / "results"
        noticed += fails_once(results, at, failure)
        run(results)
        assert stores_of(results) == stores, (at, failure)
        shutil.rmtree(results)
    return noticed


def test_a_call_that_fails_costs_no_store(left_alone, tmp_path):
    stores, n_calls = left_alone
    assert n_calls > 100
    points = [(1 + i * n_calls // 6, FAILURES[i % len(FAILURES)]) for i in range(6)]
    assert check(tmp_path, stores, points) >= 4


@pytest.mark.long
def test_every_call_fails_once(left_alone, tmp_path):
    stores, n_calls = left_alone
    points = [(at, failure) for at in range(1, n_calls + 1) for failure in FAILURES]
    print(f"{check(tmp_path, stores, points)} of {len(points)} failures were noticed")
