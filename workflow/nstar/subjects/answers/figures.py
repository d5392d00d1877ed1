"""Widths: how accuracy depends on width and problem size, and what width a size needs."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from nstar.cells.naming import stratum_suffix
from nstar.report.axes import (
    add_legend,
    label_outer,
    legend_inches,
    length_slot,
    mark_handle,
    model_shifts,
    say_nothing,
    set_length_axis,
    set_log_ticks,
    wrap_panels,
    write_note,
)
from nstar.report.marks import censored_handle, draw_bounds, look_handle
from nstar.report.style import Look, model_looks, save_all, styled
from nstar.tables import read_tables
from nstar.tables.selection import STRATUM, of_measure, runs_by_width, stratum_of

_COLOURS = matplotlib.colormaps["viridis"]
_MOST_COLUMNS = 3
_LIGHT_FROM = 55  # per cent of accuracy from which a field is light, and its number dark
_ROW_INCHES, _PANEL_INCHES = 0.3, 0.75  # of a size in a panel; of title and labels around it
_BAR_INCHES, _LABEL_INCHES = 0.8, 0.65  # width of the colour bar; of the labels of a panel
_FONT_SHARE = 0.36  # of the width of a field, so that four digits fit beside each other
_LEAST_INCHES = 1.3  # of a panel; the figure of many tasks is wider than asked for
_FRAME = "#D55E00"  # vermilion, which no accuracy has
DRAWN_RULES = ("seed", "mean")
"""Rules of D* that have marks; the figure of demand has those of any seed."""


def draw_figures(job: Mapping[str, Any], results: Path) -> None:
    """Draw the figures.

    Parameters
    ----------
    job : mapping
        ``figures`` (options), ``names`` (of the figures), ``measure`` and ``threshold`` that are shown.
    results : Path
    """
    answers, *others = read_tables(results, "answers", "widths", "width_exponents")
    shown = {name: job[name] for name in ("measure", "threshold")}
    shown["width_inches"] = job["figures"]["width_inches"]
    for stratum, part in answers.groupby(STRATUM):
        widths, exponents = (stratum_of(table, stratum) for table in others)
        drawn = {
            "width_accuracy": draw_width_accuracy(part, widths, **shown),
            "widths": draw_widths(widths, exponents, **shown),
            "operations": draw_operations(widths, **shown),
        }
        if "locality" in job["names"]:
            drawn["locality"] = draw_locality(widths, **shown)
        suffix, dots_per_inch = stratum_suffix(*stratum), job["figures"]["dots_per_inch"]
        save_all(drawn, results / "figures", suffix, dots_per_inch)


@styled
def draw_width_accuracy(
    answers: pd.DataFrame,
    widths: pd.DataFrame,
    measure: str,
    threshold: float,
    width_inches: float = 7.0,
) -> Figure:
    """Draw accuracy over width and problem size, one panel per family and task.

    Parameters
    ----------
    answers, widths : DataFrame
        The tables of these names.
    measure : {"answer", "chain"}
        The accuracy that is shown.
    threshold : float
        The accuracy that D* belongs to.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        Columns are tasks and rows are families, as in figure 1 of arXiv:2402.13934: the width to the
        right, the problem size upwards, the mean accuracy over seeds as a colour and a number, in per
        cent. The field of D* is outlined. Without answers it says so.
    """
    if answers.empty:
        return say_nothing("No network answered.", width_inches)
    means = _mean_accuracy(answers, measure)
    found = _of_mean(widths, measure, threshold)
    tasks, families = (list(dict.fromkeys(means[key])) for key in ("task", "family"))
    width_inches = max(width_inches, _LEAST_INCHES * len(tasks) + _BAR_INCHES)
    n_sizes = means.groupby("task")["length"].nunique().max()
    height = len(families) * (_ROW_INCHES * n_sizes + _PANEL_INCHES) + 0.3
    figure = Figure(figsize=(width_inches, height), layout="constrained")
    panels = figure.subplots(len(families), len(tasks), squeeze=False)
    panel_points = 72 * ((width_inches - _BAR_INCHES) / len(tasks) - _LABEL_INCHES)
    font_size = min(7.0, _FONT_SHARE * panel_points / means["width"].nunique())
    for row, family in zip(panels, families, strict=True):
        row[0].set_ylabel(f"{family}\ntokens L (size n)")
        for panel, task in zip(row, tasks, strict=True):
            of_task = means[means["task"] == task]
            sizes = of_task[["length", "n_tokens"]].drop_duplicates().sort_values("length")
            grid = of_task[of_task["family"] == family].pivot(
                index="length", columns="width", values="accuracy"
            )
            grid = grid.reindex(sizes["length"], columns=sorted(of_task["width"].unique()))
            _draw_fields(panel, grid, font_size)
            stars = found[(found["family"] == family) & (found["task"] == task)]
            _outline(panel, grid, stars.set_index("length")["d_star"])
            labels = [f"{size.n_tokens} ({size.length})" for size in sizes.itertuples()]
            panel.set_yticks(range(len(labels)), labels)
    for panel, task in zip(panels[0], tasks, strict=True):
        panel.set_title(task, loc="left")
    for panel in panels[-1]:
        panel.set_xlabel("width D")
    scale = ScalarMappable(Normalize(0, 100), _COLOURS)
    what = {"answer": "answers", "chain": "chains"}[measure]
    bar = figure.colorbar(scale, ax=panels, fraction=0.05, aspect=40)
    bar.set_label(f"{what} right, per cent; outlined: D* at {100 * threshold:g} %")
    return figure


@styled
def draw_widths(
    widths: pd.DataFrame,
    exponents: pd.DataFrame,
    measure: str,
    threshold: float,
    width_inches: float = 7.0,
) -> Figure:
    """Draw D* against the tokens L of a text, one panel per task.

    Parameters
    ----------
    widths, exponents : DataFrame
        The tables widths and width_exponents.
    measure, threshold, width_inches
        As for `draw_width_accuracy`.

    Returns
    -------
    Figure
        Large marks are D* of the mean with its bracket, small light ones D* of single seeds, hollow ones
        with an arrow are censored. Above each panel stands the exponent of every family. Without any D*
        or bound it says so.
    """
    chosen = _chosen(widths, measure, threshold)

    of_tokens = exponents[
        (exponents["quantity"] == "width")
        & (exponents["covariate"] == "n_tokens")
        & (exponents["minus_family"] == "")
    ]
    rows = of_measure(of_tokens, measure, threshold).itertuples()
    texts = {(row.task, row.family): _exponent(row) for row in rows}

    def exponent(task: str, family: str) -> str:
        return texts.get((task, family), "")

    return _draw_growth(
        chosen, "n_tokens", "d_star", "tokens L", "D*, width needed", width_inches, exponent
    )


@styled
def draw_operations(
    widths: pd.DataFrame, measure: str, threshold: float, width_inches: float = 7.0
) -> Figure:
    """Draw the operations of a forward pass at D* against the tokens L, one panel per task.

    Parameters
    ----------
    widths : DataFrame
        The table of this name.
    measure, threshold, width_inches
        As for `draw_width_accuracy`.

    Returns
    -------
    Figure
        A mark for every size that some width solves; where the smallest one does, it is hollow. The
        legend counts the sizes of a family, of all tasks, that no width solves.
    """
    chosen = _of_mean(widths, measure, threshold)
    if chosen["least_flops"].isna().all():
        return say_nothing("No size reaches the threshold at any width.", width_inches)
    chosen = chosen.assign(lower=chosen["least_flops"], upper=chosen["least_flops"])
    label = "operations at D*"
    return _draw_growth(chosen, "n_tokens", "least_flops", "tokens L", label, width_inches)


@styled
def draw_locality(
    widths: pd.DataFrame, measure: str, threshold: float, width_inches: float = 7.0
) -> Figure:
    """Draw D* against the locality m, at the largest size at which several are known.

    Parameters
    ----------
    widths : DataFrame
        The table of this name.
    measure, threshold, width_inches
        As for `draw_width_accuracy`.

    Returns
    -------
    Figure
        Marks as in `draw_widths`.
    """
    chosen = _chosen(widths, measure, threshold)
    chosen = chosen[chosen["locality"].notna()]
    n_known = chosen.groupby("length")["locality"].nunique()
    if not (n_known > 1).any():
        return say_nothing("No size has several localities.", width_inches)
    length = n_known[n_known > 1].index.max()
    chosen = chosen[chosen["length"] == length].astype({"locality": "int64"})
    chosen = chosen.assign(task=f"n = {length}, L = {chosen['n_tokens'].iloc[0]}")
    return _draw_growth(
        chosen, "locality", "d_star", "locality m", "D*, width needed", width_inches
    )


def _chosen(widths: pd.DataFrame, measure: str, threshold: float) -> pd.DataFrame:
    """Return the rows of widths of a measure and threshold that are drawn."""
    chosen = of_measure(widths, measure, threshold)
    return chosen[chosen["rule"].isin(DRAWN_RULES)]


def _of_mean(widths: pd.DataFrame, measure: str, threshold: float) -> pd.DataFrame:
    chosen = _chosen(widths, measure, threshold)
    return chosen[chosen["rule"] == "mean"]


def _mean_accuracy(answers: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Return the mean over seeds of their best accuracy, in per cent, by task, family, size and width."""
    runs = runs_by_width(answers)
    keys = ["task", "family", "length", "n_tokens", "width"]
    means = 100 * runs.groupby(keys, sort=False)[measure].mean()
    return means.rename("accuracy").reset_index()


