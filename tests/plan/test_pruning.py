"""What no study needs is found and removed, and nothing else."""

import os
import shutil
import subprocess
import sys
import time

import pytest
import yaml
from support.evidence import learns_at
from support.evidence import make as make_headers
from support.scripts import run_script
from support.studies import changed, tiny

from nstar.cells.paths import checkpoint_path, lease_path
from nstar.errors import ArtifactError, PathError
from nstar.files import QUIET_S, is_left_over, is_partial, written_whole
from nstar.files.processes import is_running, this_process
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells
from nstar.plan.job_files import read_job_file
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.plan.pruning import PARTIAL, find_surplus, remove
from nstar.reading.check import load_study
from nstar.store.leases import Holder, read_lease

STUDY = tiny(**{"grid.0.budgets": [2, 8], "training.max_steps": 20})
ONE_LENGTH = {"grid.0.lengths": [4]}
ANOTHER_LENGTH = {"grid.0.lengths": [7]}
ONE_SEED = {"replicates.seeds": [0]}
SEARCH = {"search": "bracket"}


def study(**changes):
    return load_study(changed(STUDY, **changes))


def run(cell, seed, rate):
    return learns_at(10, 1)


def make(results, **changes):
    """Make all that a study misses, and the files of its jobs, as the workflow would."""
    plan = make_plan(study(**changes), results)
    for job in plan_jobs(plan).every:
        job.save(results)
    make_headers(plan, run)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    results = tmp_path_factory.mktemp("finished") / "results"
    make(results)
    return results


@pytest.fixture
def results(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "results")
    return tmp_path / "results"


def surplus_of(results, *studies, kinds=("data", "cells", "evaluations")):
    found = find_surplus(studies, results)
    return {str(part.path.relative_to(results)) for part in found if part.kind in kinds}


def contents(results):
    return {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}


def stores(results, stage):
    return {str(path.relative_to(results)) for path in (results / stage).rglob("*.zarr.zip")}


def state(results, one):
    """Return what a plan says, as far as pruning could change it."""
    plan = make_plan(one, results)
    return plan.cells, set(plan.missing_data), plan.evaluated, plan.missing_evaluations


def test_a_study_needs_every_store_it_made(results):
    assert len(stores(results, "cells")) == 8
    assert surplus_of(results, study()) == set()


def test_a_smaller_grid_does_not_need_the_rest(results):
    found = surplus_of(results, study(**ONE_LENGTH))
    rest = {
        path
        for stage in ("data", "cells", "evaluations")
        for path in stores(results, stage)
        if "length~5/" in path or "length~10/" in path
    }
    assert found == rest and len(rest) == 2 * 4 + 2 * 4 + 2


def test_a_block_is_needed_whole_with_the_data_of_all_its_seeds(results):
    assert surplus_of(results, study(**ONE_SEED)) == set()


def test_other_options_need_other_stores(results):
    wider = surplus_of(results, study(**{"models.lstm.width": 16}))
    kept = {path for path in stores(results, "cells") if "model~dense_ssm-" in path}
    assert wider == {
        path
        for stage in ("cells", "evaluations")
        for path in stores(results, stage)
        if "model~lstm-" in path
    }
    assert kept and not kept & wider
    retest = surplus_of(results, study(**{"evaluation.test_examples": 6}))
    tests = {path for path in stores(results, "data") if "split~longer" in path}
    assert retest == stores(results, "evaluations") | tests


def test_two_studies_need_what_each_needs(results):
    first, second = study(**ONE_LENGTH), study(**{"grid.0.lengths": [5], "grid.0.budgets": [8]})
    both = surplus_of(results, first, second)
    assert both == surplus_of(results, first) & surplus_of(results, second)
    assert {path for path in both if path.startswith("cells/")} == {
        path for path in stores(results, "cells") if "length~5/budget~2/" in path
    }
    assert surplus_of(results) > both


def test_a_search_needs_cells_that_it_has_not_asked_for(tmp_path):
    grid = {"grid.0.lengths": [10], "grid.0.budgets": {"smallest": 1, "largest": 512}}
    everything, searching = study(**grid), study(**SEARCH, **grid)
    plan = make_plan(everything, tmp_path)
    make_headers(plan, run)
    assert len(make_plan(searching, tmp_path).cells) < len(plan.cells)
    assert len(surplus_of(tmp_path, kinds=("cells",))) == len(plan.cells)
    assert surplus_of(tmp_path, searching) == set()


