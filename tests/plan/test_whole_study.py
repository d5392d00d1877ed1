"""What a study costs from nothing, by strategy, against counts made by hand."""

from pathlib import Path

import pytest
from support.studies import tiny

from nstar.cells import cells_of
from nstar.plan.whole_study import whole_costs
from nstar.reading.check import load_study
from nstar.reading.file import read_config
from nstar.study.search import STRATEGIES


def costs(**changes):
    study = load_study(tiny(**changes))
    return study, {cost.search: cost for cost in whole_costs(study, "cpu")}


def test_all_budgets_of_which_half_fail():
    study, found = costs()
    n, steps = len(cells_of(study)), study.training.max_steps
    n_replicates = len(study.replicates.seeds) * len(study.replicates.learning_rates)
    cost = found["all"]
    assert (cost.cells, cost.replicates) == (n, n * n_replicates)
    assert cost.steps == n * n_replicates * steps
    assert cost.failing_steps == pytest.approx(cost.steps / 2)
    assert cost.packed_steps == n * steps


def test_two_budgets_by_hand():
    """The larger first, and the smaller where it learns: of three places of N*, two need both."""
    study, found = costs()
    n_curves = len({cell.curve for cell in cells_of(study)})
    assert len(cells_of(study)) == 2 * n_curves
    cost = found["binary_geometric"]
    assert cost.cells == pytest.approx(n_curves * 5 / 3)
    assert cost.failing_steps / cost.steps == pytest.approx((0 + 1 + 1) / 5)
    assert found["bracket"].cells == found["all"].cells  # two are its first round


def test_a_search_costs_a_part_of_a_long_grid():
    budgets = [1, 2, 3, 4, 5, 6, 7, 8]
    _, found = costs(**{"grid.0.budgets": budgets, "grid.0.lengths": [5]})
    for strategy in ("bracket", "binary_geometric"):
        cost, whole = found[strategy], found["all"]
        assert cost.cells < whole.cells
        assert cost.flops < whole.flops
        assert cost.failing_steps < cost.steps


@pytest.mark.parametrize(
    "path",
    sorted((Path(__file__).parents[2] / "workflow/studies").glob("*.yaml")),
    ids=lambda p: p.stem,
)
def test_strategies_are_compared_for_every_study_in_which_something_is_searched(path):
    study = load_study(read_config(path))
    searched = study.subject.searched and study.axis.name != "steps"
    assert len(whole_costs(study, "cpu")) == (len(STRATEGIES) if searched else 0)
