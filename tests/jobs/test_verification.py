"""Every kind of damage to a results folder is found and named, each with its repair."""

import errno
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from support.scripts import run_script
from support.stores import make_stores
from support.studies import tiny

from nstar.errors import MachineError
from nstar.files import QUIET_S
from nstar.files.faults import repair_command
from nstar.files.processes import this_process
from nstar.jobs.repair import set_aside
from nstar.jobs.verification import verify_results
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.leases import Holder

CHANGES = {
    "models": {"lstm": {"kind": "lstm", "width": 8}},
    "grid": [{"lengths": [4], "budgets": [2, 8]}, {"lengths": [13], "budgets": [4000]}],
    "training.max_steps": 20,
}
"""The second curve has data in four shards of training."""


CURVE = "model~lstm-0a/task~parity-0b/supervision~aligned/length_distribution~fixed"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    results = tmp_path_factory.mktemp("finished") / "results"
    planned = plan_jobs(make_plan(load_study(tiny(**CHANGES)), results))
    make_stores(planned, results)
    return results


@pytest.fixture
def results(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "results")
    return tmp_path / "results"


def store(results, stage, *words):
    """Return the first store of a stage whose path has all the words."""
    paths = sorted((results / stage).rglob("*.zarr.zip"))
    return next(path for path in paths if all(word in str(path) for word in words))


def problem(results, path):
    """Return what is said of the one bad file, after its repair was tried."""
    found = verify_results(results)
    (problem,) = found.problems
    line = problem.text
    assert str(path) in line and "\n" not in line
    if problem.is_damage:
        assert repair_command(path) in line
        aside = set_aside(results, problem)
        assert aside == results / "damaged" / path.relative_to(results)
        assert aside.with_name(f"{aside.name}.reason.txt").read_text() == f"{line}\n"
    return line


def moved(path, old, new):
    """Move a store to where a word of its path is another."""
    target = Path(str(path).replace(old, new))
    assert target != path
    target.parent.mkdir(parents=True, exist_ok=True)
    return path.rename(target)


def test_a_whole_tree_is_good(results):
    found = verify_results(results)
    assert found.problems == () and found.n_unfinished == 0
    assert found.n_good == len(list(results.rglob("*.zarr.zip"))) == 3 + 3 + 2 * (5 + 7)


@pytest.mark.parametrize("stage", ["data", "cells", "evaluations"])
@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_truncated(stage, share, results):
    path = store(results, stage)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "is damaged" in problem(results, path)
    assert bool(verify_results(results).problems) == (stage == "cells")  # its evaluation is alone


@pytest.mark.parametrize("stage", ["data", "cells", "evaluations"])
def test_a_flipped_bit_of_content(stage, results):
    path = store(results, stage)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        entry = archive.infolist()[0]
    content[entry.header_offset + 30 + len(entry.filename)] ^= 4
    path.write_bytes(bytes(content))
    assert "is damaged" in problem(results, path)


@pytest.mark.parametrize("stage", ["data", "cells", "evaluations"])
def test_renamed(stage, results):
    path = store(results, stage)
    if stage == "cells":
        shutil.rmtree(results / "evaluations")
    path = path.rename(path.with_name("0123456789ab.zarr.zip"))
    assert "not the one it is named after" in problem(results, path)
    assert verify_results(results).problems == ()


