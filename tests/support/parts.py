"""Parts of a block with known content, for tests of what is read of them."""

import numpy as np
import xarray as xr

from nstar.specification import digest
from nstar.store.archive import write_store
from nstar.store.parts import read_parts
from nstar.store.schemas import CELL
from nstar.store.summaries import cell_summary
from nstar.verdicts import QUANTITIES, SETS, Rule

EVERY, N_PARAMETERS, N_POSITIONS = 10, 3, 2
SIZES = np.array([40, 50, 60, 70], dtype=np.uint32)
SPECIFICATION = {"stage": "training", "evaluate_every": EVERY}
PAIRS = [(0, 0.1), (0, 0.2), (1, 0.1)]
LENGTHS = [6, 4, 5]
"""Evaluations of each replicate of the whole trajectories."""


def evidence(n_evaluations, seed):
    """Return the evidence of a replicate that gets better by jumps."""
    rng = np.random.default_rng(seed)
    shape = (n_evaluations, len(SETS))
    right = rng.integers(0, SIZES[:3] + 1, size=shape).astype(np.uint32)
    labels = rng.integers(0, SIZES[:3, None] + 1, size=(*shape, N_POSITIONS)).astype(np.uint32)
    numbers = rng.random((*shape, len(QUANTITIES))).astype(np.float32)
    numbers[..., QUANTITIES.index(("sequence_accuracy", "mean"))] = right / SIZES[:3]
    return {
        "numbers": numbers,
        "whole_right": right,
        "position_right": labels,
        "position_loss": rng.random(labels.shape).astype(np.float32),
        **{
            f"batch_{name}": rng.random(n_evaluations)
            for name in ("loss", "token_accuracy", "sequence_accuracy")
        },
    }


WHOLE = {pair: evidence(n, seed) for seed, (pair, n) in enumerate(zip(PAIRS, LENGTHS, strict=True))}


def weights_of(pair, step):
    return np.float32([pair[0], pair[1], step])


def write_part(path, stretches, kept=None):
    """Write a part: of each replicate (pair) the first evaluation and the one after the last."""
    most = max(stop - start for start, stop in stretches.values())
    pairs = list(stretches)
    rows = {}
    for name, whole in WHOLE[PAIRS[0]].items():
        array = np.zeros((len(pairs), most, *whole.shape[1:]), whole.dtype)
        for i, (pair, (start, stop)) in enumerate(stretches.items()):
            array[i, : stop - start] = WHOLE[pair][name][start:stop]
        rows[name] = array
    kept = kept or [
        (pair, EVERY * (e + 1))
        for pair, (start, stop) in stretches.items()
        for e in range(start, stop)
    ]
    steps = np.array([step for _, step in kept])
    arrays = {
        **rows,
        "evaluate_every": np.array(EVERY),
        "first_evaluation": np.array([start for start, _ in stretches.values()]),
        "n_evaluations": np.array([stop - start for start, stop in stretches.values()]),
        "n_sequences": np.tile(SIZES, (len(pairs), 1)),
        "position_of": np.tile(SIZES[:, None], (len(pairs), 1, N_POSITIONS)),
        "diverged": np.zeros(len(pairs), bool),
        "kept_replicate": np.array([pairs.index(pair) for pair, _ in kept], dtype=np.int32),
        "kept_step": steps,
        "weights": np.stack([weights_of(*key) for key in kept]),
        "test_numbers": np.tile(np.float32(steps)[:, None], (1, len(QUANTITIES))),
        "test_whole_right": (steps // EVERY).astype(np.uint32),
        "test_position_right": np.zeros((len(kept), N_POSITIONS), np.uint32),
        "test_position_loss": np.zeros((len(kept), N_POSITIONS), np.float32),
        "state_replicate": np.arange(len(pairs), dtype=np.int32),
        "first_moment": np.stack([weights_of(pair, 1) for pair in pairs]),
        "second_moment": np.stack([weights_of(pair, 2) for pair in pairs]),
    }
    dataset = xr.Dataset(
        {name: (CELL.variables[name].dimensions, array) for name, array in arrays.items()},
        coords={
            "seed": ("replicate", [seed for seed, _ in pairs]),
            "learning_rate": ("replicate", [rate for _, rate in pairs]),
        },
    )
    summary = cell_summary(dataset) | {"rule": {}}
    write_store(path, dataset, CELL, SPECIFICATION, {"device": "cpu"}, summary)
    return path


def name_of(folder, part):
    suffix = f"-{part}" if part else ""
    return folder / f"{digest(SPECIFICATION)}{suffix}.zarr.zip"


def rule_that_ends(step, **options):
    fields = {"measure": "sequence_accuracy", "threshold": 0.999, "max_steps": step} | options
    fields |= {"fitted_measure": fields["measure"], "fitted_threshold": fields["threshold"]}
    return Rule(**fields)


def whole_of(folder):
    """Return the whole trajectories, read from one part."""
    stretches = {pair: (0, n) for pair, n in zip(PAIRS, LENGTHS, strict=True)}
    return read_parts([write_part(name_of(folder / "whole", 0), stretches)])
