"""Figures of any kind: they survive every table, look alike and are written the same twice."""

import itertools
import re
import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from nstar.report.axes import geometric_ticks, round_ticks
from nstar.report.style import length_looks, model_looks, save
from nstar.subjects.axis import BUDGET, DEPTH, WIDTH
from nstar.subjects.demand.figures import all as drawing_step
from nstar.subjects.demand.figures.demand import draw_demand
from nstar.subjects.demand.figures.exponents import draw_exponents
from nstar.subjects.demand.figures.extrapolation import draw_extrapolation
from nstar.subjects.demand.figures.learning import draw_accuracy
from nstar.subjects.demand.figures.learning_curves import draw_learning_curves
from nstar.subjects.demand.figures.outcomes import draw_outcomes
from nstar.subjects.demand.figures.positions import draw_positions
from nstar.subjects.demand.figures.sharing import draw_sharing

EIGHT = tuple(f"model_with_a_long_name_{i}" for i in range(8))
CASES = {
    "plain": lambda make: (make.cells(), make.thresholds(), make.exponents()),
    "single": lambda make: (
        make.cells(["lstm"], ["parity"], [8], [16], [1], [0.01]),
        make.thresholds(["lstm"], ["parity"], [1]).query("length == 8"),
        make.exponents(["lstm"]).query("quantity == 'intercept'"),
    ),
    "right": lambda make: (
        make.cells(lengths=[500], budgets=[16, 32]),
        make.censor(make.thresholds(), slice(None), "right"),
        make.unknown_exponents(),
    ),
    "left": lambda make: (
        make.cells(lengths=[4], budgets=[64, 128]),
        make.censor(make.thresholds(), slice(None), "left"),
        make.unknown_exponents(),
    ),
    "unknown": lambda make: (
        make.cells(lengths=[4], budgets=[64, 128]).assign(outcome="not_fitted"),
        make.thresholds().assign(n_star=np.nan, lower=0.0, upper=np.inf, censoring="unknown"),
        make.exponents().iloc[:0],
    ),
    "trap": lambda make: (
        make.trap_cells(),
        make.thresholds().assign(monotone=False),
        make.exponents(),
    ),
    "nan": lambda make: (
        make.cells(seeds=[1]).assign(**dict.fromkeys(make.accuracies, np.nan), diverged=True),
        make.thresholds(seeds=[1]).assign(limited_by_steps=True),
        make.exponents(converged=False, lower=np.nan, upper=np.nan),
    ),
    "eight": lambda make: (
        make.cells(EIGHT, lengths=[4, 8]),
        make.thresholds(EIGHT),
        make.exponents(EIGHT),
    ),
}
DRAWINGS = {
    "demand": lambda make, cells, thresholds, exponents, **words: draw_demand(
        thresholds, exponents, make.demand(thresholds), 7.0, **words
    ),
    "exponents": lambda make, cells, thresholds, exponents, **words: draw_exponents(
        exponents, make.checks(exponents), 7.0, **words
    ),
    "accuracy": lambda make, cells, thresholds, exponents, **words: draw_accuracy(
        cells, 7.0, **words
    ),
    "learning curves": lambda make, cells, thresholds, exponents, **words: draw_learning_curves(
        cells, *make.learning(cells), 7.0, **words
    ),
    "extrapolation": lambda make, cells, thresholds, exponents: draw_extrapolation(
        make.longer(cells), ["2x"], 7.0
    ),
    "positions": lambda make, cells, thresholds, exponents: draw_positions(
        make.positions(make.longer(cells)), 0.9, 7.0
    ),
    "outcomes": lambda make, cells, thresholds, exponents, **words: draw_outcomes(
        cells, 7.0, **words
    ),
    "sharing": lambda make, cells, thresholds, exponents: draw_sharing(
        make.sharing(thresholds), make.extrapolation(make.sharing(thresholds)), 7.0
    ),
}


WORDED = ("demand", "exponents", "accuracy", "learning curves", "outcomes")
"""Figures that speak of the axis of demand."""

FULLEST = ("plain", "trap", "eight")
"""Cases with the most text, which is longest where the demand is for data."""


def of_parity(make):
    """Return tables of two models and one task."""
    return make.cells(tasks=["parity"]), make.thresholds(tasks=["parity"]), make.exponents()


def draw(make, drawing, case, **words):
    cells, thresholds, exponents = CASES[case](make)
    exponents = exponents.assign(reason="") if words else exponents  # the words of the statistics
    return DRAWINGS[drawing](make, cells, thresholds, exponents, **words)


def words_of(figure):
    """Return all text of a figure."""
    texts = figure.findobj(Text)
    return " | ".join(text.get_text() for text in texts if text.get_visible())


