"""How fast a device copies, multiplies and trains: the stage of rows of `gpu_check.py`."""

import statistics
from functools import partial

import plain
import torch
from gpu_loads import N_SYMBOLS, PRECISIONS, PRESETS, SMALL_MODELS, pack, resolve

from nstar.kinds.size import Shape
from nstar.training.device import prepare_device
from nstar.training.step import train_steps

N_ROUNDS = 3
"""Rounds of a measurement; its value is their median."""

COLUMNS = (768, 773, 776)
"""Columns of the stacked weights: of a state of 768, with the five symbols that `lstm_768` appends, and
padded to a multiple of 8."""


def train_eagerly(everything, n_steps):
    """Return a function that takes steps kernel by kernel."""
    return lambda: train_steps(*everything, 0, n_steps)


WAYS = {"eager": train_eagerly}
"""Ways to take steps, by name: functions of a pack and a number of steps that return what is timed."""


def rows(device, scale):
    """Measure rates of copies and products, then steps of training in packs of several sizes."""
    precisions = PRECISIONS[device.type]
    cases = {"copy": partial(copy, device, scale)}
    for precision in precisions:
        cases[f"square product, {precision}"] = partial(square_product, precision, device, scale)
    for precision in precisions:
        if precision != "bfloat16":
            for n in COLUMNS:
                name = f"stacked product of {n} columns, {precision}"
                cases[name] = partial(stacked_product, n, precision, device, scale)
    loads = [(name, SMALL_MODELS[name], scale.small, "float32") for name in SMALL_MODELS]
    for precision in precisions:
        for name, options in PRESETS.items():
            # Recurrences over time are computed in float32.
            if precision != "bfloat16" or name.startswith("transformer"):
                loads.append((name, options, scale.presets, precision))
    for name, options, load, precision in loads:
        for way in WAYS:
            for n in load.replicates:
                key = {"model": name, "precision": precision, "way": way, "R": n}
                cases[f"{name}, {precision}, {way}, R = {n}"] = partial(
                    training, key, options, load, device, scale
                )
    return cases


def copy(device, scale):
    """Return the rate at which a tensor is copied; bytes read and written."""
    source = torch.randn(scale.copied_bytes // 4, device=device)
    target = torch.empty_like(source)
    timed = time_calls(lambda: target.copy_(source), device, scale.seconds)
    return {**timed, "rate": 2 * source.nbytes / timed["ms"] / 1e6, "unit": "GB/s"}


def square_product(precision, device, scale):
    """Return the rate of a product of two large matrices, as far as a device gets in a precision."""
    size = scale.product_size
    one, two = operands(precision, device, (size, size), (size, size))
    timed = time_calls(lambda: one @ two, device, scale.seconds)
    flops = 2 * size**3 / timed["ms"] * 1e3
    return {**timed, "precision": precision, "flops_per_s": flops, **teraflops(flops)}


def stacked_product(n_columns, precision, device, scale):
    """Return the rate of products of weights and states, one per replicate, as in a step of an LSTM."""
    n_replicates, n_rows, batch_size = scale.stack
    weights, states = operands(
        precision, device, (n_replicates, n_rows, n_columns), (n_replicates, n_columns, batch_size)
    )
    timed = time_calls(lambda: torch.bmm(weights, states), device, scale.seconds)
    flops = 2 * weights.numel() * batch_size / timed["ms"] * 1e3
    read = weights.nbytes / timed["ms"] / 1e6
    record = {"R": n_replicates, "precision": precision, "flops_per_s": flops, **teraflops(flops)}
    return {**timed, **record, "result": f"weights read at {read:.0f} GB/s"}


def operands(precision, device, *shapes):
    """Return tensors of a precision after setting the device to it."""
    prepare_device(device.type, precision)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    return [torch.randn(shape, device=device, dtype=dtype) for shape in shapes]


def training(key, options, load, device, scale):
    """Return time per step and rates of a pack; key names model, precision, way and size."""
    prepare_device(device.type, key["precision"])
    everything = pack(options, load, range(key["R"]), device, key["precision"])
    timed = time_calls(WAYS[key["way"]](everything, scale.chunk), device, scale.seconds)
    ms = timed["ms"] / scale.chunk
    shape = Shape(N_SYMBOLS, N_SYMBOLS, 2 * load.length, load.length, load.batch_size)
    rate = key["R"] / ms * 1e3
    flops = rate * resolve(options).size(shape).step_flops
    record = {"rate": rate, "unit": "replicate-steps/s", "flops_per_s": flops}
    return {**key, **timed, "ms": ms, **record}


def teraflops(flops):
    """Return the fields of a rate of operations per second."""
    return {"rate": flops / 1e12, "unit": "TFLOP/s"}


def time_calls(call, device, seconds):
    """Return the median time of a call over rounds of many, ms, and the spread of the rounds, relative.

    The time is that of the processor on a CPU, that of the clock on a GPU. The first call is not
    timed: it loads kernels.
    """
    call()
    started = plain.now(device)
    call()
    once = max(plain.now(device) - started, 1e-6)
    n_calls = max(1, int(seconds / N_ROUNDS / once))
    times = []
    for _ in range(N_ROUNDS):
        started = plain.now(device)
        for _ in range(n_calls):
            call()
        times.append((plain.now(device) - started) / n_calls * 1e3)
    median = statistics.median(times)
    return {"ms": median, "spread": (max(times) - min(times)) / median}
