"""The figure of sharing factors: estimates, bounds and what is unknown stand where the tables say."""

import itertools

import numpy as np
import pandas as pd
import pytest

from nstar.report.marks import ARROW_DOWN, ARROW_UP
from nstar.report.style import model_looks
from nstar.subjects.demand.figures.sharing import draw_sharing

ENDS = {
    "estimate": (4.0, 2.0, 9.0),
    "interval": (np.nan, 2.0, 9.0),
    "lower bound": (np.nan, 2.0, np.inf),
    "upper bound": (np.nan, 0.0, 9.0),
    "unknown": (np.nan, 0.0, np.inf),
}


def factor(ends="estimate", model="lstm", supervision="aligned", length=8, **changes):
    row = {"model": model, "task": "parity", "supervision": supervision, "n_states": 2}
    row |= {"length_distribution": "uniform", "length": length, "rule": "half", "kind": ends}
    row |= {"success": "study", **dict.fromkeys(("null", "null_lower", "null_upper"), np.nan)}
    return row | dict(zip(("kappa", "lower", "upper"), ENDS[ends], strict=True)) | changes


def points(panel):
    """Return the places of all filled or hollow marks and crosses, by whether they are hollow."""
    found = {"filled": [], "hollow": [], "x": []}
    for line in panel.lines:
        if line.get_marker() in ("None", ARROW_UP, ARROW_DOWN):
            continue
        kind = "hollow" if line.get_markerfacecolor() == "white" else "filled"
        kind = "x" if line.get_marker() == "x" else kind
        found[kind] += zip(line.get_xdata(), line.get_ydata(), strict=True)
    return {kind: [tuple(map(float, place)) for place in places] for kind, places in found.items()}


def bars(panel):
    return [part.tolist() for lines in panel.collections for part in lines.get_segments()]


def draw(make, *rows):
    sharing = pd.DataFrame(rows)
    return draw_sharing(sharing, make.extrapolation(sharing), 7.0)


def test_an_estimate_stands_in_its_place_with_its_interval_and_at_its_accuracy(make, shown):
    figure = draw(make, factor(length=4, kappa=3.0), factor())

    left, right = figure.axes
    assert points(left) == {"filled": [(0, 3.0), (1, 4.0)], "hollow": [], "x": []}
    assert bars(left) == [[[0, 2.0], [0, 9.0]], [[1, 2.0], [1, 9.0]]]
    assert points(right)["filled"] == [(0.8, 3.0), (0.8, 4.0)]
    assert bars(right) == [[[0.6, 3.0], [0.9, 3.0]], [[0.6, 4.0], [0.9, 4.0]]]
    assert shown.legend(figure) == ["lstm", "\u03ba", "its interval", "worst to best seed"]


@pytest.mark.parametrize(
    ("kind", "arrow", "bound", "label"),
    [
        ("lower bound", ARROW_UP, 2.0, "\u03ba above this bound"),
        ("upper bound", ARROW_DOWN, 9.0, "\u03ba at most this bound"),
    ],
)
def test_a_bound_is_hollow_with_an_arrow_to_the_open_side(make, shown, kind, arrow, bound, label):
    figure = draw(make, factor(kind))

    for panel in figure.axes:
        (line,) = shown.lines(panel, arrow)
        assert list(line.get_ydata()) == [bound]
        assert points(panel) == {"filled": [], "hollow": [(line.get_xdata()[0], bound)], "x": []}
    assert label in shown.legend(figure)


def test_two_bounds_without_an_estimate_are_two_hollow_marks(make, shown):
    figure = draw(make, factor("interval"))

    for panel, x in zip(figure.axes, (0, 0.8), strict=True):
        assert points(panel) == {"filled": [], "hollow": [(x, 2.0), (x, 9.0)], "x": []}
    assert "\u03ba between two bounds" in shown.legend(figure)


def test_what_is_unknown_is_a_cross_at_the_foot_and_sets_no_limits(make, shown):
    figure = draw(make, factor("unknown"))

    for panel, x in zip(figure.axes, (0, 0.8), strict=True):
        assert points(panel) == {"filled": [], "hollow": [], "x": [(x, 0.04)]}
        assert panel.get_ylim()[0] < 1 < panel.get_ylim()[1]
    assert shown.legend(figure) == ["lstm", "no bound in this range"]


def test_a_very_wide_interval_is_cut_with_an_arrow_head_and_does_not_squeeze_the_others(
    make, shown
):
    figure = draw(make, factor(length=4), factor(lower=1e-9, upper=1e12))

    left = figure.axes[0]
    assert left.get_ylim()[0] > 0.01 and left.get_ylim()[1] < 200
    assert bars(left)[0] == [[0, 2.0], [0, 9.0]]
    (_, low), (_, high) = bars(left)[1]
    assert left.get_ylim()[0] < low < 0.1 and 20 < high < left.get_ylim()[1]
    for marker, end in (("v", low), ("^", high)):
        ((x, y),) = [(*line.get_xdata(), *line.get_ydata()) for line in shown.lines(left, marker)]
        assert (x, y) == (1, end)


