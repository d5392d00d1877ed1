"""Panels of what is drawn against the budget: models are rows, tasks columns."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nstar.report.axes import (
    add_legend,
    label_inches,
    legend_inches,
    make_panels,
    set_log_ticks,
    task_title,
)
from nstar.report.style import FAINT
from nstar.subjects.axis import Axis

_DODGE = 0.035  # of a factor of e, between the marks of two lengths


def make_budget_panels(
    cells: pd.DataFrame,
    handles: Sequence[Artist],
    width_inches: float,
    row_inches: float,
    y_label: str,
    axis: Axis,
) -> tuple[Figure, list[tuple[Axes, str, str]]]:
    """Return a figure, and its panels with their model and task.

    Parameters
    ----------
    cells : DataFrame
        Has the columns model, task, n_states and budget.
    handles : sequence of Artist
        The legend.
    width_inches, row_inches : float
        Width of the figure, and least height of a row of panels.
    y_label : str
        What y is.
    axis : Axis
        What x is.
    """
    models, tasks = (list(dict.fromkeys(cells[name])) for name in ("model", "task"))
    figure, grid = make_panels(
        len(models),
        len(tasks),
        width_inches,
        row_inches=max(row_inches, label_inches(models)),
        extra_inches=0.5 + legend_inches(handles, width_inches),
    )
    panels = []
    for i, model in enumerate(models):
        for j, task in enumerate(tasks):
            panel = grid[i][j]
            panel.set(xscale="log")
            set_log_ticks(panel.xaxis, cells["budget"], most=max(3, 12 // len(tasks)))
            panel.grid(axis="y", color=FAINT, linewidth=0.5)
            panel.set_axisbelow(True)
            if i == 0:
                n_states = cells.loc[cells["task"] == task, "n_states"]
                panel.set_title(task_title(task, n_states), loc="left")
            if i == len(models) - 1:
                panel.set_xlabel(axis.label)
            if j == 0:
                panel.set_ylabel(model)
            panels.append((panel, model, task))
    figure.supylabel(y_label, fontsize=8)
    add_legend(figure, handles, "lower")
    return figure, panels


def length_shifts(lengths: Sequence[int]) -> dict[int, float]:
    """Return the factor that moves the marks of each length aside, so that none hides another."""
    middle = (len(lengths) - 1) / 2
    return {length: 1 + _DODGE * (k - middle) for k, length in enumerate(lengths)}
