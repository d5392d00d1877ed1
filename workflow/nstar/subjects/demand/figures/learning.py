"""Accuracy: how what is learnt grows with the training set."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nstar.report.axes import mark_handle
from nstar.report.marks import look_handle
from nstar.report.style import INK, Look, length_looks, styled
from nstar.subjects.axis import BUDGET, Axis
from nstar.subjects.demand.figures.panels import length_shifts, make_budget_panels
from nstar.subjects.demand.selection import accuracy_by_seed


@styled
def draw_accuracy(cells: pd.DataFrame, width_inches: float = 7.0, *, axis: Axis = BUDGET) -> Figure:
    """Draw the best validation sequence accuracy against budget.

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
        Models are rows, tasks columns, lengths lines: the median over seeds of the best over
        learning rates, with bars from the worst to the best seed. A seed that has no accuracy at
        any learning rate is left out and marked by a cross at the bottom.
    """
    looks = length_looks(cells["length"])
    shifts = length_shifts(list(looks))
    by_seed = accuracy_by_seed(cells)
    has_missing = bool(by_seed["accuracy"].isna().any())
    handles = _legend_handles(looks, has_missing, cells["seed"].nunique() > 1)
    row_inches = 1.5 if cells["model"].nunique() > 1 else 2.2
    figure, panels = make_budget_panels(
        cells, handles, width_inches, row_inches, "best validation sequence accuracy", axis
    )
    for panel, model, task in panels:
        rows = by_seed[(by_seed["model"] == model) & (by_seed["task"] == task)]
        for length, look in looks.items():
            _draw_length(panel, rows[rows["length"] == length], look, shifts[length])
        panel.set(ylim=(-0.06, 1.06), yticks=(0, 0.5, 1))
    return figure


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
    handles = [look_handle(f"n = {length}", look, 4) for length, look in looks.items()]
    if has_seeds:
        handles.append(
            mark_handle("worst to best seed", marker="|", markersize=9, markeredgewidth=0.8)
        )
    if has_missing:
        handles.append(mark_handle("a seed without accuracy", marker="x", markersize=4))
    return handles
