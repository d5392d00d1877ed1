"""Panels, ticks and legends that all figures share."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from nstar.report.style import FAINT, INK

_MARGIN_INCHES = 0.6  # width of a panel taken by its labels
_SLOT_SHARE = 0.8  # of the distance of two lengths is shared by the models
_MOST_SLOT_POINTS = 24
_NAME_INCHES = 0.075  # mean width of a character of an axis label
_CHARACTER_INCHES = 0.056  # mean width of a legend character
_HANDLE_INCHES = 0.45  # handle of a legend entry with its padding


def make_panels(
    n_rows: int,
    n_columns: int,
    width_inches: float,
    row_inches: float,
    extra_inches: float = 0.0,
    share_x: bool = True,
) -> tuple[Figure, np.ndarray]:
    """Return a figure with a grid of panels on shared axes, and the panels (rows, columns)."""
    figure = Figure(
        figsize=(width_inches, n_rows * row_inches + extra_inches), layout="constrained"
    )
    panels = figure.subplots(n_rows, n_columns, sharex=share_x, sharey=True, squeeze=False)
    return figure, panels


def wrap_panels(
    n_panels: int,
    most_columns: int,
    width_inches: float,
    row_inches: float,
    extra_inches: float,
    share_x: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Return a figure with `n_panels` panels in reading order, the last row filled as needed."""
    n_rows = math.ceil(n_panels / most_columns)
    n_columns = math.ceil(n_panels / n_rows)
    figure, grid = make_panels(n_rows, n_columns, width_inches, row_inches, extra_inches, share_x)
    panels = list(grid.flat)
    for unused in panels[n_panels:]:
        unused.remove()
    for panel in panels[max(n_panels - n_columns, 0) : n_panels]:
        panel.tick_params(labelbottom=True)
    return figure, panels[:n_panels]


def label_outer(panels: Sequence[Axes], x_label: str, y_label: str) -> None:
    """Label y in the first column and x where no panel stands below."""
    n_columns = panels[0].get_subplotspec().get_gridspec().ncols
    for i, panel in enumerate(panels):
        if i % n_columns == 0:
            panel.set_ylabel(y_label)
        if i >= len(panels) - n_columns:
            panel.set_xlabel(x_label)


def label_inches(names: Iterable[str]) -> float:
    """Return the height that the longest name needs as the upright label of a row of panels."""
    return _NAME_INCHES * max(map(len, names)) + 0.1


def task_title(task: str, n_states: Iterable[int]) -> str:
    """Return the heading of a task's panel, with m where the task has one (1: it has none).

    Examples
    --------
    >>> task_title("parity", [2, 2])
    'parity (m = 2)'
    """
    states = sorted(set(n_states))
    return f"{task} (m = {states[0]})" if len(states) == 1 and states[0] > 1 else task


def set_log_ticks(axis: Axis, values: Iterable[float], most: int) -> None:
    """Put plain numbers, at most `most`, on a logarithmic axis that shows `values`."""
    fix_ticks(axis, geometric_ticks(values, most))


def set_length_axis(panel: Axes, lengths: Iterable[int], most: int = 12) -> None:
    """Make x logarithmic, with room for marks beside the lengths and a faint line at each.

    Lengths too close to their neighbour for a label are left without one.
    """
    ordered = sorted(set(lengths))
    room = math.exp(0.6 * length_gap(ordered))
    panel.set(xscale="log", xlim=(ordered[0] / room, ordered[-1] * room))
    least_gap = math.log(ordered[-1] / ordered[0]) / most
    kept = ordered[:1]
    for length in ordered[1:]:
        if math.log(length / kept[-1]) > least_gap:
            kept.append(length)
    fix_ticks(panel.xaxis, kept)
    panel.grid(axis="x", color=FAINT, linewidth=0.5)
    panel.set_axisbelow(True)


def length_gap(lengths: Iterable[int]) -> float:
    """Return the smallest distance of two lengths in natural log units, ln 2 for a single one."""
    ordered = np.unique(np.fromiter(lengths, dtype=float))
    return float(np.diff(np.log(ordered)).min()) if len(ordered) > 1 else math.log(2)


