"""Group product: the running product of elements of any finite group that can be named.

With the group Z_m it is modular addition, with S_k permutation composition; the others tell apart what
these two confound: size, commutativity, solvability.
"""

import itertools
import math
import re
from functools import cache
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import AfterValidator, Field

from nstar.options import LATER
from nstar.tasks.automata.automaton import Automaton

MOST_ELEMENTS = 720
"""Order of the largest group, that of S_6: every element is a symbol."""

LARGEST_INDEX = {"Z": MOST_ELEMENTS, "D": MOST_ELEMENTS // 2, "Q": 8, "A": 6, "S": 6}
SMALLEST_INDEX = {"Z": 2, "D": 3, "Q": 8, "A": 3, "S": 2}

_FACTOR = re.compile(r"([ZDQAS])_([1-9][0-9]{0,3})")
_LOOSE_FACTOR = re.compile(r"\s*([ZDQAS])[_ ]?([1-9][0-9]{0,3})\s*", re.IGNORECASE)

Permutation = tuple[int, ...]

ORDERS = {
    "first_applied_first": "s_t = x_t s_(t-1), the first symbol is applied first",
    "last_applied_first": "s_t = s_(t-1) x_t, the last symbol is applied first",
}
"""What the running product of symbols may be, with (a b)(i) = a(b(i)): meanings of the option `order`."""

Order = Annotated[
    Literal["first_applied_first", "last_applied_first"],
    LATER,
    Field(
        description="which symbol is applied first: s_t = x_t s_(t-1), as in arXiv:2602.18333, or "
        "s_t = s_(t-1) x_t, as in the data of word-problem and DeltaProduct; no unit"
    ),
]


def _check_group(name: str) -> str:
    for factor in name.split(" x "):
        found = _FACTOR.fullmatch(factor)
        if not found:
            raise ValueError(
                f"{factor!r} is no group{_respelt(name)}; legal are Z_m (cyclic), D_n (dihedral, of "
                "order 2n), Q_8 (quaternions), A_k (alternating), S_k (symmetric), and products as "
                "'A_4 x Z_5'"
            )
        kind, index = found[1], int(found[2])
        if not SMALLEST_INDEX[kind] <= index <= LARGEST_INDEX[kind]:
            raise ValueError(
                f"{factor} is not among the groups {kind}_{SMALLEST_INDEX[kind]} to "
                f"{kind}_{LARGEST_INDEX[kind]}"
            )
    if (order := _group_order(name)) > MOST_ELEMENTS:
        raise ValueError(
            f"{name} has {order} elements, at most {MOST_ELEMENTS} are legal, because each is a symbol"
        )
    return name


def _respelt(name: str) -> str:
    """Return ``' (did you mean A_4 x Z_5?)'`` for a name as ``a4*Z5``, or ``''``.

    The nearest legal name would often be another group: Z_11 for M_11, any of four for a_5.
    """
    found = [
        _LOOSE_FACTOR.fullmatch(part) for part in re.split("[xX*\N{MULTIPLICATION SIGN}]", name)
    ]
    if not all(found):
        return ""
    try:
        meant = _check_group(" x ".join(f"{part[1].upper()}_{part[2]}" for part in found))
    except ValueError:  # well spelt, and still not legal, as S_9 for S9
        return ""
    return f" (did you mean {meant}?)"


class GroupProduct(Automaton):
    """Partial products in a finite group.

    Notes
    -----
    ``s_t = x_t s_{t-1}``, from the identity on: the first element of the input is applied first, the last
    one last. With `order` "last_applied_first" it is ``s_t = s_{t-1} x_t``, as the generators of
    word-problem (arXiv:2404.08819) and DeltaProduct (arXiv:2502.10297) have it. The two are isomorphic,
    by the inverse of every symbol and state, but their labels differ where the group does not commute.

    Elements are permutations in lexicographic order, of a product those of the factors side by side; 0 is
    the identity. Z_m is the rotations of m points, D_n those and the reflections of n points, Q_8 its
    action on itself.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, has Z_m and S_5; Merrill, Petty, Sabharwal (2024), The
    Illusion of State, arXiv:2404.08819, A_5, A_4 x Z_5 and Z_60.

    Examples
    --------
    >>> task = GroupProduct(kind="group_product", group="A_4 x Z_5")
    >>> task.n_symbols, task.n_states
    (60, 60)
    >>> GroupProduct(kind="group_product", group="Z_5").labels(np.array([[3, 4, 2]])).tolist()
    [[3, 2, 4]]

    The same input in both orders:

    >>> symbols, s_3 = np.array([[5, 1, 1, 1, 3, 5]]), {"kind": "group_product", "group": "S_3"}
    >>> GroupProduct(**s_3).labels(symbols).tolist()
    [[5, 3, 5, 3, 4, 1]]
    >>> GroupProduct(**s_3, order="last_applied_first").labels(symbols).tolist()
    [[5, 4, 5, 4, 0, 5]]
    """

    MEANINGS: ClassVar = {"order": ORDERS}

    EXAMPLES: ClassVar = {
        "group_product": {"group": "Q_8"},
        "group_product_last_applied_first": {"group": "S_3", "order": "last_applied_first"},
    }

    kind: Literal["group_product"] = Field(description="group product; no unit")
    group: Annotated[str, Field(strict=True, max_length=60), AfterValidator(_check_group)] = Field(
        description="Z_m, D_n (of order 2n), Q_8, A_k, S_k, or a product of such as 'A_4 x Z_5'; no unit"
    )
    order: Order = "first_applied_first"

    @property
    def n_symbols(self) -> int:
        """Return the order of the group: every element is a symbol."""
        return _group_order(self.group)

    @property
    def n_states(self) -> int:
        """Return the order of the group: the state is the product so far."""
        return _group_order(self.group)

    @property
    def transitions(self) -> np.ndarray:
        """The running products; see `Automaton.transitions`."""
        return running_products(self.group, self.order)


def running_products(group: str, order: Order) -> np.ndarray:
    """Return the table of transitions of a product: entry (s, x) is ``x s``, or ``s x``; see `ORDERS`."""
    table = cayley_table(group)
    return table.T if order == "first_applied_first" else table


@cache
def cayley_table(group: str) -> np.ndarray:
    """Return the table of products of a named group: entry (a, b) is ``a b``, b being applied first."""
    elements = np.array(_elements(group), dtype=np.int16)
    numbers = {element.tobytes(): i for i, element in enumerate(elements)}
    return np.array([[numbers[product.tobytes()] for product in a[elements]] for a in elements])


def _elements(group: str) -> list[Permutation]:
    """Return the permutations that make up a group, in lexicographic order: the identity is first."""
    elements: list[Permutation] = [()]
    for factor in group.split(" x "):
        elements = [
            one + tuple(len(one) + i for i in other)
            for one in elements
            for other in _factor_elements(factor)
        ]
    return elements


def _factor_elements(factor: str) -> list[Permutation]:
    kind, index = _parse(factor)
    if kind == "S":
        return list(itertools.permutations(range(index)))
    if kind == "A":
        return [p for p in itertools.permutations(range(index)) if _is_even(p)]
    rotation = (*range(1, index), 0)
    if kind == "Z":
        return _generated([rotation])
    if kind == "D":
        return _generated([rotation, tuple(-i % index for i in range(index))])
    # Q_8 acts on 1, i, -1, -i, j, k, -j, -k (numbers 0 to 7) by multiplication from the left.
    return _generated([(1, 2, 3, 0, 5, 6, 7, 4), (4, 7, 6, 5, 2, 1, 0, 3)])


def _generated(generators: list[Permutation]) -> list[Permutation]:
    """Return the group that some permutations generate, in lexicographic order."""
    found = {tuple(range(len(generators[0])))}
    newest = found
    while newest:
        products = {tuple(g[i] for i in p) for g in generators for p in newest}
        newest = products - found
        found = found | newest
    return sorted(found)


def _is_even(permutation: Permutation) -> bool:
    return sum(a > b for a, b in itertools.combinations(permutation, 2)) % 2 == 0


def _parse(factor: str) -> tuple[str, int]:
    kind, _, index = factor.partition("_")
    return kind, int(index)


def _group_order(group: str) -> int:
    return math.prod(map(_order, group.split(" x ")))


def _order(factor: str) -> int:
    kind, index = _parse(factor)
    orders = {"Z": index, "D": 2 * index, "Q": 8}
    if kind in orders:
        return orders[kind]
    return math.factorial(index) // (2 if kind == "A" else 1)
