"""All sequences of one length in a keyed pseudo-random order, by random access.

The order is a permutation of the whole space, so sequences are unique, and any two index ranges are
disjoint, by construction. Budgets are prefixes of the order: they nest.
"""

from functools import cached_property

import numpy as np

from nstar.seeds import derive_seed

SMALL_SPACE = 2**20
"""Up to this many sequences the permutation is drawn exactly and kept in memory (8 MiB)."""

_N_ROUNDS = 6
_MAX_LIMB = 2**31


class SequenceStream:
    """The sequences of length T over V symbols, in an order that the seed decides.

    Parameters
    ----------
    n_symbols : int
        V, at least 2.
    length : int
        T, at least 1; the space ``V**T`` may be of any size.
    seed : int
        Any non-negative integer; different seeds give unrelated orders.

    Notes
    -----
    Spaces of up to 2**20 sequences are permuted by numpy. Larger ones go through a generalised
    Feistel network: the index is written in mixed radix as limbs of a few digits each, and every
    limb in turn is shifted (modulo its radix) by a hash of all the others. Each shift can be
    undone, hence the whole is a bijection of the space, at any size and without memory.

    Examples
    --------
    >>> stream = SequenceStream(n_symbols=3, length=4, seed=7)
    >>> stream.size
    81
    >>> len({tuple(row) for row in stream.sequences(0, 81)})
    81
    """

    def __init__(self, n_symbols: int, length: int, seed: int):
        self.n_symbols = n_symbols
        self.length = length
        self.seed = seed
        self.size = n_symbols**length

    def sequences(self, start: int, stop: int) -> np.ndarray:
        """Return the sequences at positions ``start .. stop - 1`` of the order.

        Returns
        -------
        ndarray of int64, shape (stop - start, T)

        Raises
        ------
        ValueError
            If the range leaves the space or reaches beyond 2**62.
        """
        if not 0 <= start <= stop <= min(self.size, 2**62):
            raise ValueError(
                f"positions {start} to {stop} are outside of the {self.size} sequences of length "
                f"{self.length} over {self.n_symbols} symbols"
            )
        if self.size <= SMALL_SPACE:
            return _digits(self._permutation[start:stop], self.n_symbols, self.length)
        return self._network(np.arange(start, stop, dtype=np.int64))

    @cached_property
    def _permutation(self) -> np.ndarray:
        return np.random.default_rng(self._key("small")).permutation(self.size)

    def _key(self, part: str, *numbers: int) -> int:
        coordinates = {"n_symbols": self.n_symbols, "length": self.length, "seed": self.seed}
        return derive_seed("permutation", part=part, numbers=list(numbers), **coordinates)

    def _network(self, index: np.ndarray) -> np.ndarray:
        widths = _limb_widths(self.n_symbols, self.length)
        radices = [self.n_symbols**width for width in widths]
        limbs, rest = [], index
        for radix in radices:
            limbs.append((rest % radix).astype(np.uint64))
            rest = rest // radix
        for round_number in range(_N_ROUNDS):
            for i, radix in enumerate(radices):
                state = np.full(index.shape, self._key("network", round_number, i), dtype=np.uint64)
                for j, limb in enumerate(limbs):
                    if j != i:
                        state = scramble(state ^ limb)
                limbs[i] = (limbs[i] + state % np.uint64(radix)) % np.uint64(radix)
        return np.concatenate(
            [
                _digits(limb.astype(np.int64), self.n_symbols, width)
                for limb, width in zip(limbs, widths, strict=True)
            ],
            axis=1,
        )


def _limb_widths(n_symbols: int, length: int) -> list[int]:
    """Split `length` digits evenly over at least two limbs of radix at most 2**31."""
    per_limb = 1
    while n_symbols ** (per_limb + 1) <= _MAX_LIMB:
        per_limb += 1
    n_limbs = max(2, -(-length // per_limb))
    return [len(part) for part in np.array_split(np.arange(length), n_limbs)]


def _digits(codes: np.ndarray, base: int, length: int) -> np.ndarray:
    """Write integer codes (n,) as digits (n, length), the lowest first."""
    return (codes[:, None] // base ** np.arange(length, dtype=np.int64)) % base


def scramble(values: np.ndarray) -> np.ndarray:
    """Scramble 64-bit words (uint64): the finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