def test_every_part_of_a_needed_block_is_needed_whatever_rule_made_it(results):
    stricter = {"training.success.threshold": 0.95, "training.max_steps": 60}
    parts = stores(results, "cells") | stores(results, "evaluations")
    make_headers(make_plan(study(**stricter), results), run)
    more = (stores(results, "cells") | stores(results, "evaluations")) - parts
    assert len(more) == 16 and all(path.endswith("-1.zarr.zip") for path in more)
    assert surplus_of(results, study()) == set()
    assert more <= surplus_of(results, study(**{"training.batch_size": 1, **ONE_LENGTH}))


def test_stores_of_the_last_version_are_surplus(results):
    (path,) = [path for path in stores(results, "cells") if "budget~2" in path][:1]
    old = results / path.replace("-", "", 1)  # there models stood by their names
    old.parent.mkdir(parents=True)
    shutil.copy(results / path, old)
    assert surplus_of(results, study()) == {str(old.relative_to(results))}


def test_overlapping_blocks_are_all_needed(results):
    """One that is not used now is used once the other is found to be damaged."""
    (results / "jobs").rename(results / "elsewhere")
    make(results, **{"replicates.seeds": [0, 1, 2]})
    one = study(**{"replicates.seeds": [1, 2]})
    assert surplus_of(results, one) == set()
    beside = surplus_of(results, study(**{"replicates.seeds": [2]}))
    assert {p for p in beside if p.startswith("cells/")} == {
        path for path in stores(results, "cells") if "seeds~0+1/" in path
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        ONE_LENGTH,
        ONE_SEED,
        {"grid.0.budgets": [8]},
        {"grid.0.lengths": [4, 7]},
        {"replicates.seeds": [1, 3]},
        {"replicates.learning_rates": [0.01, 0.1]},
        {"models.lstm.width": 16},
        {"evaluation.test_examples": 6},
        {"data.validation_share": 0.3},
        {"training.max_steps": 40},
        {"training.batch_size": 1},
        {"training.success.threshold": 0.95, "training.max_steps": 60},
        {**SEARCH, "grid.0.budgets": {"smallest": 2, "largest": 8}},
    ],
    ids=lambda changes: "+".join(changes) or "nothing",
)
@pytest.mark.parametrize("part_lost", [False, True])
def test_no_plan_is_changed(changes, part_lost, results):
    if part_lost:
        for stage in ("data", "cells", "evaluations"):
            for path in sorted(stores(results, stage))[::3]:
                (results / path).unlink()
    one = study(**changes)
    before = state(results, one)
    remove(find_surplus([one], results), results)
    assert state(results, one) == before
    assert find_surplus([one], results) == []


def test_removing_leaves_no_empty_folder_and_nothing_else_is_touched(results):
    others = [results / name for name in ("tables/cells.csv", "logs/a.log", "notes.txt")]
    others += [results / "cells/notes.txt", results / "cells/copies/0123456789ab.zarr.zip"]
    others += [results / "jobs/notes.txt", results / "checkpoints/notes.txt"]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    before = contents(results)
    surplus = find_surplus([study(**ONE_LENGTH)], results)
    remove(surplus, results)
    gone = {part.path for part in surplus}
    assert gone and contents(results) == {p: c for p, c in before.items() if p not in gone}
    assert set(others) <= set(contents(results))
    assert all(any(path.iterdir()) for path in results.rglob("*") if path.is_dir())


def test_the_results_folder_may_lie_anywhere(results, tmp_path):
    elsewhere = tmp_path / "data" / "seeds~x"
    shutil.move(results, elsewhere)
    assert len(surplus_of(elsewhere, study(**ONE_LENGTH))) == 18
    (elsewhere / sorted(stores(elsewhere, "cells"))[0]).unlink()
    assert len(kept(elsewhere, study(**ONE_LENGTH))[0]) == 1


def test_folders_behind_links_are_left_alone(results, tmp_path):
    (folder,) = (results / "cells").glob("model~lstm-*")
    shutil.move(folder, tmp_path / "other_disk")
    folder.symlink_to(tmp_path / "other_disk")
    found = surplus_of(results, study(**ONE_LENGTH), kinds=("cells",))
    assert found and all("model~dense_ssm-" in path for path in found)


def old(path, age_s=2 * QUIET_S):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age_s))
    return path


