"""Growth: how sharpness, the share of runs that learn and their convergence change with length."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nstar.report.axes import add_legend, label_inches, legend_inches, model_shifts, write_note
from nstar.report.style import FAINT, INK, Look, styled
from nstar.subjects.functions.figures.runs import (
    draw_runs,
    learnt_handles,
    set_log_values,
    task_handles,
    task_looks,
)
from nstar.subjects.functions.selection import settled_rows, with_sharpness
from nstar.tables.selection import REPLICATE

_SLOT_POINTS = 6  # most room that the runs of one task take beside a length
_MARGIN_INCHES = 0.5  # width of a panel taken by its labels
_MOST_TICKS = 6


@dataclass(frozen=True)
class _Column:
    """One column of panels.

    Attributes
    ----------
    title : str
        Heading.
    rows : DataFrame
        Runs with their value `y`.
    moment : str
        Of the regressions drawn over sharpness; "" for other quantities.
    centre : str
        What is joined by lines: "mean" or "median".
    missing : str
        Note in a panel without a value.
    """

    title: str
    rows: pd.DataFrame
    moment: str
    centre: str
    missing: str


@styled
def draw_growth(
    measures: pd.DataFrame,
    sharpness: pd.DataFrame,
    regressions: pd.DataFrame,
    settled_steps: int,
    width_inches: float = 7.0,
) -> Figure:
    """Draw sharpness against length, beside how many runs learnt and when they converged.

    Parameters
    ----------
    measures, sharpness, regressions : DataFrame
        The tables of these names, of one stratum.
    settled_steps : int
        Steps after convergence at which runs are compared, see `settled_rows`.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        Models are rows. Columns, where there are values for any model: sharpness at the end of
        training; sharpness some steps after convergence; the share of runs that learnt; the step of
        convergence. Small marks are runs, hollow where they did not learn. Lines join the means of
        the runs that learnt (medians for convergence), thin straight ones are fitted.
    """
    measured, name = with_sharpness(measures, sharpness)
    models, looks = list(dict.fromkeys(measures["model"])), task_looks(measures)
    columns = _columns(measured, settled_steps)
    fits = regressions[(regressions["regression"] == "growth") & (regressions["quantity"] == name)]
    handles = task_handles(looks, lines=True) + learnt_handles(measures["learnt"])
    if measures["learnt"].any():
        handles.append(Line2D([], [], label="mean of runs that learnt", color=INK))
    if fits["identified"].any():
        handles.append(Line2D([], [], label="straight line fitted", color=INK, linewidth=0.6))
    row_inches = max(1.6, label_inches(models))
    figure = Figure(
        figsize=(
            width_inches,
            len(models) * row_inches + 0.6 + legend_inches(handles, width_inches),
        ),
        layout="constrained",
    )
    panels = figure.subplots(len(models), len(columns), sharex=True, squeeze=False)
    shifts = _shifts(measures["length"], list(looks), width_inches / len(columns))
    for row, model in zip(panels, models, strict=True):
        for panel, column in zip(row, columns, strict=True):
            rows = column.rows[column.rows["model"] == model]
            of_fit = fits[(fits["model"] == model) & (fits["moment"] == column.moment)]
            _draw(panel, rows, column, of_fit, looks, shifts)
        row[0].set_ylabel(model)
        _share_sharpness(row, columns)
    _set_axes(panels, columns, measures["length"])
    add_legend(figure, handles, "lower")
    return figure


def _columns(measured: pd.DataFrame, settled_steps: int) -> list[_Column]:
    """Return the columns for which some model has a value; the share of runs that learnt always."""
    final = measured[measured["final"]]
    settled = settled_rows(measured, settled_steps)
    runs = measured.drop_duplicates(REPLICATE)
    end = f"{settled_steps} to {2 * settled_steps} steps\nafter convergence"
    shares = runs.groupby(["model", "task", "length"], sort=False)["learnt"].mean()
    converged = runs["converged_at"].astype("Float64").astype(float)
    columns = [
        _Column(
            "sharpness\nat the end of training",
            final.assign(y=final["sharpness"]),
            *("final", "mean", "no sharpness measured"),
        ),
        _Column(
            f"sharpness\n{end}",
            settled.assign(y=settled["sharpness"]),
            *("settled", "mean", "not measured then"),
        ),
        _Column(
            "share of runs\nthat learnt",
            shares.rename("y").reset_index().assign(learnt=True),
            *("", "mean", ""),
        ),
        _Column(
            "convergence,\nsteps",
            runs.assign(y=converged.clip(lower=1)),  # the axis is logarithmic
            *("", "median", "no run converged"),
        ),
    ]
    return [column for column in columns if column.rows["y"].notna().any()]


def _shifts(lengths: Iterable[int], tasks: list[str], panel_inches: float) -> dict[str, float]:
    """Return how far the runs of each task stand beside their length, in symbols."""
    ordered = np.unique(np.fromiter(lengths, dtype=float))
    gap = np.diff(ordered).min() if len(ordered) > 1 else 1.0
    points_per_symbol = 72 * (panel_inches - _MARGIN_INCHES) / (np.ptp(ordered) + 1.2 * gap)
    return model_shifts(tasks, min(0.8 * gap / len(tasks), _SLOT_POINTS / points_per_symbol))


def _draw(
    panel: Axes,
    rows: pd.DataFrame,
    column: _Column,
    fits: pd.DataFrame,
    looks: Mapping[str, Look],
    shifts: Mapping[str, float],
) -> None:
    """Draw one panel: runs, what joins their centres, and the fitted straight lines."""
    for task, look in looks.items():
        of_task = rows[rows["task"] == task]
        of_task = of_task.assign(x=of_task["length"] + shifts[task]).dropna(subset="y")
        draw_runs(panel, of_task, look)
        learnt = of_task[of_task["learnt"]]
        centres = learnt.groupby("x")["y"].agg(column.centre)
        panel.plot(centres.index, centres, color=look.colour, linestyle=look.line, zorder=3)
        _draw_fit(panel, fits[fits["task"] == task], learnt["length"], look)
    if rows["y"].isna().all():
        write_note(panel, column.missing)
    elif column.moment != "" and not rows.loc[rows["y"].notna(), "learnt"].any():
        panel.margins(y=0.2)  # room for the note above the marks
        panel.text(0.5, 1, "no run learnt", transform=panel.transAxes, ha="center", va="top")


def _draw_fit(panel: Axes, fit: pd.DataFrame, lengths: pd.Series, look: Look) -> None:
    """Draw the straight line of a regression over the lengths that were learnt, if it has one."""
    estimates = fit[fit["identified"]].set_index("coefficient")["estimate"]
    if {"intercept", "n"} <= set(estimates.index) and len(lengths):
        ends = np.array([lengths.min(), lengths.max()])
        line = estimates["intercept"] + estimates["n"] * ends
        panel.plot(ends, line, color=look.colour, linewidth=0.6, zorder=1)


def _share_sharpness(row: np.ndarray, columns: list[_Column]) -> None:
    """Put the panels of sharpness of one model on the same axis, from 0 where that is near."""
    of_sharpness = [
        panel for panel, column in zip(row, columns, strict=True) if column.moment != ""
    ]
    for panel in of_sharpness[1:]:
        panel.sharey(of_sharpness[0])
    if of_sharpness:
        of_sharpness[0].set_ylim(bottom=min(0.0, of_sharpness[0].get_ylim()[0]))


def _set_axes(panels: np.ndarray, columns: list[_Column], lengths: pd.Series) -> None:
    ordered = sorted(set(lengths))
    room = 0.6 * (np.diff(ordered).min() if len(ordered) > 1 else 1)
    for j, column in enumerate(columns):
        panels[0, j].set_title(column.title, loc="left")
        panels[-1, j].set_xlabel("length n")
        for panel in panels[:, j]:
            panel.set_xlim(ordered[0] - room, ordered[-1] + room)
            panel.set_xticks(ordered[:: math.ceil(len(ordered) / _MOST_TICKS)])
            panel.grid(axis="y", color=FAINT, linewidth=0.5)
            panel.set_axisbelow(True)
            if column.centre == "median":
                set_log_values(panel, "y", column.rows["y"])
            elif column.moment == "":
                panel.set(ylim=(-0.06, 1.06), yticks=(0, 0.5, 1))
