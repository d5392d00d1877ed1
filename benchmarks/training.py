"""Compare three ways of training replicates, in one run: by process, in a loop, in packs.

Per model and width, replicates of one cell are trained

(a) in one process each, with a plain ``nn.Module`` and ``torch.optim.AdamW`` (`plain.py`): what a user
    would write and a cluster would start; with start-up, and without;
(b) the same one after another in one process;
(c) by nstar: a pack, with its sampling, its measures and an evaluation of one batch every 500 steps.
    How many replicates are launched at once is found beforehand, once; the table says in how many
    steps of the pack's time.

The ways take turns, round by round, and a ratio is the median over rounds of the ratio within a round.
Times are of the processor on a CPU (one thread), of the clock on a GPU.

Run: ``python benchmarks/training.py --widths 32 64 128 256``. Absolute times depend on the machine.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import plain
import torch

from nstar.models import build_model
from nstar.training.device import describe_device, prepare_device
from nstar.training.launch import launch_size
from nstar.training.loop import train_pack
from nstar.training.sampler import EpochSampler
from nstar.training.schedule import Schedule
from nstar.training.state import initial_state
from nstar.training.step import LabelledSet, PackData, Replicate, Rules
from nstar.verdicts import Rule

MODELS = ("transformer", "lstm", "dense_ssm")
N_EXAMPLES, N_SYMBOLS = 4096, 3


def options_of(model, width):
    """Return the options of a model of this benchmark; those of `plain.build`."""
    options = {"kind": model, "width": width}
    return (
        options | {"depth": 2, "heads": max(1, width // 16)} if model == "transformer" else options
    )


def data_of(tokens, labels, n_held_out):
    """Return data whose training set is given, and whose other sets are the head of it."""
    lengths = np.zeros(tokens.shape[:2], np.int64)
    head = slice(n_held_out)
    held_out = LabelledSet(tokens[:, head], labels[:, head], lengths[:, head])
    return PackData(LabelledSet(tokens, labels, lengths), held_out, held_out, held_out)


class Ways:
    """The three ways to train replicates of one model and width."""

    def __init__(self, model, width, arguments, device):
        self.model = model
        self.width = width
        self.length = arguments.length
        self.batch = arguments.batch
        self.device = device
        self.at_once = self.trial_seconds = None
        parts = plain.parity(N_SYMBOLS, self.length, N_EXAMPLES)
        self.tokens, self.labels = (part.to(device) for part in parts)

    def loop(self, n_replicates, n_steps):
        """Return seconds of (b)."""
        started = plain.now(self.device)
        for _ in range(n_replicates):
            module = plain.build(self.model, self.width, N_SYMBOLS, self.length).to(self.device)
            plain.train(module, self.tokens, self.labels, n_steps, self.batch)
        return plain.now(self.device) - started

    def pack(self, n_replicates, n_steps):
        """Return seconds of (c)."""
        model = build_model(
            options_of(self.model, self.width),
            n_symbols=N_SYMBOLS,
            n_classes=N_SYMBOLS,
            n_positions=self.length,
        )
        tokens, labels = self.tokens[None], self.labels[None]
        data = data_of(tokens, labels, self.batch)
        rules = Rules(
            batch_size=self.batch,
            evaluate_every=min(n_steps, 500),
            rule=Rule("loss", 1e-30, "loss", 1e-30, n_steps),
            optimiser={"weight_decay": 0.01},
            schedule=Schedule(n_steps),
        )
        if self.at_once is None:
            started = plain.now(self.device)
            self.at_once = launch_size(model, data, rules, n_replicates)
            self.trial_seconds = plain.now(self.device) - started
        sampler = EpochSampler(N_EXAMPLES, self.batch, {"seed": 0})
        members = [Replicate(seed, 1e-3, 0, sampler) for seed in range(n_replicates)]
        started = plain.now(self.device)
        state = initial_state(model, range(n_replicates), self.device)
        train_pack(model, data, members, rules, state, self.at_once)
        return plain.now(self.device) - started

    def process(self, n_steps):
        """Return seconds of (a) for one replicate: of the whole process, and of its loop."""
        command = [sys.executable, Path(plain.__file__), self.model, "--device", str(self.device)]
        for name, value in (
            ("width", self.width),
            ("symbols", N_SYMBOLS),
            ("length", self.length),
            ("steps", n_steps),
            ("batch", self.batch),
        ):
            command += [f"--{name}", str(value)]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        elapsed, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if self.device.type == "cpu":
            elapsed = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return elapsed, float(done.stdout)


def matmul_flops(model, width, length, batch):
    """Return the operations in matrix products of one step of one replicate, forward and backward.

    Those of the formulas, as a plain module does them: 2 per weight and token forward, twice that
    backward, and attention scores.
    """
    if model == "transformer":
        forward = 2 * 12 * width**2 * 2 + 2 * 2 * length * width * 2
    elif model == "lstm":
        forward = 2 * 8 * width**2
    else:
        forward = 2 * width**2 + 2 * N_SYMBOLS * width**3 / (batch * length)
    return 3 * forward * batch * length


def gemm_rate(device):
    """Return operations per second of a large matrix product in float32."""
    size = 1024 if device.type == "cpu" else 8192
    one, two = (torch.randn(size, size, device=device) for _ in range(2))
    best = 0.0
    for _ in range(5):
        started = plain.now(device)
        one @ two
        best = max(best, 2 * size**3 / (plain.now(device) - started))
    return best


def compare(model, width, arguments, device, rate):
    """Print one line of the table."""
    ways, n_replicates = Ways(model, width, arguments, device), arguments.replicates
    seconds = ways.loop(1, 3) + ways.loop(1, 10)
    n_steps = max(5, int(arguments.seconds / seconds * 13 / n_replicates))
    ways.pack(n_replicates, 2)
    rounds = []
    for _ in range(arguments.rounds):
        loop = ways.loop(n_replicates, n_steps)
        pack = ways.pack(n_replicates, n_steps)
        rounds.append((loop / pack, n_replicates * n_steps / pack))
    ratio, per_second = (statistics.median(column) for column in zip(*rounds, strict=True))
    share = per_second * matmul_flops(model, width, arguments.length, arguments.batch) / rate
    trial = ways.trial_seconds * per_second / n_replicates
    line = [
        f"{model:<12}{width:>6}{ways.at_once:>8}{trial:>10.1f}{per_second:>12.0f}{ratio:>10.2f}"
    ]
    if arguments.process_steps:
        with_start, without = [], []
        for _ in range(arguments.rounds):
            whole, alone = ways.process(arguments.process_steps)
            pack = ways.pack(n_replicates, arguments.process_steps) / n_replicates
            pack_start = (arguments.start_up + ways.trial_seconds) / n_replicates
            with_start.append(whole / (pack + pack_start))
            without.append(alone / pack)
        line.append(f"{statistics.median(with_start):>14.1f}{statistics.median(without):>12.2f}")
    else:
        line.append(f"{'':>26}")
    print("".join(line) + f"{share:>12.0%}", flush=True)


def start_up_seconds(device):
    """Return the time that a process of nstar takes before its first step."""
    code = (
        "import nstar.jobs.training, torch; "
        f"torch.zeros(1, device='{device}'); import time; print(time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--widths", nargs="+", type=int, default=[32, 64, 128, 256])
    parser.add_argument("--replicates", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--length", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of (b) in each round")
    parser.add_argument(
        "--process-steps", type=int, default=0, help="steps of (a); 0 leaves it out"
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    chosen = parser.parse_args()
    torch_device = prepare_device(chosen.device)
    peak = gemm_rate(torch_device)
    chosen.start_up = start_up_seconds(torch_device)
    print(
        f"{describe_device(torch_device)}, torch {torch.__version__}, {chosen.replicates} replicates, "
        f"batch {chosen.batch}, length {chosen.length}; matrix products {peak / 1e9:.0f} GFLOP/s; "
        f"start-up of (c) {chosen.start_up:.1f} s\n"
        f"{'model':<12}{'width':>6}{'at once':>8}{'found in':>10}{'steps/s (c)':>12}"
        f"{'(b)/(c)':>10}{'(a)/(c) whole':>14}{'loops':>12}{'of GEMM':>12}"
    )
    for one_model in chosen.models:
        for one_width in chosen.widths:
            compare(one_model, one_width, chosen, torch_device, peak)