def _draw_fields(panel: Axes, grid: pd.DataFrame, font_size: float) -> None:
    """Draw a field with its number for every size (row) and width (column) that is known."""
    panel.imshow(grid, cmap=_COLOURS, vmin=0, vmax=100, origin="lower", aspect="auto")
    for (row, column), value in np.ndenumerate(grid.to_numpy(dtype=np.float64)):
        if np.isfinite(value):
            colour = "black" if value > _LIGHT_FROM else "white"
            centred = {"ha": "center", "va": "center", "size": font_size}
            panel.text(column, row, f"{value:.0f}", color=colour, **centred)
    panel.set_xticks(range(grid.shape[1]), map(str, grid.columns), size=font_size)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    if grid.isna().all(axis=None):
        write_note(panel, "not in the grid")


def _outline(panel: Axes, grid: pd.DataFrame, stars: pd.Series) -> None:
    """Outline the field of D* of every size that has one."""
    for row, length in enumerate(grid.index):
        star = stars.get(length, np.nan)
        if star in grid.columns:
            corner = grid.columns.get_loc(star) - 0.46, row - 0.46
            frame = Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=_FRAME, linewidth=1.6)
            panel.add_patch(frame)


def _draw_growth(
    rows: pd.DataFrame,
    x: str,
    y: str,
    x_label: str,
    y_label: str,
    width_inches: float,
    note: Callable[[str, str], str] = lambda task, family: "",
) -> Figure:
    """Draw what is known of a quantity against another, one panel per task, a mark per family."""
    rows = rows.assign(x=rows[x], y=rows[y].where(rows["censoring"] != "right", rows["lower"]))
    if rows["y"].isna().all():
        return say_nothing("No D* is known.", width_inches)
    looks = model_looks(rows["family"])
    tasks = list(dict.fromkeys(rows["task"]))
    unknown = rows[(rows["rule"] == "mean") & rows["y"].isna()].groupby("family").size()
    families = [
        _family_handle(family, look, unknown.get(family, 0)) for family, look in looks.items()
    ]
    meanings = _meanings(rows)
    n_columns = min(len(tasks), _MOST_COLUMNS)
    extra = legend_inches(families, width_inches) + legend_inches(meanings, width_inches)
    figure, panels = wrap_panels(len(tasks), _MOST_COLUMNS, width_inches, 2.6, extra, share_x=False)
    for panel, task in zip(panels, tasks, strict=True):
        places = rows.loc[rows["task"] == task, "x"]
        set_length_axis(panel, places, most=8)
        slot, points = length_slot(places, len(looks), width_inches / n_columns)
        shifts = model_shifts(list(looks), slot)
        size = float(np.clip(0.5 * points, 3.6, 6))
        notes = []
        for family, look in looks.items():
            own = rows[(rows["family"] == family) & (rows["task"] == task)]
            if own.empty:
                continue
            _draw_family(panel, own, look, shifts[family], slot, size)
            notes.append(f"{family}: {text}" if (text := note(task, family)) else "")
        panel.set_title("\n".join([task, *filter(None, notes)]), loc="left")
    _set_heights(panels, pd.concat([rows["y"], rows["lower"], rows["upper"]]))
    label_outer(panels, x_label, y_label)
    add_legend(figure, families, "upper")
    add_legend(figure, meanings, "lower")
    return figure