@pytest.mark.parametrize(
    ("stage", "old", "new", "words"),
    [
        ("cells", "budget~2/", "budget~8/", "made for budget 2, not for the 8 of its path"),
        ("cells", "length~4/", "length~5/", "made for length 4, not for the 5 of its path"),
        ("cells", "seeds~0+1", "seeds~0+2", "holds the replicates"),
        ("cells", "learning_rates~0.003+", "learning_rates~0.002+", "holds the replicates"),
        ("evaluations", "budget~2/", "budget~8/", "evaluates the trained cell"),
        ("evaluations", "seeds~0+1", "seeds~1+0", "evaluates the trained cell"),
        ("cells", "model~lstm-", "model~gru-", "made for model lstm-"),
        ("cells", "task~modular_addition-", "task~parity-", "made for task modular_addition-"),
        ("data", "task~modular_addition-", "task~parity-", "made for task modular_addition-"),
        ("data", "length~4/", "length~5/", "made for length 4, not for the 5 of its path"),
        ("data", "seed~0/", "seed~7/", "made for seed 0, not for the 7 of its path"),
        (
            "data",
            "split~train/",
            "split~other/",
            "made for split train, not for the other of its path",
        ),
        ("data", "~fixed/", "~uniform/", "made for length_distribution fixed, not for the uniform"),
        ("cells", "~aligned/", "~outcome/", "made for supervision aligned, not for the outcome of"),
    ],
)
def test_moved_to_other_coordinates(stage, old, new, words, results):
    source = store(results, stage, old)
    if stage == "cells":
        shutil.rmtree(results / "evaluations")
    path = moved(source, old, new)
    assert words in problem(results, path)
    assert verify_results(results).problems == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("split~train/shard~2/", "split~train/shard~1/"),
        ("split~train/shard~2/", "split~train/shard~3/"),
        ("split~train/shard~2/", "split~train/shard~99999999999/"),
        ("split~train/shard~1/", "split~train/shard~-1/"),
        ("split~train/shard~0/", "split~train/shard~1/"),
        ("split~train/shard~1/", "split~train/shard~0/"),
        ("split~validation/shard~0/", "split~validation/shard~1/"),
    ],
)
def test_moved_to_another_place_of_the_stream(old, new, results):
    source = store(results, "data", "length~13/seed~1", old)
    target = Path(str(source).replace(old, new)).parent
    shutil.rmtree(target, ignore_errors=True)
    path = moved(source, old, new)
    assert "was made for shard" in problem(results, path)


def test_a_cell_of_another_stage(results):
    source = store(results, "evaluations", "budget~2/")
    path = Path(str(source).replace("/evaluations/", "/cells/"))
    shutil.copy(source, path)
    assert "is of stage 'evaluation', schema version 4; wanted is" in problem(results, path)


def test_foreign_zip(results):
    path = store(results, "evaluations", "budget~8")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", "[]")
    assert "is damaged" in problem(results, path)


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt",
        "0123456789ab.zarr.zip",
        "model~lstm/0123456789ab.zarr.zip",
        f"{CURVE}/length~four/budget~2/seeds~0/learning_rates~0.1/0123.zarr.zip",
        "task~parity-0b/model~lstm-0a/supervision~aligned/length_distribution~fixed/length~4/budget~2/seeds~0/learning_rates~0.1/0123.zarr.zip",
        f"{CURVE}/length~4/budget~2/seeds~0/learning_rates~0.1/old/0123.zarr.zip",
        f"{CURVE}/length~4/budget~2/seeds~0/learning_rates~0.10/0123.zarr.zip",
        f"{CURVE}/length~4/budget~2/seeds~0/learning_rates~0.1/0123.zarr.zip~",
        f"{CURVE}/length~4/budget~2/seeds~0/learning_rates~0.1/mine.zarr.zip",
        f"{CURVE}/length~4/budget~2/seeds~0/learning_rates~0.1/0123-0.zarr.zip",
    ],
)
def test_what_does_not_belong(name, results):
    path = results / "cells" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    assert f"file {path} does not belong there: no store lies at cells/" in problem(results, path)


def longer(results):
    """Let a study with another rule go on with the runs of the first one."""
    planned = plan_jobs(make_plan(load_study(tiny(**{**CHANGES, **LONGER})), results))
    make_stores(planned, results)
    return [path for job in planned.training for path in map(Path, job.outputs)]


LONGER = {"training.success.threshold": 1.0, "training.max_steps": 60}


def test_further_parts_are_good(results):
    parts = longer(results)
    assert {path.name[-11:] for path in parts} == {"-1.zarr.zip"}
    found = verify_results(results)
    assert found.problems == () and found.n_good == 30 + 2 * len(parts)


def test_a_further_part_without_those_before_it(results):
    path, *_ = longer(results)
    first = path.with_name(path.name.replace("-1.", "."))
    shutil.rmtree(results / "evaluations")
    first.unlink()
    assert f"is a further part of {first}, which is missing" in problem(results, path)
    assert verify_results(results).problems == ()


def test_a_part_that_does_not_go_on_where_the_one_before_it_ends(results):
    later = {**LONGER, "training.max_steps": 100}
    path, *_ = longer(results)
    planned = plan_jobs(make_plan(load_study(tiny(**{**CHANGES, **later})), results))
    make_stores(planned, results)
    last = path.with_name(path.name.replace("-1.", "-2."))
    assert last.is_file()
    last.rename(path)
    shutil.rmtree(results / "evaluations")
    line = problem(results, path)
    assert "goes on with seed" in line and "a part in between is lost" in line


