"""Dynamics: what is measured of networks before and after they converge."""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from nstar.report.axes import add_legend, legend_inches, say_nothing, write_note
from nstar.report.style import FAINT, INK, Look, styled
from nstar.subjects.functions.figures.runs import fullest_length, set_log_values, task_looks
from nstar.subjects.functions.selection import with_sharpness
from nstar.tables.selection import REPLICATE

_MARGIN_INCHES = 0.7  # width of the labels left of the panels
_X_LABEL_INCHES = 1.6  # narrower panels do not all have a label
_CHARACTER_INCHES = 0.075  # mean width of a character of a heading
_QUANTITIES = {
    "loss": ("loss", True),
    "sharpness": ("sharpness", False),
    "plain_blowup": ("plain blow-up", True),
    "parameter_norm": ("parameter norm", False),
    "average_sensitivity": ("average\nsensitivity", False),
}
"""Label of each row, and whether its axis is logarithmic."""


@styled
def draw_dynamics(
    measures: pd.DataFrame, sharpness: pd.DataFrame, width_inches: float = 7.0
) -> Figure:
    """Draw what is measured against the steps since convergence.

    Parameters
    ----------
    measures, sharpness : DataFrame
        The tables of these names, of one stratum.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        Models are columns, each at the longest of the lengths at which most tasks have replicates
        that converged; quantities with a value are rows. Thin lines are replicates, thick ones their
        medians, see `median_course`. Replicates that did not converge have no place on the axis.
        A note alone where no replicate that converged was measured at more than one step.
    """
    looks = task_looks(measures)
    models = list(dict.fromkeys(measures["model"]))
    courses = _courses(with_sharpness(measures, sharpness)[0])
    if courses.empty:
        text = "no replicate that converged was measured at more than one step"
        return say_nothing(text, width_inches)
    shown = {model: _at_one_length(courses[courses["model"] == model]) for model in models}
    of_all = pd.concat(shown.values())
    quantities = [name for name in _QUANTITIES if of_all[name].notna().any()]
    handles = _legend_handles(looks, of_all)
    panel_inches = (width_inches - _MARGIN_INCHES) / len(models)
    headings = [_heading(model, shown[model]["length"], panel_inches) for model in models]
    n_lines = max(heading.count("\n") + 1 for heading in headings)
    height_inches = 1.15 * len(quantities) + 0.4 + 0.16 * n_lines
    height_inches += legend_inches(handles, width_inches)
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    panels = figure.subplots(len(quantities), len(models), sharex=True, sharey="row", squeeze=False)
    for row, name in zip(panels, quantities, strict=True):
        label, logarithmic = _QUANTITIES[name]
        values = of_all[name].where(of_all[name] > 0) if logarithmic else of_all[name]
        row[0].set_ylabel(label)
        for panel, model in zip(row, models, strict=True):
            rows = shown[model].assign(y=values[shown[model].index]).dropna(subset="y")
            for task, look in looks.items():
                _draw_task(panel, rows[rows["task"] == task], look)
            if rows.empty:
                write_note(panel, "not\nmeasured" if len(shown[model]) else "none\nconverged")
            panel.axvline(0, color=INK, linewidth=0.5, zorder=0)
            panel.grid(axis="y", color=FAINT, linewidth=0.5)
            panel.set_axisbelow(True)
            if logarithmic:
                set_log_values(panel, "y", values)
    for heading, top, bottom in zip(headings, panels[0], panels[-1], strict=True):
        top.set_title(heading, loc="left")
        bottom.xaxis.set_major_locator(MaxNLocator(max(2, round(2 * panel_inches))))
        if panel_inches > _X_LABEL_INCHES or bottom is panels[-1, len(models) // 2]:
            bottom.set_xlabel("steps since convergence")
    add_legend(figure, handles, "lower")
    return figure


def median_course(rows: pd.DataFrame) -> pd.Series:
    """Return the median over replicates of `y` by steps `since` convergence.

    Parameters
    ----------
    rows : DataFrame
        Measured steps of the replicates of one task, at one length.

    Returns
    -------
    Series
        By steps since convergence, rounded to the distance of two measured steps, since replicates
        converge between them. Only where at least half of the replicates were measured: else the
        line would jump where replicates come and go.
    """
    steps = np.sort(rows["step"].unique())
    distance = np.diff(steps).min() if len(steps) > 1 else 1
    places = (rows["since"] / distance).round() * distance
    grouped = rows.groupby(places)["y"]
    least = math.ceil(len(rows.drop_duplicates(REPLICATE)) / 2)
    return grouped.median()[grouped.count() >= least]


def _courses(measured: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of replicates that converged and were measured at several steps, in order."""
    converged = measured.dropna(subset="converged_at").sort_values("step").reset_index(drop=True)
    converged = converged.assign(
        since=(converged["step"] - converged["converged_at"]).astype(float)
    )
    several = converged.groupby(REPLICATE)["step"].transform("nunique") > 1
    return converged[several].dropna(subset=list(_QUANTITIES), how="all")


def _at_one_length(courses: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the longest of the lengths that have most tasks; none of none."""
    return courses[courses["length"] == fullest_length(courses)] if len(courses) else courses


def _heading(model: str, lengths: pd.Series, panel_inches: float) -> str:
    """Return the name of a model with the length that is shown, in lines that fit a panel."""
    length = f"n = {lengths.iloc[0]}" if len(lengths) else ""
    n_characters = max(8, int(panel_inches / _CHARACTER_INCHES))
    heading = ", ".join(filter(None, [model, length]))
    if len(heading) <= n_characters:
        return heading
    return "\n".join(filter(None, [textwrap.fill(model, n_characters), length]))


def _draw_task(panel: Axes, rows: pd.DataFrame, look: Look) -> None:
    for _, course in rows.groupby(REPLICATE):
        thin = {"color": look.colour, "linewidth": 0.5, "alpha": 0.35, "zorder": 1}
        panel.plot(course["since"], course["y"], **thin)
    if rows.drop_duplicates(REPLICATE).shape[0]:
        medians = median_course(rows)
        thick = {"color": look.colour, "linestyle": look.line, "linewidth": 1.6, "zorder": 2}
        panel.plot(medians.index, medians, **thick)


def _legend_handles(looks: dict[str, Look], shown: pd.DataFrame) -> list[Line2D]:
    handles = [
        Line2D([], [], label=task, color=look.colour, linestyle=look.line, linewidth=1.6)
        for task, look in looks.items()
        if task in set(shown["task"])
    ]
    handles.append(Line2D([], [], label="median of the runs", color=INK, linewidth=1.6))
    handles.append(Line2D([], [], label="one run", color=INK, linewidth=0.5, alpha=0.6))
    return handles
