"""Which replicates a store holds: seed and learning rate of each, in their order."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nstar.files.faults import damage
from nstar.seeds import AnySeed, Seed, seed_of, streams_of


def pairs_of(dataset: xr.Dataset) -> list[tuple[AnySeed, float]]:
    """Return seed and learning rate of each replicate of a store."""
    seeds = dataset["seed"].values.tolist()
    if "streams" in dataset:
        seeds = list(itertools.starmap(seed_of, dataset["streams"].values.tolist()))
    return list(zip(seeds, dataset["learning_rate"].values.tolist(), strict=True))


def seed_coordinates(
    pairs: Sequence[tuple[AnySeed, float]], seeds: Iterable[AnySeed]
) -> dict[str, tuple]:
    """Return the coordinates of replicates: the inverse of `pairs_of`.

    Parameters
    ----------
    pairs : sequence of tuple
        Seed and learning rate of each.
    seeds : iterable of seeds
        Those of the block: where one of them has streams of its own, all parts of the block have
        ``streams``.
    """
    streams = np.array([streams_of(seed) for seed, _ in pairs])
    found = {
        "seed": ("replicate", streams[:, 0]),
        "learning_rate": ("replicate", np.array([rate for _, rate in pairs])),
    }
    if any(isinstance(seed, Seed) for seed in seeds):
        found["streams"] = (("replicate", "stream"), streams)
    return found


def replicate_coordinates(dataset: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the coordinates that say which replicates a store, or what was made of it, holds."""
    names = ("seed", "learning_rate", "streams")
    return {name: dataset[name] for name in names if name in dataset}


def check_replicates(path: Path | str, dataset: xr.Dataset, block: Any) -> None:
    """Check that a store holds the replicates that its path says, in their order.

    Parameters
    ----------
    path : path
    dataset : xarray.Dataset
        With coordinates ``seed`` and ``learning_rate``.
    block : object with ``seeds`` and ``learning_rates``

    Raises
    ------
    DamageError
        If it holds others: the file was moved or copied by hand.
    """
    wanted = [(seed, rate) for seed in block.seeds for rate in block.learning_rates]
    found = pairs_of(dataset)
    if found != wanted:
        raise damage(path, f"holds the replicates {found}, not the {wanted} that its path says")
