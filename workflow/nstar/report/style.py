"""How every figure looks, and how it is written: one place for colours, marks, fonts and files."""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from nstar.files import written_whole
from nstar.files.seals import note_written, stamp

SETTINGS = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so sizes are the same everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "nstar",  # ids of SVG elements do not change between runs
}

LONGEST_SIDE = 2**16 - 1
"""Pixels; matplotlib draws no longer ones."""

INK = "#333333"
FAINT = "#d9d9d9"

# Okabe and Ito (2008) without yellow, which is lost on white, and with their grey; neighbours
# differ in lightness, so that the first few can be told apart in grey.
_COLOURS = (
    "#0072B2",  # blue
    "#E69F00",  # orange
    "#000000",  # black
    "#CC79A7",  # reddish purple
    "#D55E00",  # vermilion
    "#56B4E9",  # sky blue
    "#009E73",  # bluish green
    "#999999",  # grey
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_LINES = (
    "-",
    (0, (5, 1.5)),
    (0, (1, 1)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (2, 2)),
)


@dataclass(frozen=True)
class Look:
    """Colour, marker and line style of one model, task or length."""

    colour: str | tuple
    marker: str
    line: str | tuple


def model_looks(models: Iterable[str]) -> dict[str, Look]:
    """Return one look for each model (or task), by order of first appearance.

    Beyond eight models colours repeat, always with another marker and another line style.

    Examples
    --------
    >>> looks = model_looks(["lstm", "transformer", "lstm"])
    >>> list(looks), looks["lstm"].colour
    (['lstm', 'transformer'], '#0072B2')
    """
    return {
        model: Look(
            _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)], _LINES[i % len(_LINES)]
        )
        for i, model in enumerate(dict.fromkeys(models))
    }


def length_looks(lengths: Iterable[int]) -> dict[int, Look]:
    """Return one look for each length, dark to light with growing length (cividis)."""
    ordered = sorted(set(lengths))
    places = np.linspace(0.0, 0.85, len(ordered)) if len(ordered) > 1 else [0.0]
    return {
        length: Look(matplotlib.colormaps["cividis"](place), _MARKERS[i % len(_MARKERS)], "-")
        for i, (length, place) in enumerate(zip(ordered, places, strict=True))
    }


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Make a function draw with `SETTINGS`, whatever the caller's own settings are."""

    @functools.wraps(draw)
    def draw_styled(*args, **kwargs) -> Figure:
        with matplotlib.style.context(["default", SETTINGS]):
            return draw(*args, **kwargs)

    return draw_styled


def save(figure: Figure, stem_path: str | Path, dots_per_inch: int) -> tuple[Path, Path]:
    """Write a figure whole as SVG and PNG, byte for byte the same for the same figure.

    Parameters
    ----------
    figure : Figure
        What is written.
    stem_path : str or Path
        Path without ending; its folder is made.
    dots_per_inch : int
        Resolution of the PNG file.

    Returns
    -------
    tuple of Path
        The SVG and the PNG file.
    """
    stem_path = Path(stem_path)
    svg_path = stem_path.with_name(stem_path.name + ".svg")
    png_path = stem_path.with_name(stem_path.name + ".png")
    with matplotlib.style.context(["default", SETTINGS]):
        source = stamp() or None
        with written_whole(svg_path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Source": source})
        dots_per_inch = drawable(figure, dots_per_inch)
        metadata = {"Software": None} | ({"Source": source} if source else {})
        with written_whole(png_path) as temporary:
            figure.savefig(temporary, format="png", dpi=dots_per_inch, metadata=metadata)
    for path in (svg_path, png_path):
        note_written(path)
    return svg_path, png_path


def drawable(figure: Figure, dots_per_inch: float) -> float:
    """Return the resolution of a figure in pixels: as asked for, or the largest that can be drawn.

    Figures grow with the number of models and tasks. A side has `LONGEST_SIDE` pixels at most, and all
    pixels together take 512 MiB at most.

    Examples
    --------
    >>> drawable(Figure((7, 6)), 150), drawable(Figure((7, 600)), 150)
    (150, 109.225)
    """
    width, height = figure.get_size_inches()
    largest = min(LONGEST_SIDE / max(width, height), (2**27 / (width * height)) ** 0.5)
    return min(dots_per_inch, float(largest))


def save_all(figures: Mapping[str, Figure], folder: Path, suffix: str, dots_per_inch: int) -> None:
    """Write figures into a folder, each as `save` does, by name and a common suffix."""
    for name, figure in figures.items():
        save(figure, folder / f"{name}{suffix}", dots_per_inch)
