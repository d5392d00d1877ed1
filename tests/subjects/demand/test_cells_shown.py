"""The figures of cells: what is taken of the replicates, and what is missing."""

import numpy as np

from nstar.subjects.demand.figures.extrapolation import draw_extrapolation
from nstar.subjects.demand.figures.learning import draw_accuracy
from nstar.subjects.demand.figures.outcomes import draw_outcomes
from nstar.subjects.demand.longer import chosen_networks


def test_accuracy_is_the_median_over_seeds_of_the_best_learning_rate(make):
    cells = make.cells(["lstm"], ["parity"], [8], [16, 32], seeds=[1, 2, 3])
    key = cells["seed"].astype(str) + "/" + cells["learning_rate"].astype(str)
    values = {"1/0.01": 0.1, "1/0.001": 0.9, "2/0.01": 0.4, "2/0.001": 0.2, "3/0.01": 0.3}
    cells["best_validation_sequence_accuracy"] = key.map(values)  # NaN for 3/0.001

    (panel,) = draw_accuracy(cells, 7.0).axes

    (median,) = [line for line in panel.lines if len(line.get_xdata()) == 2]
    assert list(median.get_ydata()) == [0.4, 0.4]
    bars = [segment[:, 1].tolist() for segment in panel.collections[0].get_segments()]
    assert bars == [[0.3, 0.9]] * 2


def test_a_seed_without_accuracy_is_a_cross(make, shown):
    cells = make.cells(["lstm"], ["parity"], [8], [16, 32])
    cells.loc[cells["seed"].eq(2) & cells["budget"].eq(32), make.accuracies] = np.nan

    figure = draw_accuracy(cells, 7.0)

    (crosses,) = shown.lines(figure.axes[0], "x")
    assert list(crosses.get_xdata()) == [32]
    assert "a seed without accuracy" in shown.legend(figure)


def test_accuracy_has_a_panel_per_model_and_task_and_a_line_per_length(make, shown):
    figure = draw_accuracy(make.cells(), 7.0)

    assert len(figure.axes) == 4
    assert shown.legend(figure) == ["n = 4", "n = 8", "n = 16", "worst to best seed"]


def test_extrapolation_is_never_chosen_by_itself(make, shown):
    cells = make.cells(["lstm"], ["parity"], [8], [64, 128], seeds=[1])
    best = cells["learning_rate"].eq(0.001)
    cells["best_validation_sequence_accuracy"] = np.where(best, 0.9, 0.8)
    longer = make.longer(cells).assign(above_chance=np.where(best, 0.1, 1.0))

    (row,) = chosen_networks(longer).itertuples()
    (panel,) = draw_extrapolation(longer, ["2x"], 7.0).axes

    assert (row.budget, row.learning_rate) == (128, 0.001)
    assert [0.1] in [list(line.get_ydata()) for line in shown.lines(panel, "o")]


def test_equal_accuracies_are_told_apart_by_loss_and_then_by_learning_rate(make):
    cells = make.cells(["lstm"], ["parity"], [8], [128], seeds=[1], rates=[0.1, 0.01, 0.001])
    cells["best_validation_loss"] = [0.1, 0.2, 0.1]

    assert chosen_networks(make.longer(cells))["learning_rate"].tolist() == [0.001]


def test_extrapolation_below_chance_stays_in_the_panel(make):
    longer = make.longer(make.cells()).assign(above_chance=-0.9)

    low, high = draw_extrapolation(longer, ["2x"], 7.0).axes[0].get_ylim()

    assert low < -0.9 and high > 1


def test_outcomes_fill_each_cell_and_mark_divergence(make, shown):
    cells = make.cells(["lstm"], ["parity"], [4, 8], [16, 32])
    cells.loc[0, ["outcome", "diverged"]] = ["not_fitted", True]

    figure = draw_outcomes(cells, 7.0)

    (panel,) = figure.axes
    heights = {}
    for bar in panel.patches:
        place = (bar.get_x(), round(bar.get_y() + bar.get_height() / 2))
        heights[place] = heights.get(place, 0) + bar.get_height()
    assert len(heights) == 4
    np.testing.assert_allclose(list(heights.values()), 0.86)
    assert {len(line.get_xdata()) for line in shown.lines(panel, "x")} == {1}
    assert shown.legend(figure)[-1] == "a replicate diverged"
