"""Whatever happens to the files of a results folder is refused by name, or changes no number."""

import collections
import json
import os
import random
import resource
import shutil
import zipfile

import numpy as np
import pytest
import torch
from support import damages
from support.stores import make_stores
from support.studies import tiny

from nstar.cells.paths import parse_store_path
from nstar.errors import DamageError, NstarError
from nstar.jobs.repair import set_aside
from nstar.jobs.verification import SCHEMAS, verify_results
from nstar.plan.experience import read_experience
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.training.checkpoint import load_checkpoint

STUDY = tiny(
    models={"lstm": {"kind": "lstm", "width": 8}},
    **{
        "grid": [{"lengths": [4], "budgets": [2, 8]}],
        "search": "bracket",
        "training.max_steps": 20,
        "replicates.learning_rates": [0.01],
    },
)


@pytest.fixture(scope="module")
def study():
    return load_study(STUDY)


@pytest.fixture(scope="module")
def finished(study, tmp_path_factory):
    results = tmp_path_factory.mktemp("finished") / "results"
    while not (plan := make_plan(study, results)).finished:
        planned = plan_jobs(plan)
        make_stores(planned, results)
    return results


def read(results, path):
    return read_store(path, SCHEMAS[parse_store_path(path.relative_to(results))[0]])


def outcome(results, path, before, study):
    """Return how a damaged store is met: 'refused' by name, or 'harmless'; anything else fails."""
    (problem,) = verify_results(results, [path]).problems or [None]
    try:
        make_plan(study, results)
    except NstarError as error:
        assert str(path) in str(error) and problem, error
    read_experience(study, results, "cpu")
    if problem is None:
        assert read(results, path).equals(before), f"{path} has other numbers"
        return "harmless"
    assert problem.is_damage and str(path) in problem.text, problem.text
    assert problem.text.isprintable() and "--repair" in problem.text
    return "refused"


def fuzz(finished, folder, study, kinds, n):
    """Damage stores one after another; return how often each kind of damage met with which outcome."""
    results = shutil.copytree(finished, folder / "results")
    paths = sorted(results.rglob("*.zarr.zip"))
    before = {path: (path.read_bytes(), read(results, path)) for path in paths}
    counts = collections.Counter()
    for seed in range(n):
        rng = random.Random(seed)
        damage, path = kinds[seed % len(kinds)], rng.choice(paths)
        damage(path, rng)
        counts[damage.__name__, outcome(results, path, before[path][1], study)] += 1
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.write_bytes(before[path][0])
    return counts


def test_damaged_stores(finished, tmp_path, study):
    counts = fuzz(finished, tmp_path, study, damages.OF_STORES, 52)
    assert sum(counts.values()) == 52
    assert sum(n for (_, met), n in counts.items() if met == "refused") > 35


@pytest.mark.long
def test_many_damaged_stores(finished, tmp_path, study):
    for key, n in sorted(fuzz(finished, tmp_path, study, damages.OF_STORES, 300).items()):
        print(*key, n)


@pytest.mark.parametrize("damage", damages.OF_ANY_FILE, ids=lambda damage: damage.__name__)
def test_damaged_checkpoints(damage, tmp_path):
    path, device = tmp_path / "checkpoints" / "0-cpu.pt", torch.device("cpu")
    for seed in range(3):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(random.Random(seed).randbytes(200))
        damage(path, random.Random(seed))
        try:
            assert load_checkpoint(path, device) is None
        except DamageError as error:
            assert str(path) in str(error)
        shutil.rmtree(tmp_path / "checkpoints")


def cell(results):
    return next(path for path in sorted((results / "cells").rglob("*.zarr.zip")))


def bomb(path):
    """Let a header of 50 kB unpack to 50 MB, which compressed headers are never let do."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zarr.json", b" " * 50_000_000)


def many_entries(path):
    """Promise a directory of 4 GiB."""
    path.write_bytes(b"PK\5\6" + bytes(8) + b"\xff" * 4 + bytes(6))


def huge_header(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", b" " * 270_000_000)


def described(**changes):
    def edit(path):
        def change(entries):
            name = "weights/zarr.json"
            entries[name] = json.dumps(json.loads(entries[name]) | changes).encode()

        damages.rewritten(path, change)

    return edit


def zstd_bomb(path):
    """Let a chunk of a few bytes promise 8 GiB."""

    def change(entries):
        name = next(name for name in entries if name.startswith("weights/c/"))
        entries[name] = b"\x28\xb5\x2f\xfd\xe0" + (2**33).to_bytes(8, "little") + bytes(9)

    damages.rewritten(path, change)


def device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


BOMBS = (
    *(bomb, many_entries, huge_header, zstd_bomb, device),
    described(data_type="vlen-utf8", codecs=[{"name": "vlen-utf8"}]),
    described(shape=[10**6, 10**6]),
    described(
        shape=[2**40, 1], chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1, 1]}}
    ),
)


def test_no_store_takes_memory_that_it_should_not_hold(finished, tmp_path, study):
    """In a process that may take 250 MB more than it has; verification, plan and jobs."""
    results = shutil.copytree(finished, tmp_path / "results")
    path = cell(results)
    whole = path.read_bytes()
    for number, damage in enumerate(BOMBS):
        path.unlink()
        path.write_bytes(whole)
        damage(path)
        process = os.fork()
        if process == 0:
            limit = (
                250_000_000
                + int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            )
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            status = 1
            try:
                (problem,) = verify_results(results, [path]).problems
                assert problem.is_damage, problem.text
                with pytest.raises(NstarError):
                    read(results, path)
                try:
                    make_plan(study, results)
                except DamageError:
                    pass
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0, f"bomb {number}"


def test_what_was_set_aside_is_made_anew(finished, tmp_path, study):
    results = shutil.copytree(finished, tmp_path / "results")
    path = cell(results)
    before = read(results, path)
    for number in ("", ".1"):
        path.write_bytes(b"half")
        (problem,) = verify_results(results).problems
        place = set_aside(results, problem)
        assert place == results / "damaged" / path.relative_to(results).with_name(
            path.name + number
        )
        make_stores(plan_jobs(make_plan(study, results)), results)
        np.testing.assert_array_equal(read(results, path)["weights"], before["weights"])