@pytest.mark.parametrize(
    ("ends", "arrow"),
    [
        ({"kind": "interval", "lower": 1e-9, "upper": 9.0}, ARROW_DOWN),
        ({"kind": "interval", "lower": 2.0, "upper": 1e12}, ARROW_UP),
        ({"kind": "interval", "lower": 1e-9, "upper": 1e12}, None),
        ({"kind": "lower bound", "lower": 1e-9, "upper": np.inf}, None),
        ({"kind": "upper bound", "lower": 0.0, "upper": 1e12}, None),
    ],
)
def test_a_bound_that_says_nothing_is_left_open(make, shown, ends, arrow):
    figure = draw(make, factor("unknown", **ends))

    left = figure.axes[0]
    assert left.get_ylim()[0] > 1e-3 and left.get_ylim()[1] < 1e3
    arrows = [some for some in (ARROW_UP, ARROW_DOWN) if shown.lines(left, some)]
    assert arrows == ([arrow] if arrow else [])
    assert points(left)["x"] == ([] if arrow else [(0, 0.04)])


@pytest.mark.parametrize(("kind", "end"), [("lower bound", "lower"), ("upper bound", "upper")])
def test_a_bound_that_keeps_kappa_from_one_is_shown_however_far(make, kind, end):
    bound = {"lower": 1e5, "upper": 1e-5}[end]
    figure = draw(make, factor(), factor(kind, length=9, **{end: bound}))

    assert points(figure.axes[0])["hollow"] == [(1, bound)]


def test_the_demand_of_half_of_the_seeds_is_drawn_alone(make):
    figure = draw(make, factor(), factor(rule="any", kappa=5.0))

    assert points(figure.axes[0])["filled"] == [(0, 4.0)]


def test_the_null_stands_beside_its_factor_with_its_range(make, shown):
    null = {"null": 0.8, "null_lower": 0.6, "null_upper": 1.0}
    figure = draw(make, factor(length=4, **null), factor("upper bound", **null), factor(length=9))

    left, right = figure.axes
    ((x, y),) = [(line.get_xdata(), line.get_ydata()) for line in shown.lines(left, "_")]
    assert (list(x), list(y)) == ([0, 1], [0.8, 0.8]) and not shown.lines(right, "_")
    assert [[0, 0.6], [0, 1.0]] in bars(left) and [[1, 0.6], [1, 1.0]] in bars(left)
    assert "\u03ba if nothing was shared, and its range" in shown.legend(figure)


def test_a_null_far_below_is_shown_with_as_much_of_its_range_as_fits(make):
    null = {"null": 0.05, "null_lower": 1e-9, "null_upper": 0.2}
    left = draw(make, factor(**null)).axes[0]
    assert left.get_ylim()[0] < 0.005
    assert [[0, 0.005], [0, 0.2]] in bars(left)


def test_the_rule_of_the_study_is_drawn_alone(make):
    figure = draw(make, factor(), factor(success="strict", kappa=5.0))

    assert points(figure.axes[0])["filled"] == [(0, 4.0)]


def test_a_curve_without_measured_accuracy_is_missing_at_a_longer_length_only(make):
    sharing = pd.DataFrame([factor(length=4), factor("unknown")])
    nothing = dict.fromkeys(["median", "least", "most"], np.nan)

    figure = draw_sharing(sharing, make.extrapolation(sharing).assign(**nothing), 7.0)

    assert points(figure.axes[0]) == {"filled": [(0, 4.0)], "hollow": [], "x": [(1, 0.04)]}
    assert points(figure.axes[1]) == {"filled": [], "hollow": [], "x": []}


def test_tasks_are_rows_and_supervisions_columns_with_a_place_per_joint_curve(make):
    rows = itertools.product(
        ("a", "b"),
        ("aligned", "outcome"),
        (("short_to_long", 4), ("uniform", 8), ("uniform", 4)),
    )
    figure = draw(
        make,
        *(
            factor(task=task, supervision=supervision, length_distribution=name, length=length)
            for task, supervision, (name, length) in rows
        ),
    )

    titles = [panel.get_title(loc="left") for panel in figure.axes]
    assert titles == ["outcome", "aligned", "at a longer length", "", "", ""]
    labels = [panel.get_ylabel() for panel in figure.axes[::3]]
    assert labels == [f"{task} (m = 2)\nsharing factor \u03ba" for task in "ab"]
    places = [label.get_text() for label in figure.axes[4].get_xticklabels()]
    assert places == ["L = 4, uniform", "L = 8, uniform", "L = 4, short to long"]


def test_a_model_looks_as_in_the_other_figures_although_another_has_no_factor(make, shown):
    sharing = pd.DataFrame([factor(model="lstm"), factor(model="dense")])
    first = make.extrapolation(sharing).iloc[:1].assign(model="transformer")
    study = pd.concat([first, make.extrapolation(sharing)])

    figure = draw_sharing(sharing, study, 7.0)

    looks = model_looks(["transformer", "lstm", "dense"])
    assert shown.legend(figure)[:2] == ["lstm", "dense"]
    for model, x in (("lstm", -0.2), ("dense", 0.2)):
        (line,) = shown.lines(figure.axes[0], looks[model].marker)
        assert line.get_color() == looks[model].colour
        assert list(line.get_xdata()) == pytest.approx([x])


def test_the_axis_has_a_line_and_a_number_at_one(make):
    figure = draw(make, factor(kappa=0.3, lower=0.2, upper=0.4))

    figure.draw_without_rendering()
    for panel in figure.axes:
        assert [1, 1] in [list(line.get_ydata()) for line in panel.lines]
    numbers = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert numbers == ["0.2", "0.5", "1", "2"]


def test_without_a_factor_the_figure_says_so(make, shown):
    sharing = pd.DataFrame([factor()])

    figure = draw_sharing(sharing.iloc[:0], make.extrapolation(sharing), 7.0)

    assert shown.texts(figure) == [
        "no curve of several lengths has one of a single length beside it"
    ]
