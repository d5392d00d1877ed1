"""The step at which a replicate learnt: by loss, by accuracy, from the best or the final evaluation."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from support.stores import make_stores
from support.studies import tiny

from nstar.jobs.collection import collect_results, find_learnt_at
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.study import Success
from nstar.tables import read_table

NAN = np.nan


def history(values, n_steps, train_loss=1.0):
    """Return what the store of a cell says of one measure, for replicates that ended at `n_steps`."""
    values, axes = np.array(values, dtype=float), ("replicate", "evaluation")
    return xr.Dataset(
        {
            "n_steps": ("replicate", np.array(n_steps)),
            "train_loss": (axes, np.broadcast_to(train_loss, values.shape).copy()),
            **{f"validation_{name}": (axes, values) for name in ("loss", "sequence_accuracy")},
        },
        coords={"step": ("evaluation", 20 * np.arange(1, values.shape[1] + 1))},
    )


def learnt_at(trained, measure="sequence_accuracy", threshold=0.9, at="best"):
    found = find_learnt_at(trained, Success(measure=measure, threshold=threshold, at=at))
    return [None if pd.isna(step) else int(step) for step in found]


def test_the_first_evaluation_that_passed():
    trained = history([[0.1, 0.9, 0.2], [0.1, 0.2, 0.3], [0.95, NAN, NAN]], [60, 60, 20])

    assert learnt_at(trained) == [40, None, 20]
    assert learnt_at(trained, "loss", 0.1) == [20, 20, None]


def test_only_the_last_evaluation_counts_where_the_final_one_decides():
    trained = history([[0.1, 0.9, 0.2], [0.9, 0.2, 0.9], [0.1, 0.95, NAN]], [60, 60, 40])

    assert learnt_at(trained, at="final") == [None, 60, 40]


def test_a_diverged_replicate_has_not_learnt():
    assert learnt_at(history([[0.95, NAN]], [20], train_loss=np.inf)) == [None]


@pytest.mark.parametrize(
    ("success", "stop"),
    [
        ({"measure": "sequence_accuracy", "threshold": 0.9}, True),
        ({"measure": "loss", "threshold": 0.3}, False),
        ({"measure": "loss", "threshold": 0.3, "at": "final"}, False),
    ],
    ids=["accuracy", "loss", "final loss"],
)
def test_it_agrees_with_the_outcomes_of_trained_cells(tmp_path, success, stop):
    changes = {"training.success": success, "training.stop_on_success": stop}
    changes |= {"grid.0": {"models": ["lstm"], "lengths": [5], "budgets": [2, 16]}}
    study = load_study(tiny(**changes, **{"training.max_steps": 300, "models.lstm.width": 16}))
    make_stores(plan_jobs(make_plan(study, tmp_path)), tmp_path)
    collect_results({"study": study.model_dump(mode="json")}, tmp_path)
    cells = read_table(tmp_path / "tables/cells.parquet", "cells")

    learnt = cells["outcome"] == "learnt"
    assert 0 < learnt.sum() < len(cells), "both outcomes occur"
    assert (cells["learnt_at"].notna() == learnt).all()
    ends = cells.loc[learnt, "n_steps"]
    if stop or success.get("at") == "final":
        assert (cells.loc[learnt, "learnt_at"] == ends).all()
    else:
        assert (cells.loc[learnt, "learnt_at"] < ends).any()
