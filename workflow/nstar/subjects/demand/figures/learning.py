"""Accuracy: how what is learnt grows with the training set."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nstar.report.axes import (
    add_legend,
    label_inches,
    legend_inches,
    make_panels,
    mark_handle,
    set_log_ticks,
    task_title,
)
from nstar.report.style import FAINT, INK, Look, length_looks, styled
from nstar.subjects.demand.selection import accuracy_by_seed

_DODGE = 0.035  # of a factor of e, between the lines of two lengths


@styled
def draw_accuracy(cells: pd.DataFrame, width_inches: float = 7.0) -> Figure:
    """Draw the best validation sequence accuracy against budget.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        Models are rows, tasks columns, lengths lines: the median over seeds of the best over
        learning rates, with bars from the worst to the best seed. A seed that has no accuracy at
        any learning rate is left out and marked by a cross at the bottom.
    """
    models, tasks = (list(dict.fromkeys(cells[name])) for name in ("model", "task"))
    looks = length_looks(cells["length"])
    by_seed = accuracy_by_seed(cells)
    has_missing = bool(by_seed["accuracy"].isna().any())
    handles = _legend_handles(looks, has_missing, cells["seed"].nunique() > 1)
    figure, panels = make_panels(
        len(models),
        len(tasks),
        width_inches,
        row_inches=max(1.5 if len(models) > 1 else 2.2, label_inches(models)),
        extra_inches=0.5 + legend_inches(handles, width_inches),
    )
    for (i, j), panel in _enumerate(panels):
        rows = by_seed[(by_seed["model"] == models[i]) & (by_seed["task"] == tasks[j])]
        for k, (length, look) in enumerate(looks.items()):
            shift = 1 + _DODGE * (k - (len(looks) - 1) / 2)
            _draw_length(panel, rows[rows["length"] == length], look, shift)
        panel.set(xscale="log", ylim=(-0.06, 1.06), yticks=(0, 0.5, 1))
        set_log_ticks(panel.xaxis, cells["budget"], most=max(3, 12 // len(tasks)))
        panel.grid(axis="y", color=FAINT, linewidth=0.5)
        panel.set_axisbelow(True)
        if i == 0:
            n_states = cells.loc[cells["task"] == tasks[j], "n_states"]
            panel.set_title(task_title(tasks[j], n_states), loc="left")
        if i == len(models) - 1:
            panel.set_xlabel("budget N, training sequences")
        if j == 0:
            panel.set_ylabel(models[i])
    figure.supylabel("best validation sequence accuracy", fontsize=8)
    add_legend(figure, handles, "lower")
    return figure


def _enumerate(panels):
    """Yield ((row, column), panel) for a grid of panels."""
    for i, row in enumerate(panels):
        for j, panel in enumerate(row):
            yield (i, j), panel


def _draw_length(panel: Axes, rows: pd.DataFrame, look: Look, shift: float) -> None:
    """Draw one length, moved aside by the factor `shift` so that bars do not hide each other."""
    spread = rows.groupby("budget")["accuracy"].agg(["min", "median", "max"]).dropna()
    x = spread.index.to_numpy(dtype=float) * shift
    panel.vlines(x, spread["min"], spread["max"], colors=[look.colour], linewidth=0.8)
    panel.plot(x, spread["median"], color=look.colour, marker=look.marker, markersize=3.5)
    missing = rows.loc[rows["accuracy"].isna(), "budget"] * shift
    panel.plot(
        missing,
        [-0.03] * len(missing),
        color=INK,
        marker="x",
        linestyle="none",
        markersize=4,
    )


def _legend_handles(looks: dict, has_missing: bool, has_seeds: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], label=f"n = {length}", color=look.colour, marker=look.marker, markersize=4)
        for length, look in looks.items()
    ]
    if has_seeds:
        handles.append(
            mark_handle("worst to best seed", marker="|", markersize=9, markeredgewidth=0.8)
        )
    if has_missing:
        handles.append(mark_handle("a seed without accuracy", marker="x", markersize=4))
    return handles
