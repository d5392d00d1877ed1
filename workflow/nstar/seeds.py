"""Named random streams: each is derived by a stable hash from the coordinates it depends on.

There is no global seed. Stopping rules, pack size and device are in no key, so that they cannot
change what a replicate sees. A replicate has three streams: data, initialisation and order.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nstar.specification import canonical_json


class Seed(NamedTuple):
    """The seeds of the streams of a replicate.

    One number stands for three equal ones, see `seed_of`: the replicates of seed 3 are the same,
    however they were asked for.

    Attributes
    ----------
    data : int
        Decides which sequences there are, in which order they become training sets, and all sets that
        are held out. Fresh batches are draws of it.
    initialisation : int
        Decides the initial weights.
    order : int
        Decides in which order a training set is gone through, and which units drop out.
    """

    data: int
    initialisation: int
    order: int


AnySeed = int | Seed
"""One number for all three streams, or a number for each."""


def seed_of(data: int, initialisation: int, order: int) -> AnySeed:
    """Return the seed with these streams: one number where all are equal.

    Examples
    --------
    >>> seed_of(3, 3, 3), seed_of(0, 1, 2)
    (3, Seed(data=0, initialisation=1, order=2))
    """
    return data if data == initialisation == order else Seed(data, initialisation, order)


def read_seed(value: int | Sequence[int]) -> AnySeed:
    """Return a seed from what JSON has of it: a number, or a list of three."""
    return value if isinstance(value, int) else seed_of(*value)


def streams_of(seed: AnySeed) -> Seed:
    """Return the seed of each stream.

    Examples
    --------
    >>> streams_of(3)
    Seed(data=3, initialisation=3, order=3)
    """
    return seed if isinstance(seed, Seed) else Seed(seed, seed, seed)


def seed_text(seed: AnySeed) -> str:
    """Return a seed as paths and messages have it.

    Examples
    --------
    >>> seed_text(3), seed_text(Seed(0, 1, 2))
    ('3', '0.1.2')
    """
    return ".".join(map(str, seed)) if isinstance(seed, Seed) else str(seed)


def derive_seed(stream: str, **coordinates: Any) -> int:
    """Return the seed, an integer in ``[0, 2**63)``, of the stream named `stream`.

    Parameters
    ----------
    stream : str
        What the numbers are for: ``"permutation"``, ``"initialisation"``, ``"order"``.
    **coordinates
        What the stream depends on; anything ``canonical_json`` takes.

    Examples
    --------
    >>> derive_seed("order", seed=1) == derive_seed("order", seed=1)
    True
    >>> derive_seed("order", seed=1) == derive_seed("order", seed=2)
    False
    """
    key = canonical_json([stream, coordinates]).encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") >> 1


def numpy_generator(stream: str, **coordinates: Any) -> np.random.Generator:
    """Return a numpy generator of the stream; see `derive_seed`."""
    return np.random.default_rng(derive_seed(stream, **coordinates))