def ended_process():
    """Return the name of a process of this machine that has ended."""
    name = "from nstar.files.processes import this_process; print(this_process())"
    process = subprocess.run([sys.executable, "-c", name], capture_output=True, text=True)
    assert is_running(process.stdout.strip()) is False
    return process.stdout.strip()


def of_another_machine(number=1):
    return f"0a1b2c3d-{number}-998877"


def test_partial_files_go_once_their_process_has_ended_or_they_are_quiet(results):
    ended, name = ended_process(), "0123456789ab.zarr.zip"
    left = [
        old(results / folder / f".{ended}.partial.{name}", age_s=0)
        for folder in ("data", "cells/model~lstm", "evaluations", "checkpoints", "jobs", "leases")
    ]
    left.append(old(results / "cells" / f".{of_another_machine(1)}.partial.{name}"))
    old(results / "cells" / f".{of_another_machine(2)}.partial.{name}", age_s=QUIET_S - 60)
    old(results / "cells" / f".{this_process()}.partial.{name}")
    old(results / "tables" / f".{ended}.partial.cells.csv")
    found = find_surplus([study()], results)
    assert {part.path for part in found if part.kind == PARTIAL} == set(left)
    assert len(found) == len(left) + len(list((results / "jobs").glob("*.json")))


def test_partial_files_are_those_that_are_written(tmp_path, monkeypatch):
    with written_whole(tmp_path / "a.zarr.zip") as temporary:
        temporary.touch()
        assert is_partial(temporary) and not is_left_over(temporary)
        monkeypatch.setattr("nstar.files.this_process", of_another_machine)  # with the same number
        with written_whole(tmp_path / "a.zarr.zip") as another:
            assert another != temporary and not is_left_over(another)
            another.touch()
    assert not is_partial(tmp_path / "a.zarr.zip")


def test_the_age_of_a_partial_file_is_by_the_clock_of_its_folder(tmp_path, monkeypatch):
    path = old(tmp_path / f".{of_another_machine()}.partial.a.zarr.zip", age_s=0)
    monkeypatch.setattr(time, "time", lambda: path.stat().st_mtime + 10 * QUIET_S)
    assert not is_left_over(path), "the clock of this machine is ahead"


def jobs(results):
    return {path.name for path in (results / "jobs").iterdir()}


def checkpoint(results, store, device):
    return old(checkpoint_path(results, results / store, device), 0)


def kept(results, *studies):
    """Return the jobs and the checkpoints that stay."""
    remove(find_surplus(studies, results), results)
    checkpoints = results / "checkpoints"
    return jobs(results), set(checkpoints.iterdir()) if checkpoints.exists() else set()


def test_jobs_and_checkpoints_of_a_finished_study_go(results):
    for store in stores(results, "cells"):
        checkpoint(results, store, "cpu")
    old(results / "checkpoints" / "0123456789ab.pt")  # named as by an older version
    assert len(jobs(results)) > 2
    assert kept(results, study()) == (set(), set())


def test_what_a_missing_block_could_use_stays_on_any_device(results):
    """Also the checkpoints of the other blocks of its job: if the job fails, it takes their stores."""
    (job,) = [
        path for path in (results / "jobs").glob("train_cells-lstm-parity-aligned-fixed-4-*.json")
    ]
    outputs = read_job_file(job)["outputs"]
    first, *others = (path[path.rindex("cells/") :] for path in outputs)
    assert others
    (results / first).unlink()
    devices = ("cpu", "NVIDIA H100 80GB HBM3", "a device that no store was made on")
    stay = {checkpoint(results, store, name) for store in (first, *others) for name in devices}
    for store in stores(results, "cells") - {first, *others}:
        checkpoint(results, store, "cpu")
    assert kept(results, study()) == ({job.name}, stay)


def test_without_its_job_a_checkpoint_stays_while_its_block_is_missing(results):
    shutil.rmtree(results / "jobs")
    lost, *others = sorted(stores(results, "cells"))
    (results / lost).unlink()
    stay = checkpoint(results, lost, "NVIDIA H100 80GB HBM3")
    for store in others:
        checkpoint(results, store, "cpu")
    one = study()
    assert {part.path for part in find_surplus([one], results)} == {
        path for path in (results / "checkpoints").iterdir() if path != stay
    }
    without = study(**{"models": {"lstm": STUDY["models"]["lstm"]}})  # `lost` is of the other model
    assert stay in {part.path for part in find_surplus([without], results)}


