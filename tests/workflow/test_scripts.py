"""The scripts as a user or a cluster meets them: kills, resuming, and wrong input."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr
import yaml
from support.evidence import learns_at, make
from support.forked_python import interpreter
from support.scripts import job_file
from support.studies import tiny

from nstar.jobs.generation import generate_data
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.store.schemas import CELL

SCRIPTS = Path(__file__).parents[2] / "scripts"
STUDY = tiny(
    **{
        "models": {"lstm": {"kind": "lstm", "width": 32}},
        "grid.0.lengths": [8],
        "grid.0.budgets": [4, 8],
        "training.max_steps": 400,
        "training.success.threshold": 1.0,
    }
)


def start(script, *arguments, python=None, **options):
    """Start a script in a fork that has loaded what it imports, or in a Python that loads it afresh."""
    command = [python or interpreter(), SCRIPTS / script, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def finish(script, *arguments, **options):
    process = start(script, *arguments, **options)
    process.out, process.err = process.communicate(timeout=300)
    return process


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The training of one curve, its arguments and folder, and the process that has finished it."""
    folder = tmp_path_factory.mktemp("trained")
    planned = plan_jobs(make_plan(load_study(STUDY), folder))
    for batch in planned.generation:
        generate_data(batch.work, folder)
    (batch,) = planned.training
    batch.save(folder)
    arguments = ["--results", folder, "--job", batch.path(folder), "--device", "cpu"]
    process = finish("train_cells.py", *arguments, python=sys.executable)
    return batch, arguments, folder, process


def test_killed_training_goes_on_and_gives_the_same_numbers(trained):
    batch, arguments, folder, process = trained
    assert process.returncode == 0
    whole = [read_store(path, CELL) for path in batch.outputs]
    shutil.rmtree(folder / "checkpoints")
    for n_checkpoints in (1, 4, 6):
        for path in map(Path, batch.outputs):
            path.unlink(missing_ok=True)  # as the workflow does with the outputs of a failed job
        process = start("train_cells.py", *arguments, "--checkpoint-interval", "0")
        wait_for_checkpoints(folder / "checkpoints", n_checkpoints, process)
        process.kill()
        process.communicate()
        assert list(folder.rglob("*.pt")), "it was killed while it ran"
    assert finish("train_cells.py", *arguments).returncode == 0
    for path, expected in zip(batch.outputs, whole, strict=True):
        xr.testing.assert_equal(read_store(path, CELL), expected)


def wait_for_checkpoints(folder, n_checkpoints, process):
    """Wait until so many checkpoints were written since now."""
    seen = {(path, path.stat().st_mtime_ns) for path in folder.rglob("*.pt")}
    n_old = len(seen)
    while len(seen) - n_old < n_checkpoints:
        assert process.poll() is None, process.stderr.read()
        for path in folder.rglob("[!.]*.pt"):
            try:
                seen.add((path, path.stat().st_mtime_ns))
            except FileNotFoundError:
                continue
        time.sleep(0.002)


def test_progress_is_plain_lines_in_a_log(trained):
    *_, process = trained
    assert process.err.splitlines()[-1].startswith("lstm, parity, length 8: 8 replicates in ")
    assert "\r" not in process.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "gpu"], "invalid choice: 'gpu'"),
        ([], "the following arguments are required: --job"),
    ],
)
def test_wrong_arguments(arguments, words):
    process = finish("train_cells.py", *arguments)
    assert process.returncode == 2
    assert words in process.err


def test_missing_data_is_one_readable_line(tmp_path):
    (batch,) = plan_jobs(make_plan(load_study(STUDY), tmp_path)).training
    batch.save(tmp_path)
    process = finish("train_cells.py", "--results", tmp_path, "--job", batch.path(tmp_path))
    assert process.returncode == 1
    (line,) = process.err.splitlines()
    assert line.startswith("error: store ") and "is missing; run the workflow again" in line


@pytest.mark.parametrize(
    "script",
    [
        ("collect_results.py",),
        ("analyse_study.py", "demand.fit_exponents"),
        ("analyse_study.py", "demand.draw_figures"),
    ],
    ids=" ".join,
)
def test_every_later_script_says_what_is_missing(script, tmp_path):
    study = load_study(STUDY).model_dump(mode="json")
    job = {"study": study, "fit": study["fit"], "figures": study["figures"]}
    job["axis"] = {"name": "budget", "texts": []}
    told = job_file(tmp_path, script[-1].removesuffix(".py").removeprefix("demand."), job)
    process = finish(*script, "--results", tmp_path, "--job", told, python=sys.executable)
    assert process.returncode == 1
    assert process.err.startswith("error: ") and "Traceback" not in process.err


def test_plan_lists_cached_and_missing_cells(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY))
    process = finish("plan_study.py", cwd=tmp_path)
    assert process.returncode == 0
    assert re.search(r"^lstm, parity, length 8 +- +4 8 +3,200 ", process.out, re.MULTILINE)
    assert "2 of 2 cells to train, 8 replicates" in process.out
    shown = json.loads(finish("plan_study.py", "--json", cwd=tmp_path).out)
    assert [curve["training"]["missing"] for curve in shown["curves"]] == [[4, 8]]
    assert shown["totals"]["cells_missing"] == 2


def test_plan_says_whether_a_study_is_finished(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(STUDY))
    assert finish("plan_study.py", "--finished", cwd=tmp_path).returncode == 3
    study = load_study(STUDY)
    n_evaluations = study.training.max_steps // study.training.evaluate_every
    make(make_plan(study, tmp_path / "results"), lambda *_: learns_at(n_evaluations, at=1))
    assert finish("plan_study.py", "--finished", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "does not exist"), ("a: [", "a bracket is not closed"), ("", "is empty; it needs")],
)
def test_plan_of_a_wrong_configuration(text, words, tmp_path):
    if text is not None:
        (tmp_path / "config.yaml").write_text(text)
    process = finish("plan_study.py", cwd=tmp_path)
    assert process.returncode == 1
    assert words in process.err and "Traceback" not in process.err