def test_a_part_of_a_block_with_other_replicates(results):
    parts = longer(results)
    wrong = next(path for path in parts if "budget~2/" in str(path))
    second, first = (
        moved(path, "seeds~0+1", "seeds~0+2")
        for path in (wrong, wrong.with_name(wrong.name.replace("-1.", ".")))
    )
    shutil.rmtree(results / "evaluations")
    (found,) = verify_results(results).problems  # both parts say it of the first one
    assert found.path == first and "replicates" in found.text
    set_aside(results, found)
    assert f"is a further part of {first}" in problem(results, second)


def test_a_store_of_the_last_version(results):
    source = store(results, "cells", "budget~2/")
    shutil.rmtree(results / "evaluations")
    folder = source.parents[7].name.partition("-")[0]
    path = moved(source, source.parents[7].name, folder)
    assert "is of nstar 0.1, which this version does not read" in problem(results, path)


def test_an_evaluation_without_its_cell(results):
    cell, path = store(results, "cells", "budget~8/"), store(results, "evaluations", "budget~8/")
    cell.unlink()
    line = problem(results, path)
    assert f"evaluates the trained cell {cell}, which is missing; run the workflow" in line


def test_partial_files(results):
    other, ended = "0a1b2c3d-4711-998877", f"{this_process()}0"  # one of another machine
    for process, quiet_s in ((ended, 0), (other, 2 * QUIET_S), (other, 0), (this_process(), 0)):
        path = results / "cells" / f".{process}.partial.{quiet_s}.zarr.zip"
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - quiet_s))
    found = verify_results(results)
    assert found.n_unfinished == 2
    assert len(found.problems) == 2 and other in "".join(p.text for p in found.problems)
    path = results / "cells" / f".{other}.partial.{2 * QUIET_S}.zarr.zip"
    path.unlink()
    path = results / "cells" / f".{ended}.partial.0.zarr.zip"
    assert "is a partial store that a killed process has left" in problem(results, path)


def test_folders_behind_links_are_read(results, tmp_path):
    (folder,) = (results / "cells").iterdir()
    shutil.move(folder, tmp_path / "other_disk")
    folder.symlink_to(tmp_path / "other_disk")
    path = store(tmp_path, "other_disk", "budget~2/")
    path.write_bytes(b"")
    assert "is damaged" in problem(results, folder / path.relative_to(tmp_path / "other_disk"))


def test_a_folder_that_cannot_be_listed_is_not_passed_over(results, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if Path(path).name.startswith("model~lstm-"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # the rights of a folder do not bind root
    with pytest.raises(
        MachineError, match=r"model~lstm-.* cannot be listed: Permission denied; ask"
    ):
        verify_results(results)


def verify(*arguments):
    return run_script("verify_results.py", *arguments)


def test_the_script_names_every_bad_store(results):
    good = verify("--results", results)
    assert (good.returncode, good.stdout) == (0, "30 good stores, 0 bad files\n")
    bad = [store(results, "data"), store(results, "evaluations")]
    for path in bad:
        path.write_bytes(path.read_bytes()[:-20])
    partial = results / "data" / f".{this_process()}.partial.x.zarr.zip"
    partial.touch()
    process = verify("--results", results)
    assert process.returncode == 1
    *lines, last = process.stdout.splitlines()
    assert last == "28 good stores, 2 bad files, 1 being written"
    assert [line.split()[1] for line in lines] == [str(path) for path in bad]
    assert process.stderr.startswith("verify: 31 files in ") and "\r" not in process.stderr
    repaired = verify("--repair", "--", *bad)
    assert repaired.returncode == 0 and repaired.stdout.endswith(
        "0 good stores, 2 bad files, 2 of them set aside\n"
    )
    aside = [results / "damaged" / path.relative_to(results) for path in bad]
    assert all(path.is_file() for path in aside) and not any(path.exists() for path in bad)
    assert "is damaged" in aside[0].with_name(f"{aside[0].name}.reason.txt").read_text()


def test_the_script_refuses_wrong_arguments(tmp_path):
    process = verify("--results", tmp_path / "nowhere")
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    assert line.startswith("error: results folder ") and "name another with --results" in line
    assert verify("--remove").returncode == 2


def test_the_script_leaves_alone_what_a_job_makes(results):
    path = store(results, "data")
    path.write_bytes(b"")
    with Holder(results, [path]):
        process = verify("--repair", "--results", results)
    assert process.returncode == 1 and path.exists()
    assert f"left alone, for it is being made by process {os.getpid()} on " in process.stdout
    assert verify("--repair", "--results", results).returncode == 0 and not path.exists()
