"""How planning, dry runs and runs with nothing to do grow with the number of cells.

    python benchmarks/orchestration.py [--cells 100 1000 10000 50000] [--jobs 20]

For each number of cells, a grid of LSTMs on parity over many lengths and ten budgets is made in an empty
folder. Measured are, as processes of their own: the plan (`scripts/plan_study.py`), a dry run of all
that is missing, and a run where everything is there, with processor time, wall time and peak memory.
The growth exponent is the slope of log time between the two largest grids; 1 is linear. Last, what a job
costs beside its own work, from a run of small jobs one after the other.
"""

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from nstar.cells import training_specification
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.store.evidence import pack
from nstar.verdicts import QUANTITIES, SETS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.sealed import seal_study  # noqa: E402
from support.studies import write_header_only  # noqa: E402

N_BUDGETS, LENGTHS_PER_MODEL = 10, 100


@dataclass(frozen=True)
class Usage:
    """What a process took: processor and wall time in seconds, peak memory in bytes."""

    cpu_s: float
    wall_s: float
    peak_bytes: int


def main(arguments=None):
    """Measure and print."""
    flags = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    flags.add_argument("--cells", type=int, nargs="+", default=[100, 1000, 10_000, 50_000])
    flags.add_argument("--jobs", type=int, default=20, help="small jobs to run; 0 for none")
    options = flags.parse_args(arguments)
    print(f"{'cells':>6}  {'jobs':>5}  {'what':<12} {'CPU s':>7} {'wall s':>7} {'MiB':>6}  growth")
    before: dict[str, tuple[int, float]] = {}
    for n_cells in options.cells:
        with tempfile.TemporaryDirectory() as folder:
            for what, n_jobs, usage in measure_grid(Path(folder), n_cells):
                growth = ""
                if what in before:
                    smaller, seconds = before[what]
                    slope = math.log(usage.cpu_s / seconds) / math.log(n_cells / smaller)
                    growth = f"{slope:.2f}"
                before[what] = (n_cells, usage.cpu_s)
                print(
                    f"{n_cells:>6}  {n_jobs:>5}  {what:<12} {usage.cpu_s:>7.1f} {usage.wall_s:>7.1f} "
                    f"{usage.peak_bytes / 2**20:>6.0f}  {growth}",
                    flush=True,
                )
    if options.jobs:
        with tempfile.TemporaryDirectory() as folder:
            measure_jobs(Path(folder), options.jobs)


def study_of(n_cells, **changes):
    """Return a configuration with so many cells."""
    n_curves = n_cells // N_BUDGETS
    n_models = math.ceil(n_curves / LENGTHS_PER_MODEL)
    lengths = [20 + i for i in range(n_curves // n_models)]
    return {
        "name": "grid",
        "title": "A grid",
        "models": {f"lstm_{i}": {"kind": "lstm", "width": 8 + i} for i in range(n_models)},
        "tasks": {"parity": {"kind": "modular_addition", "modulus": 2}},
        "grid": [{"lengths": lengths, "budgets": {"smallest": 16, "largest": 16 * 2**9}}],
        "replicates": {"seeds": [0, 1, 2, 3, 4], "learning_rates": [0.001, 0.002]},
        "training": {
            "batch_size": 16,
            "max_steps": 3000,
            "evaluate_every": 100,
            "success": {"measure": "loss", "threshold": 0.01},
        },
        **changes,
    }


def measure_grid(folder, n_cells):
    """Yield what was measured for a grid: a name, the number of jobs, and the usage."""
    raw = study_of(n_cells)
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))
    plan = make_plan(load_study(raw), folder / "results")
    planned = plan_jobs(plan)
    jobs = planned.every
    yield "plan", len(jobs), run([sys.executable, ROOT / "scripts/plan_study.py"], folder)
    yield "dry run", len(jobs), run([*snakemake(), "--dry-run", "--quiet", "all"], folder)
    make_stores(plan)
    make_the_rest(folder)
    yield "nothing to do", 0, run(snakemake(), folder, "Nothing to be done")


def make_stores(plan):
    """Make the stores of a plan as headers alone, with evidence of runs that train to the last step."""
    training = plan.study.training
    n_evaluations = training.max_steps // training.evaluate_every
    generator = np.random.default_rng(0)
    for work in plan.missing:
        n = len(work.stretches)
        noise = 0.01 * generator.random((n, n_evaluations, len(SETS), len(QUANTITIES)))
        curve = 0.5 + 0.1 * np.arange(n_evaluations) / n_evaluations
        write_header_only(
            plan.stores.cell(work.block),
            specification=training_specification(plan.study, work.cell),
            provenance={"device": "cpu", "wall_time_s": 1.0},
            summary={
                **pack(curve[:, None, None] + noise, np.zeros(n), np.full(n, n_evaluations)),
                "replicates": [[part.seed, part.learning_rate] for part in work.stretches],
                "kept": [[training.max_steps]] * n,
                "states": [training.max_steps] * n,
                "rule": training.rule.as_dict(),
            },
        )
    for work in plan.missing_evaluations:
        rows = [[*pair, training.max_steps] for pair in work.replicates]
        write_header_only(
            plan.stores.evaluation(work.block),
            {},
            summary={"rows": rows, "tests": list(work.tests)},
        )
    for piece in plan.missing_data:
        write_header_only(plan.stores.piece(piece), {})


def make_the_rest(folder):
    """Make empty tables, figures and pages, and seal them."""
    study = load_study(read_config(folder / "config.yaml"))
    seal_study(make_plan(study, folder / "results"))


def measure_jobs(folder, n_jobs):
    """Run small jobs one after the other; print what each costs beside its own work."""
    raw = study_of(10 * n_jobs, training={**study_of(10)["training"], "max_steps": 100})
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))
    start_up = run([*snakemake(), "--dry-run", "--quiet", "all"], folder).wall_s
    whole = run([*snakemake(), "--cores", "1", "--quiet", "all"], folder).wall_s
    own = []
    for path in folder.glob("results/**/benchmarks/**/*.tsv"):
        with path.open() as file:
            own += [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
    beside = (whole - start_up - sum(own)) / len(own)
    print(
        f"{len(own)} jobs on one core: {whole:.1f} s in all, {start_up:.1f} s to plan, {sum(own):.1f} s "
        f"in the jobs; {beside:.2f} s per job beside its own work"
    )


def snakemake():
    """Return the command, for the study of the working directory."""
    return [
        *(Path(sys.executable).parent / "snakemake", "--snakefile", ROOT / "Snakefile"),
        *("--workflow-profile", ROOT / "workflow/profiles/default"),
    ]


def run(command, folder, expected=""):
    """Run a command in a folder and return what it took; its output has to hold what is expected."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    if status or expected not in text:
        raise SystemExit(f"{command} ended with {status}, and not as expected:\n{text[-2000:]}")
    return Usage(usage.ru_utime + usage.ru_stime, wall_s, 1024 * usage.ru_maxrss)


if __name__ == "__main__":
    main()
