"""Extrapolation: whether what was learnt holds at longer lengths than that of training."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nstar.columns import SYMBOLS
from nstar.report.axes import (
    add_legend,
    label_outer,
    legend_inches,
    length_slot,
    mark_handle,
    model_shifts,
    say_nothing,
    set_length_axis,
    task_title,
    wrap_panels,
)
from nstar.report.marks import look_handle
from nstar.report.style import INK, Look, model_looks, styled
from nstar.subjects.demand.longer import (
    READINGS,
    chosen_networks,
    lengths_of_test,
    name_of_test,
)


@styled
def draw_extrapolation(
    longer: pd.DataFrame, tests: Sequence[int | str], width_inches: float = 7.0
) -> Figure:
    """Draw accuracy beyond the training length, at the largest budget of each curve.

    Parameters
    ----------
    longer : DataFrame
        One row per replicate, test length and reading.
    tests : sequence of int or str
        The lengths of ``evaluation.test_lengths``.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        One panel per task, test and reading. Small marks are seeds, each at the learning rate with the
        best validation accuracy (never chosen by what is shown); lines join the medians over seeds. A
        seed without a measured accuracy is a cross at the bottom.
    """
    looks = model_looks(longer["model"])
    chosen = chosen_networks(longer)
    values = chosen["above_chance"]
    bottom = min(-0.1, float(values.min()) - 0.08) if values.notna().any() else -0.1
    shown = list(_panels(chosen, tests))
    if not shown:
        return say_nothing("no test length is beyond that of training", width_inches)

    handles = _legend_handles(looks, bool(values.isna().any()))
    figure, panels = wrap_panels(
        len(shown), 3, width_inches, 2.1, extra_inches=legend_inches(handles, width_inches)
    )
    slot, _ = length_slot(longer["length"], len(looks), width_inches / min(3, len(shown)))
    shift = chosen["model"].map(model_shifts(list(looks), slot)).astype(float)
    x = chosen["length"] * np.exp(shift)
    for panel, (title, rows) in zip(panels, shown, strict=True):
        rows = rows.assign(x=x[rows.index])
        for height in (0, 1):
            panel.axhline(height, color=INK, linewidth=0.5, zorder=0)
        for model, look in looks.items():
            _draw_model(panel, rows[rows["model"] == model], look, bottom)
        panel.set_ylim(bottom, 1.06)
        set_length_axis(panel, longer["length"])
        panel.set_title(title, loc="left")
    label_outer(panels, "training length n", "accuracy beyond n\n(chance = 0, perfect = 1)")
    add_legend(figure, handles, "lower")
    return figure


def _panels(chosen: pd.DataFrame, tests: Sequence[int | str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield title and rows of each task, test and reading that there is."""
    for (task, reading), rows in chosen.groupby(["task", "reading"], sort=False):
        for test in tests:
            part = rows[rows["test_length"] == lengths_of_test(test, rows["length"])]
            if len(part):
                read = "" if reading == SYMBOLS else f", {READINGS[reading]}"
                title = task_title(task, rows["n_states"])
                yield f"{title}, {name_of_test(test)}{read}", part


def _draw_model(panel: Axes, rows: pd.DataFrame, look: Look, bottom: float) -> None:
    measured = rows.dropna(subset="above_chance")
    y = measured["above_chance"]
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
    missing = rows.loc[rows["above_chance"].isna(), "x"]
    panel.plot(
        missing,
        [bottom + 0.03] * len(missing),
        marker="x",
        markersize=4,
        linestyle="none",
        color=look.colour,
    )


def _legend_handles(looks: dict[str, Look], has_missing: bool) -> list[Line2D]:
    handles = [look_handle(model, look, 4, markerfacecolor="none") for model, look in looks.items()]
    if has_missing:
        handles.append(mark_handle("a seed without accuracy", marker="x", markersize=4, color=INK))
    return handles
