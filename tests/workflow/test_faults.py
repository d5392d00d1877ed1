"""A full or read-only disk, no GPU, two runs at once: a readable error, and nothing lost."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch
from support.studies import tiny
from support.workflow import (
    LAST_OF_TABLES,
    make_run,
    snakemake,
    start_snakemake,
    tables_of,
    write_config,
)

STUDY = tiny(**{"models": {"dense": {"kind": "dense_ssm", "width": 8}}, "grid.0.lengths": [4]})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with all tables of the study, and a second run in it that came while the first went on."""
    folder = tmp_path_factory.mktemp("finished")
    write_config(folder, STUDY)
    first = start_snakemake(folder, LAST_OF_TABLES, streams=[folder / "output.txt"] * 2)
    try:
        while not list(folder.glob(".snakemake/locks/*")):
            assert first.is_alive()
            time.sleep(0.05)
        second = snakemake(folder)
    finally:
        first.join()
    assert first.exitcode == 0, (folder / "output.txt").read_text()
    return folder, second


@pytest.fixture(scope="module")
def finished(runs):
    return runs[0]


def failed(folder, *arguments):
    """Run the workflow, which has to fail without a traceback of the project; return what it says."""
    process = snakemake(folder, *arguments)
    assert process.returncode == 1
    text = process.stdout + process.stderr
    assert "Traceback" not in text, text
    return text


@pytest.fixture
def small_disk(tmp_path):
    """A file system that a few stores fill."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder])
    if mounted.returncode != 0:
        pytest.skip("mounting a file system needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_disk_that_is_read_only_and_then_full(finished, small_disk, tmp_path):
    write_config(tmp_path, STUDY)
    results = tmp_path / "results"
    results.symlink_to(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    text = failed(tmp_path)
    assert "Read-only file system" in text and "nothing was started" in text

    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    assert not list(small_disk.iterdir())
    results.unlink()
    results.mkdir()
    (results / "cells").symlink_to(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(252 * 2**10))  # a store takes about 20 KiB
    text = failed(tmp_path)
    assert "No space left on device" in text and "free space" in text
    kept = {path: path.stat().st_mtime_ns for path in small_disk.rglob("*.zarr.zip")}
    assert not list(small_disk.rglob("*.partial.*"))
    filler.unlink()
    make_run(tmp_path, STUDY, LAST_OF_TABLES)
    assert tables_of(tmp_path) == tables_of(finished)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_results_that_are_a_file(tmp_path):
    write_config(tmp_path, STUDY)
    (tmp_path / "results").write_text("not a folder")
    text = failed(tmp_path)
    assert "results is not a folder; move it away" in text
    assert (tmp_path / "results").read_text() == "not a folder"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu_and_a_job_without_progress(tmp_path):
    write_config(tmp_path, STUDY | {"device": "cuda"})
    text = failed(tmp_path, "--retries", "9")
    said = "device: 'cuda' is asked for, and torch finds no GPU"
    assert text.count(said) == 2 * 3, "each attempt says it, and its log is shown"
    assert list(tmp_path.glob("results/data/**/*.zarr.zip")), "data need no GPU"
    assert text.count("gives up after 3 attempts without a newer checkpoint") == 1
    assert "curves: dense, parity, length 4" in text and "checkpoints: none" in text


def test_second_run_in_the_same_folder_waits_for_nobody(runs):
    _, second = runs
    text = second.stdout + second.stderr
    assert second.returncode == 1
    assert "Directory cannot be locked" in text and "Traceback" not in text


def test_two_studies_share_one_tree(finished, tmp_path):
    """The second study, of twice the budgets, trains only what the first has not, whatever the clock was.

    Every file is dated a year ahead, as by a machine with another clock.
    """
    folder = shutil.copytree(finished, tmp_path / "run", symlinks=True)
    ahead = time.time() + 365 * 86_400
    for path in folder.glob("results/**/*.*"):
        os.utime(path, (ahead, ahead))
    before = {path: path.stat().st_mtime_ns for path in folder.glob("results/cells/**/*.zarr.zip")}
    larger = tiny(**{"models": STUDY["models"], "grid.0.lengths": [4], "grid.0.budgets": [2, 4, 8]})
    make_run(folder, larger, LAST_OF_TABLES)
    make_run(folder, STUDY, LAST_OF_TABLES)
    assert tables_of(folder) == tables_of(finished)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(folder.glob("results/cells/**/*.zarr.zip"))) == len(before) + 1


def test_store_of_another_origin_is_refused_and_made_again(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run", symlinks=True)
    small, large = sorted(folder.glob("results/cells/**/*.zarr.zip"))
    shutil.copy(large, small)
    shutil.rmtree(folder / "results/evaluations")
    text = failed(folder)
    name = str(small.relative_to(folder))
    assert f"store {name} was made from specification" in text and f"--repair -- '{name}'" in text
    kept = large.stat().st_mtime_ns
    Path(small).unlink()
    make_run(folder, STUDY, LAST_OF_TABLES)
    assert tables_of(folder) == tables_of(finished)
    assert large.stat().st_mtime_ns == kept
