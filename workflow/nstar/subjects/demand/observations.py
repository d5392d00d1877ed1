"""What the statistics are given: counts of seeds by curve and budget, and covariates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nstar.tables.selection import CURVE_PLACE


def count_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return how many seeds learnt, and at least fitted, at each budget of each curve.

    Parameters
    ----------
    runs : DataFrame
        One row per curve, budget and seed; see `nstar.subjects.demand.selection.runs_by_seed`. With a
        column `run`, outcomes of different runs stay apart.
    """
    keys = [*CURVE_PLACE, "budget", *runs.columns.intersection(["run"])]
    return runs.groupby(keys, sort=False)[["learnt", "fitted"]].sum().reset_index()


def outcomes(runs: pd.DataFrame) -> dict[str, Any]:
    """Return budget, n_learnt, n_runs, curve (model, task, n_states, length), and run where known."""
    counts = count_runs(runs)
    own = {"run": counts["run"].to_numpy()} if "run" in counts else {}
    return own | {
        "budget": counts["budget"].to_numpy(),
        "n_learnt": counts["learnt"].to_numpy(),
        "n_runs": counts["fitted"].to_numpy(),
        "curve": list(counts[CURVE_PLACE].itertuples(index=False, name=None)),
    }


def scaling_data(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the arguments of `nstar.stats.fit_scaling`."""
    return outcomes(runs) | {"covariates": covariates(count_runs(runs))}


def covariates(places: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return ln n and ln m of each row; one that never varies is left out."""
    return {
        name: np.log(places[name].to_numpy())
        for name in ("length", "n_states")
        if places[name].nunique() > 1
    }


def fits_lapses(options: Mapping[str, Any]) -> bool:
    """Return whether the lapse rate is fitted, as the option ``lapse`` of fits says; else it is 0."""
    return options.get("lapse", "fitted") == "fitted"
