"""From the evaluation of a block to its rows in the table of tests at longer lengths."""

import numpy as np
import pandas as pd
import xarray as xr

from nstar.columns import DECODED, SYMBOLS, TEACHER_FORCED
from nstar.measures.chance import above_chance
from nstar.tables.cells import LONGER
from nstar.tasks import Task

BY_POSITION = "by_position"
"""Column of the accuracies (test length,) by the number of the state; in no table."""


def longer_rows(task: Task, role: str, cells: pd.DataFrame, evaluated: xr.Dataset) -> pd.DataFrame:
    """Return a row for each replicate, tested length, and way to read a chain of thought.

    Parameters
    ----------
    task : Task
    role : {"demand", "extrapolation"}
        Why the networks were trained.
    cells : DataFrame
        Rows of the block as in the table of cells, in the order of the replicates of the evaluation.
    evaluated : xarray.Dataset
        See `nstar.store.evaluations.read_evaluations`.

    Returns
    -------
    DataFrame
        With the columns of the table ``longer`` and `BY_POSITION`, NaN where no state is asked for.
    """
    rows = []
    tested = evaluated["tested_length"].values.tolist() if "tested_length" in evaluated else []
    for i, length in enumerate(tested):
        own = evaluated.isel(tested=i)
        chained = "longer_decoded_token_accuracy" in evaluated
        for reading in (TEACHER_FORCED, DECODED) if chained else (SYMBOLS,):
            prefix = "longer_decoded" if reading == DECODED else "longer"
            by_state = own[f"{prefix}_state_accuracy"].values[:, :length]
            part = cells.assign(
                role=role,
                test_length=length,
                reading=reading,
                n_sequences=int(own["n_longer"]),
                loss=own["longer_loss"].values if reading != DECODED else np.nan,
                token_accuracy=own[f"{prefix}_token_accuracy"].values,
                sequence_accuracy=own[f"{prefix}_sequence_accuracy"].values,
                above_chance=_beyond(task, int(cells["length"].iloc[0]), by_state),
            )
            part[BY_POSITION] = list(by_state)
            rows.append(part)
    columns = [*LONGER, BY_POSITION]
    return pd.concat(rows)[columns] if rows else pd.DataFrame(columns=columns)


def _beyond(task: Task, trained: int, by_state: np.ndarray) -> np.ndarray:
    """Return the accuracy (R,) above chance of the asked states beyond the trained length."""
    states = np.arange(1, by_state.shape[1] + 1)
    asked = (states > trained) & ~np.isnan(by_state).all(axis=0)
    if not asked.any():  # no network has a number for its outputs
        return np.full(len(by_state), np.nan)
    first, last = states[asked][0], states[asked][-1]
    return above_chance(by_state[:, asked].mean(axis=1), task.chance(int(first), int(last)))
