"""Sensitivity profiles of networks, before and after training: K_0 against n, and K_s against s."""

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator

from nstar.report.axes import (
    add_legend,
    label_inches,
    legend_inches,
    make_panels,
    model_shifts,
    say_nothing,
    write_note,
)
from nstar.report.style import FAINT, INK, Look, styled
from nstar.subjects.functions.columns import CUTS
from nstar.subjects.functions.figures.runs import (
    draw_runs,
    learnt_handles,
    task_handles,
    task_looks,
)
from nstar.subjects.functions.selection import LEARNT, UNTRAINED, insensitive_inputs

_BEFORE = Look("#999999", "_", "-")
_MOST_TICKS = 5
_TITLES = {"half": "cut at 1/2", "median": "cut at the median of the outputs"}
_NOTHING = "no sensitivity profile was counted"


@styled
def draw_insensitive(
    profile: pd.DataFrame, measures: pd.DataFrame, width_inches: float = 7.0
) -> Figure:
    """Draw the share of insensitive inputs, K_0 / 2^n, against n.

    Parameters
    ----------
    profile, measures : DataFrame
        The tables `sensitivity_profile` and `measures`, of one stratum; `profile` may have no rows.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        Models are rows, cuts columns. Marks are networks, hollow at the end of training where they did
        not learn; those before training are dashes, with their median as a line. The dotted line is the
        expectation for a random function, 2^-n. A network without insensitive inputs stands at 0, below
        all others. A note alone where nothing was counted.
    """
    rows = insensitive_inputs(profile, measures)
    if rows.empty:
        return say_nothing(_NOTHING, width_inches)
    looks, lengths = task_looks(measures), sorted(rows["length"].unique())
    zero = 2.0 ** -(max(lengths) + 2)
    rows = rows.assign(y=rows["share"].where(rows["share"] > 0, zero), x=rows["length"])
    rows["learnt"] = rows["networks"] == LEARNT
    shifts = model_shifts(list(looks), 0.6 / max(len(looks), 1))

    def draw(panel: Axes, of_panel: pd.DataFrame) -> None:
        panel.plot(lengths, 2.0 ** -np.array(lengths), color=INK, linewidth=0.8, linestyle=":")
        before = of_panel[of_panel["networks"] == UNTRAINED]
        _draw_before(panel, before, before.groupby("x")["y"].median())
        for task, look in looks.items():
            of_task = of_panel[of_panel["task"] == task]
            draw_runs(panel, of_task.assign(x=of_task["x"] + shifts[task]), look)
        _set_shares(panel, zero)
        panel.xaxis.set_major_locator(FixedLocator(lengths))

    final = rows[rows["networks"] != UNTRAINED]
    handles = [*_handles(rows, looks, lines=False), *learnt_handles(final["learnt"])]
    return _draw(rows, draw, handles, ("n", "insensitive inputs, K\u2080 / 2\u207f"), width_inches)


@styled
def draw_profiles(
    profile: pd.DataFrame, measures: pd.DataFrame, width_inches: float = 7.0
) -> Figure:
    """Draw sensitivity profiles, K_s / 2^n against s, at the longest length of each model.

    Parameters
    ----------
    profile, measures : DataFrame
        As for `draw_insensitive`.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        Models are rows, cuts columns. Dashes are networks before training, with their median as a line;
        marks on lines are the medians over those that learnt a task. Outlines are the expectation for a
        random function.
        A note alone where nothing was counted.
    """
    if profile.empty:
        return say_nothing(_NOTHING, width_inches)
    looks = task_looks(measures)
    longest = profile.groupby("model")["length"].transform("max")
    rows = profile[profile["length"] == longest]
    at = ["model", "task", "length", "budget", "seed", "learning_rate", "step"]
    rows = rows.merge(measures[[*at, "learnt"]], on=at, how="left", validate="many_to_one")
    rows["learnt"] = rows["final"] & rows["learnt"].eq(True)

    def draw(panel: Axes, of_panel: pd.DataFrame) -> None:
        random = of_panel.groupby("sensitivity")["random_share"].first()
        panel.bar(random.index, random, width=0.9, fill=False, edgecolor=INK, linewidth=0.6)
        before = of_panel[(of_panel["step"] == 0) & ~of_panel["final"]]
        before = before.drop_duplicates(["initialisation_seed", "sensitivity"]).assign(
            x=lambda part: part["sensitivity"], y=lambda part: part["share"]
        )
        _draw_before(panel, before, before.groupby("x")["y"].median())
        learnt = of_panel[of_panel["learnt"]]
        for task, look in looks.items():
            middle = learnt[learnt["task"] == task].groupby("sensitivity")["share"].median()
            pen = {"color": look.colour, "marker": look.marker, "linestyle": look.line}
            panel.plot(middle.index, middle, markersize=3, linewidth=0.8, **pen)
        panel.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        panel.set_ylim(-0.02, 1.02)

    handles = _handles(rows.assign(networks=np.where(rows["final"], "", UNTRAINED)), looks, True)
    lengths = {model: part["length"].iloc[0] for model, part in rows.groupby("model", sort=False)}
    named = {model: f"{model}, n = {length}" for model, length in lengths.items()}
    rows = rows.assign(model=rows["model"].map(named))
    return _draw(rows, draw, handles, ("sensitivity s", "inputs, K\u209b / 2\u207f"), width_inches)


