"""What a column is, and the columns that many tables have."""

from typing import NamedTuple


class Column(NamedTuple):
    """Type of a column in pandas, unit (``1`` for none), and meaning."""

    dtype: str
    unit: str
    meaning: str


MODEL = Column("str", "1", "name of the model in the configuration")
TASK = Column("str", "1", "name of the task in the configuration")
STATES = Column("int64", "states", "m, size of the state space of the task")
SUPERVISION = Column("str", "1", "what is asked for; see `grid.N.supervisions`")
LENGTH_DISTRIBUTION = Column(
    "str", "1", "which lengths a data set has; see `grid.N.length_distributions`"
)
LENGTH = Column("int64", "symbols", "n, length of the training sequences, or the longest")
