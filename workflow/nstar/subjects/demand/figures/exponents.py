"""Exponents: how fast the demand of each model grows, and whether models differ."""

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nstar.report.style import FAINT, INK, Look, model_looks, styled
from nstar.subjects.axis import BUDGET, Axis
from nstar.subjects.demand.selection import checks_of, contradictions, of_task

AXIS_LABELS = {
    "length": "exponent \u03b1 of {} in sequence length n",
    "n_states": "exponent \u03b2 of {} in number of states m",
}
"""Quantities with a panel, and what its axis says, with a place for N*."""

_ROW_INCHES = 0.2
_FRAME_INCHES = 0.75  # title, axis and label of a panel
_LABEL_INCHES, _REASON_INCHES = 0.06, 0.047  # width of a character at either font size
_VALUE_INCHES = 1.5  # width of the column of values


@styled
def draw_exponents(
    exponents: pd.DataFrame,
    checks: pd.DataFrame,
    width_inches: float = 7.0,
    *,
    axis: Axis = BUDGET,
) -> Figure:
    """Draw exponents and their differences with intervals, one panel per quantity, and task with a law.

    Parameters
    ----------
    exponents : DataFrame
        One row per coefficient of a model, or difference of two models.
    checks : DataFrame
        One row per exponent or difference, and other estimator of it.
    width_inches : float, optional
        Width of the figure.
    axis : Axis, optional
        What demand is sought of; its words are those of the figure.

    Returns
    -------
    Figure
        Exponents above, differences below a separating line, values as text beside them. An
        estimate without an interval is hollow; where there is no estimate the reason stands. A
        value that another estimator contradicts is followed by a question mark.
    """
    shown = _quantities(exponents)
    tables = [
        _rows_of(of_task(exponents, task), of_task(checks, task), name) for task, name in shown
    ]
    heights = [_ROW_INCHES * (len(table) + 1) + _FRAME_INCHES for table in tables]
    figure = Figure(figsize=(width_inches, sum(heights)), layout="constrained")
    panels = figure.subplots(len(tables), 1, squeeze=False, height_ratios=heights)[:, 0]

    longest = max((len(label) for table in tables for label in table["label"]), default=0)
    reason_inches = width_inches - _LABEL_INCHES * longest - _VALUE_INCHES
    n_characters = max(20, int(reason_inches / _REASON_INCHES))
    looks = model_looks(exponents.loc[exponents["kind"] == "exponent", "model"])
    for panel, (task, name), table in zip(panels, shown, tables, strict=True):
        _set_limits(panel, table)
        for position, row in zip(_positions(table), table.itertuples(), strict=True):
            look = looks.get(row.model) if row.kind == "exponent" else None
            _draw_row(panel, position, row, look or Look(INK, "D", "-"), n_characters)
        _label(panel, table, AXIS_LABELS[name].format(axis.symbol))
        panel.set_title(task, loc="left")
    return figure


