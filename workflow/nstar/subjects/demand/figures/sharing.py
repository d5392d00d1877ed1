"""Sharing: how much lengths have in common, and whether that goes with longer lengths."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nstar.report.axes import (
    add_legend,
    fix_ticks,
    label_inches,
    legend_inches,
    mark_handle,
    model_shifts,
    round_ticks,
    say_nothing,
    task_title,
)
from nstar.report.marks import censored_handle, draw_bounds, look_handle
from nstar.report.style import FAINT, INK, Look, model_looks, styled
from nstar.subjects.demand.columns import STUDY
from nstar.subjects.demand.longer import first_tests
from nstar.tables.selection import CURVE
from nstar.tasks import LENGTH_DISTRIBUTIONS, SUPERVISIONS

RULE = "half"
"""The N* whose sharing factors are drawn: that of half of the seeds, which the exponents rest on."""

_REACH = 10.0  # bars and bounds are shown to this factor beyond what is estimated or informative
_SLOT = 0.8  # share of the distance of two ticks that the models take
_SCATTER = 1.25  # width of the panel of accuracy, in panels of a supervision
_LABEL_INCHES = 0.9  # label and numbers of the vertical axis


@styled
def draw_sharing(
    sharing: pd.DataFrame, extrapolation: pd.DataFrame, width_inches: float = 7.0
) -> Figure:
    """Draw the sharing factors of a study, and each against accuracy at a longer length.

    Parameters
    ----------
    sharing : DataFrame
        One row per joint curve and rule; there may be none.
    extrapolation : DataFrame
        One row per curve, test length and reading; the shortest test length is shown, with the true
        states read in a chain of thought. Its order of models is that of the study.
    width_inches : float, optional
        Width of the figure.

    Returns
    -------
    Figure
        Tasks are rows. Supervisions are columns, with a place for each joint curve, and beside each mark
        the null, with its range; the last column has the same marks at the accuracy of the joint curve,
        if it was measured. A bound without an estimate is hollow, with an arrow to the side that is
        open; where there is no bound within reach, a cross stands at the foot.
    """
    drawn = (sharing["rule"] == RULE) & (sharing["success"] == STUDY)
    rows = _join(sharing[drawn], extrapolation)
    if rows.empty:
        text = "no curve of several lengths has one of a single length beside it"
        return say_nothing(text, width_inches)
    rows = _cut(rows, *_reach(rows))
    looks = model_looks(extrapolation["model"])
    looks = {model: look for model, look in looks.items() if model in set(rows["model"])}
    places = _places(rows)
    asked = [name for name in SUPERVISIONS if name in set(rows["supervision"])]
    tasks = {
        task: task_title(task, n_states)
        for task, n_states in rows.groupby("task", sort=False)["n_states"]
    }
    models = [look_handle(model, look, 5, linestyle="none") for model, look in looks.items()]
    meanings = _meaning_handles(rows)
    row_inches = max(1.8, label_inches(tasks.values()))
    height_inches = len(tasks) * row_inches + label_inches(places.values())
    height_inches += legend_inches(models, width_inches) + legend_inches(meanings, width_inches)
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    panels = figure.subplots(
        len(tasks),
        len(asked) + 1,
        sharex="col",
        sharey=True,
        squeeze=False,
        width_ratios=[*[1] * len(asked), _SCATTER],
    )

    slot = _SLOT / len(looks)
    points = 72 * (width_inches - _LABEL_INCHES) / (len(asked) + _SCATTER) / len(places)
    size = float(np.clip(0.5 * slot * points, 2, 5))
    shift = rows["model"].map(model_shifts(list(looks), slot)).astype(float)
    rows = rows.assign(x=[list(places).index(place) for place in _place_of(rows)] + shift)
    for row, task in zip(panels, tasks, strict=True):
        for model, look in looks.items():
            curves = rows[(rows["task"] == task) & (rows["model"] == model)]
            for panel, supervision in zip(row, asked, strict=False):  # one panel more
                _draw(panel, curves[curves["supervision"] == supervision], look, size)
            _draw_at_accuracy(row[-1], curves.dropna(subset="median"), look, size)
    _set_axes(panels, rows, len(places))
    _label(panels, asked, tasks.values(), places.values())
    add_legend(figure, models, "upper")
    add_legend(figure, meanings, "lower")
    return figure


def _join(sharing: pd.DataFrame, extrapolation: pd.DataFrame) -> pd.DataFrame:
    """Return sharing factors with the accuracy of the joint curve, NaN where it was not measured."""
    accuracy = first_tests(extrapolation)[[*CURVE, "median", "least", "most"]]
    return sharing.merge(accuracy, on=CURVE, how="left", validate="one_to_one")


def _reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the range that is shown: one very wide interval does not squeeze the others.

    Estimates set it, nulls, and bounds that keep kappa away from 1.
    """
    bounds = rows.loc[rows["kappa"].isna(), ["lower", "upper"]]
    low = min(0.5, rows["kappa"].min(), bounds["upper"].min(), rows["null"].min())
    high = max(2.0, rows["kappa"].max(), bounds["lower"].max())
    return low / _REACH, high * _REACH


