"""Check and measure nstar on a GPU, in stages with limits, and write one JSON file and one table.

Run: ``bash benchmarks/gpu_check.sh``, which prepares the environment of this file; without a GPU, every
stage runs in small with ``bash benchmarks/gpu_check.sh --device cpu --scale small``. The folder of
``--out`` gets `gpu_check.json`, `gpu_check.md` and a log of each stage. The exit code is 0 if all stages
passed.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gpu_records import PATH_VARIABLE, read_records
from gpu_report import report

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent

PASSED, FAILED, CUT_OFF, NOT_RUN = "passed", "failed", "cut off", "not run"
"""How a stage ends."""

WATCH_MEMORY = "memory or full_gpu"
"""Names of the tests for CUDA that watch the memory of the whole device, and run one at a time."""

TESTS = {
    "cuda": {
        "test_cuda": ("tests/training/test_cuda.py", "-m", "", "-k", f"not ({WATCH_MEMORY})"),
        "test_memory": ("tests/training/test_cuda.py", "-k", WATCH_MEMORY),
    },
    "cpu": {
        "test_cuda": ("tests/training/test_step.py",),
        "test_memory": ("tests/training/test_launch.py", "-k", "planned_memory"),
    },
}
"""Arguments of pytest in the two stages of tests, by device: all tests for CUDA, the long ones too; a CPU
runs tests that do not need a GPU."""

N_TEST_PROCESSES = 6

ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Of every stage: logs reach up to a kill, and pytest loads no plugins that happen to be installed."""


@dataclass(frozen=True)
class Stage:
    """A part of the check.

    Attributes
    ----------
    name : str
    limit_s : float
        Time after which it is killed.
    command : tuple of str
        What it runs.
    required : bool
        Whether the stages after it are left out unless it passes.
    """

    name: str
    limit_s: float
    command: tuple[str, ...]
    required: bool = False


@dataclass
class Result:
    """How a stage ended, and what it recorded until then; see `gpu_records`."""

    name: str
    limit_s: float
    ended: str = NOT_RUN
    seconds: float = 0.0
    last_line: str = ""
    planned: list[str] = field(default_factory=list)
    records: list[dict] = field(default_factory=list)


def stages(device, scale):
    """Return the stages for a device and a scale; their limits sum to less than 545 s."""
    parallel = device == "cuda"
    return (
        Stage("environment", 60, measure("environment", device, scale), required=True),
        Stage("test_cuda", 170, (*pytest(parallel), *TESTS[device]["test_cuda"])),
        Stage("test_memory", 50, (*pytest(), *TESTS[device]["test_memory"])),
        Stage("independence", 50, measure("independence", device, scale)),
        Stage("rows", 160, measure("rows", device, scale)),
        Stage("cell", 50, measure("cell", device, scale)),
    )


def measure(stage, device, scale):
    """Return the command of a stage of `gpu_stages.py`."""
    script = str(HERE / "gpu_stages.py")
    return (sys.executable, script, stage, "--device", device, "--scale", scale)


def pytest(parallel=False):
    """Return the command of a stage of tests, in several processes where pytest-xdist is installed."""
    plugins = ("-p", "no:cacheprovider", "-p", "gpu_records")
    if parallel and importlib.util.find_spec("xdist"):
        plugins += ("-p", "xdist", "-n", str(N_TEST_PROCESSES))
    return (sys.executable, "-m", "pytest", "-q", "--tb=short", *plugins)


def run_stage(stage, out):
    """Run a stage to its end or limit, with its output in a log, and return its result."""
    log = out / f"{stage.name}.log"
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, log.open("wb") as output:
        records = Path(folder) / "records.jsonl"
        process = subprocess.Popen(
            stage.command,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, PATH_VARIABLE: str(records), "TMPDIR": folder},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(stage.limit_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            kill_group(process)
        planned, recorded = read_records(records)
    if code is None:
        ended = CUT_OFF
    else:
        cases = {record["case"] for record in recorded}
        complete = bool(planned) and cases >= set(planned)
        ended = PASSED if code == 0 and complete else FAILED
    lines = log.read_text(errors="replace").splitlines()
    return Result(
        stage.name,
        stage.limit_s,
        ended,
        round(time.monotonic() - started, 1),
        next((line for line in reversed(lines) if line.strip()), ""),
        planned,
        recorded,
    )


def kill_group(process):
    """Kill what is left of the processes of a stage; one that hangs in a driver is not waited for."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)


def check(plan, out, settings):
    """Run stages, write the report after each of them, and return the results.

    Parameters
    ----------
    plan : sequence of Stage
    out : Path
        Folder that exists.
    settings : dict
        Device and scale.
    """
    results = [Result(stage.name, stage.limit_s) for stage in plan]
    for i, stage in enumerate(plan):
        results[i] = run_stage(stage, out)
        result = results[i]
        print(f"{stage.name}: {result.ended} after {result.seconds:.0f} of {stage.limit_s:.0f} s")
        if result.ended != PASSED:
            print(f"  {result.last_line}\n  see {out / stage.name}.log")
        write_report(results, out, settings)
        if stage.required and result.ended != PASSED:
            break
    return results


def write_report(results, out, settings):
    """Write what is known so far, so that it is there whatever happens next."""
    content = {**settings, "stages": [asdict(result) for result in results]}
    (out / "gpu_check.json").write_text(json.dumps(content, indent=1) + "\n")
    (out / "gpu_check.md").write_text(report(content))


def main(arguments=None):
    """Run all stages and print the table."""
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", choices=list(TESTS))
    parser.add_argument("--scale", default="full", choices=["full", "small"])
    default_folder = os.environ.get("OUT") or "build/gpu_check"
    parser.add_argument("--out", type=Path, default=default_folder, help="%(default)s; or $OUT")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    settings = {"device": options.device, "scale": options.scale}
    results = check(stages(options.device, options.scale), options.out.resolve(), settings)
    n_passed = sum(result.ended == PASSED for result in results)
    print((options.out / "gpu_check.md").read_text())
    print(f"{n_passed} of {len(results)} stages passed")
    sys.exit(0 if n_passed == len(results) else 1)


if __name__ == "__main__":
    main()