def test_training_and_pruning_name_checkpoints_alike(tmp_path, monkeypatch):
    planned = plan_jobs(make_plan(study(), tmp_path))
    for job in planned.generation:
        generate_data(job.work, tmp_path)

    monkeypatch.setattr("nstar.jobs.part.write_store", lambda *arguments, **options: 1 / 0)
    for job in planned.training:
        with pytest.raises(ZeroDivisionError):
            train_cells(job.work, tmp_path, "cpu", 0.0)
    written = set((tmp_path / "checkpoints").iterdir())
    assert len(written) >= 4
    assert {part.kind for part in find_surplus([study()], tmp_path)} == set()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"outputs": ["elsewhere"]}'])
def test_an_unreadable_job_stops_before_anything_is_removed(text, results):
    (results / "jobs" / "train_cells-x.json").write_text(text)
    with pytest.raises(ArtifactError, match=r"job .*train_cells-x.json is damaged .* --repair -- "):
        find_surplus([study()], results)


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(PathError, match="has none of the folders data, cells"):
        find_surplus([study()], tmp_path)


def at_work(results, *words):
    """Return a holder of leases as a training job is one, and what the job of it names."""
    (path,) = (
        path
        for path in (results / "jobs").glob("train_cells-*.json")
        if all(word in path.name for word in words)
    )
    job = read_job_file(path)
    holder = Holder(results, [results / below(store) for store in job["outputs"]])
    return holder, {below(store) for store in (*job["inputs"], *job["outputs"])}, path


def below(store):
    """Return the path of a store below its results folder, wherever that was."""
    return store.split("/results/")[-1]


def holding(results, *words):
    """Return what is surplus while such a job works, when another study alone is named."""
    other = study(**ANOTHER_LENGTH)
    holder, named, path = at_work(results, *words)
    with holder:
        lease = read_lease(holder.path)
        found = find_surplus([other], results, [lease])
    return {str(part.path.relative_to(results)) for part in found}, named, path


def test_what_a_job_at_work_needs_is_no_surplus_whatever_its_study(results):
    words = ("lstm", "-4-")
    store = min(store for store in at_work(results, *words)[1] if store.startswith("cells/"))
    checkpoints = [checkpoint(results, store, "cpu"), checkpoint(results, "cells/others", "cpu")]
    found, named, path = holding(results, *words)
    assert len([store for store in named if store.startswith("data/")]) >= 4
    names = named | {str(path.relative_to(results)), str(checkpoints[0].relative_to(results))}
    everything = surplus_of(results, kinds=("data", "cells", "evaluations", "jobs", "checkpoints"))
    assert names <= everything and not names & found
    assert everything - names <= found
    assert not any(name.startswith("leases/") for name in found)


def test_jobs_that_wait_for_their_turn_are_no_surplus_while_one_works(results):
    waiting = at_work(results, "dense", "-5-")
    (results / next(store for store in waiting[1] if store.startswith("cells/"))).unlink()
    found, *_ = holding(results, "lstm", "-4-")
    assert not (waiting[1] | {str(waiting[2].relative_to(results))}) & found
    other = study(**ANOTHER_LENGTH)
    assert waiting[2] in {part.path for part in find_surplus([other], results)}


def test_leases_of_jobs_that_are_gone_are_surplus(results):
    gone = results / "leases" / f"{of_another_machine()}.json"
    old(gone)
    link = lease_path(results, results / "cells" / "a.zarr.zip")
    link.symlink_to(gone.name)
    at_work = Holder(results, [])
    with at_work:
        at_work.claim(link.with_name("0123456789ab"))
        found = find_surplus([study()], results, [read_lease(at_work.path)])
        assert {part.path for part in found if part.kind == "leases"} == {gone, link}


def prune(folder, *arguments):
    return run_script("prune_results.py", "--older-than", "0", *arguments, folder=folder)


def write_config(folder, name="config.yaml", **changes):
    (folder / name).write_text(yaml.safe_dump(changed(STUDY, **changes)))


def test_the_script_lists_and_then_removes(results, tmp_path):
    write_config(tmp_path, **ONE_LENGTH)
    before, n_jobs = contents(results), len(jobs(results))
    dry = prune(tmp_path)
    assert dry.returncode == 0 and contents(results) == before
    *lines, last = dry.stdout.splitlines()
    assert last.startswith(f"would remove {18 + n_jobs} files, ") and last.endswith("add --remove")
    listed = [line for line in lines if line.startswith("results/")]
    sizes = [(tmp_path / line).stat().st_size for line in listed if "/cells/" in line]
    assert f"cells: 4 files, {sum(sizes):,} bytes" in lines
    done = prune(tmp_path, "--remove", "--results", "results")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith(f"removed {18 + n_jobs} files, ")
    assert set(before) - set(contents(results)) == {tmp_path / line for line in listed}
    assert prune(tmp_path, "--remove").stdout == "nothing to remove\n"