@pytest.mark.parametrize(
    ("case", "drawing", "axis"),
    [
        *((case, drawing, WIDTH) for case in CASES for drawing in DRAWINGS),
        *((case, drawing, BUDGET) for case in FULLEST for drawing in WORDED),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_figure_survives_every_case_without_warning(make, case, drawing, axis):
    """And none of another demand than that for data speaks of data."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # collapsed layouts, empty medians, limits that coincide
        words = {"axis": axis} if drawing in WORDED and axis != BUDGET else {}
        figure = draw(make, drawing, case, **words)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw_without_rendering()

    assert figure.get_figwidth() == 7.0
    canvas = figure.bbox.padded(1)
    for panel in figure.axes:
        box = panel.get_tightbbox(renderer)
        assert canvas.containsx(box.x0) and canvas.containsx(box.x1), "a panel is cut off"
        assert canvas.containsy(box.y0) and canvas.containsy(box.y1), "a panel is cut off"
    for legend in figure.legends:
        box = legend.get_window_extent(renderer)
        assert canvas.containsx(box.x0) and canvas.containsx(box.x1), "a legend is cut off"
    if axis != BUDGET:
        assert_no_words_of_data(figure, drawing)


def assert_no_words_of_data(figure, drawing):
    words = words_of(figure)
    for word in ("N*", "budget", "sequences", "not data", "in N"):
        assert word not in words
    if drawing == "outcomes":
        assert "not learnt" in words and "fitted" not in words


@pytest.mark.parametrize("drawing", WORDED)
def test_no_figure_of_the_demand_for_depth_speaks_of_data(make, drawing):
    assert_no_words_of_data(draw(make, drawing, "plain", axis=DEPTH), drawing)


@pytest.mark.parametrize("axis", [BUDGET, WIDTH, DEPTH], ids=lambda axis: axis.name)
def test_figures_take_their_words_from_the_axis(make, axis):
    def words(drawing, case):
        return words_of(DRAWINGS[drawing](make, *CASES[case](make), axis=axis))

    plain = words("demand", "plain")
    assert f"| {axis.symbol}, {axis.unit} |" in plain
    assert f"| {axis.symbol}, any replicate |" in plain and f"bracket of {axis.symbol}" in plain
    assert f"success not monotone in {axis.letter} |" in words("demand", "trap") + " |"
    assert f"may lack steps, not {axis.resource}" in words("demand", "nan")
    assert f"{axis.symbol} above this {axis.value}" in words("demand", "right")
    assert f"{axis.symbol} at most this {axis.value}" in words("demand", "left")
    assert f"of {axis.symbol} in sequence length n" in words("exponents", "plain")
    for drawing in ("accuracy", "learning curves", "outcomes"):
        assert axis.label in words(drawing, "plain")


@pytest.mark.parametrize("axis", [BUDGET, WIDTH], ids=["N", "D"])
def test_the_step_takes_the_axis_of_its_job(make, axis, tmp_path, monkeypatch):
    cells, *others = of_parity(make)
    tables = {"cells": cells, **dict(zip(("thresholds", "exponents"), others, strict=True))}
    tables["checks"] = make.checks(tables["exponents"])
    tables["demand"] = make.demand(tables["thresholds"])
    tables["learning_curves"], tables["learning_exponents"] = make.learning(cells)
    tables["longer"] = make.longer(cells)
    tables["positions"] = make.positions(tables["longer"])
    shared = {"supervision": "aligned", "length_distribution": "fixed"}
    tables = {name: table.assign(**shared) for name, table in tables.items()}
    monkeypatch.setattr(
        drawing_step, "read_tables", lambda results, *names: [tables[name] for name in names]
    )
    (tmp_path / "figures").mkdir()
    job = {
        "figures": {"width_inches": 7.0, "dots_per_inch": 20},
        "sharing": False,
        "drawn": ["accuracy", "learning_curves", "extrapolation"],
        "tests": ["2x"],
        "horizon": 0.9,
    }
    families = {model: [model, 8] for model in cells["model"]}
    job |= {"axis": {"name": axis.name, "texts": [], "models": families}}
    drawing_step.draw_figures(job, tmp_path)

    def drawn(name):
        return (tmp_path / "figures" / f"{name}.svg").read_text()

    assert axis.unit in drawn("demand") and axis.symbol in drawn("exponents")
    assert axis.label in drawn("outcomes")
    for name in ("accuracy", "learning_curves"):
        assert axis.label in drawn(name)


@pytest.mark.parametrize("drawing", DRAWINGS)
def test_saving_twice_gives_the_same_bytes(make, drawing, tmp_path):
    once = save(DRAWINGS[drawing](make, *of_parity(make)), tmp_path / "once.a", 60)
    with matplotlib.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.grid": True}):
        twice = save(DRAWINGS[drawing](make, *of_parity(make)), tmp_path / "twice", 60)

    assert [path.name for path in once] == ["once.a.svg", "once.a.png"]
    for first, second in zip(once, twice, strict=True):
        assert first.read_bytes() == second.read_bytes()
    assert b"tEXt" not in once[1].read_bytes(), "the PNG file names the version that drew it"
    assert re.search(r"<text[^>]*>[^<]*(training|exponent|sharing|trained)", once[0].read_text()), (
        "text is outlines"
    )


def test_the_first_models_differ_in_lightness_and_all_in_marker():
    looks = list(model_looks(f"model {i}" for i in range(9)).values())
    grey = [np.dot(to_rgb(look.colour), [0.299, 0.587, 0.114]) for look in looks[:3]]

    assert min(abs(a - b) for a, b in itertools.combinations(grey, 2)) > 0.2
    assert len({look.marker for look in looks}) == 9


def test_lengths_run_from_dark_to_light():
    looks = length_looks([16, 4, 8, 4])

    assert list(looks) == [4, 8, 16]
    grey = [np.dot(to_rgb(look.colour), [0.299, 0.587, 0.114]) for look in looks.values()]
    assert grey == sorted(grey)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([8], [8]),
        ([4, 8, 64], [4, 8, 16, 32, 64]),
        ([2**k for k in range(2, 15)], [4, 32, 256, 2048, 16384]),
        ([100, 130, 900], [100, 200, 500, 1000]),
    ],
)
def test_ticks_are_plain_budgets(values, ticks):
    assert geometric_ticks(values, most=5) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("smallest", "largest", "ticks"),
    [
        (0.5, 2, [0.5, 1, 2]),
        (0.12, 9, [0.1, 0.3, 1, 3, 10]),
        (1e-4, 1e9, [1e-3, 1, 1e3, 1e6, 1e9]),
    ],
)
def test_ticks_about_one_are_round(smallest, largest, ticks):
    assert round_ticks(smallest, largest, most=5) == ticks
