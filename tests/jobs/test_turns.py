"""Jobs of two runs over the same results: each file is made once, and none is removed."""

import argparse
import json
import logging
import os
from pathlib import Path

import pytest
from support.studies import tiny

from nstar.cells.paths import lease_path
from nstar.errors import ArtifactError
from nstar.files.seals import note_written, read_seal
from nstar.jobs import turns
from nstar.jobs.evaluation import evaluate_cells
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells
from nstar.jobs.turns import in_turns, make_sealed
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study

FOREIGN = "0a1b2c3d-4711-998877"
"""A process of another machine."""


@pytest.fixture
def waits(monkeypatch):
    """Functions that are called one after the other, each in the place of a wait for another process."""
    acts = []
    monkeypatch.setattr(turns.time, "sleep", lambda seconds: acts.pop(0)())
    return acts


def hold(results, path):
    """Let a process of another machine hold the lease of a file, and return a function that ends this."""
    leases = results / "leases"
    leases.mkdir(exist_ok=True)
    fields = {"host": "node3", "scheduled_as": None, "stores": [], "counter": 1}
    (leases / f"{FOREIGN}.json").write_text(json.dumps(fields))
    lease_path(results, path).symlink_to(f"{FOREIGN}.json")
    return lease_path(results, path).unlink


def test_files_that_another_process_makes_come_last(tmp_path, waits, caplog):
    first, second, third = paths = [tmp_path / name for name in "abc"]
    give_back = hold(tmp_path, first)
    waits += [lambda: None, give_back]
    met = []
    with caplog.at_level(logging.INFO):
        for path in in_turns(tmp_path, paths):
            met.append(path)
            assert lease_path(tmp_path, path).is_symlink()
    assert met == [second, third, first] and not waits
    assert caplog.messages == [f"{first} is made by process 4711 on node3; waiting for it"]
    assert [path.name for path in (tmp_path / "leases").iterdir()] == [f"{FOREIGN}.json"]


def test_stores_that_another_run_has_made_stay_as_they_are(tmp_path, waits):
    study = load_study(
        tiny(**{"models": {"lstm": {"kind": "lstm", "width": 4}}, "grid.0.lengths": [4]})
    )
    jobs = plan_jobs(make_plan(study, tmp_path))

    def run_all(jobs):
        for job in jobs.generation:
            generate_data(job.work, tmp_path)
        for job in jobs.training:
            train_cells(job.work, tmp_path, "cpu", 60.0)
        for job in jobs.evaluation:
            evaluate_cells(job.work, tmp_path, "cpu")
        return {path: os.stat(path).st_ino for job in jobs.every for path in job.outputs}

    made = run_all(jobs)
    assert run_all(jobs) == made
    evaluation = jobs.evaluation[0].work
    evaluation["blocks"][0]["replicates"].pop()
    with pytest.raises(ArtifactError, match="has just been made by another run, of other ends"):
        evaluate_cells(evaluation, tmp_path, "cpu")
    assert {path: os.stat(path).st_ino for path in made} == made


def test_a_step_is_made_once_unless_its_files_differ(tmp_path, waits):
    folder, made = tmp_path / "studies/tiny", []
    table = folder / "tables/cells.csv"

    def make():
        made.append(1)
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text("a table")
        note_written(table)

    job = Path("fit_exponents-0123456789ab.json")
    seal = folder / "seals" / job.name
    stale = argparse.Namespace(job=job, seal=None, unless_sealed=True)
    waits.append(hold(tmp_path, folder / "seals" / "fit_exponents"))
    make_sealed(folder, stale, make)
    make_sealed(folder, stale, make)
    assert len(made) == 1 and not waits and read_seal(seal).outputs.keys() == {"tables/cells.csv"}
    table.write_text("another table")
    make_sealed(folder, stale, make)
    assert len(made) == 2
    make_sealed(folder, argparse.Namespace(job=job, seal=None, unless_sealed=False), make)
    assert len(made) == 3, "a run was told to make it again"
    other = argparse.Namespace(job=job, seal=f"{job.stem}-2", unless_sealed=True)
    make_sealed(folder, other, make)  # as of a run that was planned beside a stale seal
    assert len(made) == 3 and seal.is_file()
    assert read_seal(folder / "seals" / f"{job.stem}-2.json").outputs == read_seal(seal).outputs
