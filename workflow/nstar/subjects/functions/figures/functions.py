"""Final networks as functions: norm and blow-up, sharpness and sensitivity, degree profiles."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from nstar.report.axes import (
    add_legend,
    label_inches,
    label_outer,
    legend_inches,
    make_panels,
    mark_handle,
    model_shifts,
    say_nothing,
    wrap_panels,
    write_note,
)
from nstar.report.style import FAINT, INK, Look, model_looks, styled
from nstar.subjects.functions.figures.runs import (
    draw_runs,
    fullest_length,
    learnt_handles,
    set_log_values,
    spread_evenly,
    task_handles,
    task_looks,
)
from nstar.subjects.functions.selection import with_sharpness

_MOST_LENGTHS = 4


@styled
def draw_tradeoff(measures: pd.DataFrame, width_inches: float = 7.0) -> Figure:
    """Draw the parameter norm against the plain LayerNorm blow-up, at the end of training.

    Parameters
    ----------
    measures : DataFrame
        The table of this name, of one stratum.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        Models with LayerNorms are rows, at most four lengths columns; marks are runs, hollow where
        they did not learn. A note alone where no network has a blow-up.
    """
    final = measures[measures["final"]]
    final = final.assign(x=final["plain_blowup"], y=final["parameter_norm"])
    rows = final[np.isfinite(final["x"]) & (final["x"] > 0)]
    if rows.empty:
        return say_nothing("no blow-up was measured at the end of training", width_inches)
    looks = task_looks(measures)
    models = list(dict.fromkeys(rows["model"]))
    lengths = spread_evenly(rows["length"], _MOST_LENGTHS)
    shown = rows[rows["length"].isin(lengths)]
    handles = task_handles(looks, lines=False) + learnt_handles(shown["learnt"])
    figure, panels = make_panels(
        len(models),
        len(lengths),
        width_inches,
        row_inches=max(1.8, label_inches(models)),
        extra_inches=0.5 + legend_inches(handles, width_inches),
    )
    for i, model in enumerate(models):
        for j, length in enumerate(lengths):
            of_panel = shown[(shown["model"] == model) & (shown["length"] == length)]
            _draw_tasks(panels[i, j], of_panel, looks)
            if of_panel.empty:
                write_note(panels[i, j], "no blow-up\nmeasured")
            set_log_values(panels[i, j], "x", shown["x"])
            panels[i, j].grid(axis="y", color=FAINT, linewidth=0.5)
        panels[i, 0].set_ylabel(model)
    for j, length in enumerate(lengths):
        panels[0, j].set_title(f"n = {length}", loc="left")
        panels[-1, j].set_xlabel("plain blow-up")
    figure.supylabel("parameter norm", fontsize=8)
    add_legend(figure, handles, "lower")
    return figure


@styled
def draw_sensitivity(
    measures: pd.DataFrame,
    sharpness: pd.DataFrame,
    regressions: pd.DataFrame,
    width_inches: float = 7.0,
) -> Figure:
    """Draw sharpness against average sensitivity, at the end of training.

    Parameters
    ----------
    measures, sharpness, regressions : DataFrame
        The tables of these names, of one stratum.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        One panel per model, at the longest of the lengths that have most tasks; marks are runs,
        hollow where they did not learn. The line is the regression `sensitivity` at this length, its
        correlation r stands above the panel. A note alone where nothing was measured.
    """
    measured, name = with_sharpness(measures, sharpness)
    final = measured[measured["final"]]
    final = final.assign(x=final["average_sensitivity"], y=final["sharpness"])
    rows = final.dropna(subset=["x", "y"])
    if rows.empty:
        text = "sharpness and average sensitivity were not both measured at the end of training"
        return say_nothing(text, width_inches)
    models, looks = list(dict.fromkeys(rows["model"])), task_looks(measures)
    lengths = {model: fullest_length(rows[rows["model"] == model]) for model in models}
    shown = rows[rows["length"] == rows["model"].map(lengths)]
    fits = regressions[
        (regressions["regression"] == "sensitivity")
        & (regressions["moment"] == "final")
        & (regressions["quantity"] == name)
        & regressions["identified"]
        & regressions["length"].eq(regressions["model"].map(lengths)).fillna(False)
    ]
    handles = task_handles(looks, lines=False) + learnt_handles(shown["learnt"])
    if len(fits):
        handles.append(Line2D([], [], label="straight line fitted", color=INK, linewidth=0.8))
    figure, panels = wrap_panels(
        len(models), 3, width_inches, 2.1, extra_inches=0.2 + legend_inches(handles, width_inches)
    )
    for panel, model in zip(panels, models, strict=True):
        of_model = shown[shown["model"] == model]
        _draw_tasks(panel, of_model, looks)
        fitted = of_model.loc[of_model["learnt"], "x"]
        r = _draw_fit(panel, fits[fits["model"] == model], fitted)
        title = f"{model}, n = {lengths[model]}"
        panel.set_title(title if np.isnan(r) else f"{title}, r = {r:.2f}", loc="left")
        panel.grid(axis="y", color=FAINT, linewidth=0.5)
    label_outer(panels, "average sensitivity of the network", "sharpness")
    add_legend(figure, handles, "lower")
    return figure


@styled
def draw_degrees(degrees: pd.DataFrame, width_inches: float = 7.0) -> Figure:
    """Draw how much of the mean square of final networks lies at each degree, beside their target.

    Parameters
    ----------
    degrees : DataFrame
        The table of this name, of one stratum; it may have no rows.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        One panel per task, at the longest length with a profile. Marks are medians over the runs of a
        model, bars reach from the least to the greatest; outlines are the function they were taught.
        A note alone where there is no profile.
    """
    final = degrees[degrees["final"].astype(bool)].dropna(subset="weight")
    if final.empty:
        return say_nothing("no degree profile was measured at the end of training", width_inches)
    tasks, looks = list(dict.fromkeys(final["task"])), model_looks(degrees["model"])
    handles = [
        mark_handle(model, color=look.colour, marker=look.marker, markersize=4)
        for model, look in looks.items()
    ]
    if len(final.drop_duplicates(["seed", "learning_rate", "budget"])) > 1:
        bar = {"marker": "|", "markersize": 9, "markeredgewidth": 0.8}
        handles.append(mark_handle("least to greatest run", **bar))
    handles.append(
        Patch(fill=False, edgecolor=INK, linewidth=0.6, label="function that was taught")
    )
    figure, panels = wrap_panels(
        len(tasks), 3, width_inches, 1.9, extra_inches=0.2 + legend_inches(handles, width_inches)
    )
    shifts = model_shifts(list(looks), 0.8 / len(looks))
    for panel, task in zip(panels, tasks, strict=True):
        of_task = final[final["task"] == task]
        length = of_task["length"].max()
        rows = of_task[of_task["length"] == length]
        target = rows.groupby("degree")["target_weight"].mean()
        panel.bar(target.index, target, width=0.9, fill=False, edgecolor=INK, linewidth=0.6)
        for model, look in looks.items():
            _draw_profile(panel, rows[rows["model"] == model], look, shifts[model])
        panel.set_title(f"{task}, n = {length}", loc="left")
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        panel.set_xlim(-0.6, final["degree"].max() + 0.6)
        panel.set_ylim(bottom=0)
    label_outer(panels, "degree i", "Fourier weight d\u1d62")
    add_legend(figure, handles, "lower")
    return figure


def _draw_tasks(panel: Axes, rows: pd.DataFrame, looks: dict[str, Look]) -> None:
    panel.set_axisbelow(True)
    for task, look in looks.items():
        draw_runs(panel, rows[rows["task"] == task], look)


def _draw_fit(panel: Axes, fit: pd.DataFrame, x: pd.Series) -> float:
    """Draw the straight line of a regression over what it rests on, and return its r, else NaN."""
    of_slope = fit[fit["coefficient"] != "intercept"]
    intercept = fit.loc[fit["coefficient"] == "intercept", "estimate"]
    if len(of_slope) != 1 or intercept.empty:
        return np.nan
    ends = np.array([x.min(), x.max()])
    line = intercept.iloc[0] + of_slope["estimate"].iloc[0] * ends
    panel.plot(ends, line, color=INK, linewidth=0.8, zorder=1)
    return float(of_slope["r"].iloc[0])


def _draw_profile(panel: Axes, rows: pd.DataFrame, look: Look, shift: float) -> None:
    """Draw median and range over runs at each degree, moved aside by `shift`."""
    spread = rows.groupby("degree")["weight"].agg(["min", "median", "max"])
    x = spread.index + shift
    panel.vlines(x, spread["min"], spread["max"], colors=[look.colour], linewidth=0.8)
    mark = {"color": look.colour, "marker": look.marker, "markersize": 3, "linestyle": "none"}
    panel.plot(x, spread["median"], **mark)
