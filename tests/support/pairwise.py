"""Pairwise covers: few rows in which any two values of different factors meet.

They find each fault that one value or two values together cause, in less time than the whole product.
"""

import itertools

import pytest


def cover(*factors):
    """Return rows of one value of each factor, chosen greedily and always the same way.

    >>> cover("ab", "xy", [1, 2])
    [('a', 'x', 1), ('a', 'y', 2), ('b', 'x', 2), ('b', 'y', 1)]
    """
    rows = list(itertools.product(*(range(len(values)) for values in factors)))
    missing = set().union(*map(pairs_of, rows))
    chosen = []
    while missing:
        best = max(rows, key=lambda row: len(pairs_of(row) & missing))
        missing -= pairs_of(best)
        chosen.append(best)
    return [
        tuple(values[i] for values, i in zip(factors, row, strict=True)) for row in sorted(chosen)
    ]


def pairs_of(row):
    return set(itertools.combinations(enumerate(row), 2))


def every_variant_with(variants, **factors):
    """Parametrise a test by ``options`` of each variant with each value, which also meet each other."""
    rows = cover(list(variants), *factors.values())
    return pytest.mark.parametrize(
        ("options", *factors),
        [
            pytest.param(variants[name], *values, id=f"{name}-{'-'.join(map(str, values))}")
            for name, *values in rows
        ],
    )
