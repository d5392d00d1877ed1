"""Demand along other axes than the budget: what the analysis reads, on cells with a known answer."""

import pandas as pd
from support.studies import tiny

from nstar.reading.check import load_study
from nstar.subjects.axis import axis_job
from nstar.subjects.demand.along import cells_along
from nstar.subjects.demand.thresholds import find_thresholds

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


def test_curves_of_several_budgets_stay_apart():
    study = load_study(WIDTHS | {"grid": [WIDTHS["grid"][0] | {"budgets": [10, 100]}]})
    rows = [
        (f"lstm_{width}", budget, 0, "learnt" if width * budget >= 400 else "not_generalised", None)
        for width in (2, 4, 8)
        for budget in (10, 100)
    ]
    found = thresholds_of(study, make_cells(rows))
    assert found.loc[("lstm, N = 100", 0), "n_star"] == 4
    assert found.loc[("lstm, N = 10", 0), "censoring"] == "right"


def test_along_the_budget_nothing_changes():
    cells = make_cells([("lstm", 8, 0, "learnt", 40)])
    assert cells_along(axis_job(load_study(tiny())), cells) is cells