def _draw_family(
    panel: Axes, rows: pd.DataFrame, look: Look, shift: float, slot: float, size: float
) -> None:
    """Draw the marks of a family: of the mean at its place, of seeds, lighter, beside it."""
    seeds = sorted(rows["seed"].dropna().unique())
    places = dict(zip(seeds, np.linspace(0.42, 0.12, len(seeds)), strict=True))
    aside = rows["seed"].map(places, na_action="ignore").astype(float).fillna(-0.2)
    rows = rows.assign(x=rows["x"].astype(float) * np.exp(shift + aside * slot))
    shown = rows[rows["y"].notna() | (rows["censoring"] == "unknown")]
    by_rule = dict(iter(shown.groupby("rule")))
    if "seed" in by_rule:
        draw_bounds(panel, by_rule["seed"], _lighter(look), 0.5 * size, bars=False)
    if "mean" in by_rule:
        draw_bounds(panel, by_rule["mean"], look, size, bars=True)


def _lighter(look: Look) -> Look:
    return replace(look, colour=tuple(0.5 + 0.5 * part for part in to_rgb(look.colour)))


def _set_heights(panels: list[Axes], values: pd.Series) -> None:
    values = values[np.isfinite(values) & (values > 0)]
    for panel in panels:
        panel.set(yscale="log", ylim=(values.min() / 2.2, values.max() * 2.2))
        if values.max() < 1e5:
            set_log_ticks(panel.yaxis, values, most=8)


