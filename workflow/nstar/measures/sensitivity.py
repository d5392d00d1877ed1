"""Sensitivity of functions on the cube {-1, +1}^n: how often a flip of one bit changes their value.

A truth table holds the values of a function at all 2^n inputs, in the order of `cube`. Tables may have
leading axes, one function each; all sums are exact but for rounding.

References
----------
Hahn and Rofin (2024), Why are Sensitive Functions Hard for Transformers?, arXiv:2402.09963: sections 3
and 4. Koever, Butoi, Svete, Hahn, Cotterell (2026), Understanding the Parameter Space Geometry of
Transformers Encoding Boolean Functions, arXiv:2606.08768: the profile. O'Donnell (2014), Analysis of
Boolean Functions, chapter 2.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

MOST_BITS = 24
"""n of the largest tables: 128 MiB of float64."""


class Estimate(NamedTuple):
    """Means over sampled inputs and their standard errors; NaN where one input was drawn."""

    value: np.ndarray
    standard_error: np.ndarray


def cube(n_bits: int) -> np.ndarray:
    """Return all inputs of n bits.

    Parameters
    ----------
    n_bits : int
        n, from 1 to `MOST_BITS`.

    Returns
    -------
    ndarray of int8, shape (2^n, n)
        Row i has +1 in column j where bit j of i is set, else -1.

    Examples
    --------
    >>> cube(2).tolist()
    [[-1, -1], [1, -1], [-1, 1], [1, 1]]
    """
    if not 1 <= n_bits <= MOST_BITS:
        raise ValueError(f"n_bits is {n_bits}: inputs of 1 to {MOST_BITS} bits can be listed")
    bits = np.arange(2**n_bits)[:, None] >> np.arange(n_bits) & 1
    return (2 * bits - 1).astype(np.int8)


def pointwise_sensitivity(table: np.ndarray) -> np.ndarray:
    """Return s(x, f) = 1/4 sum_i |f(x) - f(x with bit i flipped)|^2 at every input.

    It is the number of flips that change the value where f is in {-1, +1}.

    Parameters
    ----------
    table : array_like, shape (..., 2^n)
        Truth table, values on the scale of {-1, +1}.

    Returns
    -------
    ndarray of float64, shape (..., 2^n)

    Raises
    ------
    ValueError
        If the last axis is not 2^n long for an n from 1 to `MOST_BITS`.

    References
    ----------
    Hahn and Rofin (2024), equation (6).
    """
    table, n_bits = _as_table(table)
    total = np.zeros(table.shape)
    for bit in range(n_bits):
        low, high = _halves(table, bit)
        changed = (high - low) ** 2 / 4
        for half in _halves(total, bit):
            half += changed
    return total


def average_sensitivity(table: np.ndarray) -> np.ndarray:
    """Return as_n(f), the mean of s(x, f) over all inputs; also called the total influence.

    Parameters
    ----------
    table : array_like, shape (..., 2^n)
        As for `pointwise_sensitivity`, which says what is raised.

    Returns
    -------
    ndarray of float64, shape (...)
        n for the product of all bits, 1 for a single bit; ``sum_i i d_i`` of the `degree_profile`.

    References
    ----------
    Hahn and Rofin (2024), equation (7).

    Examples
    --------
    >>> float(average_sensitivity(cube(5).prod(axis=1)))
    5.0
    """
    return pointwise_sensitivity(table).mean(axis=-1)


def sensitivity_profile(table: np.ndarray) -> np.ndarray:
    """Return K_s(f) for s = 0 .. n: at how many inputs exactly s flips change the value.

    Parameters
    ----------
    table : array_like, shape (..., 2^n)
        Truth table of values -1 and +1.

    Returns
    -------
    ndarray of int64, shape (..., n + 1)
        Counts with the sum 2^n; the mean of s under them is the `average_sensitivity`.

    Raises
    ------
    ValueError
        As `pointwise_sensitivity`, and if a value is neither -1 nor +1.

    References
    ----------
    Koever et al. (2026), arXiv:2606.08768, who call it the sensitivity profile. K_0 counts the inputs
    whose neighbours all have their value.

    Examples
    --------
    >>> sensitivity_profile(cube(3).prod(axis=1)).tolist()
    [0, 0, 0, 8]
    >>> sensitivity_profile(np.ones(8)).tolist()
    [8, 0, 0, 0]
    """
    table, n_bits = _as_table(table)
    if not (np.abs(table) == 1).all():
        raise ValueError("a sensitivity profile is that of a Boolean function; values are -1 or +1")
    sensitivity = pointwise_sensitivity(table)
    return np.stack([(sensitivity == s).sum(axis=-1) for s in range(n_bits + 1)], axis=-1)


def random_profile(n_bits: int) -> np.ndarray:
    """Return the expected profile of a random function, every value of it a fair coin of its own.

    An input agrees with each of its n neighbours with probability 1/2, independently of the others, so
    that ``E[K_s] = 2^n binom(n, s) 2^(-n) = binom(n, s)``: one insensitive input is expected at any n.

    Examples
    --------
    >>> random_profile(4).tolist()
    [1, 4, 6, 4, 1]
    """
    return np.array([math.comb(n_bits, s) for s in range(n_bits + 1)])


def fourier_coefficients(table: np.ndarray) -> np.ndarray:
    """Return the coefficients of the expansion f(x) = sum_P lambda_P prod_(j in P) x_j.

    Parameters
    ----------
    table : array_like, shape (..., 2^n)
        As for `pointwise_sensitivity`, which says what is raised.

    Returns
    -------
    ndarray of float64, shape (..., 2^n)
        Entry p belongs to the set P of the bits of p. The sum of their squares is the mean of f^2.

    Notes
    -----
    The fast Walsh-Hadamard transform, n passes over the table.
    """
    table, n_bits = _as_table(table)
    coefficients = table.copy()
    for bit in range(n_bits):
        low, high = _halves(coefficients, bit)
        low[...], high[...] = (low + high) / 2, (high - low) / 2
    return coefficients


def degree_profile(table: np.ndarray) -> np.ndarray:
    """Return how much of the mean of f^2 lies at every degree: d_i = sum over |P| = i of lambda_P^2.

    Parameters
    ----------
    table : array_like, shape (..., 2^n)
        As for `pointwise_sensitivity`, which says what is raised.

    Returns
    -------
    ndarray of float64, shape (..., n + 1)

    References
    ----------
    Hahn and Rofin (2024), equation (17).
    """
    power = fourier_coefficients(table) ** 2
    n_bits = power.shape[-1].bit_length() - 1
    degree = np.bitwise_count(np.arange(power.shape[-1]))
    parts = [power[..., degree == i].sum(axis=-1) for i in range(n_bits + 1)]
    return np.stack(parts, axis=-1)


def estimate_average_sensitivity(
    function: Callable[[np.ndarray], np.ndarray], n_bits: int, n_inputs: int, seed: int
) -> Estimate:
    """Estimate as_n(f) from random inputs, all n neighbours of each.

    Parameters
    ----------
    function : callable
        Takes inputs (N, n) of int8 in {-1, +1}, returns values (..., N) on that scale: leading axes
        are functions of their own.
    n_bits : int
        n, at least 1; no table is made.
    n_inputs : int
        At least 1; inputs are independent and uniform.
    seed : int
        Of the inputs; non-negative.

    Returns
    -------
    Estimate
        Float64 of shape (...).

    Raises
    ------
    ValueError
        If there is no bit or no input.
    """
    if n_bits < 1 or n_inputs < 1:
        raise ValueError(f"{n_inputs} inputs of {n_bits} bits: at least one of each is needed")
    generator = np.random.default_rng(seed)
    inputs = generator.choice(np.array([-1, 1], dtype=np.int8), (n_inputs, n_bits))
    values = np.asarray(function(inputs), dtype=np.float64)
    sensitivity = np.zeros(values.shape)
    for bit in range(n_bits):
        flipped = inputs.copy()
        flipped[:, bit] *= -1
        sensitivity += (values - function(flipped)) ** 2 / 4
    mean = sensitivity.mean(axis=-1)
    if n_inputs == 1:
        return Estimate(mean, np.full_like(mean, np.nan))
    return Estimate(mean, sensitivity.std(axis=-1, ddof=1) / np.sqrt(n_inputs))


def _as_table(table) -> tuple[np.ndarray, int]:
    """Return a table as float64, and its n."""
    table = np.ascontiguousarray(table, dtype=np.float64)
    size = table.shape[-1] if table.ndim else 0
    n_bits = size.bit_length() - 1
    if not (1 <= n_bits <= MOST_BITS and size == 2**n_bits):
        raise ValueError(
            f"a table of shape {table.shape}: its last axis holds the values at all 2^n inputs, n from "
            f"1 to {MOST_BITS}"
        )
    return table, n_bits


def _halves(table: np.ndarray, bit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return views of the values where a bit is -1, and of those where it is +1, in the same order."""
    pairs = table.reshape(*table.shape[:-1], -1, 2, 2**bit)
    return pairs[..., 0, :], pairs[..., 1, :]
