"""What `gpu_check.py` measures of a device: environment, independence, rows, and a cell of a study.

Run: ``python benchmarks/gpu_stages.py STAGE --device cuda --scale full``, as `gpu_check.py` does, with
the path of the records in the environment variable of `gpu_records.py`. A stage is a mapping from the
names of its cases to functions that measure one case and return its record.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import tomllib
import traceback
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import gpu_rows
import torch
from gpu_loads import PRECISIONS, SCALES, SMALL_MODELS, Load, pack
from gpu_records import write_plan, write_record
from packaging.requirements import Requirement

from nstar.errors import DeviceError
from nstar.jobs.evaluation import evaluate_cells
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.store.archive import read_store
from nstar.store.parts import read_parts
from nstar.store.provenance import provenance
from nstar.store.schemas import EVALUATION
from nstar.store.view import view
from nstar.training.device import describe_device, prepare_device
from nstar.training.step import train_steps
from nstar.verdicts import OUTCOMES, Rule

ROOT = Path(__file__).parents[1]
PACK_SIZE = 16
"""Replicates of the packs that are compared at equal size."""


def environment(device, scale):
    """Say what there is, and take two steps of each kind of model."""
    steps = {f"two steps of {name}": partial(two_steps, name, device) for name in SMALL_MODELS}
    return {"packages": packages, "device": partial(describe, device), **steps}


def packages():
    """Return the versions of what pyproject.toml asks for; a missing package fails where it is used."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions, remarks = {"python": platform.python_version()}, []
    for requirement in map(Requirement, project["dependencies"]):
        try:
            versions[requirement.name] = version(requirement.name)
        except PackageNotFoundError:
            remarks.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(versions[requirement.name], prereleases=True):
            remarks.append(f"{requirement.name} is not {requirement.specifier}")
    texts = [*(f"{name} {number}" for name, number in versions.items()), *remarks]
    return {"versions": versions, "result": ", ".join(texts)}


def describe(device):
    """Return what torch says of the device, with the commit and the system."""
    result = f"{describe_device(device)}, {os.cpu_count()} cores"
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        result += f", {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}, "
        result += f"compute capability {properties.major}.{properties.minor}"
    origin = provenance()
    return {"provenance": origin, "result": f"{result}, commit {origin['commit']}"}


def two_steps(name, device):
    """Return the mean losses of two steps of three replicates."""
    losses = train_steps(*pack(SMALL_MODELS[name], Load((3,), 16, 8), range(3), device), 0, 2)[0]
    if not losses.isfinite().all():
        raise ArithmeticError(f"losses of {losses.tolist()}")
    return {"result": f"mean loss {losses.mean().item():.4f}"}


def independence(device, scale):
    """Compare the weights of a replicate with its own in other packs."""
    return {
        f"{name}, {precision}": partial(compare_packs, options, precision, device, scale)
        for precision in PRECISIONS[device.type]
        if precision != "bfloat16"
        for name, options in SMALL_MODELS.items()
    }


def compare_packs(options, precision, device, scale):
    """Return how far a replicate's weights in other packs are from its own, relative to their norm.

    A pack of as many replicates has to give the same bits on every device. A GPU's kernels are chosen by
    the number of replicates, so that other sizes may change rounding there; they may not on a CPU.
    """
    prepare_device(device.type, precision)
    first, second = range(1, PACK_SIZE), range(PACK_SIZE, 2 * PACK_SIZE - 1)
    half = PACK_SIZE // 2
    equal_sizes = {
        "again": [0, *first],
        "others": [0, *second],
        "slot": [*first[:half], 0, *first[half:]],
    }
    other_sizes = {f"of {size}": [0, *first[: size - 1]] for size in (1, 2, 5, 15)}

    def weights(seeds):
        everything = pack(options, scale.small, seeds, device, precision)
        train_steps(*everything, 0, scale.n_steps)
        return everything[4][seeds.index(0)].detach()

    wanted = weights([0, *first])
    distances, changed = {}, []
    for case, seeds in (equal_sizes | other_sizes).items():
        found = weights(seeds)
        distances[case] = float((found - wanted).norm() / wanted.norm())
        if not torch.equal(found.view(torch.int32), wanted.view(torch.int32)):
            changed.append(case)
    promised = equal_sizes if device.type == "cuda" else distances
    texts = [f"{case} {distances[case]:.0e}" for case in changed]
    texts += ["same bits: " + ", ".join(case for case in distances if case not in changed)]
    record = {"R": PACK_SIZE, "distances": distances, "result": "; ".join(texts)}
    if broken := [case for case in changed if case in promised]:
        record["failed"] = f"bits change: {', '.join(broken)}"
    return record


