"""The figures of widths: what is written into fields, outlined, marked and left out."""

import warnings
from functools import lru_cache

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle
from support.answer_tables import answer, exponents_of, steps, table, widths_of

from nstar.report.marks import ARROW_DOWN, ARROW_UP
from nstar.report.style import save
from nstar.subjects.answers.figures import (
    draw_locality,
    draw_operations,
    draw_width_accuracy,
    draw_widths,
)

SHOWN = {"measure": "chain", "threshold": 0.9}
LENGTHS, WIDTHS = (5, 10, 20, 40), (8, 16, 32, 64)


def study():
    """Return answers of two families: one needs 16 everywhere, the other more than 64 at n = 40."""
    rows = steps(lambda n: 16, LENGTHS, WIDTHS)
    rows += steps(lambda n: 2 * n, LENGTHS, WIDTHS, family="linear")
    return rows


@lru_cache
def fitted_study():
    """Return the widths of that study, and their exponents."""
    return widths_of(study()), exponents_of(study())


def local(**others):
    rows = []
    for m in (1, 2, 4):
        rows += steps(lambda n, m=m: 16 * m, (20,), WIDTHS, task=f"lis_{m}", locality=m, **others)
    return rows


def texts(panel):
    return {
        (round(t.get_position()[0]), round(t.get_position()[1])): t.get_text() for t in panel.texts
    }


