"""Every call of the file system fails once; a later run gives the bytes of a run left alone."""

import collections
import contextlib
import errno
import os
import random
import shutil
import traceback
from pathlib import Path

import pytest
from support.failing import CHANGES, ENDED, Failing
from support.stores import run_job
from support.studies import SMALLEST
from support.walk import report, run_step, stand_in

import nstar.store.provenance
from nstar.errors import MachineError, NstarError
from nstar.files import is_partial
from nstar.files.seals import checksum
from nstar.plan.derived import derived_steps, why_report_is_stale
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study

STUDY = load_study(SMALLEST)
FAILURES = (errno.ENOSPC, errno.EIO, errno.ESTALE, None)
"""What the call raises; None ends the process there."""

RESULTS = Path("results")
BESIDE = ("checkpoints", "leases", "jobs")
"""Folders of what jobs at work need; a second run has other jobs, of what is still missing."""


def advance():
    """Do what a run of the workflow would do next: a job, a step or the report; return its name."""
    plan = make_plan(STUDY, RESULTS)
    for stage in ("generation", "training", "evaluation"):
        for job in getattr(plan_jobs(plan), stage):
            job.save(RESULTS)
            run_job(stage, job, RESULTS)
            return job.rule
    steps = derived_steps(plan)
    for step in steps.values():
        if step.stale:
            step.job.save(RESULTS)
            run_step(STUDY, step, RESULTS, stand_in)
            return step.name
    if why_report_is_stale(STUDY, RESULTS, steps) or not (RESULTS / "report.html").exists():
        report(STUDY, RESULTS)
        return "report"
    return ""


def files_in(results):
    """Return the digest of every file but for partial ones and for those in `BESIDE`."""
    files = {path.relative_to(results): path for path in results.rglob("*") if path.is_file()}
    return {
        str(name): checksum(path)
        for name, path in files.items()
        if not (is_partial(path) or name.parts[0] in BESIDE)
        and not any(is_partial(Path(part)) for part in name.parts)
    }


@pytest.fixture(scope="module")
def timeless():
    """Let stores say the same wall time whenever they are made, and retries come at once."""

    def provenance(**details):
        made = nstar.store.provenance.provenance(**details)
        return made | ({"wall_time_s": 1.0} if "wall_time_s" in made else {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nstar.jobs.part.provenance", provenance)
        patch.setattr("nstar.files.faults.PAUSES_S", (0.0, 0.0))
        yield


@pytest.fixture(scope="module")
def left_alone(timeless, tmp_path_factory):
    """Return the folders before each piece of a run that is left alone, and the calls of each."""
    folder, calls = tmp_path_factory.mktemp("alone"), []
    with contextlib.chdir(folder):
        RESULTS.mkdir()
        while True:
            shutil.copytree(RESULTS, f"before {len(calls)}", symlinks=True)
            with pytest.MonkeyPatch.context() as patch:
                noted = Failing(patch, RESULTS)
                if not advance():
                    return folder, calls
            calls.append(noted.calls)


def fails_once(at, failure):
    """Advance with a failure; return whether it was noticed: an error by name, the end of the process."""
    if failure is None:
        process = os.fork()
        if process:
            status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            assert status in (0, ENDED)
            return status == ENDED
        status = 1
        try:
            advance_with(at, failure)
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    try:
        advance_with(at, failure)
    except NstarError as error:
        assert isinstance(error, MachineError) and str(RESULTS) in str(error), error
        return True
    return False


def advance_with(at, failure):
    with pytest.MonkeyPatch.context() as patch:
        Failing(patch, RESULTS, at, failure)
        advance()


def check(left_alone, folder, points):
    """Let calls fail, each in a folder of its own; return how many of the failures were noticed."""
    alone, calls = left_alone
    noticed, wanted = 0, {}
    with contextlib.chdir(folder):
        for piece, at, failure in points:
            if piece not in wanted:
                wanted[piece] = files_in(alone / f"before {piece + 1}")
            shutil.copytree(alone / f"before {piece}", RESULTS, symlinks=True)
            try:
                noticed += fails_once(at, failure)
                if files_in(RESULTS) != wanted[piece]:
                    advance()
                assert files_in(RESULTS) == wanted[piece]
            except BaseException as error:
                name = calls[piece][at - 1]
                error.add_note(f"piece {piece}, call {at} ({name}), failure {failure}")
                raise
            finally:
                shutil.rmtree(RESULTS)
    return noticed


def points_of(calls, every):
    """Return the calls that fail: all that change names, and of each piece every so many others."""
    for piece, names in enumerate(calls):
        counts = collections.Counter()
        for at, name in enumerate(names, start=1):
            kind = name if name in ("open", "write", *CHANGES) else "look"
            counts[kind] += 1
            if counts[kind] % every.get(kind, 1) == 0:
                alone = counts[kind] // every[kind] % len(FAILURES) if kind == "look" else None
                yield from (
                    (piece, at, failure) for i, failure in enumerate(FAILURES) if alone in (i, None)
                )


def test_a_call_that_fails_costs_nothing(left_alone, tmp_path):
    _, calls = left_alone
    assert sum(map(len, calls)) > 5000
    points = list(points_of(calls, {"write": 4, "look": 4}))
    chosen = random.Random(0).sample(points, 12)
    assert check(left_alone, tmp_path, chosen) > 0  # the others are tried again, or cost nothing


@pytest.mark.long
def test_every_call_that_changes_something_fails_once(left_alone, tmp_path):
    _, calls = left_alone
    points = list(points_of(calls, {"write": 3, "look": 8}))
    noticed = check(left_alone, tmp_path, points)
    print(f"{noticed} of {len(points)} failures were noticed, of {sum(map(len, calls))} calls")
