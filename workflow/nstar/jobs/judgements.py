"""What the test set says of runs that have learnt, by the rule of a study and by its other forms."""

import numpy as np
import pandas as pd
import xarray as xr

from nstar.store.view import outcomes_so_far
from nstar.tables.selection import CURVE_PLACE
from nstar.verdicts import LEARNT, QUANTITIES, Rule, Verdicts, verdicts


def judgement_rows(
    cells: pd.DataFrame,
    joined: xr.Dataset,
    trained: xr.Dataset,
    rule: Rule,
    snapshot_every: int | None,
) -> pd.DataFrame:
    """Return one row per replicate of a block and rule; see `nstar.tables.verdicts.verdict_table`.

    Parameters
    ----------
    cells : DataFrame
        The rows of the block in the table of cells.
    joined, trained : xarray.Dataset
        The parts of the block, and what the study reads of them; see `nstar.store.view`.
    rule : Rule
        That of the study, which each run is judged by up to its end, as by the other forms.
    snapshot_every : int or None
        Distance of the snapshots of the study.

    Returns
    -------
    DataFrame
        Where the weights are not among those that the study asks for, ``test`` is NaN, also where
        another study has kept them: what this one finds does not depend on others.
    """
    every = int(joined["evaluate_every"])
    n_evaluations = trained["n_steps"].values // every
    forms = {"study": rule, "published": rule.published(), "strict": rule.strict()}
    judged = {
        name: verdicts(joined["numbers"].values, n_evaluations, every, form)
        for name, form in forms.items()
    }
    measured = _measured_at(judged, snapshot_every, every)
    column = QUANTITIES.index((rule.measure, "mean"))
    known = {
        (int(replicate), int(step)): float(value)
        for replicate, step, value in zip(
            joined["kept_replicate"].values,
            joined["kept_step"].values,
            joined["test_numbers"].values[:, column],
            strict=True,
        )
    }
    parts = []
    for name, found in judged.items():
        steps = every * (found.learnt_at + 1)
        learnt = outcomes_so_far(found, forms[name]) == LEARNT
        test = [
            known.get((row, int(step)), np.nan) if learnt[row] and step in measured[row] else np.nan
            for row, step in enumerate(steps)
        ]
        part = cells[[*CURVE_PLACE, "budget"]].assign(rule=name, learnt=learnt, test=test)
        parts.append(part.assign(n_test=trained["test_of"].values))
    return pd.concat(parts, ignore_index=True)


def _measured_at(
    judged: dict[str, Verdicts], snapshot_every: int | None, every: int
) -> list[set[int]]:
    """Return at which steps of each run the study asks for weights."""
    found = []
    for row, end in enumerate(judged["study"].end):
        evaluations = {end, judged["study"].learnt_at[row], judged["published"].learnt_at[row]}
        steps = {every * (int(evaluation) + 1) for evaluation in evaluations if evaluation >= 0}
        if snapshot_every is not None:
            steps.update(range(snapshot_every, every * (int(end) + 1), snapshot_every))
        found.append(steps)
    return found
