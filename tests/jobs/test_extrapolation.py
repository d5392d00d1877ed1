"""Networks of all steps for tests at longer lengths, beside those of the demand, in one tree."""

from pathlib import Path

import pandas as pd
import pytest
from support.stores import finish
from support.studies import changed, study_in, tiny

from nstar.jobs.collection import collect_results
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.tables import read_table

RESULTS = Path("results")

DEMAND = tiny(
    **{
        "models": {"lstm": {"kind": "lstm", "width": 16}},
        "grid.0": {"lengths": [6], "budgets": [4, 40]},
        "training.max_steps": 240,
        "training.patience": 2,
    }
)
"""Runs of one curve; success ends some of them, and patience others."""

BOTH = changed(DEMAND, grid=[*DEMAND["grid"], {"role": "extrapolation", "lengths": [6]}])
ALL_STEPS = changed(DEMAND, **{"training.patience": None, "training.stop_on_success": False})


def tables_of(study):
    collect_results({"study": study.model_dump(mode="json")}, RESULTS)
    names = ("cells", "thresholds", "lengths", "learning_curves", "verdicts", "longer")
    return {name: read_table(study_in(RESULTS) / f"tables/{name}.csv", name) for name in names}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the tables of three studies, each of a tree of its own, and of both roles after one."""
    patch, found = pytest.MonkeyPatch(), {}
    for name, raws in {
        "demand": (DEMAND,),
        "all_steps": (ALL_STEPS,),
        "both": (BOTH,),
        "afterwards": (DEMAND, BOTH),
        "before": (ALL_STEPS, BOTH),
    }.items():
        patch.chdir(tmp_path_factory.mktemp(name))
        for raw in raws:
            study = load_study(raw)
            plan = make_plan(study, RESULTS)
            finish(study, RESULTS)
        left = make_plan(study, RESULTS)
        found[name] = tables_of(study), plan, left
    patch.undo()
    return found


@pytest.mark.parametrize("name", ["both", "afterwards", "before"])
def test_networks_for_extrapolation_are_those_of_all_steps_and_count_for_no_demand(made, name):
    tables, demand, (whole, _, _) = made[name][0], made["demand"][0], made["all_steps"]
    assert {"learnt"} < set(demand["cells"]["outcome"])
    assert (demand["cells"]["n_steps"] < 240).any()
    for table in demand.keys() - {"longer"}:
        pd.testing.assert_frame_equal(tables[table], demand[table])
    own = tables["longer"]["role"] == "extrapolation"
    pd.testing.assert_frame_equal(tables["longer"][~own].reset_index(drop=True), demand["longer"])
    longer = whole["longer"].query("budget == 40").assign(role="extrapolation")
    assert (longer["n_steps"] == 240).all()
    pd.testing.assert_frame_equal(
        tables["longer"][own].reset_index(drop=True), longer.reset_index(drop=True)
    )


@pytest.mark.parametrize("name", ["both", "afterwards", "before"])
def test_nothing_is_left_to_make(made, name):
    _, _, left = made[name]
    assert left.finished and not plan_jobs(left).every


def test_a_run_for_both_roles_is_made_once(made):
    _, plan, _ = made["both"]
    works = {work.role: work for work in plan_jobs(plan).costs}
    assert works["demand"].cell.budget == 4
    assert works["extrapolation"].cell.budget == 40
    _, afterwards, _ = made["afterwards"]
    (work,) = plan_jobs(afterwards).costs
    assert (work.part, work.kinds) == (1, {"continue"})
