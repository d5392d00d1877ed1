"""Two processes never hold one lease, and only a reader who has watched a holder calls it gone."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nstar.files.processes import is_running, number_of, this_process
from nstar.store import leases
from nstar.store.leases import HEARTBEAT_S, STILL_S, Holder, Watch, holders_at_work, read_lease

FOREIGN = "0a1b2c3d-4711-998877"
"""A process of another machine."""

HOLD = """
import sys
from pathlib import Path
from nstar.store import leases

leases.HEARTBEAT_S = 0.02
results = Path(sys.argv[1])
with leases.Holder(results, [results / "cells" / "a.zarr.zip"]) as holder:
    holder.claim(results / "leases" / "a")
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def results(tmp_path):
    (tmp_path / "leases").mkdir()
    return tmp_path


@pytest.fixture
def link(results):
    return results / "leases" / "a"


@pytest.fixture
def other(results, monkeypatch):
    """Another process, which holds the lease until its input ends."""
    monkeypatch.setenv("SLURM_JOB_ID", "99")
    command = [sys.executable, "-c", HOLD, str(results)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    monkeypatch.delenv("SLURM_JOB_ID")
    yield process
    process.kill()
    process.communicate()


class Clock:
    """A clock of a reader that moves when it is told to."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def watched(watch, clock, path, seconds):
    """Return what is seen after looking at a lease for some seconds of the reader, a second at a time."""
    for _ in range(seconds):
        clock.now += 1.0
        sight = watch.look(path)
    return sight


def counts_on(path):
    """Wait until a counter has advanced."""
    before, deadline = read_lease(path).counter, time.monotonic() + 20
    while read_lease(path).counter == before:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def write_lease(results, process=FOREIGN, counter=1, stores=()):
    path = results / "leases" / f"{process}.json"
    fields = {"host": "node3", "scheduled_as": "SLURM job 12", "stores": stores}
    path.write_text(json.dumps(fields | {"counter": counter}))
    return path


def test_a_lease_has_one_holder_until_it_is_given_back(results, link, other):
    with Holder(results, []) as holder:
        sight = holder.claim(link)
        assert sight.lease.stores == ("cells/a.zarr.zip",)
        assert str(sight.lease) == f"process {other.pid} on {os.uname().nodename} (SLURM job 99)"
        other.communicate()
        assert not os.path.lexists(link)
        assert holder.claim(link) is None
        assert holder.claim(link) is None, "it already has it"
        assert read_lease(holder.path).process == read_lease(link.resolve()).process
    assert list(link.parent.iterdir()) == []


def test_a_killed_holder_of_this_machine_is_gone_at_once(results, link, other, caplog):
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # nobody has asked how it ended
    with Holder(results, []) as holder:
        assert holder.claim(link) is None
        assert link.readlink().name == holder.path.name
    (said,) = caplog.messages
    assert said.startswith(f"work is taken over from process {other.pid} on ")
    assert said.endswith(", which has ended")


def test_a_stopped_holder_is_gone_for_those_who_watched_it(results, link, other, caplog):
    clock = Clock()
    watch, path = Watch(clock), link.resolve()
    counts_on(path)
    watch.look(path)
    counts_on(path)
    assert watch.look(path).advanced
    os.kill(other.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WNOWAIT)
    watch.look(path)
    assert not watched(watch, clock, path, int(STILL_S)).is_gone
    assert watched(watch, clock, path, 1).is_gone
    assert not Watch(clock).look(path).is_gone, "another reader has looked only once"
    with Holder(results, []) as holder:
        holder._watch = watch
        assert holder.claim(link) is None
        assert caplog.messages[0].endswith(" s ago") and "seen to count 12" in caplog.messages[0]
        os.kill(other.pid, signal.SIGCONT)
        counts_on(path)
        other.communicate()
        assert link.readlink().name == holder.path.name, "it gives back what is its own alone"


def test_a_holder_elsewhere_is_judged_by_the_readers_clock_alone(results):
    clock = Clock()
    watch, path = Watch(clock), write_lease(results)
    os.utime(path, (0, 0))
    assert not watch.look(path).is_gone
    clock.now += 1e6  # the reader was itself stopped
    sight = watch.look(path)
    assert not sight.is_gone and sight.still_s == 2 * HEARTBEAT_S
    write_lease(results, counter=2)
    sight = watch.look(path)
    assert (sight.advanced, sight.still_s) == (True, 0)
    assert str(sight) == "process 4711 on node3 (SLURM job 12), seen to count 0 s ago"
    assert watched(watch, clock, path, int(STILL_S) + 1).is_gone


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"counter": 1}', '{"stores": 1, "counter": {}}']
)
def test_a_lease_that_cannot_be_read_stands_still(content, results):
    clock = Clock()
    watch, path = Watch(clock), write_lease(results)
    path.write_text(content)
    assert not watch.look(path).is_gone
    assert watched(watch, clock, path, int(STILL_S) + 1).is_gone
    assert "process 4711 on an unknown machine" in str(watch.look(path))


def test_a_lease_without_its_holder_is_free(results, link, caplog):
    link.symlink_to(f"{FOREIGN}.json")
    with Holder(results, []) as holder:
        assert holder.claim(link) is None
    assert caplog.messages == []


def test_what_another_has_just_taken_over_stays_its_own(results, link):
    link.symlink_to("a_third_process.json")
    leases._unlink(link, f"{FOREIGN}.json")
    assert link.readlink().name == "a_third_process.json"
    assert list(link.parent.iterdir()) == [link]


def test_a_holder_lives_through_a_full_disk(results, monkeypatch):
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.01)
    with Holder(results, []) as holder:
        with monkeypatch.context() as patched:
            full = OSError(errno.ENOSPC, "No space left on device")
            patched.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(full))
            wanted, deadline = holder._counter + 2, time.monotonic() + 20
            while holder._counter < wanted and time.monotonic() < deadline:
                time.sleep(0.005)
        assert holder._counter >= wanted
        counts_on(holder.path)


def test_without_links_nobody_waits(results, link, monkeypatch, caplog):
    def refuse(path, target):
        raise OSError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with Holder(results, []) as holder:
        assert holder.claim(link) is None
    assert "this file system has no links, so other runs do not wait" in caplog.text


def test_holders_at_work_are_watched_until_they_are_known(results, other, caplog):
    ended = f"{this_process().partition('-')[0]}-{other.pid}-1"  # its number was given to another
    write_lease(results, ended)
    path = write_lease(results, counter=5)
    write_lease(results, FOREIGN.replace("4711", "4712"))
    clock, counter = Clock(), iter(range(6, 1000))

    def sleep(seconds):
        clock.now += seconds
        write_lease(results, counter=next(counter))

    with caplog.at_level(logging.INFO):
        sights = holders_at_work(results, Watch(clock), sleep)
    assert {number_of(sight.lease.process) for sight in sights} == {"4711", str(other.pid)}
    assert 1000 + STILL_S < clock.now < 1000 + STILL_S + 5
    assert read_lease(path).counter > 100
    assert len(caplog.messages) == 1
    assert holders_at_work(results / "nothing", Watch(clock), sleep) == []


def test_processes_are_named_uniquely(other):
    own = this_process()
    machine, number, start = own.split("-")
    assert number == str(os.getpid()) and is_running(own) is True
    assert is_running(f"{machine}-{number}-{int(start) - 1}") is False
    assert is_running(FOREIGN) is None
    other.kill()
    other.communicate()
    assert is_running(f"{machine}-{other.pid}-{start}") is False


def test_a_process_that_is_hidden_may_run(monkeypatch):
    machine = this_process().partition("-")[0]
    monkeypatch.setattr("nstar.files.processes._start", lambda number: None)  # as with hidepid=2
    assert is_running(f"{machine}-{os.getppid()}-1") is None