def _exponent(row) -> str:
    """Return an exponent with its interval, or what the brackets leave of it."""
    if row.identified and row.converged and math.isfinite(row.lower):
        text = f"{row.estimate:.2f} [{row.lower:.2f}, {row.upper:.2f}]"
    elif math.isfinite(row.slope_lower) or math.isfinite(row.slope_upper):
        text = f"lines from {row.slope_lower:.2f} to {row.slope_upper:.2f}"
    else:
        text = "not identified"
    return text.replace("-", "\u2212").replace("inf", "\u221e")


def _family_handle(family: str, look: Look, n_unknown: int) -> Line2D:
    """Return the legend entry of a family, with how many sizes have nothing to draw."""
    label = f"{family} ({n_unknown} without D*)" if n_unknown else family
    return look_handle(label, look, 5, linestyle="none")


def _meanings(rows: pd.DataFrame) -> list[Artist]:
    """Return legend entries for the marks that occur."""
    rows = rows[rows["y"].notna()]
    kinds: Iterable[str] = set(rows["censoring"])
    handles: list[Artist] = [mark_handle("mean over seeds", marker="o", markersize=5)]
    if "seed" in set(rows["rule"]):
        handles.append(mark_handle("one seed", marker="o", markersize=2.5, alpha=0.5))
    if "interval" in kinds and (rows["lower"] < rows["upper"]).any():
        handles.append(mark_handle("bracket", marker="|", markersize=9, markeredgewidth=0.8))
    if "right" in kinds:
        handles.append(censored_handle("no width tried is enough", "right"))
    if "left" in kinds:
        handles.append(censored_handle("the smallest width is enough", "left"))
    return handles
