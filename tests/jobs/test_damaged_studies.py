"""Whatever happens to tables, figures, pages, seals, jobs or leases is named, and mended as is said."""

import collections
import contextlib
import errno
import io
import os
import random
import resource
import shutil
import traceback
from pathlib import Path

import pytest
from support import damages, walk
from support.studies import SMALLEST

from nstar.cells.paths import study_folder
from nstar.errors import NstarError
from nstar.files.seals import read_seals, seal_path
from nstar.jobs.derived_files import check_derived
from nstar.jobs.repair import set_aside
from nstar.jobs.verification import verify_results
from nstar.plan.attempts import list_checkpoints
from nstar.plan.derived import derived_steps, why_report_is_stale
from nstar.plan.missing import make_plan
from nstar.plan.pruning import find_surplus
from nstar.reading.check import load_study
from nstar.store.leases import Holder, holders_at_work

STUDY = load_study(SMALLEST)
BESIDE = ("checkpoints", "leases", "jobs", "report.html")
"""No table is made from these: training begins anew, runs do not wait, they are written again."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return results with all kinds of files: those of a study, and what lies beside its stores."""
    results = tmp_path_factory.mktemp("finished") / "results"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nstar.jobs.evaluation.checkpoints_of", lambda *_: [])  # it removes them
        walk.walk(STUDY, results)
    walk.report(STUDY, results)
    store = next((results / "cells").rglob("*.zarr.zip"))
    with Holder(results, [store]) as holder:
        holder.claim(results / "leases" / "0123456789ab")
        shutil.copytree(results / "leases", results / "kept", symlinks=True)
    shutil.rmtree(results / "leases")
    (results / "kept").rename(results / "leases")
    assert [problem.text for _, problem in check_derived(results) if problem] == []
    return results


def targets(results):
    """Return files by kind, each with the path by which it is named: a file of study.zarr by that."""
    found = {}
    for folder in ("studies", "checkpoints", "jobs", "leases"):
        for path in sorted((results / folder).rglob("*")):
            if path.is_file():
                whole = next((above for above in path.parents if above.suffix == ".zarr"), path)
                kind = folder, path.parent.name if whole == path else whole.name, whole.suffix
                found.setdefault(kind, []).append((path, whole))
    return [*found.values(), [(results / "report.html",) * 2]]


def content_of(path):
    """Return what lies at a path, below it too."""
    if path.is_symlink():
        return os.readlink(path)
    if path.is_dir():
        return {below.name: content_of(below) for below in path.iterdir()}
    return path.read_bytes() if path.is_file() else path.exists() and path.stat().st_mode


