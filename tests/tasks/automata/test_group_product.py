"""Named groups are groups, the right ones, and their products run in the right order."""

import itertools
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from nstar.tasks import build_task
from nstar.tasks.automata.group_product import cayley_table

ORDERS = {
    **{"Z_2": 2, "Z_7": 7, "Z_60": 60, "D_3": 6, "D_4": 8, "Q_8": 8},
    **{"A_3": 3, "A_4": 12, "A_5": 60, "S_2": 2, "S_3": 6, "S_4": 24, "S_5": 120},
    **{"A_4 x Z_5": 60, "Z_2 x D_3": 12, "Z_2 x Z_2 x Z_3": 12},
}
COMMUTATIVE = {"Z_2", "Z_7", "Z_60", "A_3", "S_2", "Z_2 x Z_2 x Z_3"}


def group(name):
    return build_task({"kind": "group_product", "group": name})


def element_orders(name):
    """Return how many elements have which order."""
    table, counts = cayley_table(name), Counter()
    for a in range(len(table)):
        power, order = a, 1
        while power != 0:
            power, order = table[a, power], order + 1
        counts[order] += 1
    return dict(counts)


@pytest.mark.parametrize("name", ORDERS)
def test_it_is_a_group_of_its_order(name):
    table = cayley_table(name)
    everything = np.arange(ORDERS[name])
    assert table.shape == (ORDERS[name], ORDERS[name])
    np.testing.assert_array_equal(table[0], everything)
    np.testing.assert_array_equal(table[:, 0], everything)
    for axis in (0, 1):  # every row and column holds every element: there are inverses
        np.testing.assert_array_equal(np.sort(table, axis=axis).take(0, axis=1 - axis), everything)
        assert (np.diff(np.sort(table, axis=axis), axis=axis) == 1).all()
    np.testing.assert_array_equal(table[table], table[:, table])  # (a b) c = a (b c)
    assert (table == table.T).all() == (name in COMMUTATIVE)


@pytest.mark.parametrize(
    ("name", "orders"),
    [
        ("Q_8", {1: 1, 2: 1, 4: 6}),
        ("D_4", {1: 1, 2: 5, 4: 2}),
        ("A_5", {1: 1, 2: 15, 3: 20, 5: 24}),
        ("A_4 x Z_5", {1: 1, 2: 3, 3: 8, 5: 4, 10: 12, 15: 32}),
        (
            "Z_60",
            {
                n: sum(np.gcd(n, k) == 1 for k in range(1, n + 1))
                for n in range(1, 61)
                if 60 % n == 0
            },
        ),
    ],
)
def test_groups_of_one_order_are_told_apart_by_the_orders_of_their_elements(name, orders):
    assert element_orders(name) == orders


def test_the_classes_of_a_5_leave_no_normal_subgroup():
    table = cayley_table("A_5")
    inverse = np.argmin(table, axis=1)
    classes = {frozenset(table[table[g, a], inverse[g]] for g in range(60)) for a in range(60)}
    sizes = sorted(map(len, classes))
    assert sizes == [1, 12, 12, 15, 20]
    sums = {1 + sum(part) for n in range(5) for part in itertools.combinations(sizes[1:], n)}
    assert {n for n in sums if 60 % n == 0} == {1, 60}


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Z_7", {"kind": "modular_addition", "modulus": 7}),
        ("S_4", {"kind": "permutation_composition", "degree": 4}),
    ],
)
def test_it_agrees_with_the_tasks_of_the_paper(name, same):
    tokens = np.random.default_rng(0).integers(0, ORDERS[name], (200, 12))
    np.testing.assert_array_equal(group(name).labels(tokens), build_task(same).labels(tokens))


def test_the_last_element_is_applied_last():
    """In S_3 the product (1 0 2) o (0 2 1) is (1 2 0); the other way round it is (2 0 1)."""
    assert group("S_3").labels(np.array([[1, 2]])).tolist() == [[1, 3]]
    assert group("S_3").labels(np.array([[2, 1]])).tolist() == [[2, 4]]


REFUSED = ["Z_1", "S_7", "A_2", "Q_4", "Z_721", "S_6 x Z_2", "M_11", "A_4xZ_5", ""]


@pytest.mark.parametrize("name", REFUSED)
def test_other_names_are_refused(name):
    with pytest.raises(ValidationError, match=r"is no group|is not among|at most 720"):
        group(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("A5", "A_5"), ("s_3", "S_3"), ("A_4xZ_5", "A_4 x Z_5"), ("z2 * z2 * Z3", "Z_2 x Z_2 x Z_3")],
)
def test_another_spelling_is_refused_with_the_legal_one(name, meant):
    with pytest.raises(ValidationError, match=rf"is no group \(did you mean {meant}\?\)"):
        group(name)
    assert group(meant).n_states == ORDERS[meant]


@pytest.mark.parametrize("name", ["M_11", "S9"])
def test_where_no_spelling_is_legal_there_is_no_hint(name):
    with pytest.raises(ValidationError, match=f"'{name}' is no group; legal"):
        group(name)
