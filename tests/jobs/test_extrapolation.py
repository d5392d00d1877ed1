"""Networks of all steps for tests at longer lengths, beside those of the demand, in one tree."""

from pathlib import Path

import pandas as pd
import pytest
from support.stores import make_stores
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
        "replicates.learning_rates": [0.03],
        "training.max_steps": 160,
        "training.patience": 2,
    }
)
"""Runs of one curve; success ends some of them, and patience others."""

LONGER = {"role": "extrapolation", "lengths": [6], "budgets": [4, 40]}
BOTH = changed(DEMAND, grid=[*DEMAND["grid"], LONGER])
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
            make_stores(planned := plan_jobs(plan), RESULTS)  # one run of the workflow
        found[name] = tables_of(study), make_plan(study, RESULTS)
        found[f"works of {name}"] = list(planned.costs)
    patch.undo()
    return found


@pytest.mark.parametrize("name", ["both", "afterwards", "before"])
def test_networks_for_extrapolation_are_those_of_all_steps_and_count_for_no_demand(made, name):
    tables, demand, whole = (made[study][0] for study in (name, "demand", "all_steps"))
    ended = demand["cells"].query("n_steps < 160")["outcome"]
    assert {"learnt", "not_generalised"} == set(ended), "by success, and by patience"
    for table in demand.keys() - {"longer"}:
        pd.testing.assert_frame_equal(tables[table], demand[table])
    own = tables["longer"]["role"] == "extrapolation"
    pd.testing.assert_frame_equal(tables["longer"][~own].reset_index(drop=True), demand["longer"])
    longer = whole["longer"].assign(role="extrapolation")
    assert (longer["n_steps"] == 160).all()
    pd.testing.assert_frame_equal(
        tables["longer"][own].reset_index(drop=True), longer.reset_index(drop=True)
    )


@pytest.mark.parametrize("name", ["both", "afterwards", "before"])
def test_nothing_is_left_to_make(made, name):
    _, left = made[name]
    assert left.finished and not plan_jobs(left).every


def test_a_run_for_both_roles_is_made_once(made):
    works = made["works of both"]
    assert [(work.role, work.part) for work in works] == 2 * [("extrapolation", 0)]
    works = made["works of afterwards"]
    assert [(work.part, work.kinds) for work in works] == 2 * [(1, {"continue"})]
