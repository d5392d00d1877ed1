"""The figures of N* and of its exponents: censoring, doubt and missing estimates are visible."""

import numpy as np
import pandas as pd
import pytest

from nstar.report.marks import ARROW_DOWN, ARROW_UP
from nstar.report.style import model_looks
from nstar.subjects.demand.figures.demand import draw_demand
from nstar.subjects.demand.figures.exponents import draw_exponents


def test_demand_has_a_panel_per_task_and_a_legend_of_models_and_marks(make, shown):
    thresholds = make.thresholds(tasks=["a", "b", "c"])
    thresholds.loc[thresholds["task"] == "c", "n_states"] = 5

    figure = draw_demand(thresholds, make.exponents(), make.demand(thresholds), 7.0)

    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert titles == ["a (m = 2)", "b (m = 2)", "c (m = 5)"]
    assert shown.legend(figure) == [
        *("transformer", "lstm", "N*, any replicate", "N*, one seed", "bracket of N*"),
        *("half of the seeds learn, interval", "power law fitted to the seeds"),
    ]
    figure.draw_without_rendering()
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["4", "8", "16"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["32", "64"]


@pytest.mark.parametrize(
    ("side", "arrow", "bound", "label"),
    [
        ("right", ARROW_UP, 1024, "N* above this budget"),
        ("left", ARROW_DOWN, 4, "N* at most this budget"),
    ],
)
def test_a_censored_curve_is_hollow_with_an_arrow_at_its_bound(
    make, shown, side, arrow, bound, label
):
    thresholds = make.thresholds(tasks=["parity"])
    censored = (thresholds["model"] == "lstm") & (thresholds["length"] == 16)
    thresholds = make.censor(thresholds, censored & (thresholds["rule"] == "any"), side)

    figure = draw_demand(thresholds, make.exponents(), make.demand(thresholds), 7.0)

    (line,) = shown.lines(figure.axes[0], arrow)
    assert list(line.get_ydata()) == [bound]
    assert 8 < line.get_xdata()[0] < 32
    hollow = [
        other
        for other in figure.axes[0].lines
        if list(other.get_ydata()) == [bound] and other.get_markerfacecolor() == "white"
    ]
    assert len(hollow) == 1
    assert label in shown.legend(figure)


@pytest.mark.parametrize(
    ("change", "marker", "label"),
    [
        ({"monotone": False}, "o", "success not monotone in N"),
        ({"limited_by_steps": True}, "s", "may lack steps, not data"),
    ],
)
def test_a_doubtful_curve_is_framed(make, shown, change, marker, label):
    thresholds = make.thresholds(models=["lstm"], tasks=["parity"])
    for name, value in change.items():
        thresholds.loc[thresholds["length"].eq(8) & thresholds["rule"].eq("any"), name] = value

    figure = draw_demand(thresholds, make.exponents(["lstm"]), make.demand(thresholds), 7.0)

    frames = [
        line
        for line in figure.axes[0].lines
        if line.get_fillstyle() == "none" and len(line.get_xdata())
    ]
    assert [line.get_marker() for line in frames] == [marker]
    assert label in shown.legend(figure)


def test_the_law_is_drawn_where_it_is_identified_and_uses_the_number_of_states(make):
    exponents = pd.concat(
        [
            pd.DataFrame([make.exponent("transformer", "n_states", 2.0)]),
            make.exponents(["transformer"]),
            make.unknown_exponents(["lstm"]),
        ]
    )

    thresholds = make.thresholds(tasks=["parity"])
    figure = draw_demand(thresholds, exponents, make.demand(thresholds), 7.0)

    (law,) = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 50]
    assert law.get_color() == model_looks(["transformer"])["transformer"].colour
    np.testing.assert_allclose(law.get_ydata(), 8 * law.get_xdata() * 2**2)
    np.testing.assert_allclose(law.get_xdata()[[0, -1]], [4, 16])