def cell(device, scale):
    """Run a cell of the default study through its three jobs: length 12, budget 512."""
    raw = read_config(ROOT / "config.yaml")
    for kind, name in (("models", "transformer"), ("tasks", "addition_mod_3")):
        raw[kind] = {name: raw[kind][name]}
    raw["grid"] = [{"lengths": [12], "budgets": [512]}]
    raw["training"]["max_steps"] = scale.cell_steps
    raw["training"]["evaluate_every"] = min(scale.cell_steps, 100)
    results = Path(tempfile.mkdtemp())
    study = load_study(raw)
    planned = plan_jobs(make_plan(study, results))
    return {
        "data": partial(make_data, planned.generation, results),
        "training": partial(train, planned.training, results, device, study.training.rule),
        "evaluation": partial(evaluate, planned.evaluation, results, device),
    }


def make_data(jobs, results):
    """Return the time of the job that makes data."""
    started = time.perf_counter()
    for job in jobs:
        generate_data(job.work, results)
    return took(started)


def train(jobs, results, device, rule):
    """Return time, steps and outcomes of the job that trains."""
    started = time.perf_counter()
    for job in jobs:
        train_cells(job.work, results, device.type, checkpoint_interval_s=600.0)
    record = took(started)
    (path,) = results.glob("cells/**/*.zarr.zip")
    store = view(read_parts([path]), rule)
    trained_on = json.loads(store.attrs["provenance"])["device"]
    if trained_on != describe_device(device):
        raise RuntimeError(f"the store says that it was trained on {trained_on}")
    rule = Rule(**json.loads(store.attrs["summary"])["rule"])
    trained = view(read_parts([path]), rule, None)
    outcomes = [OUTCOMES[code] for code in trained["outcome"].values]
    counts = ", ".join(f"{outcomes.count(name)} {name}" for name in OUTCOMES)
    n_steps = int(trained["n_steps"].sum())
    rate = {"rate": n_steps / record["seconds"], "unit": "replicate-steps/s"}
    return {**record, **rate, "R": len(outcomes), "result": f"{record['result']}; {counts}"}


def evaluate(jobs, results, device):
    """Return time and accuracies of the job that evaluates."""
    started = time.perf_counter()
    for job in jobs:
        evaluate_cells(job.work, results, device.type)
    record = took(started)
    (path,) = results.glob("evaluations/**/*.zarr.zip")
    store = read_store(path, EVALUATION)
    accuracies = [
        f"{split} accuracy {float(store[f'{split}_sequence_accuracy'].mean()):.2f}"
        for split in ("validation", "longer")
    ]
    return {**record, "result": "; ".join([record["result"], *accuracies])}


def took(started):
    """Return the record of a job that began at a time of the clock and has just ended."""
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "result": f"{seconds:.1f} s"}


STAGES = {
    "environment": environment,
    "independence": independence,
    "rows": gpu_rows.rows,
    "cell": cell,
}


def main(arguments=None):
    """Measure the cases of a stage one after another; a case that fails does not stop the next one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--device", required=True, choices=PRECISIONS)
    parser.add_argument("--scale", required=True, choices=SCALES)
    options = parser.parse_args(arguments)
    try:
        device = prepare_device(options.device)
    except DeviceError as error:
        sys.exit(str(error))
    cases = STAGES[options.stage](device, SCALES[options.scale])
    write_plan(cases)
    failed = False
    for case, measure in cases.items():
        try:
            record = measure()
        except Exception as error:  # of whatever kind, the other cases are worth their time
            traceback.print_exc()
            record = {"failed": f"{type(error).__name__}: {error}"}
        failed |= "failed" in record
        write_record(case, **record)
        print(case, record, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
