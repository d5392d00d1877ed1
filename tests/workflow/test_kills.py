"""Kills at random moments: whatever is killed, running again gives the tables of a run left alone."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from support.studies import tiny
from support.workflow import make_run, snakemake_command, tables_of, write_config

from nstar.files import is_partial
from nstar.store.archive import read_store
from nstar.store.header import read_header
from nstar.store.schemas import CELL, DATA, EVALUATION

SCHEMAS = {"data": DATA, "cells": CELL, "evaluations": EVALUATION}

STUDY = tiny(
    **{
        "grid": [{"lengths": [4, 5], "budgets": [2, 4, 8]}],
        "training.max_steps": 1000,
        "training.success": {"measure": "loss", "threshold": 1e-4},
        "jobs": {"checkpoint_seconds": 0.2},
    }
)

JOB_SCRIPTS = {"generate_data.py", "train_cells.py", "evaluate_cells.py", "collect_results.py"}


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    started = time.monotonic()
    folder = make_run(tmp_path_factory.mktemp("alone"), STUDY)
    return tables_of(folder), time.monotonic() - started


@pytest.mark.parametrize("victim", ["everything", "snakemake", "a job"])
def test_ten_kills(victim, left_alone, tmp_path):
    kill_at_random(victim, 10, *left_alone, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["everything", "snakemake", "a job"])
def test_many_kills(victim, left_alone, tmp_path):
    kill_at_random(victim, 34, *left_alone, tmp_path)


def kill_at_random(victim, n_kills, tables, whole_s, tmp_path):
    """Run the study, kill and run again until so many kills have hit; then compare all tables."""
    moment = random.Random(f"{victim} {n_kills}")
    n_hit = n_runs = 0
    while n_hit < n_kills:
        n_runs += 1
        folder, before, orphans, finished = tmp_path / str(n_runs), {}, [], False
        write_config(folder, STUDY)
        while not finished:
            beside_orphans = any(process.is_running() for process in orphans)
            delay = moment.uniform(0, whole_s / 2) if n_hit < n_kills else None
            finished, orphans = run_and_kill(folder, victim, delay)
            n_hit += orphans is not None
            orphans = orphans or []
            if moment.random() < 0.5:
                psutil.wait_procs(orphans)
            found = stores_of(folder)
            for path, (written, wall_time) in before.items() if not beside_orphans else ():
                # A failed job takes its stores with it; they come back from checkpoints.
                assert path in found or victim == "a job", f"{path} is gone"
                again = found.get(path, (written, wall_time))
                assert again[1] == wall_time, f"{path} was trained again"
                assert again[0] == written or victim == "a job", f"{path} was made again"
            before |= found
        assert tables_of(folder) == tables


def run_and_kill(folder, victim, delay):
    """Run the workflow, kill after a delay.

    Returns whether the run ended well, and the jobs that outlive it, or None where no kill hit.
    """
    shutil.rmtree(folder / ".snakemake/locks", ignore_errors=True)  # as --unlock does, in no time
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            snakemake_command(folder), stdout=output, stderr=output, start_new_session=True
        )
    try:
        return process.wait(delay) == 0, None
    except subprocess.TimeoutExpired:
        pass
    main = psutil.Process(process.pid)
    jobs = [child for child in main.children(recursive=True) if JOB_SCRIPTS & names_in(child)]
    outlive: list[psutil.Process] | None = []
    if victim == "everything":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "snakemake":
        main.kill()
        outlive = jobs  # as orphans, also beside the run that comes next
    elif jobs:
        kill(random.choice(jobs))
    else:
        outlive = None
    process.wait()
    return process.returncode == 0, outlive


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


def stores_of(folder):
    """Read every store in its place; return when it was written, and the wall time of its training."""
    found = {}
    for stage, schema in SCHEMAS.items():
        paths = folder.glob(f"results/{stage}/**/*.zarr.zip")
        for path in itertools.filterfalse(is_partial, paths):
            read_store(path, schema)
            wall_time = read_header(path)["provenance"].get("wall_time_s")
            found[path] = (path.stat().st_mtime_ns, wall_time)
    return found
