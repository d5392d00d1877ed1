"""Kills: whatever is killed, and when, running again gives the tables of an undisturbed run."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
import torch
from support.studies import changed, tiny
from support.workflow import (
    LAST_OF_TABLES,
    make_run,
    start_snakemake,
    tables_of,
    write_config,
)

from nstar.files import is_partial
from nstar.store.archive import read_store
from nstar.store.schemas import CELL, DATA, EVALUATION
from nstar.training.checkpoint import load_checkpoint

SCHEMAS = {"data": DATA, "cells": CELL, "evaluations": EVALUATION}

STUDY = tiny(
    models={"dense": {"kind": "dense_ssm", "width": 8, "normalise": "always"}},
    **{
        "grid": [{"lengths": [4, 5], "budgets": [2, 4, 8]}],
        "training.max_steps": 200,
        "training.success": {"measure": "loss", "threshold": 1e-4},
        "jobs": {"checkpoint_seconds": 0.1},
    },
)
"""Two jobs that train, one curve each, and one that evaluates."""

HOOK = Path(__file__).parents[1] / "support" / "kill_hook"

JOB_SCRIPTS = {"generate_data.py", "train_cells.py", "evaluate_cells.py", "collect_results.py"}

LAXER = changed(STUDY, **{"training.success.threshold": 0.3})
"""The same study, done with sooner: what it has trained, the study above goes on with."""

STORE, SECOND_PART = r"\.zarr\.zip$", r"-1\.zarr\.zip$"
MOMENTS = {
    "jobs die": [
        ("everything", "before", "results/jobs/"),
        ("everything", "before", f"results/data/.*{STORE}"),
        ("a job", "before", f"results/data/.*{STORE}"),
        ("everything", "after", "results/checkpoints/"),
        ("everything", "before", f"results/cells/.*{STORE}"),
        ("a job", "before", "results/checkpoints/"),
        ("a job", "after", f"results/cells/.*budget~8/.*{STORE}"),
        ("everything", "after", f"results/evaluations/.*{STORE}"),
        ("a job", "after", f"results/evaluations/.*{STORE}"),
        ("everything", "before", r"results/studies/tiny/tables/study\.zarr$"),
        ("everything", "before", "results/studies/tiny/seals/collect_results-"),
        ("a job", "after", r"results/studies/tiny/tables/exponents\.csv$"),
    ],
    "jobs live on": [
        ("snakemake", "after", f"results/data/.*{STORE}"),
        ("snakemake", "after", f"results/cells/.*{STORE}"),
        ("snakemake", "before", f"results/evaluations/.*{STORE}"),
        ("snakemake", "after", r"results/studies/tiny/tables/cells\.csv$"),
    ],
    "runs go on": [
        ("everything", "after", "results/checkpoints/"),
        ("everything", "before", f"results/cells/.*{SECOND_PART}"),
        ("a job", "after", f"results/cells/.*{SECOND_PART}"),
        ("everything", "before", f"results/evaluations/.*{SECOND_PART}"),
    ],
}
"""The kills of a run, in turn: of whom, and before or after the first such file is moved to its place.

