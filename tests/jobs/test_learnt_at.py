"""The step at which a replicate learnt: by loss, by accuracy, from the best or the final evaluation."""

import pytest
from support.stores import finish
from support.studies import study_in, tiny

from nstar.jobs.collection import collect_results
from nstar.reading.check import load_study
from nstar.tables import read_table


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
    finish(study, tmp_path)
    collect_results({"study": study.model_dump(mode="json")}, tmp_path)
    cells = read_table(study_in(tmp_path) / "tables/cells.parquet", "cells")

    learnt = cells["outcome"] == "learnt"
    assert 0 < learnt.sum() < len(cells), "both outcomes occur"
    assert (cells["learnt_at"].notna() == learnt).all()
    ends = cells.loc[learnt, "n_steps"]
    if stop or success.get("at") == "final":
        assert (cells.loc[learnt, "learnt_at"] == ends).all()
    else:
        assert (cells.loc[learnt, "learnt_at"] < ends).any()