def length_slot(lengths: Iterable[int], n_models: int, panel_inches: float) -> tuple[float, float]:
    """Return the width of one model's place beside a length, in log units and in points.

    Models share most of the distance of two lengths, and never take more than they need.
    """
    lengths = list(lengths)
    gap = length_gap(lengths)
    span = math.log(max(lengths) / min(lengths)) + 1.2 * gap
    points_per_unit = 72 * (panel_inches - _MARGIN_INCHES) / span
    slot = min(_SLOT_SHARE * gap / n_models, _MOST_SLOT_POINTS / points_per_unit)
    return slot, slot * points_per_unit


def model_shifts(models: Sequence[str], slot: float) -> dict[str, float]:
    """Return how far each model's place lies from the middle of all, in the unit of `slot`."""
    return {model: (i - (len(models) - 1) / 2) * slot for i, model in enumerate(models)}


def geometric_ticks(values: Iterable[float], most: int) -> list[float]:
    """Return ticks for positive values: on their geometric grid if they have one, else 1-2-5.

    Examples
    --------
    >>> geometric_ticks([100, 200, 800, 1600], most=3)
    [100.0, 400.0, 1600.0]
    >>> geometric_ticks([10, 70, 90], most=4)
    [10.0, 20.0, 50.0, 100.0]
    """
    ordered = sorted({float(value) for value in values})
    if len(ordered) == 1:
        return ordered
    smallest, largest = ordered[0], ordered[-1]
    ratio = min(high / low for low, high in pairwise(ordered))
    powers = np.log(np.array(ordered) / smallest) / math.log(ratio)
    if np.allclose(powers, powers.round(), atol=1e-6):
        n_steps = round(powers[-1])
        stride = math.ceil((n_steps + 1) / most)
        return [smallest * ratio**k for k in range(0, n_steps + 1, stride)]

    return round_ticks(smallest, largest, most)


def round_ticks(smallest: float, largest: float, most: int) -> list[float]:
    """Return ticks on the 1-2-5 grid, or as much of it as at most `most` ticks show.

    Examples
    --------
    >>> round_ticks(0.3, 8, most=6)
    [0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
    >>> round_ticks(1e-4, 1e6, most=4)
    [0.001, 1.0, 1000.0, 1000000.0]
    """
    decades = range(math.floor(math.log10(smallest)), math.ceil(math.log10(largest)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(f"{digit}e{k}") for k in decades for digit in digits]
        ticks = [tick for tick in ticks if smallest / 1.5 <= tick <= largest * 1.5]
        if 2 <= len(ticks) <= most:
            return ticks
    stride = math.ceil(len(decades) / most)
    return [float(f"1e{k}") for k in decades if k % stride == 0]


def fix_ticks(axis: Axis, ticks: Sequence[float]) -> None:
    """Put plain numbers on an axis, at these places alone."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:.0f}" if value >= 1 else f"{value:g}")
    )


def add_legend(figure: Figure, handles: Sequence[Artist], place: str) -> None:
    """Put a legend above ("upper") or below ("lower") all panels, as wide as the figure allows."""
    if handles:
        figure.legend(
            handles=handles,
            loc=f"outside {place} center",
            ncols=_n_columns(handles, figure.get_figwidth()),
            columnspacing=1.2,
            labelspacing=0.65,
            handlelength=2.2,
        )


def legend_inches(handles: Sequence[Artist], width_inches: float) -> float:
    """Return the height that `add_legend` takes from a figure of this width."""
    if not handles:
        return 0.0
    return 0.15 + 0.16 * math.ceil(len(handles) / _n_columns(handles, width_inches))


def _n_columns(handles: Sequence[Artist], width_inches: float) -> int:
    longest = max(len(handle.get_label()) for handle in handles)
    fitting = int(width_inches / (_HANDLE_INCHES + _CHARACTER_INCHES * longest))
    n_columns = max(1, min(len(handles), fitting))
    return math.ceil(len(handles) / math.ceil(len(handles) / n_columns))  # rows of equal length


def mark_handle(label: str, **properties) -> Line2D:
    """Return a legend entry for a mark without a line."""
    return Line2D([], [], label=label, **{"linestyle": "none", "color": INK, **properties})


def write_note(panel: Axes, text: str) -> None:
    """Say in the middle of a panel why it shows nothing."""
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", color=INK)


def say_nothing(text: str, width_inches: float) -> Figure:
    """Return a low figure that says why there is nothing to show."""
    figure = Figure(figsize=(width_inches, 1.0), layout="constrained")
    panel = figure.subplots()
    panel.set_axis_off()
    write_note(panel, text)
    return figure
