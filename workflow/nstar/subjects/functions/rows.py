"""From the stores of a block to its rows in the tables of networks measured as functions."""

import numpy as np
import pandas as pd
import xarray as xr

from nstar.study import Study
from nstar.subjects.functions.columns import PERTURBATIONS
from nstar.tables import TABLES
from nstar.tables.selection import REPLICATE
from nstar.verdicts import LEARNT, OUTCOMES

AXES = {
    "measures": ["moment"],
    "sharpness": ["moment", "perturbation"],
    "degrees": ["moment", "degree"],
}
"""The tables made here, and the axes of an evaluation that their rows go over."""

RENAMED = {
    "measured_step": "step",
    "degree_weight": "weight",
    "target_degree_weight": "target_weight",
    "perturbation_size": "size",
}


def function_rows(
    study: Study, cells: pd.DataFrame, trained: xr.Dataset, evaluated: xr.Dataset
) -> dict[str, pd.DataFrame]:
    """Return the rows of a block, by table: measures, sharpness, degrees.

    Parameters
    ----------
    study : Study
    cells : DataFrame
        Rows of the block in the table of cells, those that the study takes, indexed by their place in
        the stores.
    trained, evaluated : xarray.Dataset
        What the study reads of the block and of its evaluation.
    """
    converged_loss = study.evaluation.function.converged_loss
    last = evaluated.sizes["moment"] - 1
    evaluated = (
        evaluated.drop_vars("step")
        .rename(RENAMED)
        .assign_coords(
            perturbation=np.arange(evaluated.sizes["perturbation"]),
            degree=np.arange(evaluated.sizes["degree"]),
            moment=np.arange(last + 1),
        )
    )
    kinds = np.array(PERTURBATIONS)[evaluated["perturbation_kind"].values]
    made: dict[str, list[pd.DataFrame]] = {name: [] for name in AXES}
    for place, cell in cells.iterrows():
        own = evaluated.isel(replicate=place)
        loss = pd.Series(trained["validation_loss"].values[place], trained["step"].values)
        below = loss.index[loss <= converged_loss]
        for name, axes in AXES.items():
            measured = [key for key in TABLES[name] if key in own.variables and key not in axes]
            rows = own[measured].to_dataframe(dim_order=axes).reset_index()
            rows = rows[rows["step"] >= 0]  # the run ended before the others
            rows["final"] = rows["moment"] == last
            if name == "sharpness":
                rows["perturbation"] = kinds[rows["perturbation"]]
            if name == "measures":
                rows["learnt"] = cell["outcome"] == OUTCOMES[LEARNT]
                rows["converged_at"] = below[0] if len(below) else pd.NA
                rows["source_outcome"] = ""  # known when all cells are
                rows["loss"] = loss.reindex(rows["step"]).to_numpy()
            made[name].append(rows.assign(**{key: cell[key] for key in REPLICATE}))
    return {
        name: pd.concat(parts, ignore_index=True)[list(TABLES[name])]
        for name, parts in made.items()
    }