def _cut(rows: pd.DataFrame, low: float, high: float) -> pd.DataFrame:
    """Return the rows with `censoring`, their place `y`, and ends within reach.

    The interval of an estimate is cut, where `cut_lower` and `cut_upper` say; a bound out of reach is
    left open.
    """
    estimated = rows["kappa"].notna()
    below, above = rows["lower"] < low, rows["upper"] > high
    lower = rows["lower"].mask(below, 0.0).mask(below & estimated, low)
    upper = rows["upper"].mask(above, np.inf).mask(above & estimated, high)
    has_lower, has_upper = lower > 0, np.isfinite(upper)
    sides = [estimated, has_lower & has_upper, has_lower, has_upper]
    return rows.assign(
        lower=lower,
        upper=upper,
        cut_lower=below & estimated,
        cut_upper=above & estimated,
        censoring=np.select(sides, ["interval", "both", "right", "left"], "unknown"),
        null_lower=rows["null_lower"].clip(lower=low),
        null_upper=rows["null_upper"].clip(upper=high),
        y=rows["kappa"].fillna(lower.where(has_lower, upper)),
    )


def _places(rows: pd.DataFrame) -> dict[tuple[str, int], str]:
    """Return the label of every length distribution and longest length, in the order of the axis."""
    found = set(_place_of(rows))
    ordered = sorted(found, key=lambda place: (LENGTH_DISTRIBUTIONS.index(place[0]), place[1]))
    return {(name, length): f"L = {length}, {_words(name)}" for name, length in ordered}


def _place_of(rows: pd.DataFrame) -> list[tuple[str, int]]:
    return list(zip(rows["length_distribution"], rows["length"], strict=True))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _draw(panel: Axes, rows: pd.DataFrame, look: Look, size: float) -> None:
    """Draw sharing factors of one model beside each other, with their intervals and their nulls."""
    _draw_nulls(panel, rows, size)
    _draw_marks(panel, rows, look, size, bars=True)
    for end, marker in (("lower", "v"), ("upper", "^")):
        cut = rows[rows[f"cut_{end}"]]
        head = {"color": look.colour, "markersize": 0.7 * size, "linestyle": "none"}
        panel.plot(cut["x"], cut[end], marker=marker, **head)


def _draw_nulls(panel: Axes, rows: pd.DataFrame, size: float) -> None:
    """Draw what kappa were if nothing was shared: a dash, and a pale bar for its range."""
    known = rows.dropna(subset="null_lower")
    ends = known["null_lower"], known["null_upper"]
    panel.vlines(known["x"], *ends, colors=[FAINT], linewidth=1.6 * size, zorder=1)
    dash = {"marker": "_", "markersize": 2 * size, "markeredgewidth": 0.2 * size + 0.2}
    panel.plot(known["x"], known["null"], color=INK, linestyle="none", zorder=2, **dash)


