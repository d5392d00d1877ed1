"""Columns of tables, those that many tables have, and variables of stores."""

import math
from collections.abc import Mapping
from typing import NamedTuple


class Column(NamedTuple):
    """Type of a column in pandas, unit (``1`` for none), meaning, and whether some studies lack it."""

    dtype: str
    unit: str
    meaning: str
    optional: bool = False


class Variable(NamedTuple):
    """Dimensions, long name and unit (``1`` for none) of a variable of a store, and its legal numbers.

    `kinds` are those of NumPy's data types: ``f`` floats, ``iu`` whole numbers, ``b`` truth values.
    """

    dimensions: tuple[str, ...]
    long_name: str
    units: str = "1"
    kinds: str = "f"
    least: float = -math.inf
    most: float = math.inf


def count(dimensions: tuple[str, ...], long_name: str, units: str = "1") -> Variable:
    """Return a variable of whole numbers from 0 on."""
    return Variable(dimensions, long_name, units, "iu", least=0)


def share(dimensions: tuple[str, ...], long_name: str) -> Variable:
    """Return a variable of shares, from 0 to 1."""
    return Variable(dimensions, long_name, least=0.0, most=1.0)


class Table(NamedTuple):
    """What the rows of a table stand for, in Markdown, and its columns by name."""

    meaning: str
    columns: Mapping[str, Column]


MODEL = Column("str", "1", "name of the model in the configuration")
TASK = Column("str", "1", "name of the task in the configuration")
STATES = Column("int64", "states", "m, size of the state space of the task")
SUPERVISION = Column("str", "1", "what is asked for; see `grid.N.supervisions`")
LENGTH_DISTRIBUTION = Column(
    "str", "1", "which lengths a data set has; see `grid.N.length_distributions`"
)
LENGTH = Column("int64", "symbols", "n, length of the training sequences, or the longest")
BUDGET = Column("int64", "sequences", "N, size of the training set")
SEED = Column(
    "int64",
    "1",
    "seed of data, initialisation and order of the examples; with `replicates.streams` the number of "
    "the combination of them, from 0, the last stream fastest (see `data_seed` of `cells`)",
)

SYMBOLS, TEACHER_FORCED, DECODED = "symbols", "teacher_forced", "decoded"
"""What networks read that are tested: symbols alone, or in a chain of thought the true states before, or
the states that they said themselves."""

READING = Column(
    "str",
    "1",
    "what the network read: `symbols` alone; in a chain of thought also the states before, the true ones "
    "(`teacher_forced`) or its own answers (`decoded`)",
)
TEST_LENGTH = Column("int64", "symbols", "length of the sequences of the test, beyond `length`")

ROLE = Column(
    "str",
    "1",
    "why the network was trained: `demand`, a network of `cells`, trained until the rule of success, or "
    "patience, ended its run; `extrapolation`, a network for tests beyond the length of training alone, "
    "trained for all `training.max_steps`, see `grid.N.role`",
)
