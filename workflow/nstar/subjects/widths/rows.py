"""From the stores of networks that answer questions to the rows of the table of answers."""

import pandas as pd
import xarray as xr

from nstar.measures.flops import forward_flops
from nstar.study import Study
from nstar.study.families import family_along
from nstar.tables import ANSWERS
from nstar.tasks.supervision import n_tokens as count_tokens


def answer_rows(
    study: Study, cells: pd.DataFrame, trained: xr.Dataset, evaluated: xr.Dataset
) -> pd.DataFrame:
    """Return the rows of one block.

    Parameters
    ----------
    study : Study
    cells : DataFrame
        The rows of the table of cells for all replicates of the block, in their order.
    trained, evaluated : xarray.Dataset
        The stores of the block and of its evaluation.
    """
    name = cells["model"].iloc[0]
    model, task = study.models[name], study.tasks[cells["task"].iloc[0]]
    n_tokens = trained["n_tokens"].values
    options = model.model_dump(mode="json")
    n_positions = count_tokens(cells["supervision"].iloc[0], task, int(cells["length"].iloc[0]))
    rows = cells.assign(
        family=family_along("width", name, study.models),
        width=model.width,
        locality=getattr(task, "locality", None) or pd.NA,
        n_tokens=n_tokens,
        forward_flops=[forward_flops(options, int(length), n_positions) for length in n_tokens],
        **{key: evaluated[key].values for key in ANSWERS if key in evaluated and key not in cells},
    )
    return rows[list(ANSWERS)]
