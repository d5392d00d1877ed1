"""The marks of a threshold: filled, censored with an arrow, and framed where it needs care."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.path import Path as MarkerPath

from nstar.report.axes import mark_handle
from nstar.report.style import INK, Look

_STEM = [(0.0, 0.42), (0.0, 1.0), (-0.24, 0.7), (0.0, 1.0), (0.24, 0.7)]
_PEN = [MarkerPath.MOVETO, MarkerPath.LINETO, MarkerPath.MOVETO, *[MarkerPath.LINETO] * 2]
ARROW_UP = MarkerPath(_STEM, _PEN)
"""Arrow from a mark upwards: the threshold is above it."""
ARROW_DOWN = MarkerPath([(x, -y) for x, y in _STEM], _PEN)
"""Arrow from a mark downwards: the threshold is at most there."""

_ARROWS = {"right": ARROW_UP, "left": ARROW_DOWN}
_CENSORED = {"right": "above", "left": "at most"}
_OPEN_MARK = MarkerPath(0.4 * MarkerPath.unit_circle().vertices, MarkerPath.unit_circle().codes)


def draw_marks(panel: Axes, rows: pd.DataFrame, look: Look, size: float, bars: bool) -> None:
    """Draw thresholds of one model and one rule as `draw_bounds` does, framed where they need care."""
    draw_bounds(panel, rows, look, size, bars)
    rows = rows[rows["censoring"] != "unknown"]
    frame = {"linestyle": "none", "color": INK, "fillstyle": "none"}
    frame |= {"markersize": 1.8 * size, "markeredgewidth": 0.07 * size + 0.2, "zorder": 4}
    for marker, framed in (("o", ~rows["monotone"]), ("s", rows["limited_by_steps"])):
        panel.plot(rows.loc[framed, "x"], rows.loc[framed, "y"], marker=marker, **frame)


def draw_bounds(panel: Axes, rows: pd.DataFrame, look: Look, size: float, bars: bool) -> None:
    """Draw what is known of a quantity of one model at (`x`, `y`).

    Parameters
    ----------
    panel : Axes
        Where to draw.
    rows : DataFrame
        Place `x`, `y`, ends `lower`, `upper`, and `censoring` as in the table of thresholds.
    look : Look
        Colour and marker of the model.
    size : float
        Size of a mark in points.
    bars : bool
        Whether to draw a bar from `lower` to `upper` where nothing is censored.
    """
    pen = {"linestyle": "none", "color": look.colour, "markeredgewidth": 0.12 * size + 0.2}
    bracketed = rows[rows["censoring"] == "interval"]
    if bars:
        panel.vlines(
            bracketed["x"],
            bracketed["lower"],
            bracketed["upper"],
            colors=[look.colour],
            linewidth=0.15 * size + 0.1,
        )
    panel.plot(bracketed["x"], bracketed["y"], marker=look.marker, markersize=size, zorder=3, **pen)
    for side, arrow in _ARROWS.items():
        censored = rows[rows["censoring"] == side]
        hollow = {"marker": look.marker, "markersize": size, "markerfacecolor": "white"}
        panel.plot(censored["x"], censored["y"], zorder=3, **pen, **hollow)
        panel.plot(censored["x"], censored["y"], marker=arrow, markersize=3.6 * size, **pen)

    unknown = rows[rows["censoring"] == "unknown"]
    at_the_foot = {"transform": panel.get_xaxis_transform(), "markersize": size, "marker": "x"}
    panel.plot(unknown["x"], [0.04] * len(unknown), **pen, **at_the_foot)


def meaning_handles(
    thresholds: pd.DataFrame, *, symbol: str, letter: str, value: str, resource: str
) -> list[Line2D]:
    """Return legend entries, in neutral ink, for the marks that occur among thresholds.

    Parameters
    ----------
    thresholds : DataFrame
        One row per curve and rule.
    symbol, letter, value : str
        What a threshold is called, such as "N*", and what it is a value of: "N" and "budget".
    resource : str
        What the values are amounts of, such as "data".
    """
    rules, censoring = set(thresholds["rule"]), set(thresholds["censoring"])
    handles = []
    if "any" in rules:
        handles.append(mark_handle(f"{symbol}, any replicate", marker="o", markersize=6))
    if "seed" in rules:
        handles.append(mark_handle(f"{symbol}, one seed", marker="o", markersize=3))
    if "interval" in censoring:
        bar = {"marker": "|", "markersize": 9, "markeredgewidth": 0.8}
        handles.append(mark_handle(f"bracket of {symbol}", **bar))
    for side, bound in _CENSORED.items():
        if side in censoring:
            handles.append(censored_handle(f"{symbol} {bound} this {value}", side))
    if "unknown" in censoring:
        handles.append(mark_handle(f"{symbol} unknown, nothing fitted", marker="x", markersize=5))
    if not thresholds["monotone"].all():
        handles.append(_frame_handle(f"success not monotone in {letter}", "o", 9))
    if thresholds["limited_by_steps"].any():
        handles.append(_frame_handle(f"may lack steps, not {resource}", "s", 8))
    return handles


def look_handle(label: str, look: Look, size: float, **pen) -> Line2D:
    """Return the legend entry of a model, task or length: a line, and a mark of a size in points.

    Other keywords of `Line2D` replace what the look says, as ``linestyle="none"`` for a mark alone.
    """
    own = {"color": look.colour, "marker": look.marker, "linestyle": look.line}
    return Line2D([], [], label=label, markersize=size, **own | pen)


def censored_handle(label: str, side: str) -> Line2D:
    """Return the legend entry of a mark that is "right"- or "left"-censored."""
    symbol = MarkerPath.make_compound_path(_OPEN_MARK, _ARROWS[side])
    return _frame_handle(label, symbol, 12)


def _frame_handle(label: str, marker: str | MarkerPath, size: float) -> Line2D:
    return mark_handle(label, marker=marker, markersize=size, fillstyle="none", markeredgewidth=0.7)
