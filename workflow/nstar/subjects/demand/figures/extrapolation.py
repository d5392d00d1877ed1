"""Extrapolation: whether what was learnt holds at twice the length."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nstar.report.axes import (
    add_legend,
    label_outer,
    legend_inches,
    length_slot,
    mark_handle,
    model_shifts,
    set_length_axis,
    task_title,
    wrap_panels,
)
from nstar.report.style import INK, Look, model_looks, styled
from nstar.subjects.demand.selection import chosen_replicates


@styled
def draw_extrapolation(cells: pd.DataFrame, width_inches: float = 7.0) -> Figure:
    """Draw accuracy at twice the training length, at the largest budget of each curve.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        One panel per task. Small marks are seeds, each at the learning rate with the best
        validation accuracy (never chosen by what is shown); lines join the medians over seeds. A
        seed without a measured accuracy is a cross at the bottom.
    """
    looks = model_looks(cells["model"])
    tasks = list(dict.fromkeys(cells["task"]))
    chosen = chosen_replicates(cells)
    values = chosen["extrapolation_above_chance"]
    bottom = min(-0.1, float(values.min()) - 0.08) if values.notna().any() else -0.1

    handles = _legend_handles(looks, bool(values.isna().any()))
    figure, panels = wrap_panels(
        len(tasks), 3, width_inches, 2.1, extra_inches=legend_inches(handles, width_inches)
    )
    slot, _ = length_slot(cells["length"], len(looks), width_inches / min(3, len(tasks)))
    shift = chosen["model"].map(model_shifts(list(looks), slot)).astype(float)
    chosen = chosen.assign(x=chosen["length"] * np.exp(shift))
    for panel, task in zip(panels, tasks, strict=True):
        rows = chosen[chosen["task"] == task]
        for height in (0, 1):
            panel.axhline(height, color=INK, linewidth=0.5, zorder=0)
        for model, look in looks.items():
            _draw_model(panel, rows[rows["model"] == model], look, bottom)
        panel.set_ylim(bottom, 1.06)
        set_length_axis(panel, cells["length"])
        panel.set_title(task_title(task, rows["n_states"]), loc="left")
    label_outer(
        panels, "training length n", "accuracy at positions n+1 to 2n\n(chance = 0, perfect = 1)"
    )
    add_legend(figure, handles, "lower")
    return figure


def _draw_model(panel: Axes, rows: pd.DataFrame, look: Look, bottom: float) -> None:
    measured = rows.dropna(subset="extrapolation_above_chance")
    y = measured["extrapolation_above_chance"]
    panel.plot(
        measured["x"],
        y,
        marker=look.marker,
        markersize=3.5,
        linestyle="none",
        color=look.colour,
        markerfacecolor="none",
        markeredgewidth=0.7,
    )
    medians = y.groupby(measured["x"]).median()
    panel.plot(medians.index, medians, color=look.colour, linestyle=look.line)
    missing = rows.loc[rows["extrapolation_above_chance"].isna(), "x"]
    panel.plot(
        missing,
        [bottom + 0.03] * len(missing),
        marker="x",
        markersize=4,
        linestyle="none",
        color=look.colour,
    )


def _legend_handles(looks: dict[str, Look], has_missing: bool) -> list[Line2D]:
    handles = [
        Line2D(
            [],
            [],
            label=model,
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            markersize=4,
            markerfacecolor="none",
        )
        for model, look in looks.items()
    ]
    if has_missing:
        handles.append(mark_handle("a seed without accuracy", marker="x", markersize=4, color=INK))
    return handles