def test_exponents_stand_above_differences_with_their_values(make, shown):
    rows = make.exponents()
    figure = draw_exponents(rows, make.checks(rows), 7.0)

    (panel,) = figure.axes
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == ["transformer", "lstm", "transformer \u2212 lstm"]
    heights = list(panel.get_yticks())
    assert heights == sorted(heights, reverse=True)
    assert heights[1] - heights[2] > heights[0] - heights[1]
    assert shown.texts(figure) == ["1.00 [0.50, 1.50]"] * 2 + ["0.00 [\u22120.50, 0.50]"]
    assert "95 % interval" in panel.get_xlabel()


def test_exponents_in_m_have_a_panel_of_their_own(make):
    rows = pd.concat([make.exponents(), pd.DataFrame([make.exponent("lstm", "n_states", 0.3)])])

    figure = draw_exponents(rows, make.checks(rows), 7.0)

    assert ["length n" in panel.get_xlabel() for panel in figure.axes] == [True, False]
    assert "states m" in figure.axes[1].get_xlabel()


def test_an_unknown_exponent_is_text_and_a_shortened_reason(make, shown):
    rows = make.unknown_exponents(["lstm"])
    figure = draw_exponents(rows, make.checks(rows), 7.0)

    reason, value = shown.texts(figure)
    assert value == "not identified"
    assert reason.startswith("length has one value, 2.079") and reason.endswith("\u2026")


def test_an_estimate_without_interval_is_hollow_and_says_so(make, shown):
    rows = make.exponents(["lstm"], lower=np.nan, upper=np.nan)
    figure = draw_exponents(rows, make.checks(rows), 7.0)

    assert shown.texts(figure) == ["1.00 (no interval)"]
    assert "white" in [line.get_markerfacecolor() for line in figure.axes[0].lines]


def test_a_very_wide_interval_does_not_squeeze_the_others(make, shown):
    rows = make.exponents()
    rows.loc[rows["model"].eq("lstm"), ["lower", "upper"]] = [-400.0, 900.0]

    figure = draw_exponents(rows, make.checks(rows), 7.0)

    low, high = figure.axes[0].get_xlim()
    assert -6 < low < 0 < high < 6
    assert "1.00 [\u2212400.00, 900.00]" in shown.texts(figure)


@pytest.mark.parametrize("failed", ["identified", "converged"])
def test_a_fit_that_failed_has_no_law_and_no_legend_for_it(make, shown, failed):
    exponents = make.exponents(["lstm"], **{failed: False})

    thresholds = make.thresholds(["lstm"], ["parity"])
    figure = draw_demand(thresholds, exponents, make.demand(thresholds), 7.0)

    assert not [line for line in figure.axes[0].lines if len(line.get_xdata()) == 50]
    assert "power law fitted to the seeds" not in shown.legend(figure)


def test_the_demand_of_half_of_the_seeds_has_its_interval(make, shown):
    thresholds = make.censor(make.thresholds(["lstm"], ["parity"]), [0, 1, 2], "right")
    figure = draw_demand(thresholds, make.exponents(["lstm"]), make.demand(thresholds), 7.0)

    (dashes,) = shown.lines(figure.axes[0], "_")
    assert list(dashes.get_ydata()) == [48.0, 48.0]  # the censored curve has none
    assert "half of the seeds learn, interval" in shown.legend(figure)


def test_a_value_that_another_estimator_contradicts_is_doubted(make, shown):
    rows = make.exponents()
    checks = make.checks(rows)
    checks.loc[checks["model"] == "lstm", "verdict"] = "marked"
    doubted = shown.texts(draw_exponents(rows, checks, 7.0))
    plain = shown.texts(draw_exponents(rows, make.checks(rows), 7.0))

    assert [text.endswith(" ?") for text in doubted] == [False, True, False]
    assert not any(text.endswith(" ?") for text in plain)