Jobs that outlive Snakemake finish their work, so that it is killed once in each stage.
"""


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    started = time.monotonic()
    folder = make_run(tmp_path_factory.mktemp("alone"), STUDY, LAST_OF_TABLES)
    return tables_of(folder), time.monotonic() - started


@pytest.mark.parametrize("kills", MOMENTS)
def test_kills_at_every_step_of_the_protocol(kills, left_alone, tmp_path):
    folder, moved = tmp_path / "run", tmp_path / "moved"
    before, orphans = {}, []
    if kills == "runs go on":
        before = stores_of(make_run(folder, LAXER, LAST_OF_TABLES))
    untouched = dict(before)
    write_config(folder, STUDY)
    for number, (victim, moment, pattern) in enumerate(MOMENTS[kills]):
        token = tmp_path / f"token-{number}"  # orphans of an earlier kill must not take it
        token.touch()
        kill_at = "|".join([moment, pattern, victim, str(token)])
        process = start(folder, KILL_AT=kill_at, MOVED=str(moved))
        jobs = wait_for_jobs(process)
        assert not token.exists(), f"{victim}, {moment} {pattern}: never came"
        assert process.exitcode != 0
        psutil.wait_procs(orphans)
        before |= check_stores(folder, {} if orphans else before)
        check_nothing_is_removed(folder, moved)
        orphans = [job for job in jobs if job.is_running()]
        if victim != "snakemake" or number % 2 == 0:  # else, the next run works beside them
            psutil.wait_procs(orphans)
            orphans = []
    process = start(folder)
    process.join()
    assert process.exitcode == 0, (folder / "output.txt").read_text()
    psutil.wait_procs(orphans)
    check_stores(folder, {} if orphans else before)
    assert tables_of(folder) == left_alone[0]
    assert untouched.items() <= stores_of(folder).items()


@pytest.mark.long
@pytest.mark.parametrize("victim", ["everything", "snakemake", "a job"])
def test_many_kills_at_random_moments(victim, left_alone, tmp_path):
    """Run the study, kill and run again until so many kills have hit; then compare all tables."""
    tables, whole_s = left_alone
    generator, n_kills = random.Random(victim), 34
    n_hit = n_runs = 0
    while n_hit < n_kills:
        n_runs += 1
        folder, before, orphans, finished = tmp_path / str(n_runs), {}, [], False
        write_config(folder, STUDY)
        while not finished:
            beside_orphans = any(process.is_running() for process in orphans)
            delay = generator.uniform(0, whole_s / 2) if n_hit < n_kills else None
            finished, orphans = run_and_kill(folder, victim, delay)
            n_hit += orphans is not None
            orphans = orphans or []
            if generator.random() < 0.5:
                psutil.wait_procs(orphans)
            before |= check_stores(folder, {} if beside_orphans else before)
        assert tables_of(folder) == tables


def start(folder, **environment):
    """Start the workflow in a folder up to its tables, as the leader of a group of processes."""
    shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)  # as --unlock does, in no time
    path = os.pathsep.join(filter(None, [str(HOOK), os.environ.get("PYTHONPATH", "")]))
    output = folder / "output.txt"
    output.write_text("")
    return start_snakemake(
        *(folder, LAST_OF_TABLES),
        streams=[output, output],
        leads=True,
        **{"PYTHONPATH": path, **environment},
    )


def wait_for_jobs(process):
    """Wait until the workflow ends, and return the jobs that were seen to run and may outlive it."""
    main, jobs = psutil.Process(process.pid), {}
    while process.is_alive():
        jobs |= {job.pid: job for job in jobs_of(main)}
        time.sleep(0.05)
    return list(jobs.values())


def jobs_of(main):
    """Return the processes of jobs below the main process; none where it has just ended."""
    try:
        return [child for child in main.children(recursive=True) if JOB_SCRIPTS & names_in(child)]
    except psutil.NoSuchProcess:
        return []


def run_and_kill(folder, victim, delay):
    """Run the workflow, kill after a delay.

    Returns whether the run ended well, and the jobs that outlive it, or None where no kill hit.
    """
    process = start(folder)
    process.join(delay)
    if process.exitcode is not None:
        return process.exitcode == 0, None
    outlive: list[psutil.Process] | None = None
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):  # it has just ended
        main = psutil.Process(process.pid)
        jobs = jobs_of(main)
        if victim == "everything":
            os.killpg(process.pid, signal.SIGKILL)
            outlive = []
        elif victim == "snakemake":
            main.kill()
            outlive = jobs  # as orphans, also beside the run that comes next
        elif jobs:
            kill(random.choice(jobs))
            outlive = []
    process.join()
    return process.exitcode == 0, outlive


def names_in(process):
    """Return the names of the files on a command line, nothing for a process that has ended."""
    try:
        return (
            {Path(word).name for word in process.cmdline()} if process.name() != "bash" else set()
        )
    except psutil.NoSuchProcess:
        return set()


def kill(process):
    try:
        process.kill()
    except psutil.NoSuchProcess:
        pass


def check_stores(folder, before):
    """Check that no store is damaged, nor one of before gone or made again; return what to check next."""
    found = stores_of(folder)
    for path, written in before.items():
        assert path in found, f"{path} is gone"
        assert found[path] == written, f"{path} was made again"
    return found


def check_nothing_is_removed(folder, moved):
    """Check that every store that was ever moved to its place is there, and that checkpoints are whole.

    A job that fails leaves the stores that it has finished.
    """
    for path in itertools.filterfalse(is_partial, folder.glob("results/checkpoints/**/*.pt")):
        whole = load_checkpoint(path, torch.device("cpu")) is not None
        assert whole or not path.exists(), f"{path} is damaged"  # orphans may just have removed it
    for name in set(moved.read_text().splitlines()):
        if name.endswith(".zarr.zip"):
            assert (folder / name).is_file(), f"{name} was removed"


def stores_of(folder):
    """Read every store in its place; return when it was written."""
    found = {}
    for stage, schema in SCHEMAS.items():
        paths = folder.glob(f"results/{stage}/**/*.zarr.zip")
        for path in itertools.filterfalse(is_partial, paths):
            read_store(path, schema)
            found[path] = path.stat().st_mtime_ns
    return found
