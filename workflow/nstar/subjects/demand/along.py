"""Cells as the analysis reads them: along the axis of which demand is sought.

The analysis of demand is written once, for the column ``budget``. Along another axis that column holds
the width or the depth, and `model` holds the family.

A run that does not fit its training set says nothing about data, and is left out of N*. Of a width or a
depth it says that these were not enough, whatever more training would have done.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nstar.outcomes import NOT_FITTED, NOT_GENERALISED, OUTCOMES
from nstar.study import FRESH
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
        `budget` is the value on the axis, and `model` the family; where there are several budgets, it
        names them too. Rows are sorted by curve and value.
    """
    if axis["name"] == "budget":
        return cells
    families, values = (
        cells["model"].map({name: pair[i] for name, pair in axis["models"].items()}) for i in (0, 1)
    )
    along = _with_budgets(cells.assign(model=families))
    failed = along["outcome"] == OUTCOMES[NOT_FITTED]
    outcome = along["outcome"].mask(failed, OUTCOMES[NOT_GENERALISED])
    along = along.assign(budget=values.astype("int64"), outcome=outcome)
    ranks = {name: pd.factorize(along[name])[0] for name in ("model", *SETTING)}
    order = pd.DataFrame(ranks | {name: along[name] for name in ("length", "budget")})
    return along.loc[order.sort_values(list(order), kind="stable").index].reset_index(drop=True)


def _with_budgets(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cells whose models also say the budget, where there are several."""
    if cells["budget"].nunique() < 2:
        return cells
    shown = ["fresh" if budget == FRESH else budget for budget in cells["budget"]]
    names = [f"{model}, N = {budget}" for model, budget in zip(cells["model"], shown, strict=True)]
    return cells.assign(model=names)
