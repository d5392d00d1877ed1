"""The check of a GPU: on a CPU it runs in small; it marks what hangs, fails, or does not run."""

import ast
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import gpu_check
import gpu_stages
import psutil
import pytest
import torch
from gpu_check import CUT_OFF, FAILED, NOT_RUN, PASSED, Stage
from gpu_loads import SCALES, SMALL_MODELS

ROOT = Path(__file__).parents[1]
NAMES = ["environment", "test_cuda", "test_memory", "independence", "rows", "cell"]
SETTINGS = {"device": "cpu", "scale": "small"}


def run(out, *arguments):
    command = ["bash", ROOT / "benchmarks/gpu_check.sh", "--out", out, *arguments]
    environment = {**os.environ, "PYTHON": sys.executable}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


def stage_of(code, limit_s=30.0, **options):
    return Stage("stage", limit_s, (sys.executable, "-c", code), **options)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let stages import what `gpu_check.sh` lets them import."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Return the finished command, and the folder of its results."""
    out = tmp_path_factory.mktemp("small")
    return run(out, "--device", "cpu", "--scale", "small"), out


def test_every_stage_passes_on_a_cpu(small):
    finished, out = small
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stdout.splitlines()[-1] == "6 of 6 stages passed"
    content = json.loads((out / "gpu_check.json").read_text())
    assert {name: content[name] for name in SETTINGS} == SETTINGS
    assert [stage["name"] for stage in content["stages"]] == NAMES
    assert all(stage["ended"] == PASSED for stage in content["stages"])
    files = {"gpu_check.json", "gpu_check.md", *(f"{name}.log" for name in NAMES)}
    assert {path.name for path in out.iterdir()} == files


def test_rates_are_finite_and_positive(small):
    _, out = small
    stages = json.loads((out / "gpu_check.json").read_text())["stages"]
    rows = stages[NAMES.index("rows")]["records"]
    measured = {(row["model"], row["precision"]) for row in rows if "model" in row}
    presets = {"transformer_6x256", "lstm_768", "dense_ssm_256"}
    assert measured >= {(name, "float32") for name in ("gru_32", *presets)}
    rates = [record["rate"] for stage in stages for record in stage["records"] if "rate" in record]
    assert len(rates) == len(rows) + 1  # that of the cell
    assert all(math.isfinite(rate) and rate > 0 for rate in rates)


def test_bits_do_not_depend_on_the_pack_on_a_cpu(small):
    _, out = small
    stages = json.loads((out / "gpu_check.json").read_text())["stages"]
    for record in stages[NAMES.index("independence")]["records"]:
        assert set(record["distances"]) >= {"again", "others", "slot", "of 1"}
        assert not any(record["distances"].values()), record["case"]


def test_the_table_has_a_line_for_every_stage_and_measured_case(small):
    finished, out = small
    table = (out / "gpu_check.md").read_text()
    assert table in finished.stdout
    lines = [line.split(" | ") for line in table.splitlines()]
    assert {len(line) for line in lines} == {8}
    cases = {(line[0].removeprefix("| "), line[1]) for line in lines}
    for stage in json.loads((out / "gpu_check.json").read_text())["stages"]:
        assert (stage["name"], "all") in cases
        if not stage["name"].startswith("test_"):
            assert {(stage["name"], case) for case in stage["planned"]} <= cases


@pytest.mark.parametrize("scale", ["full", "small"])
@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_limits_sum_to_less_than_545_seconds(device, scale):
    plan = gpu_check.stages(device, scale)
    assert [stage.name for stage in plan] == NAMES
    assert sum(stage.limit_s for stage in plan) < 545
    documented = (ROOT / "docs/benchmarks.md").read_text()
    assert all(f"| `{stage.name}` | {stage.limit_s} s |" in documented for stage in plan)


