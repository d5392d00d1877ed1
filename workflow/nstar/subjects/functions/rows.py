"""From the stores of a block to its rows in the tables of networks measured as functions."""

import numpy as np
import pandas as pd
import xarray as xr

from nstar.measures.sensitivity import random_profile
from nstar.seeds import streams_of
from nstar.store.replicates import pairs_of
from nstar.study import Study
from nstar.subjects.functions.columns import CUTS, PERTURBATIONS
from nstar.tables import TABLES, columns_of
from nstar.tables.selection import REPLICATE
from nstar.verdicts import LEARNT, OUTCOMES

AXES = {
    "measures": ["moment"],
    "sharpness": ["moment", "perturbation"],
    "degrees": ["moment", "degree"],
    "sensitivity_profile": ["moment", "cut", "sensitivity"],
}
"""The tables made here, and the axes of an evaluation that their rows go over."""

RENAMED = {
    "measured_step": "step",
    "degree_weight": "weight",
    "target_degree_weight": "target_weight",
    "perturbation_size": "size",
    "sensitivity_profile": "count",
    "target_sensitivity_profile": "target_count",
}


def function_rows(
    study: Study, cells: pd.DataFrame, trained: xr.Dataset, evaluated: xr.Dataset
) -> dict[str, pd.DataFrame]:
    """Return the rows of a block, by table: measures, sharpness, degrees and sensitivity_profile.

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
        .rename({name: short for name, short in RENAMED.items() if name in evaluated})
        .assign_coords(
            perturbation=np.arange(evaluated.sizes["perturbation"]),
            degree=np.arange(evaluated.sizes["degree"]),
            moment=np.arange(last + 1),
        )
    )
    kinds = np.array(PERTURBATIONS)[evaluated["perturbation_kind"].values]
    asked = {name: axes for name, axes in AXES.items() if set(axes) <= set(evaluated.dims)}
    made: dict[str, list[pd.DataFrame]] = {name: [] for name in asked}
    for place, cell in cells.iterrows():
        own = evaluated.isel(replicate=place)
        loss = pd.Series(trained["validation_loss"].values[place], trained["step"].values)
        below = loss.index[loss <= converged_loss]
        for name, axes in asked.items():
            measured = [key for key in TABLES[name] if key in own.variables and key not in axes]
            rows = own[measured].to_dataframe(dim_order=axes).reset_index()
            rows = rows[rows["step"] >= 0]  # the run ended before the others
            rows["final"] = rows["moment"] == last
            if name == "sharpness":
                rows["perturbation"] = kinds[rows["perturbation"]]
            if name == "sensitivity_profile":
                initialisation = streams_of(pairs_of(trained)[place][0]).initialisation
                rows = _of_profile(rows, cell["length"]).assign(initialisation_seed=initialisation)
            if name == "measures":
                rows["learnt"] = cell["outcome"] == OUTCOMES[LEARNT]
                rows["converged_at"] = below[0] if len(below) else pd.NA
                rows["source_outcome"] = ""  # known when all cells are
                rows["loss"] = loss.reindex(rows["step"]).to_numpy()
            made[name].append(rows.assign(**{key: cell[key] for key in REPLICATE}))
    blank = {name: pd.DataFrame(columns=list(TABLES[name])) for name in AXES}
    return blank | {name: _columns(name, parts) for name, parts in made.items()}


def _columns(name: str, parts: list[pd.DataFrame]) -> pd.DataFrame:
    table = pd.concat(parts, ignore_index=True)
    return table[list(columns_of(name, table))]


def _of_profile(rows: pd.DataFrame, length: int) -> pd.DataFrame:
    """Return rows of a profile with shares and the names of cuts, without what is not known."""
    rows = rows.dropna(subset="count")
    expected = random_profile(length)
    return rows.assign(
        cut=np.array(CUTS)[rows["cut"]],
        share=rows["count"] / 2**length,
        random_share=expected[rows["sensitivity"]] / 2**length,
    )
