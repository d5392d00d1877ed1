"""Positions: up to where in a longer sequence networks are right."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nstar.columns import SYMBOLS
from nstar.report.axes import (
    add_legend,
    label_outer,
    legend_inches,
    say_nothing,
    set_log_ticks,
    task_title,
    wrap_panels,
)
from nstar.report.marks import look_handle
from nstar.report.style import INK, Look, model_looks, styled
from nstar.subjects.demand.longer import BY_LENGTH, READINGS


@styled
def draw_positions(positions: pd.DataFrame, threshold: float, width_inches: float = 7.0) -> Figure:
    """Draw accuracy against position in the longest test, for the longest training length of each task.

    Parameters
    ----------
    positions : DataFrame
        One row per curve, reading and position.
    threshold : float
        Accuracy below which the horizon lies.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        One panel per task and reading, one line per model: the median over seeds, in a band from the
        worst to the best seed. Where only the last state is asked for, marks stand at the test lengths.
    """
    if positions.empty:
        return say_nothing("no test length is beyond that of training", width_inches)
    looks = model_looks(positions["model"])
    shown = list(_panels(positions))
    handles = _legend_handles(looks)
    figure, panels = wrap_panels(
        len(shown),
        3,
        width_inches,
        2.1,
        extra_inches=legend_inches(handles, width_inches),
        share_x=False,
    )
    for panel, (title, rows) in zip(panels, shown, strict=True):
        _draw_marks(panel, rows, threshold)
        for model, look in looks.items():
            _draw_model(panel, rows[rows["model"] == model], look)
        panel.set(xscale="log", ylim=(-0.03, 1.06))
        trained = rows["length"].iloc[0]
        set_log_ticks(panel.xaxis, [rows["position"].min(), trained, rows["longest"].max()], most=6)
        panel.set_title(title, loc="left")
    by_length = set(positions["over"]) == {BY_LENGTH}
    label_outer(panels, "test length" if by_length else "position", "accuracy at the position")
    add_legend(figure, handles, "lower")
    return figure


def _panels(positions: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield title and rows of each task and reading, at the longest training length of the task."""
    longest = positions.groupby("task")["length"].transform("max")
    rows_of = positions[positions["length"] == longest].groupby(["task", "reading"], sort=False)
    for (task, reading), rows in rows_of:
        read = "" if reading == SYMBOLS else f", {READINGS[reading]}"
        yield f"{task_title(task, rows['n_states'])}{read}", rows


def _draw_marks(panel: Axes, rows: pd.DataFrame, threshold: float) -> None:
    """Mark trained length, chance and threshold."""
    panel.axvline(rows["length"].iloc[0], color=INK, linewidth=0.6, zorder=0)
    chance = rows.drop_duplicates("position").sort_values("position")
    panel.plot(chance["position"], chance["chance"], color=INK, linewidth=0.6, linestyle=":")
    panel.axhline(threshold, color=INK, linewidth=0.6, linestyle="--", zorder=0)


def _draw_model(panel: Axes, rows: pd.DataFrame, look: Look) -> None:
    by_length = (rows["over"] == BY_LENGTH).any()
    panel.fill_between(
        rows["position"], rows["least"], rows["most"], color=look.colour, alpha=0.15, linewidth=0
    )
    panel.plot(
        rows["position"],
        rows["median"],
        color=look.colour,
        linestyle=look.line,
        marker=look.marker if by_length else "",
        markersize=4,
    )


def _legend_handles(looks: dict[str, Look]) -> list[Line2D]:
    models = [look_handle(model, look, 0) for model, look in looks.items()]
    marks = {"trained length": "-", "chance": ":", "threshold of the horizon": "--"}
    return models + [
        Line2D([], [], label=label, color=INK, linewidth=0.6, linestyle=line)
        for label, line in marks.items()
    ]
