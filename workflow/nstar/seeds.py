"""Named random streams: each is derived by a stable hash from the coordinates it depends on.

There is no global seed. Stopping rules, pack size and device are in no key, so that they cannot
change what a replicate sees.
"""

import hashlib
from typing import Any

import numpy as np

from nstar.specification import canonical_json


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
