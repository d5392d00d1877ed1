"""Files of word problems, as the generators of word-problem and DeltaProduct write them.

A user who has such data, or a network trained on them, learns from `agreements` which `order` of
`GroupProduct` has their labels.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nstar.errors import DataError
from nstar.tasks.automata.group_product import ORDERS, GroupProduct


@dataclass(frozen=True)
class WordProblems:
    """Sequences of group elements and their running products.

    Attributes
    ----------
    symbols, states : ndarray of int64, shape (n_sequences, L)
        L is the longest length; zeros follow the last symbol of a shorter sequence.
    lengths : ndarray of int64, shape (n_sequences,)
    """

    symbols: np.ndarray
    states: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class Agreement:
    """How much of some word problems an order of the product has: shares of labels and of sequences."""

    labels: float
    sequences: float


def read_word_problems(path: Path) -> WordProblems:
    """Read a file of word problems.

    Parameters
    ----------
    path : Path
        CSV with a header. In the columns ``input`` and ``target`` stand the numbers of elements and of
        their running products, parted by spaces, as many in one as in the other; other columns, as
        ``seed``, are not read.

    Returns
    -------
    WordProblems

    Raises
    ------
    DataError
        If the file has no such columns or no rows, or a row is not as described.

    References
    ----------
    ``src/generate_data.py`` of github.com/jopetty/word-problem (Merrill, Petty, Sabharwal 2024,
    arXiv:2404.08819), and ``state_tracking/src/generate_data.py`` of github.com/automl/DeltaProduct,
    which is made from it.
    """
    pairs = []
    with path.open(newline="") as file:
        rows = csv.DictReader(file)
        if not {"input", "target"} <= set(rows.fieldnames or ()):
            raise DataError(
                f"{path}: the columns are {', '.join(rows.fieldnames or ()) or 'missing'}; input and "
                "target are needed, as word-problem writes them: seed,input,target"
            )
        for row in rows:
            where = f"{path}, line {rows.line_num}"
            symbols, states = (_elements(row[name], name, where) for name in ("input", "target"))
            if len(symbols) != len(states):
                raise DataError(
                    f"{where}: {len(symbols)} symbols and {len(states)} targets; there has to be a "
                    "target for every symbol, the product up to it"
                )
            pairs.append((symbols, states))
    if not pairs:
        raise DataError(f"{path}: no rows after the header; nothing can be compared")
    lengths = np.array([len(symbols) for symbols, _ in pairs])
    shape = (len(pairs), int(lengths.max()))
    inside = np.arange(shape[1]) < lengths[:, None]
    symbols, states = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    symbols[inside] = np.concatenate([symbols for symbols, _ in pairs])
    states[inside] = np.concatenate([states for _, states in pairs])
    return WordProblems(symbols, states, lengths)


def _elements(text: str | None, column: str, where: str) -> list[int]:
    """Return the numbers in a field."""
    numbers = (text or "").split()
    wrong = next((number for number in numbers if not number.isdecimal()), None)
    if wrong is not None or not numbers:
        found = f"{wrong!r}" if numbers else "nothing"
        raise DataError(
            f"{where}: {column} holds {found}; numbers of elements from 0 on are needed, parted by spaces"
        )
    return list(map(int, numbers))


def agreements(group: str, problems: WordProblems) -> dict[str, Agreement]:
    """Return how much of some word problems each order of a group's product has, by the order.

    Parameters
    ----------
    group : str
        As the option of `GroupProduct`.
    problems : WordProblems

    Returns
    -------
    dict of str to Agreement
        With the keys of `nstar.tasks.automata.group_product.ORDERS`.

    Raises
    ------
    pydantic.ValidationError
        If there is no such group.
    DataError
        If a symbol or state is beyond the elements of the group.

    Notes
    -----
    Elements are compared by their numbers, see `GroupProduct`. Those of word-problem are the same.
    """
    tasks = {
        order: GroupProduct(kind="group_product", group=group, order=order) for order in ORDERS
    }
    n_elements = next(iter(tasks.values())).n_symbols
    most = max(problems.symbols.max(), problems.states.max())
    if most >= n_elements:
        raise DataError(
            f"the file has element {most}, and {group} has the elements 0 to {n_elements - 1}; name the "
            "group that the file was made from"
        )
    inside = np.arange(problems.symbols.shape[1]) < problems.lengths[:, None]
    found = {}
    for order, task in tasks.items():
        right = (task.labels(problems.symbols) == problems.states) | ~inside
        found[order] = Agreement(float(right[inside].mean()), float(right.all(axis=1).mean()))
    return found