def _draw(
    rows: pd.DataFrame,
    draw: Callable[[Axes, pd.DataFrame], None],
    handles: list[Artist],
    labels: tuple[str, str],
    width_inches: float,
) -> Figure:
    """Return a figure with a panel for each model (rows) and cut (columns)."""
    models = list(dict.fromkeys(rows["model"]))
    figure, panels = make_panels(
        len(models),
        len(CUTS),
        width_inches,
        row_inches=max(1.35, label_inches(models)),
        extra_inches=0.4 + legend_inches(handles, width_inches),
    )
    for (i, model), (j, cut) in itertools.product(enumerate(models), enumerate(CUTS)):
        panel = panels[i, j]
        of_panel = rows[(rows["model"] == model) & (rows["cut"] == cut)]
        draw(panel, of_panel)
        if of_panel.empty:
            write_note(panel, "nothing was counted")
        panel.grid(axis="y", color=FAINT, linewidth=0.5)
        panel.set_axisbelow(True)
        if i == 0:
            panel.set_title(_TITLES[cut], loc="left")
        if i == len(models) - 1:
            panel.set_xlabel(labels[0])
        if j == 0:
            panel.set_ylabel(model)
    figure.supylabel(labels[1], fontsize=8)
    add_legend(figure, handles, "lower")
    return figure


def _draw_before(panel: Axes, rows: pd.DataFrame, middle: pd.Series) -> None:
    """Draw networks before training at (`x`, `y`), and their median."""
    pen = {"color": _BEFORE.colour, "zorder": 1}
    panel.plot(rows["x"], rows["y"], marker=_BEFORE.marker, markersize=5, linestyle="none", **pen)
    panel.plot(middle.index, middle, linewidth=1.0, **pen)


def _handles(rows: pd.DataFrame, looks: dict[str, Look], lines: bool) -> list[Artist]:
    """Return the legend of tasks, of networks before training, and of a random function."""
    handles: list[Artist] = [*task_handles(looks, lines)]
    if (rows["networks"] == UNTRAINED).any():
        pen = {"color": _BEFORE.colour, "marker": _BEFORE.marker, "linewidth": 1.0}
        handles.append(Line2D([], [], label="before training", **pen))
    expected = {"label": "random function, expected"}
    if lines:
        return [*handles, Patch(fill=False, edgecolor=INK, linewidth=0.6, **expected)]
    return [*handles, Line2D([], [], color=INK, linewidth=0.8, linestyle=":", **expected)]


def _set_shares(panel: Axes, zero: float) -> None:
    """Make y logarithmic from 1 down to the shares that occur, with 0 at a place of its own."""
    panel.set(yscale="log", ylim=(zero / 1.6, 1.6))
    lowest = -np.log2(zero) - 2
    powers = np.unique(np.linspace(0, lowest, _MOST_TICKS).round())
    panel.yaxis.set_major_locator(FixedLocator([zero, *2.0**-powers]))
    panel.yaxis.set_minor_locator(NullLocator())
    named = ["0", *("1" if power == 0 else f"1/{2**power:.0f}" for power in powers)]
    panel.yaxis.set_major_formatter(FixedFormatter(named))
