"""Which sequences a curve draws from: one length or several, what is held out, and in which order.

The sequences of a length stand in one order that the seed decides. The first of them are the validation
set, the next ones the confirmation set and the test set; training takes what follows, and a budget the
first N of that: budgets nest, sequences are unique, and no two sets share one, by construction.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from nstar.seeds import numpy_generator
from nstar.tasks.base import Task

LengthDistribution = Literal["fixed", "uniform", "short_to_long"]
LENGTH_DISTRIBUTIONS: tuple[LengthDistribution, ...] = get_args(LengthDistribution)

HELD_OUT = ("validation", "confirmation", "test")
"""Sets that are kept from training, in the order in which they follow each other in a length."""

_LENGTHS_PER_DRAW = 2**16
_SEQUENCES_PER_DRAW = 2**12


@dataclass(frozen=True)
class Pool:
    """The sequences of some lengths, and which of them are kept from training.

    Attributes
    ----------
    task : Task
    length_distribution : {"fixed", "uniform", "short_to_long"}
        ``fixed``: one length. ``uniform``: every next training sequence has a length drawn from those
        that are not used up, each as likely. ``short_to_long``: all of a length before the next one.
    length : int
        L, the longest length; symbols.
    sets : tuple of (int, int, int)
        Of each length, how many sequences each set of `HELD_OUT` has; the lengths are those up to L, as
        many as entries.
    whole : bool
        Whether training draws from all sequences. Nothing is kept from it then, and sets that a length
        has too few sequences for begin anew with its first ones: they have sequences in common.
    """

    task: Task
    length_distribution: LengthDistribution
    length: int
    sets: tuple[tuple[int, int, int], ...]
    whole: bool = False

    @property
    def lengths(self) -> range:
        """The lengths, in increasing order."""
        return range(self.length - len(self.sets) + 1, self.length + 1)

    @cached_property
    def held_out(self) -> tuple[int, ...]:
        """Sequences of each length that training never sees."""
        return tuple(0 if self.whole else sum(sizes) for sizes in self.sets)

    def sizes(self, split: str) -> tuple[int, ...]:
        """Return how many sequences of each length a set of `HELD_OUT` has."""
        return tuple(sizes[HELD_OUT.index(split)] for sizes in self.sets)

    def size(self, split: str) -> int:
        """Return how many sequences a set of `HELD_OUT` has, over all lengths."""
        return sum(self.sizes(split))

    @cached_property
    def available(self) -> tuple[int, ...]:
        """Sequences of each length that are left for training; unbounded integers."""
        return tuple(
            self.task.n_sequences(length) - held_out
            for length, held_out in zip(self.lengths, self.held_out, strict=True)
        )

    @cached_property
    def n_training(self) -> int:
        """Sequences that are left for training, over all lengths; an unbounded integer."""
        return sum(self.available)

    def held(self, split: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a set of `HELD_OUT` of a seed, the shortest sequences first; as `training`.

        It is the same for all distributions over the same lengths.
        """
        before = HELD_OUT[: HELD_OUT.index(split)]
        starts = [sum(of_length) for of_length in zip(*map(self.sizes, before), strict=True)]
        return self._take(seed, starts or [0] * len(self.sets), self.sizes(split), None)

    def training(self, seed: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return training sequences ``start .. stop - 1`` of the order of a seed.

        Parameters
        ----------
        seed : int
        start, stop : int
            In ``0 .. n_training``.

        Returns
        -------
        symbols : ndarray of int64, shape (stop - start, n_positions)
            Zeros beyond the length of a sequence; see `Task.n_positions` of L.
        lengths : ndarray of int64, shape (stop - start,)
        """
        order = self.order(seed, stop)
        n_lengths = len(self.sets)
        before = np.bincount(order[:start], minlength=n_lengths) + self.held_out
        counts = np.bincount(order[start:], minlength=n_lengths)
        return self._take(seed, before.tolist(), counts.tolist(), order[start:])

    def draw(self, seed: int, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return sequences ``start .. stop - 1`` of an endless row of independent uniform ones.

        Each has a length of its own, every one of the pool's as likely. Those that are held out are
        drawn like all others. Returned are symbols, zeros after the end, and lengths, as by `training`.
        """
        first, last = start // _SEQUENCES_PER_DRAW, (stop - 1) // _SEQUENCES_PER_DRAW
        drawn = [self._draw(seed, number) for number in range(first, last + 1)]
        offset = first * _SEQUENCES_PER_DRAW
        symbols, lengths = (
            np.concatenate(parts)[start - offset : stop - offset]
            for parts in zip(*drawn, strict=True)
        )
        return symbols, lengths

    def _draw(self, seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        key = {"lengths": [self.lengths[0], self.length], "seed": seed, "draw": number}
        generator = numpy_generator("fresh", n_symbols=self.task.n_symbols, **key)
        lengths = generator.integers(self.lengths[0], self.length + 1, _SEQUENCES_PER_DRAW)
        shape = (_SEQUENCES_PER_DRAW, self.length)
        symbols = generator.integers(self.task.n_symbols, size=shape, dtype=np.int16)
        symbols[np.arange(self.length) >= lengths[:, None]] = 0
        return symbols.astype(np.int64), lengths

    def order(self, seed: int, n: int) -> np.ndarray:
        """Return which of the `lengths` each of the first n training sequences has, by number (n,)."""
        capacities = [min(available, n) for available in self.available]
        if self.length_distribution == "uniform" and len(capacities) > 1:
            key = {"lengths": [self.lengths[0], self.length], "seed": seed}
            return _draw_lengths(capacities, n, {"n_symbols": self.task.n_symbols, **key})
        kinds = np.arange(len(capacities), dtype=np.int16)
        return np.repeat(kinds, _filled(capacities, n))

    def _take(
        self, seed: int, starts: Sequence[int], counts: Sequence[int], order: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return sequences of each length from a start in its stream on, put into an order."""
        width = max(self.task.n_positions(length) for length in self.lengths)
        symbols = np.zeros((sum(counts), width), dtype=np.int64)
        lengths = np.repeat(np.array(self.lengths), counts)
        rows = np.arange(len(lengths)) if order is None else np.argsort(order, kind="stable")
        ends = np.cumsum(counts)
        for length, start, count, end in zip(self.lengths, starts, counts, ends, strict=True):
            if count:
                found = self._sequences(length, seed, start, count)
                symbols[rows[end - count : end], : found.shape[1]] = found
        placed = np.empty_like(lengths)
        placed[rows] = lengths
        return symbols, placed

    def _sequences(self, length: int, seed: int, start: int, count: int) -> np.ndarray:
        """Return sequences of a length from a position of its order on; the first follow the last."""
        stream, size = self.task.stream(length, seed), self.task.n_sequences(length)
        start %= size
        found = stream.sequences(start, min(start + count, size))
        if start + count <= size:
            return found
        return np.concatenate([found, stream.sequences(0, start + count - size)])


def share_out(capacities: Sequence[int], n: int) -> tuple[int, ...]:
    """Share n out as evenly as capacities allow: what one cannot take goes to the others.

    Examples
    --------
    >>> share_out([2, 50, 50], 21)
    (2, 9, 10)
    >>> share_out([2, 3], 10)
    (2, 3)
    """
    shares, left = {}, n
    by_size = sorted(range(len(capacities)), key=lambda i: capacities[i])
    for n_before, i in enumerate(by_size):
        shares[i] = min(capacities[i], left // (len(capacities) - n_before))
        left -= shares[i]
    return tuple(shares[i] for i in range(len(capacities)))


def _filled(capacities: Sequence[int], n: int) -> list[int]:
    """Return how much of n each capacity takes, the first ones first."""
    ends = [min(end, n) for end in itertools.accumulate(capacities)]
    return [end - start for start, end in itertools.pairwise([0, *ends])]


def _draw_lengths(capacities: Sequence[int], n: int, key: dict) -> np.ndarray:
    """Return n lengths by number, each next one uniform among those with something left.

    The first of them do not depend on n: draws have one size, and begin anew when a length is used up.
    """
    left, parts, missing = np.array(capacities), [], n
    while missing:
        open_lengths = np.flatnonzero(left)
        exhausted = len(capacities) - len(open_lengths)
        for draw in itertools.count():
            generator = numpy_generator("lengths", exhausted=exhausted, draw=draw, **key)
            drawn = open_lengths[generator.integers(len(open_lengths), size=_LENGTHS_PER_DRAW)]
            drawn = drawn[: min(missing, _first_exhaustion(drawn, left))].astype(np.int16)
            parts.append(drawn)
            left -= np.bincount(drawn, minlength=len(left))
            missing -= len(drawn)
            if not missing or not left[open_lengths].all():
                break
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int16)


def _first_exhaustion(drawn: np.ndarray, left: np.ndarray) -> int:
    """Return after how many draws a length has nothing left; all of them if that does not happen."""
    counts = np.bincount(drawn, minlength=len(left))
    ends = [
        np.flatnonzero(drawn == i)[left[i] - 1] + 1
        for i in np.flatnonzero(counts)
        if counts[i] >= left[i]
    ]
    return min(ends, default=len(drawn))