def test_the_script_takes_several_studies(results, tmp_path):
    write_config(tmp_path, "a.yaml", **ONE_LENGTH)
    write_config(tmp_path, "b.yaml", **{"grid.0.lengths": [5]})
    assert prune(tmp_path, "--configfile", "a.yaml", "b.yaml", "--remove").returncode == 0
    assert len(stores(results, "cells")) == 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "configuration b.yaml does not exist"),
        ("a: [", "configuration b.yaml has 1 mistake; nothing was started"),
        ("name: x", "b.yaml: the configuration has"),
    ],
)
def test_one_wrong_configuration_of_two_removes_nothing(text, words, results, tmp_path):
    write_config(tmp_path, "a.yaml", **ONE_LENGTH)
    if text is not None:
        (tmp_path / "b.yaml").write_text(text)
    before = contents(results)
    process = prune(tmp_path, "--configfile", "a.yaml", "b.yaml", "--remove")
    assert process.returncode == 1 and contents(results) == before
    assert process.stderr.startswith("error: ") and words in process.stderr.splitlines()[0]
    assert "Traceback" not in process.stderr


def test_the_script_refuses_wrong_arguments(tmp_path):
    write_config(tmp_path)
    process = prune(tmp_path, "--results", "nowhere")
    assert process.returncode == 1
    assert process.stderr.startswith("error: results folder nowhere has none of the folders")
    assert prune(tmp_path, "--delete").returncode == 2
    assert prune(tmp_path, "--configfile").returncode == 2
    for age in ("2 days", "2", "-1d", "d"):
        assert prune(tmp_path, "--older-than", age).returncode == 2


def test_the_script_leaves_young_files_alone(results, tmp_path):
    write_config(tmp_path, **ONE_LENGTH)
    before = contents(results)
    for path in list(before)[::2]:
        os.utime(path, (0, path.stat().st_mtime - 3 * 86_400))
    young, *lines = prune(tmp_path, "--older-than", "2d", "--remove").stdout.splitlines()
    gone = set(before) - set(contents(results))
    assert gone and gone < set(list(before)[::2])
    assert lines[-1].startswith(f"removed {len(gone)} files, ")
    assert young.startswith("too young to be listed, see --older-than: ")
    assert prune(tmp_path).stdout.splitlines()[-1].startswith("would remove ")


def test_the_script_removes_nothing_beside_a_run(results, tmp_path):
    write_config(tmp_path, **ONE_LENGTH)
    lock = tmp_path / ".snakemake" / "locks" / "0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    before = contents(results)
    process = prune(tmp_path, "--remove")
    assert process.returncode == 1 and contents(results) == before
    assert f"a run of Snakemake in {tmp_path} is under way" in process.stderr
    assert "make unlock" in process.stderr and "cells: 4 files" in process.stdout


def test_the_script_names_jobs_at_work(results, tmp_path, monkeypatch):
    write_config(tmp_path, **ANOTHER_LENGTH)
    holder, named, path = at_work(results, "lstm", "-4-")
    with holder:
        process = prune(tmp_path, "--remove")
    first, *_ = process.stdout.splitlines()
    assert first.startswith("at work, so that what it needs is left alone: process ")
    assert f"process {os.getpid()} on " in first and first.endswith(", which runs")
    assert process.returncode == 0
    assert path.exists() and all((results / store).exists() for store in named)
    assert stores(results, "cells") == {name for name in named if name.startswith("cells/")}


def test_the_script_removes_nothing_when_a_job_has_just_begun(results, tmp_path, monkeypatch):
    write_config(tmp_path, **ONE_LENGTH)
    before, begun = contents(results), at_work(results, "lstm", "-4-")[0]
    monkeypatch.setattr("nstar.plan.pruning.as_text", lambda surplus: begun.__enter__() and "list")
    process = prune(tmp_path, "--remove")
    begun.__exit__()
    assert (
        process.returncode == 1 and "has just begun to work; nothing was removed" in process.stderr
    )
    assert contents(results) == before