def drawn(figure):
    """Draw it as for a file; no warning, no text outside of the figure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FigureCanvasAgg(figure).draw()
    return figure


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def panels_of(figure, title):
    return [panel for panel in figure.axes if panel.get_title(loc="left").startswith(title)]


def test_fields_hold_the_mean_over_seeds_in_per_cent_and_d_star_is_outlined():
    rows = [answer(8, 5, 0.2, seed=0), answer(8, 5, 0.4, seed=1)]
    rows += [answer(16, 5, accuracy, seed=seed) for seed, accuracy in enumerate((0.9, 1.0))]
    rows += [answer(width, 10, 0.1) for width in (8, 16)]
    figure = drawn(draw_width_accuracy(table(rows), widths_of(rows), **SHOWN))
    (panel,) = panels_of(figure, "lis")
    assert texts(panel) == {(0, 0): "30", (1, 0): "95", (0, 1): "10", (1, 1): "10"}
    assert [label.get_text() for label in panel.get_xticklabels()] == ["8", "16"]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["13 (5)", "23 (10)"]
    (frame,) = [patch for patch in panel.patches if isinstance(patch, Rectangle)]
    assert (round(frame.get_x() + 0.46), round(frame.get_y() + 0.46)) == (1, 0)


def test_every_family_has_a_row_and_every_task_a_column():
    rows = study() + steps(lambda n: 16, (3, 4), WIDTHS, task="ed")
    figure = drawn(draw_width_accuracy(table(rows), widths_of(rows), **SHOWN))
    assert len(panels_of(figure, "lis")) == len(panels_of(figure, "ed")) == 1
    notes = [text.get_text() for panel in figure.axes for text in panel.texts]
    assert notes.count("not in the grid") == 1  # linear on ed


def test_numbers_can_be_read_on_their_fields():
    rows = [answer(8, 5, 0.0), answer(16, 5, 1.0)]
    figure = draw_width_accuracy(table(rows), widths_of(rows), **SHOWN)
    (panel,) = panels_of(figure, "lis")
    assert [to_hex(text.get_color()) for text in panel.texts] == ["#ffffff", "#000000"]


def marks(panel, marker):
    """Return the heights of the marks of a kind."""
    return [
        float(y) for line in panel.lines if line.get_marker() == marker for y in line.get_ydata()
    ]


def test_widths_are_marked_and_exponents_told():
    figure = drawn(draw_widths(*fitted_study(), **SHOWN))
    (panel,) = panels_of(figure, "lis")
    assert set(marks(panel, "o")) == {16.0}
    assert sorted(set(marks(panel, "s"))) == [16, 32, 64]  # at n = 40 the bound, with an arrow
    heading = panel.get_title(loc="left")
    assert "standard: " in heading and "linear: " in heading
    assert {"standard", "linear", "no width tried is enough", "bracket"} <= set(legend_of(figure))


def test_an_exponent_that_is_not_identified_is_told_as_that():
    rows = steps(lambda n: 1000, LENGTHS, WIDTHS)
    figure = drawn(draw_widths(widths_of(rows), exponents_of(rows), **SHOWN))
    (panel,) = panels_of(figure, "lis")
    assert "standard: not identified" in panel.get_title(loc="left")


def test_operations_are_those_at_d_star_and_unsolved_sizes_have_none():
    figure = drawn(draw_operations(fitted_study()[0], **SHOWN))
    (panel,) = panels_of(figure, "lis")
    assert sorted(set(marks(panel, "o"))) == [n * 16**2 for n in LENGTHS]
    assert sorted(set(marks(panel, "s"))) == [5 * 16**2, 10 * 32**2, 20 * 64**2]


def test_sizes_without_operations_are_counted_and_their_task_keeps_its_panel():
    rows = study() + steps(lambda n: 1000, (3, 4), WIDTHS, task="ed", family="linear")
    figure = drawn(draw_operations(widths_of(rows), **SHOWN))
    assert legend_of(figure) == ["standard", "linear (3 without D*)", "mean over seeds"]
    (panel,) = panels_of(figure, "ed")
    assert not marks(panel, "s")


def test_seeds_are_small_and_lighter_than_their_mean():
    figure = drawn(draw_widths(*fitted_study(), **SHOWN))
    (panel,) = panels_of(figure, "lis")
    seeds, mean = (
        line for line in panel.lines if line.get_marker() == "o" and len(line.get_ydata())
    )
    assert len(seeds.get_ydata()) == 3 * len(LENGTHS) and len(mean.get_ydata()) == len(LENGTHS)
    assert seeds.get_markersize() < mean.get_markersize()
    assert sum(to_rgb(seeds.get_color())) > sum(to_rgb(mean.get_color()))


def test_brackets_and_arrows_are_those_of_the_table():
    widths = widths_of(steps(lambda n: 2 * n, (2, 5, 10, 100), WIDTHS))
    figure = drawn(draw_widths(widths, fitted_study()[1][:0], **SHOWN))
    (panel,) = panels_of(figure, "lis")
    (bars,) = panel.collections
    assert [sorted(segment[:, 1]) for segment in bars.get_segments()] == [[8, 16], [16, 32]]
    assert set(marks(panel, ARROW_DOWN)) == {8.0} and set(marks(panel, ARROW_UP)) == {64.0}


@pytest.mark.parametrize("kept", ["nothing", "answers", "unknown"])
def test_what_is_empty_or_unknown_is_said(kept):
    answers, (widths, exponents) = table(study()), fitted_study()
    if kept == "unknown":
        ends = ["d_star", "lower", "upper", "least_flops"]
        widths = widths.assign(censoring="unknown", **dict.fromkeys(ends, np.nan))
    else:
        widths, exponents = widths[:0], exponents[:0]
    figures = [
        draw_width_accuracy(answers[:0] if kept == "nothing" else answers, widths, **SHOWN),
        draw_widths(widths, exponents, **SHOWN),
        draw_operations(widths, **SHOWN),
        draw_locality(widths, **SHOWN),
    ]
    said = [drawn(figure).axes[0].texts[0].get_text() for figure in figures]
    assert said[0] == ("No network answered." if kept == "nothing" else "0")
    assert said[1] == "No D* is known."
    assert said[2].startswith("No size reaches") and said[3].startswith("No size has")


def test_operations_of_nothing_solved_say_so():
    rows = steps(lambda n: 1000, LENGTHS, WIDTHS)
    figure = drawn(draw_operations(widths_of(rows), **SHOWN))
    assert "No size reaches" in figure.axes[0].texts[0].get_text()


def test_locality_is_at_the_largest_size_with_several():
    rows = local() + study()
    figure = drawn(draw_locality(widths_of(rows), **SHOWN))
    (panel,) = panels_of(figure, "n = 20, L = 43")
    assert sorted(set(marks(panel, "o"))) == [16, 32, 64]


def test_one_locality_is_no_curve():
    rows = steps(lambda n: 16, (20,), WIDTHS, task="lis_1", locality=1)
    figure = drawn(draw_locality(widths_of(rows), **SHOWN))
    assert "No size has several localities." in figure.axes[0].texts[0].get_text()


@lru_cache
def tables_with(accuracy, widths):
    """Return answers, widths and exponents of two families with the same accuracy everywhere."""
    rows = [
        answer(width, length, accuracy, family=family, task=f"lis_{m}", locality=m)
        for width in widths
        for length in (5, 20)
        for family in ("standard", "a_family_with_a_long_name")
        for m in (1, 4)
    ]
    return table(rows), widths_of(rows), exponents_of(rows)


def everything(accuracy, widths):
    """Return the figures by name."""
    answers, found, exponents = tables_with(accuracy, widths)
    return {
        "width_accuracy": draw_width_accuracy(answers, found, **SHOWN),
        "widths": draw_widths(found, exponents, **SHOWN),
        "operations": draw_operations(found, **SHOWN),
        "locality": draw_locality(found, **SHOWN),
    }


@pytest.mark.parametrize(
    ("accuracy", "widths"), [(0.0, (8,)), (0.0, WIDTHS), (1.0, (8,)), (np.nan, WIDTHS)]
)
def test_everything_is_drawn(accuracy, widths):
    for figure in everything(accuracy, widths).values():
        drawn(figure)


def test_everything_is_written_the_same_twice(tmp_path):
    once, twice = (
        [
            path.read_bytes()
            for name, figure in everything(1.0, (8,)).items()
            for path in save(figure, tmp_path / f"{name}_{time}", 40)
        ]
        for time in ("once", "twice")
    )
    assert len(once) == 8 and once == twice
