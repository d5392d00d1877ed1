"""Outcomes: how the replicates of each cell ended, learnt, not generalised or not fitted."""

import math

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from nstar.report.axes import (
    add_legend,
    label_inches,
    legend_inches,
    make_panels,
    mark_handle,
    task_title,
)
from nstar.report.style import INK, styled
from nstar.subjects.axis import BUDGET, Axis

OUTCOMES = {
    "learnt": ("learnt", {"facecolor": "#0072B2", "edgecolor": "#0072B2"}),
    "not_generalised": (
        "fitted, not generalised",
        {"facecolor": "#F3C77A", "edgecolor": INK, "hatch": "//////"},
    ),
    "not_fitted": ("not fitted", {"facecolor": "white", "edgecolor": INK, "hatch": "......"}),
}
"""Label and fill of each outcome: dark, medium and light also in grey."""

NOT_LEARNT = "not learnt"
"""Label of both failures where demand is not for data: a run has then failed, fitted or not."""

_LINE_INCHES, _DIGIT_INCHES = 0.13, 0.062  # height and width of a tick label
_CELL = 0.86  # share of a grid place that its bar fills


@styled
def draw_outcomes(cells: pd.DataFrame, width_inches: float = 7.0, *, axis: Axis = BUDGET) -> Figure:
    """Draw the share of outcomes in every cell, as one stacked bar per budget and length.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.
    width_inches : float, optional
        Width of the figure.
    axis : Axis, optional
        What demand is sought of; its words are those of the figure.

    Returns
    -------
    Figure
        Models are rows, tasks columns; in each panel budgets run to the right and lengths
        upwards. The height of a full bar is all replicates of a cell; a cell that was not trained
        is blank. A cross marks a cell in which a replicate diverged. Failures differ for data only.
    """
    models, tasks = (list(dict.fromkeys(cells[name])) for name in ("model", "task"))
    budgets, lengths = (np.sort(cells[name].unique()) for name in ("budget", "length"))
    handles = _legend_handles(cells, axis)
    figure, panels = make_panels(
        len(models),
        len(tasks),
        width_inches,
        row_inches=max(0.9, 0.24 * len(lengths) + 0.25, label_inches(models)),
        extra_inches=0.8 + legend_inches(handles, width_inches),
    )
    for i, model in enumerate(models):
        for j, task in enumerate(tasks):
            rows = cells[(cells["model"] == model) & (cells["task"] == task)]
            _draw_cells(panels[i, j], rows, budgets, lengths)
            if i == 0:
                n_states = cells.loc[cells["task"] == task, "n_states"]
                panels[i, j].set_title(task_title(task, n_states), loc="left")
            if i == len(models) - 1:
                panels[i, j].set_xlabel(axis.label)
            if j == 0:
                panels[i, j].set_ylabel(f"{model}\nlength n")
    _set_ticks(panels, budgets, lengths, panel_inches=(width_inches - 0.8) / len(tasks))
    add_legend(figure, handles, "lower")
    return figure


def _draw_cells(panel: Axes, rows: pd.DataFrame, budgets: np.ndarray, lengths: np.ndarray) -> None:
    """Draw the cells of one model and task on the grid of all budgets and lengths."""
    by_cell = rows.groupby(["length", "budget"])
    counts = by_cell["outcome"].value_counts().unstack(fill_value=0)
    shares = counts.reindex(columns=list(OUTCOMES), fill_value=0)
    shares = shares.div(shares.sum(axis=1), axis=0)
    x = np.searchsorted(budgets, shares.index.get_level_values("budget"))
    bottom = np.searchsorted(lengths, shares.index.get_level_values("length")) - _CELL / 2
    for outcome, (_, fill) in OUTCOMES.items():
        height = _CELL * shares[outcome].to_numpy()
        some = height > 0
        panel.bar(x[some], height[some], width=_CELL, bottom=bottom[some], linewidth=0.4, **fill)
        bottom = bottom + height
    diverged = by_cell["diverged"].any().reindex(shares.index).to_numpy(dtype=bool)
    centre = bottom - _CELL / 2
    for colour, width in (("white", 2.6), (INK, 1.0)):  # a light rim, legible on any fill
        panel.plot(
            x[diverged],
            centre[diverged],
            marker="x",
            markersize=4.5,
            markeredgewidth=width,
            linestyle="none",
            color=colour,
        )


def _set_ticks(
    panels: np.ndarray, budgets: np.ndarray, lengths: np.ndarray, panel_inches: float
) -> None:
    """Label the grid places; budgets stand upright where they would not fit side by side."""
    stride = math.ceil(len(budgets) * _LINE_INCHES / panel_inches)
    kept = np.arange(0, len(budgets), stride)
    labels = [str(budget) for budget in budgets[kept]]
    upright = len(kept) * (len(labels[-1]) + 2) * _DIGIT_INCHES > panel_inches
    for panel in panels.flat:  # axes are shared, how labels stand is not
        panel.set_xticks(kept, labels)
        panel.set_yticks(np.arange(len(lengths)), [str(length) for length in lengths])
        panel.tick_params(axis="x", rotation=90 if upright else 0, length=2)
        panel.tick_params(axis="y", length=0)
        panel.set_xlim(-0.6, len(budgets) - 0.4)
        panel.set_ylim(-0.6, len(lengths) - 0.4)


def _legend_handles(cells: pd.DataFrame, axis: Axis) -> list[Artist]:
    outcomes = dict(OUTCOMES)
    if axis.name != "budget":
        del outcomes["not_fitted"]
        outcomes["not_generalised"] = (NOT_LEARNT, OUTCOMES["not_generalised"][1])
    handles: list[Artist] = [
        Patch(label=label, linewidth=0.4, **fill) for label, fill in outcomes.values()
    ]
    if cells["diverged"].any():
        handles.append(mark_handle("a replicate diverged", marker="x", markersize=5))
    return handles
