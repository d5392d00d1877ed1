"""Demand: how N*, or the least value on another axis, grows with sequence length."""

import math
from collections.abc import Mapping

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
    set_log_ticks,
    task_title,
    wrap_panels,
)
from nstar.report.marks import draw_marks, look_handle, meaning_handles
from nstar.report.style import INK, Look, model_looks, styled
from nstar.subjects.axis import BUDGET, Axis
from nstar.subjects.demand.selection import of_task

_MOST_SEED_BARS = 9  # per length in a panel; more would hide each other


@styled
def draw_demand(
    thresholds: pd.DataFrame,
    exponents: pd.DataFrame,
    demand: pd.DataFrame,
    width_inches: float = 7.0,
    *,
    axis: Axis = BUDGET,
) -> Figure:
    """Draw N* against length, one panel per task, with the fitted power laws.

    Parameters
    ----------
    thresholds : DataFrame
        One row per curve and rule ("any" replicate, or one "seed").
    exponents : DataFrame
        Fitted coefficients; a law is drawn where the fit is identified and has converged.
    demand : DataFrame
        One row per curve: the budget at which half of its seeds learn, with its interval.
    width_inches : float, optional
        Width of the figure.
    axis : Axis, optional
        What demand is sought of; its words are those of the figure.

    Returns
    -------
    Figure
        Large marks are N* of any replicate, small ones N* of single seeds, dashes with a bar the
        budget at which half of the seeds learn, which the laws are fitted to; all beside their
        length so that they do not hide each other. Hollow marks with an arrow are censored.
    """
    looks = model_looks(thresholds["model"])
    tasks = list(dict.fromkeys(thresholds["task"]))
    laws = {task: fitted_laws(of_task(exponents, task)) for task in tasks}
    with_law = set().union(*laws.values())
    most_columns = 3 if len(looks) <= 3 else 2 if len(looks) <= 5 else 1
    models = [_model_handle(model, look, model in with_law) for model, look in looks.items()]
    meanings = meaning_handles(
        thresholds,
        symbol=axis.symbol,
        letter=axis.letter,
        value=axis.value,
        resource=axis.resource,
    )
    known = demand[demand["censoring"] == "interval"]
    if len(known):
        dash = {"marker": "_", "markersize": 7, "markeredgewidth": 1.6}
        meanings.append(mark_handle("half of the seeds learn, interval", **dash))
    if with_law:
        meanings.append(Line2D([], [], label="power law fitted to the seeds", color=INK))
    figure, panels = wrap_panels(
        len(tasks),
        most_columns,
        width_inches,
        row_inches=2.5,
        extra_inches=legend_inches(models, width_inches) + legend_inches(meanings, width_inches),
    )

    panel_inches = width_inches / min(len(tasks), most_columns)
    slot, slot_points = length_slot(thresholds["length"], len(looks), panel_inches)
    shifts = model_shifts(list(looks), slot)
    marks = _place(thresholds, shifts, slot)
    sizes = {"seed": np.clip(0.25 * slot_points, 2, 3.2), "any": np.clip(0.5 * slot_points, 3.6, 6)}
    seed_bars = len(looks) * thresholds["seed"].nunique() <= _MOST_SEED_BARS
    for panel, task in zip(panels, tasks, strict=True):
        rows = marks[marks["task"] == task]
        for model, look in looks.items():
            curves = rows[rows["model"] == model]
            for rule, size in sizes.items():
                of_rule = curves[curves["rule"] == rule]
                draw_marks(panel, of_rule, look, size, bars=rule == "any" or seed_bars)
            of_model = known[(known["model"] == model) & (known["task"] == task)]
            _draw_halves(panel, of_model, shifts[model] - 0.16 * slot, look)
            if model in laws[task]:
                _draw_law(panel, curves, laws[task][model], look)
        panel.set_title(task_title(task, rows["n_states"]), loc="left")
    _set_axes(panels, marks, axis)
    add_legend(figure, models, "upper")
    add_legend(figure, meanings, "lower")
    return figure


def fitted_laws(exponents: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return the coefficients a ("intercept"), alpha ("length") and beta ("n_states") by model.

    Models whose fit is not identified or has not converged are left out.
    """
    usable = exponents[
        (exponents["kind"] == "exponent") & exponents["identified"] & exponents["converged"]
    ]
    laws = {
        model: dict(zip(rows["quantity"], rows["estimate"], strict=True))
        for model, rows in usable.groupby("model", sort=False)
    }
    return {model: law for model, law in laws.items() if {"intercept", "length"} <= set(law)}


def _place(thresholds: pd.DataFrame, shifts: Mapping[str, float], slot: float) -> pd.DataFrame:
    """Return the table with `x`, the length moved aside in its model's slot, and the bound `y`."""
    shift = thresholds["model"].map(shifts).astype(float)
    seeds = sorted(thresholds["seed"].dropna().unique())
    places = np.linspace(0.04, 0.4, len(seeds)) if len(seeds) > 1 else [0.2] * len(seeds)
    inside = thresholds["seed"].map(dict(zip(seeds, places, strict=True)), na_action="ignore")
    inside = inside.astype(float).fillna(-0.4 if seeds else 0.0) * slot
    y = thresholds["n_star"].where(thresholds["censoring"] != "right", thresholds["lower"])
    return thresholds.assign(x=thresholds["length"] * np.exp(shift + inside), y=y)


def _draw_halves(panel: Axes, rows: pd.DataFrame, shift: float, look: Look) -> None:
    """Draw the budget at which half of the seeds learn, with its interval."""
    x = rows["length"] * np.exp(shift)
    panel.vlines(x, rows["lower"], rows["upper"], colors=[look.colour], linewidth=0.8, alpha=0.6)
    dash = {"marker": "_", "markersize": 6, "markeredgewidth": 1.6, "linestyle": "none"}
    panel.plot(x, rows["estimate"], color=look.colour, zorder=3, **dash)


def _draw_law(panel: Axes, rows: pd.DataFrame, law: Mapping[str, float], look: Look) -> None:
    """Draw ``exp(a) n^alpha m^beta`` over the lengths of one model on one task."""
    if rows.empty:
        return
    lengths = np.geomspace(rows["length"].min(), rows["length"].max(), 50)
    log_demand = law["intercept"] + law["length"] * np.log(lengths)
    log_demand += law.get("n_states", 0.0) * math.log(rows["n_states"].iloc[0])
    panel.plot(lengths, np.exp(log_demand), color=look.colour, linestyle=look.line, zorder=2)


def _set_axes(panels: list[Axes], marks: pd.DataFrame, axis: Axis) -> None:
    budgets = pd.concat([marks["y"], marks["lower"], marks["upper"]])
    budgets = budgets[np.isfinite(budgets) & (budgets > 0)]
    if budgets.empty:  # every threshold is unknown
        budgets = pd.Series([1.0, 10.0])
    for panel in panels:
        set_length_axis(panel, marks["length"])
        panel.set(yscale="log", ylim=(budgets.min() / 2.2, budgets.max() * 2.2))
        set_log_ticks(panel.yaxis, budgets, most=7)
    label_outer(panels, "sequence length n", f"{axis.symbol}, {axis.unit}")


def _model_handle(model: str, look: Look, has_law: bool) -> Line2D:
    return look_handle(model, look, 5, linestyle=look.line if has_law else "none")
