"""Learning curves: how the loss falls with the training set, and the law fitted to it."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nstar.report.axes import fix_ticks, mark_handle, round_ticks
from nstar.report.marks import look_handle
from nstar.report.style import INK, Look, length_looks, styled
from nstar.report.text import show_interval
from nstar.subjects.axis import BUDGET, Axis
from nstar.subjects.demand.figures.panels import length_shifts, make_budget_panels
from nstar.subjects.demand.learning_curves import best_by_seed, is_usable
from nstar.tables.selection import CURVE_PLACE

_PANEL_INCHES = 2.0
_BELOW_MEDIANS = (
    30  # how far below the lowest median, as a factor, a loss is still drawn in its place
)
_MOST_NOTES = 6  # exponents written into a panel
_LINE_POINTS = 8  # between two of them
_CEILING = {"color": INK, "linestyle": (0, (1, 2)), "linewidth": 0.8}


@styled
def draw_learning_curves(
    cells: pd.DataFrame,
    curves: pd.DataFrame,
    exponents: pd.DataFrame,
    width_inches: float = 7.0,
    *,
    axis: Axis = BUDGET,
) -> Figure:
    """Draw the best validation loss against the budget, both logarithmic.

    Parameters
    ----------
    cells : DataFrame
        One row per cell and replicate.
    curves, exponents : DataFrame
        The tables of learning curves and of their exponents, for the same cells.
    width_inches : float, optional
        Width of the figure.
    axis : Axis, optional
        What demand is sought of; its words are those of the figure.

    Returns
    -------
    Figure
        Models are rows, tasks columns, lengths colours: a small mark for each seed, the best over
        learning rates, hollow where a run ended at its first success; a line through the medians; dashed
        the fitted law, with its exponent and interval in words; dotted the loss of guessing.
    """
    curves, exponents = (table[table["measure"] == "loss"] for table in (curves, exponents))
    runs = best_by_seed(cells).merge(curves[[*CURVE_PLACE, "budget", "n_stopped"]])
    runs["stopped"] = runs["learnt"] & (runs["n_stopped"] > 0)
    lowest, highest = _span(runs, curves)
    looks = length_looks(cells["length"])
    shifts = length_shifts(list(looks))
    figure, panels = make_budget_panels(
        cells,
        _legend_handles(looks, runs, curves, exponents),
        width_inches,
        _PANEL_INCHES,
        "best validation loss",
        axis,
    )
    runs["loss"], curves["median"] = (
        table.clip(lower=lowest) for table in (runs["loss"], curves["median"])
    )
    notes = [_notes(exponents, looks, model, task) for _, model, task in panels]
    strip = _LINE_POINTS * (max(map(len, notes)) + 1) / (72 * (_PANEL_INCHES - 0.4))
    span = np.log(1.5 * highest / (0.8 * lowest)) / (1 - strip)
    for (panel, model, task), panel_notes in zip(panels, notes, strict=True):
        own = [
            table[(table["model"] == model) & (table["task"] == task)]
            for table in (runs, curves, exponents)
        ]
        panel.set(yscale="log", ylim=(1.5 * highest * np.exp(-span), 1.5 * highest))
        fix_ticks(panel.yaxis, round_ticks(lowest, highest, most=5))
        for chance in own[1]["chance"].dropna().unique():
            panel.axhline(chance, zorder=1, **_CEILING)
        for length, look in looks.items():
            parts = [table[table["length"] == length] for table in own]
            _draw_length(panel, *parts, look, shifts[length])
        _write_notes(panel, panel_notes)
    return figure


def _span(runs: pd.DataFrame, curves: pd.DataFrame) -> tuple[float, float]:
    """Return the lowest and the highest loss that are drawn in their place."""
    shown = pd.concat([runs["loss"], curves["chance"]])
    shown, medians = (values[values > 0] for values in (shown, curves["median"]))
    if not len(shown):
        return 0.1, 1.0
    lowest = max(shown.min(), medians.min() / _BELOW_MEDIANS) if len(medians) else shown.min()
    return float(lowest), float(shown.max())


def _draw_length(
    panel: Axes,
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    exponents: pd.DataFrame,
    look: Look,
    shift: float,
) -> None:
    """Draw seeds, medians and the law of one length."""
    mark = {"linestyle": "none", "marker": look.marker, "markersize": 3, "markeredgewidth": 0.6}
    for stopped, seeds in runs.dropna(subset="loss").groupby("stopped"):
        face = "white" if stopped else look.colour
        x, y = seeds["budget"] * shift, seeds["loss"]
        panel.plot(x, y, color=look.colour, markerfacecolor=face, alpha=0.7, **mark)
    panel.plot(curves["budget"] * shift, curves["median"], color=look.colour, linewidth=1.0)
    missing = runs.loc[runs["loss"].isna(), "budget"] * shift
    at_bottom = [0.04] * len(missing)
    panel.plot(
        missing,
        at_bottom,
        color=INK,
        marker="x",
        linestyle="none",
        markersize=4,
        transform=panel.get_xaxis_transform(),
    )
    for row in exponents[exponents["identified"] & exponents["converged"]].itertuples():
        used = curves.loc[is_usable(curves), "budget"]
        budgets = np.geomspace(used.min(), used.max(), 60)
        left = 1 / (1 + (budgets / row.midpoint) ** row.estimate)
        law = row.floor + (row.chance - row.floor) * left
        panel.plot(budgets, law, color=look.colour, linestyle=(0, (5, 2)), linewidth=0.9)


def _notes(
    exponents: pd.DataFrame, looks: dict[int, Look], model: str, task: str
) -> list[tuple[str, str | tuple]]:
    """Return the exponents of a panel in words, each with its colour."""
    own = exponents[(exponents["model"] == model) & (exponents["task"] == task)]
    notes = [
        (f"n = {row.length}: b = {_in_words(row)}", looks[row.length].colour)
        for row in own[own["identified"] & own["converged"]].itertuples()
    ]
    if len(notes) > _MOST_NOTES:
        rest = len(notes) - _MOST_NOTES + 1
        notes[_MOST_NOTES - 1 :] = [(f"{rest} more in learning_exponents.csv", INK)]
    return notes or [("no exponent", INK)]


def _in_words(row) -> str:
    return show_interval(row) if np.isfinite(row.lower) else f"{row.estimate:.2f}, no interval"


def _write_notes(panel: Axes, notes: list[tuple[str, str | tuple]]) -> None:
    """Write the notes of a panel into the strip below its data."""
    for k, (note, colour) in enumerate(reversed(notes)):
        panel.annotate(
            note,
            (0, 0),
            (4, 4 + _LINE_POINTS * k),
            xycoords="axes fraction",
            textcoords="offset points",
            color=colour,
            fontsize=6,
        )


def _legend_handles(
    looks: dict[int, Look], runs: pd.DataFrame, curves: pd.DataFrame, exponents: pd.DataFrame
) -> list[Line2D]:
    handles = [look_handle(f"n = {length}", look, 4) for length, look in looks.items()]
    handles.append(Line2D([], [], label="median of seeds", color=INK, linewidth=1.0))
    if runs["stopped"].any():
        hollow = {"markerfacecolor": "white", "markeredgewidth": 0.6}
        handles.append(mark_handle("ended at success", marker="o", markersize=4, **hollow))
    if runs["loss"].isna().any():
        handles.append(mark_handle("a seed without loss", marker="x", markersize=4))
    if (exponents["identified"] & exponents["converged"]).any():
        handles.append(Line2D([], [], label="fitted law", color=INK, linestyle=(0, (5, 2))))
    if curves["chance"].notna().any():
        handles.append(Line2D([], [], label="guessing", **_CEILING))
    return handles
