"""Marks of single runs of training: filled where a run learnt, hollow where it did not."""

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from nstar.report.axes import fix_ticks, mark_handle, round_ticks
from nstar.report.marks import look_handle
from nstar.report.style import Look, model_looks

SIZE = 2.8
"""Size of the mark of a run, in points."""

_HOLLOW = {"markerfacecolor": "white", "markeredgewidth": 0.6}


def draw_runs(panel: Axes, rows: pd.DataFrame, look: Look) -> None:
    """Draw runs of one task at (`x`, `y`), hollow where not `learnt`; NaN is left out."""
    rows = rows.dropna(subset=["x", "y"])
    pen = {"color": look.colour, "marker": look.marker, "markersize": SIZE, "linestyle": "none"}
    for learnt, part in rows.groupby("learnt"):
        fill = {"markeredgewidth": 0, "alpha": 0.7} if learnt else _HOLLOW
        panel.plot(part["x"], part["y"], zorder=2, **pen, **fill)


def task_looks(measures: pd.DataFrame) -> dict[str, Look]:
    """Return one look for each task, the same in all figures of a stratum."""
    return model_looks(measures["task"])


def task_handles(looks: dict[str, Look], lines: bool) -> list[Line2D]:
    """Return one legend entry for each task, with its line style where `lines` are drawn."""
    line = {} if lines else {"linestyle": "none"}
    return [look_handle(task, look, 4, **line) for task, look in looks.items()]


def learnt_handles(learnt: pd.Series) -> list[Line2D]:
    """Return legend entries, in neutral ink, for runs that learnt and that did not, as they occur."""
    handles = []
    if learnt.any():
        handles.append(mark_handle("a run that learnt", marker="o", markersize=SIZE))
    if not learnt.all():
        hollow = {"marker": "o", "markersize": SIZE, **_HOLLOW}
        handles.append(mark_handle("a run that did not learn", **hollow))
    return handles


def fullest_length(rows: pd.DataFrame) -> int:
    """Return the longest of the lengths at which there are most tasks."""
    n_tasks = rows.groupby("length")["task"].nunique()
    return int(n_tasks[n_tasks == n_tasks.max()].index.max())


def spread_evenly(values: Iterable[int], most: int) -> list[int]:
    """Return at most `most` of the values, ordered, the first and the last among them.

    Examples
    --------
    >>> spread_evenly([4, 5, 6, 7, 8, 9, 10], most=4)
    [4, 6, 8, 10]
    """
    ordered = sorted(set(values))
    if len(ordered) <= most:
        return ordered
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, most).round().astype(int)]


def set_log_values(panel: Axes, name: str, values: pd.Series, most: int = 5) -> None:
    """Make the axis `name` ("x" or "y") logarithmic about the positive values, if there are any.

    It spans a factor of 4 or more, so that it has numbers.
    """
    values = values[np.isfinite(values) & (values > 0)]
    if len(values):
        middle = math.sqrt(values.min() * values.max())
        low, high = min(values.min() / 1.3, middle / 2), max(values.max() * 1.3, middle * 2)
        panel.set(**{f"{name}scale": "log", f"{name}lim": (low, high)})
        fix_ticks(getattr(panel, f"{name}axis"), round_ticks(low, high, most))