@contextlib.contextmanager
def unreadable(path):
    """Let the machine refuse to read a file, which rights do not do for root."""
    opened = io.open

    def refusing(name, *arguments, **options):
        if not isinstance(name, int) and Path(name) == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(name, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(io, "open", refusing)
        patch.setattr("builtins.open", refusing)
        yield


def planned(results):
    """Return which steps a plan finds stale, the report among them, or why it refuses."""
    try:
        steps = derived_steps(make_plan(STUDY, results))
        stale = {step.name for step in steps.values() if step.stale}
        return stale | ({"report"} if why_report_is_stale(STUDY, results, steps) else set()), ""
    except NstarError as error:
        return set(), str(error)


def met(results, path, is_changed):
    """Return how a damage is met: 'refused', 'made again' or 'harmless'; anything else fails."""
    found = [problem for _, problem in check_derived(results) if problem]
    named = [problem for problem in found if str(path) in problem.text]
    stale, refusal = planned(results)
    list_checkpoints(results)
    for problem in found:
        assert problem.text.isprintable() and str(results) in problem.text
        assert ("--repair" in problem.text) == problem.is_damage, problem.text
        assert problem.is_damage or "make run" in problem.text or "cannot be" in problem.text
    kind = path.relative_to(results).parts[0]
    if not named and not refusal and not stale:
        is_gone = kind in BESIDE and not os.path.lexists(path)
        is_lease = kind == "leases" and (path.is_file() or path.is_symlink())
        assert is_gone or is_lease or not is_changed, (
            f"{path} has other content, and nothing says so"
        )
        return "harmless"
    assert named, f"{path} is planned again or refused, and not named by verify"
    if refusal:
        assert str(path) in refusal
        return "refused"
    assert stale or kind in BESIDE, f"{path} is named, and no step makes it again"
    return "made again" if stale else "named"


def mended(results, path):
    """Do what is said: set aside, and run again; nothing is then wrong."""
    for problem in verify_results(results).problems:
        if problem.is_damage:
            set_aside(results, problem)
    walk.walk(STUDY, results)
    walk.report(STUDY, results)
    left = [problem.text for _, problem in check_derived(results) if problem]
    assert left == [], path


def fuzz(finished, folder, n, mend_every):
    """Damage files one after another; return how often each kind of damage met with which outcome."""
    results = shutil.copytree(finished, folder / "results", symlinks=True)
    groups, counts = targets(results), collections.Counter()
    kinds = (*damages.OF_DERIVED_FILES, unreadable)
    for seed in range(n):
        rng, damage = random.Random(seed), kinds[seed % len(kinds)]
        path, whole = rng.choice(groups[seed % len(groups)])
        if damage is unreadable:
            with unreadable(path):
                outcome = met(results, whole, is_changed=True)
        else:
            before = content_of(whole)
            damage(path, rng)
            outcome = met(results, whole, content_of(whole) != before)
            if seed % mend_every == 0 and outcome != "harmless":
                mended(results, path)
        counts[damage.__name__, outcome] += 1
        spoilt = results if seed % mend_every == 0 or path.parent == results else path.parent
        shutil.rmtree(spoilt)
        shutil.copytree(finished / spoilt.relative_to(results), spoilt, symlinks=True)
    return counts


def test_damaged_files_of_studies(finished, tmp_path):
    counts = fuzz(finished, tmp_path, 45, mend_every=12)
    assert sum(counts.values()) == 45
    assert sum(n for (_, met), n in counts.items() if met == "harmless") < 12


@pytest.mark.long
def test_many_damaged_files_of_studies(finished, tmp_path):
    for key, n in sorted(fuzz(finished, tmp_path, 1000, mend_every=7).items()):
        print(*key, n)


def in_a_small_process(check):
    """Return whether a check succeeds in a process that may take 250 MB more than this one has."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            n_pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = 250_000_000 + n_pages * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            check()
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def zeros(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def sparse(path):
    with path.open("r+b") as file:
        file.truncate(400_000_000)


def nested(path):
    path.write_bytes(b"[" * 20_000_000)


@pytest.mark.parametrize("damage", [zeros, sparse, nested], ids=lambda damage: damage.__name__)
def test_no_file_takes_memory_that_it_should_not_hold(damage, finished, tmp_path):
    results = shutil.copytree(finished, tmp_path / "results", symlinks=True)
    folder = study_folder(results, STUDY.name)
    seal = seal_path(folder, next(s.name for s in read_seals(folder) if s.step == "write_findings"))
    lease, job, checkpoint = (
        next((results / name).glob(f"*{ending}"))
        for name, ending in (("leases", ".json"), ("jobs", ".json"), ("checkpoints", ".pt"))
    )
    for path in (folder / "config.json", seal, lease, job, checkpoint, results / "report.html"):
        damage(path)

    def check():
        assert len([problem for _, problem in check_derived(results) if problem]) >= 6
        planned(results)
        holders_at_work(results)
        with pytest.raises(NstarError):
            find_surplus([STUDY], results)

    assert in_a_small_process(check)


PLACES = (
    "studies/tiny",
    "studies/tiny/seals",
    "studies/tiny/tables",
    "studies/tiny/tables/study.zarr",
    "leases",
    "jobs",
)


@pytest.mark.parametrize("place", PLACES)
def test_a_file_in_the_place_of_a_folder_is_named(place, finished, tmp_path):
    results = shutil.copytree(finished, tmp_path / "results", symlinks=True)
    shutil.rmtree(results / place)
    (results / place).write_text("of a user")
    stale, refusal = planned(results)
    assert str(results / place) in refusal or stale
    try:
        texts = [problem.text for problem in verify_results(results).problems]
    except NstarError as error:
        texts = [str(error)]
    assert any(str(results / place) in text for text in texts), texts


def test_a_file_or_a_folder_in_the_place_of_a_lease_is_named(finished, tmp_path):
    results = shutil.copytree(finished, tmp_path / "results", symlinks=True)
    link = results / "leases" / "0123456789ab"
    for make in (link.touch, link.mkdir):
        if os.path.lexists(link):
            link.unlink()
        make()
        with Holder(results, []) as holder, pytest.raises(NstarError, match="0123456789ab is a"):
            holder.claim(link)


def test_what_a_user_names_is_checked_and_nothing_else_is_touched(finished, tmp_path):
    results = shutil.copytree(finished, tmp_path / "results", symlinks=True)
    table = study_folder(results, STUDY.name) / "tables/cells.csv"
    job = next((results / "jobs").glob("*.json"))
    assert verify_results(results, [table, job]).problems == ()
    job.write_text("{}")
    table.write_text("of a user")
    found = verify_results(results, [table, job]).problems
    assert [problem.is_repairable(is_named=True) for problem in found] == [True, False]
    with pytest.raises(NstarError, match="is not there, or is no file that is checked"):
        verify_results(results, [results / "notes.txt"])
