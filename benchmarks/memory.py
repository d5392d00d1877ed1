"""Compare the planned memory of a launch with what it takes, and show how memory and time grow.

Each line trains one launch in a process of its own. `planned` is what `plan_memory` finds from one and
two replicates, with parameters and optimiser; `taken` is the growth of the process's peak (resident
memory, as the operating system counts it), or of the allocator's peak on a GPU. The C library is asked to
give back at once what is freed (``MALLOC_MMAP_THRESHOLD_``); `heap` is with its usual one, which
keeps holes. One of replicates, length and width grows at a time.

Run: ``python benchmarks/memory.py``.
"""

import argparse
import os
import resource
import subprocess
import sys

import plain
import torch
from training import MODELS, N_SYMBOLS, data_of, options_of

from nstar.models import build_model
from nstar.training.device import prepare_device
from nstar.training.launch import plan_memory
from nstar.training.loop import train_pack
from nstar.training.sampler import EpochSampler
from nstar.training.schedule import Schedule
from nstar.training.state import initial_state
from nstar.training.step import Replicate, Rules
from nstar.verdicts import Rule

GROWING = {
    "replicates": [(5, 32, 128), (10, 32, 128), (20, 32, 128)],
    "length": [(10, 16, 128), (10, 32, 128), (10, 64, 128)],
    "width": [(10, 32, 64), (10, 32, 128), (10, 32, 256)],
}
"""(replicates, length, width) of each line."""
BATCH = 64


def peak(device):
    """Return the most memory that was taken so far; bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(model_name, n_replicates, length, width, device):
    """Print planned and taken memory in bytes, and seconds per step."""
    model = build_model(
        options_of(model_name, width), n_symbols=N_SYMBOLS, n_classes=N_SYMBOLS, n_positions=length
    )
    tokens, labels = (part[None].to(device) for part in plain.parity(N_SYMBOLS, length, 256))
    data = data_of(tokens, labels, BATCH)
    rules = Rules(BATCH, 3, Rule("loss", 1e-30, "loss", 1e-30, 3), {}, Schedule(3))
    # Kernels and libraries take their own memory at the first use.
    small = build_model(
        options_of(model_name, 16), n_symbols=N_SYMBOLS, n_classes=N_SYMBOLS, n_positions=length
    )
    sampler = EpochSampler(256, BATCH, {})
    train_pack(
        small, data, [Replicate(0, 1e-3, 0, sampler)], rules, initial_state(small, [0], device), 1
    )
    before = peak(device)
    state = initial_state(model, range(n_replicates), device)
    held = 4 * state.parameters.nbytes
    members = [Replicate(seed, 1e-3, 0, sampler) for seed in range(n_replicates)]
    started = plain.now(device)
    train_pack(model, data, members, rules, state, n_replicates)
    seconds = (plain.now(device) - started) / 3
    taken = peak(device) - before
    planned = held + plan_memory(model, data, rules).of(n_replicates)
    print(planned, taken, seconds)


def run(model_name, point, device, environment):
    """Return planned and taken memory and seconds per step of one launch, in its own process."""
    command = [sys.executable, __file__, "--device", device, "--one", model_name, *map(str, point)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return map(float, done.stdout.split())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--one", nargs=4, metavar=("MODEL", "REPLICATES", "LENGTH", "WIDTH"))
    chosen = parser.parse_args()
    if chosen.one:
        measure(chosen.one[0], *map(int, chosen.one[1:]), prepare_device(chosen.device))
        sys.exit()
    print(
        f"{'model':<12}{'replicates':>11}{'length':>8}{'width':>7}{'planned MiB':>12}{'taken':>10}"
        f"{'ratio':>8}{'heap':>8}{'s per step':>12}"
    )
    for name in MODELS:
        for points in GROWING.values():
            for point in points:
                if name == "dense_ssm" and point[2] > 128:
                    continue  # 10 x 256^3 weights
                given_back = {"MALLOC_MMAP_THRESHOLD_": "65536"}
                planned, taken, _ = run(name, point, chosen.device, given_back)
                _, heap, seconds = run(name, point, chosen.device, {})
                line = f"{name:<12}{point[0]:>11}{point[1]:>8}{point[2]:>7}{planned / 2**20:>12.0f}"
                line += f"{taken / 2**20:>10.0f}{planned / taken:>8.2f}{heap / 2**20:>8.0f}"
                print(f"{line}{seconds:>12.3f}", flush=True)
