"""The figure of learning curves: what is hollow, where laws run, and what is written of exponents."""

import numpy as np
import pytest

from nstar.subjects.demand.figures.learning_curves import draw_learning_curves


def draw(make, cells, **changes):
    """Return the figure of some cells, whose exponents have changes."""
    curves, exponents = make.learning(cells)
    return draw_learning_curves(cells, curves, exponents.assign(**changes), 7.0)


def laws(panel):
    return [line for line in panel.lines if len(line.get_xdata()) == 60]


def hollow(panel):
    marks = [line for line in panel.lines if line.get_markerfacecolor() == "white"]
    return sorted(round(x) for line in marks for x in line.get_xdata())


def test_marks_are_hollow_where_a_run_ended_at_its_success(make, shown):
    """Seed 1 learns from 32 sequences on, seed 2 from 64."""
    figure = draw(make, make.cells(["lstm"], ["parity"], [8], [16, 32, 64, 128]))

    assert hollow(figure.axes[0]) == [32, 64, 64, 128, 128]
    assert "ended at success" in shown.legend(figure)


def test_the_law_runs_through_the_budgets_it_was_fitted_to(make, shown):
    """From 32 sequences on, a run ended at its success."""
    figure = draw(make, make.cells(["lstm"], ["parity"], [8], [4, 8, 16, 32]))
    (law,) = laws(figure.axes[0])

    assert tuple(law.get_xdata()[[0, -1]]) == pytest.approx((4, 16))
    left = 1 / (1 + (4 / 32) ** 1.5)
    assert law.get_ydata()[0] == pytest.approx(0.01 + (np.log(2) - 0.01) * left)
    assert shown.texts(figure) == ["n = 8: b = 1.50 [1.20,\u00a01.90]"]
    assert "fitted law" in shown.legend(figure)


def test_a_panel_without_an_exponent_says_so(make, shown):
    figure = draw(make, make.cells(["lstm"], ["parity"], [8]), identified=False)

    assert shown.texts(figure) == ["no exponent"]
    assert not laws(figure.axes[0]) and "fitted law" not in shown.legend(figure)


def test_an_exponent_without_an_interval_says_so(make, shown):
    figure = draw(make, make.cells(["lstm"], ["parity"], [8]), lower=np.nan)

    assert shown.texts(figure) == ["n = 8: b = 1.50, no interval"]


def test_many_exponents_give_way_to_the_table(make, shown):
    figure = draw(make, make.cells(["lstm"], ["parity"], list(range(4, 13)), [4, 8]))

    assert len(shown.texts(figure)) == 6
    assert shown.texts(figure)[0] == "4 more in learning_exponents.csv"


def test_a_loss_far_below_the_medians_stands_at_the_lower_edge(make):
    cells = make.cells(["lstm"], ["parity"], [8])
    cells.loc[0, "best_validation_loss"] = 1e-9
    panel = draw(make, cells).axes[0]
    marks = [line.get_ydata() for line in panel.lines if line.get_marker() == "o"]

    assert np.concatenate(marks).min() == pytest.approx(0.1 / 30)
    assert panel.get_ylim()[0] < 0.1 / 30