def _draw_at_accuracy(panel: Axes, rows: pd.DataFrame, look: Look, size: float) -> None:
    """Draw sharing factors, without their intervals, at the median accuracy and its spread."""
    _draw_marks(panel, rows.assign(x=rows["median"]), look, size, bars=False)
    known = rows[rows["censoring"] != "unknown"]
    spread = {"colors": [look.colour], "linewidth": 0.6, "alpha": 0.6}
    panel.hlines(known["y"], known["least"], known["most"], **spread)


def _draw_marks(panel: Axes, rows: pd.DataFrame, look: Look, size: float, bars: bool) -> None:
    """Draw estimates and bounds; two bounds without an estimate are hollow and joined."""
    draw_bounds(panel, rows, look, size, bars)
    both = rows[rows["censoring"] == "both"]
    panel.plot(
        [both["x"]] * 2,
        both[["lower", "upper"]].to_numpy().T,
        color=look.colour,
        linewidth=0.15 * size + 0.1,
        marker=look.marker,
        markersize=size,
        markerfacecolor="white",
        markeredgewidth=0.12 * size + 0.2,
        zorder=3,
    )


def _set_axes(panels: np.ndarray, rows: pd.DataFrame, n_places: int) -> None:
    ends = rows[["lower", "upper", "null_lower", "null_upper"]].to_numpy().ravel()
    ends = np.append(ends[np.isfinite(ends) & (ends > 0)], [0.5, 2])
    for panel in panels.flat:
        panel.set(yscale="log", ylim=(ends.min() / 2.2, ends.max() * 2.2))
        fix_ticks(panel.yaxis, round_ticks(ends.min(), ends.max(), most=7))
        panel.axhline(1, color=INK, linewidth=0.6, zorder=0)
        panel.set_axisbelow(True)
    for panel in panels[:, :-1].flat:
        panel.set_xlim(-0.6, n_places - 0.4)
        panel.grid(axis="x", color=FAINT, linewidth=0.5)
    for panel in panels[:, -1]:
        panel.set_xlim(min(0.0, rows["least"].fillna(0.0).min()) - 0.08, 1.06)
        for accuracy in (0, 1):
            panel.axvline(accuracy, color=INK, linewidth=0.5, zorder=0)


def _label(
    panels: np.ndarray, asked: list[str], tasks: Iterable[str], places: Iterable[str]
) -> None:
    titles = [*map(_words, asked), "at a longer length"]
    for panel, title in zip(panels[0], titles, strict=True):
        panel.set_title(title, loc="left")
    for panel, task in zip(panels[:, 0], tasks, strict=True):
        panel.set_ylabel(f"{task}\nsharing factor \u03ba")
    labels = list(places)
    for panel in panels[-1, :-1]:
        panel.set_xticks(range(len(labels)), labels, rotation=90)
    panels[-1, -1].set_xlabel("accuracy beyond L\n(chance = 0, perfect = 1)")


def _meaning_handles(rows: pd.DataFrame) -> list[Line2D]:
    """Return legend entries, in neutral ink, for the marks that occur."""
    censoring = set(rows["censoring"])
    handles = []
    if "interval" in censoring:
        handles.append(mark_handle("\u03ba", marker="o", markersize=5))
        handles.append(mark_handle("its interval", marker="|", markersize=9, markeredgewidth=0.8))
    if "both" in censoring:
        hollow = {"marker": "o", "markersize": 5, "fillstyle": "none"}
        handles.append(mark_handle("\u03ba between two bounds", **hollow))
    if "right" in censoring:
        handles.append(censored_handle("\u03ba above this bound", "right"))
    if "left" in censoring:
        handles.append(censored_handle("\u03ba at most this bound", "left"))
    if "unknown" in censoring:
        handles.append(mark_handle("no bound in this range", marker="x", markersize=5))
    if rows["null"].notna().any():
        null = {"marker": "_", "markersize": 9, "markeredgewidth": 1.2}
        handles.append(mark_handle("\u03ba if nothing was shared, and its range", **null))
    if rows.loc[rows["censoring"] != "unknown", "median"].notna().any():
        seeds = {"marker": "_", "markersize": 9, "markeredgewidth": 0.8}
        handles.append(mark_handle("worst to best seed", **seeds))
    return handles
