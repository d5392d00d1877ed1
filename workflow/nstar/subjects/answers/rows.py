"""From the stores of networks that answer questions to the rows of the table of answers."""

import pandas as pd
import xarray as xr

from nstar.kinds.families import family_along
from nstar.measures.flops import forward_flops
from nstar.study import Study
from nstar.subjects.answers.columns import ANSWERS


def answer_rows(
    study: Study, cells: pd.DataFrame, trained: xr.Dataset, evaluated: xr.Dataset
) -> dict[str, pd.DataFrame]:
    """Return the rows of a block in the table of answers.

    Parameters
    ----------
    study : Study
    cells : DataFrame
        Rows of the block in the table of cells, those that the study takes, indexed by their place in
        the stores.
    trained, evaluated : xarray.Dataset
        The stores of the block and of its evaluation.
    """
    name = cells["model"].iloc[0]
    model, task = study.models[name], study.tasks[cells["task"].iloc[0]]
    places = cells.index
    n_tokens = trained["n_tokens"].values[places]
    options = model.model_dump(mode="json")
    n_positions = task.n_tokens(cells["supervision"].iloc[0], int(cells["length"].iloc[0]))
    rows = cells.assign(
        family=family_along("width", name, study.models),
        width=model.width,
        locality=getattr(task, "locality", None) or pd.NA,
        n_tokens=n_tokens,
        forward_flops=[forward_flops(options, int(length), n_positions) for length in n_tokens],
        **{
            key: evaluated[key].values[places]
            for key in ANSWERS
            if key in evaluated and key not in cells
        },
    )
    return {"answers": rows[list(ANSWERS)]}