def test_a_stage_that_hangs_is_killed_with_its_children_and_marked(tmp_path):
    code = (
        "import gpu_records, subprocess, time;"
        "gpu_records.write_plan(['one', 'two']);"
        "gpu_records.write_record('one', rate=2.0, unit='Hz');"
        "print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    )
    plan = [stage_of(code, limit_s=3.0), stage_of("print('after')")]
    hung, after = gpu_check.check(plan, tmp_path, SETTINGS)
    assert hung.ended == CUT_OFF and 3 <= hung.seconds < 300  # of the 600 it would sleep
    assert [record["case"] for record in hung.records] == ["one"]
    assert after.last_line == "after"
    table = (tmp_path / "gpu_check.md").read_text()
    assert "| stage | one |  |  | 2 Hz |" in table
    assert "| stage | two |  |  |  |  |  | cut off before its end |" in table
    child = int(hung.last_line)
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize(
    ("recorded", "ended"), [(("one", "two"), PASSED), (("one",), FAILED), ((), FAILED)]
)
def test_a_stage_passes_only_if_every_planned_case_was_recorded(recorded, ended, tmp_path):
    code = "import gpu_records; gpu_records.write_plan(['one', 'two']);"
    code += f"[gpu_records.write_record(case) for case in {recorded}]"
    (result,) = gpu_check.check([stage_of(code)], tmp_path, SETTINGS)
    assert result.ended == ended


def test_a_required_stage_that_fails_stops_the_check_and_others_do_not(tmp_path):
    others = stage_of("raise SystemExit(3)"), stage_of("", required=True), stage_of("")
    results = gpu_check.check(others, tmp_path, SETTINGS)
    assert [result.ended for result in results] == [FAILED, FAILED, NOT_RUN]
    table = (tmp_path / "gpu_check.md").read_text()
    assert table.splitlines()[-1] == "| stage | all |  |  |  |  |  | not run |"


def test_tests_are_recorded_one_by_one_and_a_skipped_one_did_not_run(tmp_path):
    file = tmp_path / "test_some.py"
    file.write_text(
        "import pytest\n"
        "def test_right(): pass\n"
        "def test_wrong(): assert 1 == 2\n"
        "@pytest.mark.skip\n"
        "def test_skipped(): pass\n"
    )
    stage = Stage("test_some", 60, (*gpu_check.pytest(), str(file)))
    (result,) = gpu_check.check([stage], tmp_path, SETTINGS)
    assert result.ended == FAILED and len(result.planned) == 3
    right, wrong = result.records
    assert right["case"].endswith("test_right") and "failed" not in right
    assert wrong["case"].endswith("test_wrong") and "assert 1 == 2" in wrong["failed"]


def test_a_replicate_that_feels_the_size_of_its_pack_fails_on_a_cpu(monkeypatch, one_thread):
    def feels_the_size(model, data, members, rules, parameters, *rest):
        parameters += 1e-3 * len(members)

    options, scale = SMALL_MODELS["lstm_32"], SCALES["small"]
    monkeypatch.setattr(gpu_stages, "train_steps", feels_the_size)
    record = gpu_stages.compare_packs(options, "float32", torch.device("cpu"), scale)
    assert record["failed"] == "bits change: of 1, of 2, of 5, of 15"
    assert record["distances"]["of 1"] > record["distances"]["of 15"] > 0
    assert record["result"].endswith("same bits: again, others, slot")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_check_ends_within_seconds(tmp_path):
    finished = run(tmp_path)
    assert finished.returncode == 1
    assert "torch finds no GPU" in finished.stdout
    assert finished.stdout.splitlines()[-1] == "0 of 6 stages passed"
    stages = json.loads((tmp_path / "gpu_check.json").read_text())["stages"]
    assert [stage["ended"] for stage in stages] == [FAILED, *[NOT_RUN] * 5]


def test_tests_that_watch_the_memory_of_the_device_run_alone():
    """The others run in several processes, which share the memory."""
    pattern = gpu_check.WATCH_MEMORY.split(" or ")
    tree = ast.parse((ROOT / "tests/training/test_cuda.py").read_text())
    tests = [node for node in tree.body if getattr(node, "name", "").startswith("test_")]
    watched = re.compile(r"free_memory_bytes|launch_bytes|set_per_process_memory_fraction")
    watching = [node.name for node in tests if watched.search(ast.unparse(node))]
    assert len(watching) >= 3
    assert [name for name in watching if not any(part in name for part in pattern)] == []


def test_fetched_packages_have_a_pinned_version():
    script = (ROOT / "benchmarks/fetch_wheels.sh").read_text()
    names = re.search(r"packages=\((.*?)\"", script, re.DOTALL)[1].split()
    pinned = [line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().split()]
    assert len(names) == 9
    assert set(names) <= set(pinned)