def _quantities(exponents: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the task, empty where laws hold for all of them, and the quantity of each panel."""
    tasks = dict.fromkeys(exponents["task"]) if "task" in exponents else [""]
    found = [
        (task, name)
        for task in tasks
        for name in AXIS_LABELS
        if (of_task(exponents, task)["quantity"] == name).any()
    ]
    return found or [("", "length")]


def _rows_of(exponents: pd.DataFrame, checks: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Return the rows of one quantity, exponents before differences, labelled and doubted."""
    rows = exponents[exponents["quantity"] == quantity]
    rows = rows.sort_values("kind", key=lambda kind: kind != "exponent", kind="stable")
    labels = [
        row.model if row.kind == "exponent" else f"{row.model} \u2212 {row.minus_model}"
        for row in rows.itertuples()
    ]
    against = contradictions(checks)
    doubted = [not checks_of(row, against).empty for row in rows.itertuples()]
    return rows.assign(label=labels, doubted=doubted)


def _positions(table: pd.DataFrame) -> np.ndarray:
    """Return the height of each row, downwards, with a gap before the first difference."""
    return -(np.arange(len(table)) + (table["kind"] != "exponent").to_numpy(dtype=float))


def _set_limits(panel: Axes, table: pd.DataFrame) -> None:
    """Show 0, all estimates and intervals; one very wide interval does not squeeze the others."""
    estimates = table["estimate"].dropna().to_numpy()
    if not len(estimates):
        panel.set(xlim=(-0.5, 1.5), xticks=[0])
        return
    bounds = table[["lower", "upper"]].to_numpy().ravel()
    shown = np.append(estimates, 0.0)
    reach = 2.5 * max(float(np.ptp(shown)), 0.5)
    bounds = np.clip(bounds[np.isfinite(bounds)], shown.min() - reach, shown.max() + reach)
    low, high = min(shown.min(), *bounds, -0.1), max(shown.max(), *bounds, 0.1)
    margin = 0.05 * (high - low)
    panel.set_xlim(low - margin, high + margin)


def _draw_row(panel: Axes, position: float, row, look: Look, n_characters: int) -> None:
    """Draw one estimate with its interval and value, or the reason why there is none."""
    if not math.isfinite(row.estimate):
        _write_reason(
            panel, position, textwrap.shorten(row.reason, n_characters, placeholder=" \u2026")
        )
        _write_value(panel, position, "not identified")
        return
    has_interval = math.isfinite(row.lower) and math.isfinite(row.upper)
    low, high = panel.get_xlim()
    if has_interval:
        ends = np.clip([row.lower, row.upper], low, high)
        panel.plot(ends, [position] * 2, color=look.colour, linewidth=1.4, solid_capstyle="butt")
        for end, bound, marker in zip(ends, (row.lower, row.upper), "<>", strict=True):
            cut = end != bound
            panel.plot(
                end,
                position,
                marker=marker if cut else "|",
                markersize=4 if cut else 6,
                color=look.colour,
                clip_on=False,
            )
    panel.plot(
        row.estimate,
        position,
        marker=look.marker,
        markersize=5,
        color=look.colour,
        markerfacecolor=look.colour if has_interval else "white",
        zorder=3,
    )
    value = f"{row.estimate:.2f}".replace("-", "\u2212")
    interval = f" [{row.lower:.2f}, {row.upper:.2f}]" if has_interval else " (no interval)"
    doubt = " ?" if row.doubted else ""
    _write_value(panel, position, value + interval.replace("-", "\u2212") + doubt)


def _write_value(panel: Axes, position: float, text: str) -> None:
    panel.text(
        1.02,
        position,
        text,
        transform=panel.get_yaxis_transform(),
        va="center_baseline",
        fontsize=7,
    )


def _write_reason(panel: Axes, position: float, reason: str) -> None:
    panel.text(
        0.01,
        position,
        reason,
        transform=panel.get_yaxis_transform(),
        va="center",
        fontsize=6,
        color=INK,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def _label(panel: Axes, table: pd.DataFrame, x_label: str) -> None:
    positions = _positions(table)
    panel.axvline(0, color=INK, linewidth=0.6, zorder=0)
    differences = positions[(table["kind"] != "exponent").to_numpy()]
    if 0 < len(differences) < len(positions):
        panel.axhline(differences[0] + 1, color=FAINT, linewidth=0.8, zorder=0)
    panel.set_yticks(positions, table["label"])
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)
    if table.empty:
        panel.text(0.5, 0.5, "no exponent was fitted", transform=panel.transAxes, ha="center")
    else:
        panel.set_ylim(positions[-1] - 0.7, 0.7)
    confidence = table["confidence"].dropna()
    suffix = f" ({100 * confidence.iloc[0]:g} % interval)" if len(confidence) else ""
    panel.set_xlabel(x_label + suffix)
