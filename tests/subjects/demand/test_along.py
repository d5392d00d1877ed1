"""Demand along other axes than the budget: what the analysis reads, on cells with a known answer."""

import numpy as np
import pandas as pd
import pytest
from support.studies import QUESTIONS, changed, tiny

from nstar.jobs.longer import BY_POSITION
from nstar.reading.check import load_study
from nstar.stats import fit_demand
from nstar.subjects.axis import axis_job
from nstar.subjects.demand.along import cells_along, outcomes_by
from nstar.subjects.demand.collection import demand_tables
from nstar.subjects.demand.observations import outcomes
from nstar.subjects.demand.selection import runs_by_seed
from nstar.subjects.demand.thresholds import find_thresholds
from nstar.tables.cells import LONGER
from nstar.verdicts import MEASURES

WIDTHS = tiny(
    models={"lstm": {"kind": "lstm", "width": [2, 4, 8]}},
    demand="width",
    **{"grid.0.budgets": [100], "grid.0.lengths": [8]},
)


def make_cells(rows):
    """Return cells from rows (model, budget, seed, outcome, learnt_at)."""
    columns = ("model", "budget", "seed", "outcome", "learnt_at")
    return pd.DataFrame(rows, columns=columns).assign(
        task="parity",
        supervision="aligned",
        length_distribution="fixed",
        n_states=2,
        length=8,
        learning_rate=0.01,
        diverged=False,
        learnt_at=lambda table: table["learnt_at"].astype("Int64"),
    )


def thresholds_of(study, cells):
    found = find_thresholds(study, cells_along(axis_job(study), cells))
    return found[found["rule"] == "seed"].set_index(["model", "seed"])


def test_the_least_width_of_a_family_is_found_by_seed():
    study = load_study(WIDTHS)
    outcomes = {2: "not_fitted", 4: "not_generalised", 8: "learnt"}
    rows = [(f"lstm_{width}", 100, 0, outcome, None) for width, outcome in outcomes.items()]
    rows += [(f"lstm_{width}", 100, 1, "learnt", 20) for width in outcomes]
    found = thresholds_of(study, make_cells(rows))
    first, second = found.loc[("lstm", 0)], found.loc[("lstm", 1)]
    assert (first["n_star"], first["lower"], first["censoring"]) == (8, 4, "interval")
    assert (second["n_star"], second["censoring"]) == (2, "left")


def test_a_network_too_narrow_to_fit_has_failed():
    """Of a budget it would say nothing, and leave the threshold unknown."""
    study = load_study(WIDTHS)
    rows = [(f"lstm_{width}", 100, 0, "not_fitted", None) for width in (2, 4, 8)]
    found = thresholds_of(study, make_cells(rows)).loc[("lstm", 0)]
    assert (found["censoring"], found["lower"]) == ("right", 8)
    assert not found["limited_by_steps"]


def test_chance_of_fresh_batches_is_that_of_their_validation_set():
    """Nothing is held out from training, so that even the shortest lengths have a validation set."""
    study = load_study(changed(WIDTHS, **{"grid.0.budgets": "fresh", "grid.0.lengths": [2]}))
    cells = make_cells([(f"lstm_{width}", 0, 0, "learnt", 20) for width in (2, 4, 8)])
    measures = {f"best_validation_{name}": 0.5 for name in MEASURES}
    longer = pd.DataFrame(columns=[*LONGER, BY_POSITION])
    tables = demand_tables(study, cells.assign(length=2, **measures), {"longer": longer})
    curves = tables["learning_curves"]
    chance = curves.groupby("measure")["chance"].first()
    assert chance["loss"] == pytest.approx(np.log(2)) and chance["token_accuracy"] == 0.5
    assert set(curves["budget"]) == {2, 4, 8}


STEPS = tiny(
    demand="steps",
    **{"grid.0.budgets": "fresh", "training.max_steps": 60, "training.evaluate_every": 20},
)


def test_the_least_number_of_steps_lies_between_two_evaluations():
    cells = make_cells(
        [
            ("lstm", 100, 0, "learnt", 40),
            ("lstm", 100, 1, "learnt", 20),
            ("lstm", 100, 2, "not_generalised", None),
            ("lstm", 100, 3, "not_fitted", None),
            ("lstm", 100, 4, "learnt", 60),
        ]
    )
    cells.loc[3, "diverged"] = True
    found = thresholds_of(load_study(STEPS), cells)
    ends = ["n_star", "lower", "upper", "censoring"]
    assert found.loc[("lstm", 0), ends].tolist() == [40, 20, 40, "interval"]
    assert found.loc[("lstm", 1), ends].tolist() == [20, 0, 20, "left"]
    for seed in (2, 3):
        assert found.loc[("lstm", seed), ends].tolist()[1:] == [60, np.inf, "right"]
    assert found.loc[("lstm", 4), ends].tolist() == [60, 40, 60, "interval"]
    assert not found["limited_by_steps"].any()
    assert found["n_budgets"].eq(3).all() and found["n_replicates"].eq(1).all()
    assert found["n_diverged"].tolist() == [0, 0, 0, 1, 0]


def test_a_run_is_one_observation_of_all_its_steps():
    study = load_study(STEPS)
    cells = cells_along(axis_job(study), make_cells([("lstm", 100, 0, "learnt", 40)]))
    runs = runs_by_seed(cells)
    data = outcomes(runs.assign(run=runs["seed"]))
    assert data["budget"].tolist() == [20, 40, 60]
    assert data["n_learnt"].tolist() == [0, 1, 1]
    assert data["run"].tolist() == [0, 0, 0]
    (demand,) = fit_demand(**data)
    assert demand.n_used == 1


def test_texts_have_no_number_of_states():
    study = load_study(
        changed(QUESTIONS, evaluation={}, demand="budget", **{"grid.0.tasks": ["lis"]})
    )
    cells = make_cells([("lstm", 8, 0, "learnt", 40)]).assign(task="lis", n_states=23)
    assert set(cells_along(axis_job(study), cells)["n_states"]) == {1}


def test_along_the_budget_nothing_changes():
    cells = make_cells([("lstm", 8, 0, "learnt", 40)])
    assert cells_along(axis_job(load_study(tiny())), cells) is cells


def test_what_another_rule_has_not_decided_has_not_learnt_and_may_not_have_fitted():
    names = ["learnt", "undecided", "undecided_not_fitted", "not_fitted"]
    cells = make_cells([(f"lstm_{2 ** (i + 1)}", 100, 0, "learnt", 20) for i in range(3)] * 2)
    cells = cells.iloc[: len(names)].assign(strict_outcome=names)
    wanted = ["learnt", "not_generalised", "not_fitted", "not_fitted"]
    assert outcomes_by("strict", cells).tolist() == wanted
    along = cells_along(axis_job(load_study(WIDTHS)), cells)
    assert sorted(outcomes_by("strict", along)) == ["learnt", *["not_generalised"] * 3]
