"""Two jobs that are to train the same cells: one trains, the other waits, or goes on where it died."""

import itertools
import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import xarray as xr
from support.studies import tiny

from nstar.errors import StoppedError
from nstar.files import whole_in
from nstar.jobs import training
from nstar.jobs.generation import generate_data
from nstar.jobs.part import Part
from nstar.jobs.training import train_cells
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store import leases
from nstar.store.archive import read_store
from nstar.store.schemas import CELL

STUDY = tiny(
    models={"dense": {"kind": "dense_ssm", "width": 8, "normalise": "always"}},
    **{
        "grid": [{"lengths": [4], "budgets": [2, 8]}],
        "training.batch_size": 2,
        "training.success.threshold": 1.0,
    },
)
"""One job with two parts, which are trained together."""

pytestmark = pytest.mark.usefixtures("one_thread")


def planned(results, **changes):
    """Return the one training job of a study, whose data are made."""
    jobs = plan_jobs(make_plan(load_study(STUDY | changes), results))
    for job in jobs.generation:
        generate_data(job.work, results)
    (job,) = jobs.training
    return job


def stores_of(job):
    return [read_store(path, CELL).drop_attrs(deep=False) for path in job.outputs]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The stores that a job makes when nobody else is at work."""
    results = tmp_path_factory.mktemp("alone")
    job = planned(results)
    train_cells(job.work, results, "cpu", 60.0)
    return stores_of(job)


@pytest.fixture
def job(tmp_path):
    return planned(tmp_path)


@pytest.fixture
def written(monkeypatch):
    """The budgets of the parts that this process has written."""
    budgets, write = [], Part.write

    def note(part, *arguments):
        budgets.append(part.work.cell.budget)
        write(part, *arguments)

    monkeypatch.setattr(Part, "write", note)
    return budgets


class Other:
    """Another process, which trains the job and stops at its second evaluation until it may go on.

    It has then saved the checkpoints of the first.
    """

    def __init__(self, job, results):
        fork = multiprocessing.get_context("fork")
        self.reached, self.may_go_on = fork.Event(), fork.Event()
        self.process = fork.Process(target=self._train, args=(job, results))
        self.process.start()
        assert self.reached.wait(60)

    def _train(self, job, results):
        leases.HEARTBEAT_S = 0.02
        n_evaluations = itertools.count(1)
        train_cells(job.work, results, "cpu", 0.0, lambda: self._pause(next(n_evaluations)))

    def _pause(self, n_evaluations):
        if n_evaluations == 2:
            self.reached.set()
            self.may_go_on.wait(60)


@pytest.fixture
def other(job, tmp_path):
    other = Other(job, tmp_path)
    yield other
    other.process.kill()
    other.process.join()


def when_waiting(monkeypatch, act):
    """Let something happen each time that this process waits for another, in place of the wait."""
    monkeypatch.setattr(training.time, "sleep", act)


def test_who_comes_second_waits_and_trains_nothing(
    job, alone, other, tmp_path, written, monkeypatch, caplog
):
    def sleep(seconds):
        other.may_go_on.set()
        other.process.join(60)

    when_waiting(monkeypatch, sleep)
    with caplog.at_level(logging.INFO):
        train_cells(job.work, tmp_path, "cpu", 60.0)
    assert written == [] and other.process.exitcode == 0
    (said,) = caplog.messages
    assert said.startswith("dense, parity, length 4 with budgets 2, 8 is trained by process ")
    assert f"process {other.process.pid} on {os.uname().nodename}; waiting for it" in said
    for found, wanted in zip(stores_of(job), alone, strict=True):
        xr.testing.assert_identical(found, wanted)
    assert list((tmp_path / "leases").iterdir()) == []


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_work_of_a_holder_that_is_gone_goes_on_from_its_checkpoints(
    how, job, alone, other, tmp_path, written, monkeypatch, caplog
):
    clock = [0.0]
    monkeypatch.setattr(leases.Watch.__init__, "__defaults__", (lambda: clock[0],))
    begun = []
    starting_state = Part.starting_state
    monkeypatch.setattr(
        Part, "starting_state", lambda *given: begun.append(1) or starting_state(*given)
    )
    signals = {"killed": signal.SIGKILL, "stopped": signal.SIGSTOP}

    def sleep(seconds):
        if not clock[0]:
            os.kill(other.process.pid, signals[how])
            os.waitid(os.P_PID, other.process.pid, os.WEXITED | os.WSTOPPED | os.WNOWAIT)
        clock[0] += seconds

    when_waiting(monkeypatch, sleep)
    train_cells(job.work, tmp_path, "cpu", 60.0)
    assert written and not begun, "it goes on where the other was"
    assert clock[0] == pytest.approx(2.0 if how == "killed" else leases.STILL_S, abs=5)
    assert f"work is taken over from process {other.process.pid}" in caplog.text
    for found, wanted in zip(stores_of(job), alone, strict=True):
        xr.testing.assert_identical(found, wanted)
    if how == "stopped":  # it comes back, and writes the same once more
        os.kill(other.process.pid, signal.SIGCONT)
        other.may_go_on.set()
        other.process.join(60)
        for found, wanted in zip(stores_of(job), alone, strict=True):
            xr.testing.assert_identical(found, wanted)
    assert [path for path in (tmp_path / "leases").iterdir() if path.is_symlink()] == []


def test_what_nobody_trains_is_trained_while_the_rest_is_waited_for(
    job, other, tmp_path, written, monkeypatch
):
    more = planned(tmp_path, grid=[{"lengths": [4], "budgets": [2, 4, 8]}])

    def sleep(seconds):
        assert written == [4]
        other.may_go_on.set()
        other.process.join(60)

    when_waiting(monkeypatch, sleep)
    train_cells(more.work, tmp_path, "cpu", 60.0)
    assert written == [4] and all(Path(path).is_file() for path in more.outputs)


def test_what_another_rule_has_made_is_made_again(job, other, tmp_path, written, monkeypatch):
    lax = planned(tmp_path, training=STUDY["training"] | {"max_steps": 40})
    assert lax.outputs == job.outputs

    def sleep(seconds):
        other.may_go_on.set()
        other.process.join(60)

    when_waiting(monkeypatch, sleep)
    train_cells(lax.work, tmp_path, "cpu", 60.0)
    assert sorted(written) == [2, 8]


def test_a_job_that_waits_can_be_stopped(job, other, tmp_path, monkeypatch):
    when_waiting(monkeypatch, lambda seconds: None)
    began = time.monotonic()
    asked = iter([None, None, "SIGTERM"])
    with pytest.raises(StoppedError, match="was stopped by SIGTERM while another job trained it"):
        train_cells(job.work, tmp_path, "cpu", 60.0, lambda: next(asked))
    assert time.monotonic() - began < 60
    assert len(whole_in(tmp_path / "leases", ".json")) == 1, "that of the other"
