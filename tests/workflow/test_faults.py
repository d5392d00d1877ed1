"""A full or read-only disk, no GPU, two runs at once: a readable error, and nothing lost."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
import torch
from support.studies import tiny
from support.workflow import make_run, snakemake, snakemake_command, tables_of, write_config

STUDY = tiny(**{"models": {"dense": {"kind": "dense_ssm", "width": 8}}, "grid.0.lengths": [4]})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("finished"), STUDY)


def failed(folder):
    """Run the workflow, which has to fail without a traceback of the project; return what it says."""
    process = snakemake(folder)
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


def test_full_disk(finished, small_disk, tmp_path):
    write_config(tmp_path, STUDY)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/cells").symlink_to(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(252 * 2**10))  # a store takes about 20 KiB
    text = failed(tmp_path)
    assert "No space left on device" in text and "free space" in text
    kept = {path: path.stat().st_mtime_ns for path in small_disk.rglob("*.zarr.zip")}
    assert not list(small_disk.rglob("*.partial.*"))
    filler.unlink()
    again = snakemake(tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert tables_of(tmp_path) == tables_of(finished)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_read_only_disk(finished, small_disk, tmp_path):
    write_config(tmp_path, STUDY)
    (tmp_path / "results").symlink_to(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    text = failed(tmp_path)
    assert "Read-only file system" in text and "nothing was started" in text
    subprocess.run(["mount", "-o", "remount,rw,size=16m", small_disk], check=True)
    assert snakemake(tmp_path).returncode == 0
    assert tables_of(tmp_path) == tables_of(finished)


def test_results_that_are_a_file(tmp_path):
    write_config(tmp_path, STUDY)
    (tmp_path / "results").write_text("not a folder")
    text = failed(tmp_path)
    assert "results is no folder; move it away" in text
    assert (tmp_path / "results").read_text() == "not a folder"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_missing_gpu(tmp_path):
    write_config(tmp_path, STUDY | {"device": "cuda"})
    text = failed(tmp_path)
    assert "device: 'cuda' is asked for, and torch finds no GPU" in text
    assert list(tmp_path.glob("results/data/**/*.zarr.zip")), "data need no GPU"


def test_second_run_in_the_same_folder_waits_for_nobody(tmp_path):
    write_config(tmp_path, STUDY)
    first = subprocess.Popen(
        snakemake_command(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not list(tmp_path.glob(".snakemake/locks/*")):
            assert first.poll() is None
            time.sleep(0.05)
        second = snakemake(tmp_path)
        text = second.stdout + second.stderr
        assert second.returncode == 1
        assert "Directory cannot be locked" in text and "Traceback" not in text
    finally:
        assert first.wait() == 0


def test_two_studies_share_one_tree(finished, tmp_path):
    """The second study, of twice the budgets, trains only what the first has not."""
    shutil.copytree(finished, tmp_path / "run", symlinks=True)
    folder = tmp_path / "run"
    before = {path: path.stat().st_mtime_ns for path in folder.glob("results/cells/**/*.zarr.zip")}
    larger = tiny(**{"models": STUDY["models"], "grid.0.lengths": [4], "grid.0.budgets": [2, 4, 8]})
    write_config(folder, larger)
    assert snakemake(folder).returncode == 0
    write_config(folder, STUDY)
    assert snakemake(folder).returncode == 0
    assert tables_of(folder) == tables_of(finished)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(folder.glob("results/cells/**/*.zarr.zip"))) == len(before) + 1


def test_store_of_another_origin_is_refused_and_made_again(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run", symlinks=True)
    folder = tmp_path / "run"
    small, large = sorted(folder.glob("results/cells/**/*.zarr.zip"))
    shutil.copy(large, small)
    shutil.rmtree(folder / "results/evaluations")
    text = failed(folder)
    name = str(small.relative_to(folder))
    assert f"store {name} was made from specification" in text and f"rm '{name}'" in text
    kept = large.stat().st_mtime_ns
    Path(small).unlink()
    assert snakemake(folder).returncode == 0
    assert tables_of(folder) == tables_of(finished)
    assert large.stat().st_mtime_ns == kept
