"""Cells as the analysis reads them: along the axis of which demand is sought.

The analysis of demand is written once, for the column ``budget``. Along another axis that column holds
the width or the depth, and `model` holds the family; such a study has one budget.

A run that does not fit its training set says nothing about data, and is left out of N*. Of a width or a
depth it says that these were not enough, whatever more training would have done.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nstar.outcomes import NOT_FITTED, NOT_GENERALISED, OUTCOMES
from nstar.tables.selection import SETTING


def cells_along(axis: Mapping[str, Any], cells: pd.DataFrame) -> pd.DataFrame:
    """Return the table of cells with the value on an axis in place of the budget.

    Parameters
    ----------
    axis : mapping
        As `nstar.subjects.axis.axis_job` returns it.
    cells : DataFrame
        One row per cell and replicate.

    Returns
    -------
    DataFrame
        `budget` is the value on the axis, and `model` the family; `n_states` is 1 of tasks with
        questions, which have none. Rows are sorted by curve and value.
    """
    texts = cells["task"].isin(axis["texts"])
    if texts.any():  # the words of a language are no states
        cells = cells.assign(n_states=cells["n_states"].mask(texts, 1))
    if axis["name"] == "budget":
        return cells
    families, values = (
        cells["model"].map({name: pair[i] for name, pair in axis["models"].items()}) for i in (0, 1)
    )
    failed = cells["outcome"] == OUTCOMES[NOT_FITTED]
    outcome = cells["outcome"].mask(failed, OUTCOMES[NOT_GENERALISED])
    along = cells.assign(model=families, budget=values.astype("int64"), outcome=outcome)
    ranks = {name: pd.factorize(along[name])[0] for name in ("model", *SETTING)}
    order = pd.DataFrame(ranks | {name: along[name] for name in ("length", "budget")})
    return along.loc[order.sort_values(list(order), kind="stable").index].reset_index(drop=True)
