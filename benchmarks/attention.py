"""What linear attention saves of a training step.

``python benchmarks/attention.py`` compares, in one process and one after the other, a training step with
softmax, sparse and linear attention. It prints times and their ratios; only the ratios mean anything.
"""

import argparse
import time
from collections.abc import Callable

import torch

from nstar.models import StackedModel, build_model

ATTENTION = {
    "softmax": None,
    "sparse": {"kind": "sparse", "block_size": None, "window": 1, "global_tokens": 1},
    "linear": {"kind": "linear", "feature_map": "elu"},
}


def model_of(attention: str, length: int) -> StackedModel:
    """Return a model of width 64 with three layers for texts of a length."""
    options = {"kind": "transformer", "width": 64, "depth": 3, "heads": 4}
    options |= {"positions": "sinusoidal", "attention": ATTENTION[attention]}
    return build_model(options, n_symbols=32, n_classes=32, n_positions=length)


def seconds(run: Callable[[], object], repeats: int) -> float:
    """Return the processor time of the fastest of some runs, after one that warms up."""
    run()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return min(times)


def step(model: StackedModel, length: int) -> Callable[[], object]:
    """Return a forward and backward pass of one network on eight texts."""
    views = model.views(model.initialise([0]))
    values = [part.requires_grad_() for part in views.values()]
    tokens = torch.randint(32, (1, 8, length), generator=torch.Generator().manual_seed(0))
    return lambda: torch.autograd.grad(model.forward(views, tokens).square().mean(), values)


def main(arguments=None) -> None:
    """Parse the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[128, 512, 2048])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print("training step, width 64, 3 layers, 8 texts; seconds, and over softmax")
    for length in options.lengths:
        taken = {
            name: seconds(step(model_of(name, length), length), options.repeats)
            for name in ATTENTION
        }
        shown = (f"{name} {t:.3f} ({t / taken['softmax']:.2f})" for name, t in taken.items())
        print(f"L = {length}: {', '.join(shown)}")


if __name__ == "__main__":
    main()
