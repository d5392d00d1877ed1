"""The models and sizes that `gpu_check.py` measures, and the packs that are made of them."""

from dataclasses import dataclass

import numpy as np
import torch

from nstar.kinds import read_options
from nstar.models import build_model
from nstar.training.optimiser import AdamState
from nstar.training.sampler import EpochSampler
from nstar.training.schedule import Schedule
from nstar.training.step import LabelledSet, PackData, Replicate, Rules
from nstar.verdicts import Rule

SMALL_MODELS = {
    "transformer_2x16": {"kind": "transformer", "width": 16, "depth": 2, "heads": 2},
    "lstm_32": {"kind": "lstm", "width": 32},
    "gru_32": {"kind": "gru", "width": 32},
    "dense_ssm_16": {"kind": "dense_ssm", "width": 16},
    "deltanet_2x32": {
        "kind": "deltanet",
        "width": 32,
        "depth": 2,
        "heads": 2,
        "negative_eigenvalues": True,
    },
}
PRESETS = {
    name: {"kind": "preset", "name": name}
    for name in ("transformer_6x256", "lstm_768", "dense_ssm_256")
}
PRECISIONS = {"cuda": ("float32", "tf32", "bfloat16"), "cpu": ("float32", "bfloat16")}
"""What a device computes matrix products in."""

N_SYMBOLS, N_EXAMPLES, N_SETS = 5, 512, 3
"""Of the data of a pack: running sums modulo the number of symbols."""


@dataclass(frozen=True)
class Load:
    """Packs of the stage of rows: numbers of replicates, and what each replicate sees in a step."""

    replicates: tuple[int, ...]
    length: int
    batch_size: int


@dataclass(frozen=True)
class Scale:
    """How much a stage measures.

    Attributes
    ----------
    seconds : float
        Time of the rounds of one measurement; a round takes at least one call.
    chunk : int
        Steps of training in one call, as between two evaluations.
    copied_bytes, product_size : int
        Of the copy, and of both sides of the square product.
    stack : tuple of int
        Replicates, rows and columns of the stacked products.
    small, presets : Load
    n_steps : int
        Steps after which replicates are compared.
    cell_steps : int
        Most steps of the cell.
    """

    seconds: float
    chunk: int
    copied_bytes: int
    product_size: int
    stack: tuple[int, int, int]
    small: Load
    presets: Load
    n_steps: int
    cell_steps: int


SCALES = {
    "full": Scale(
        seconds=1.5,
        chunk=50,
        copied_bytes=2**31,
        product_size=8192,
        stack=(15, 3072, 64),
        small=Load((1, 15, 60), length=16, batch_size=32),
        presets=Load((1, 5, 15), length=20, batch_size=64),
        n_steps=20,
        cell_steps=3000,
    ),
    "small": Scale(
        seconds=0.01,
        chunk=1,
        copied_bytes=2**22,
        product_size=128,
        stack=(2, 64, 8),
        small=Load((1, 2), length=4, batch_size=4),
        presets=Load((1,), length=2, batch_size=2),
        n_steps=2,
        cell_steps=20,
    ),
}


def resolve(options):
    """Return the options of a configuration with their defaults; a preset's are looked up."""
    return read_options(options)


def pack(options, load, seeds, device, precision="float32"):
    """Return what `train_steps` takes before the numbers of steps, for a replicate of each seed."""
    model = build_model(
        resolve(options).model_dump(),
        n_symbols=N_SYMBOLS,
        n_classes=N_SYMBOLS,
        n_positions=2 * load.length,
    )
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(N_SYMBOLS, (N_SETS, N_EXAMPLES, load.length), generator=generator)
    tokens, labels = tokens.to(device), (tokens.cumsum(-1) % N_SYMBOLS).to(device)
    members = [
        Replicate(seed, 1e-3, seed % N_SETS, EpochSampler(N_EXAMPLES, load.batch_size, {"s": seed}))
        for seed in seeds
    ]
    optimiser = {"weight_decay": 0.01, "gradient_clip": 1.0, "betas": (0.9, 0.99)}
    rules = Rules(
        batch_size=load.batch_size,
        evaluate_every=50,
        rule=Rule("loss", 0.0, "loss", 0.0, 1000),
        optimiser=optimiser,
        schedule=Schedule(1000),
        precision=precision,
    )
    parameters = model.initialise(seeds).to(device)
    own = LabelledSet(tokens, labels, np.zeros(tokens.shape[:2], np.int64))
    data = PackData(own, own, own, own)
    return model, data, members, rules, parameters, AdamState.of(parameters)
