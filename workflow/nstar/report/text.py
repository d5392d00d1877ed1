"""Numbers and intervals as the findings print them."""

import math
from typing import Any

QUANTITIES = {"length": ("length", "the length"), "n_states": ("m", "the number of states m")}
"""Exponents by quantity: what they are exponents in, short and in a sentence."""

BLANK = "\u2013"


def has_interval(row: Any) -> bool:
    """Return whether a row of the table of exponents has an interval to conclude from."""
    ends = (row.estimate, row.lower, row.upper)
    return bool(row.identified and row.converged) and all(map(math.isfinite, ends))


def show_estimate(row: Any) -> str:
    """Return an estimate with its interval in words, or that it is not identified."""
    if not math.isfinite(row.estimate):
        return "not identified"
    interval = "no interval"
    if has_interval(row):
        interval = f"{100 * row.confidence:g} % interval {row.lower:.2f} to {row.upper:.2f}"
    return f"{row.estimate:.2f} ({interval})".replace("-", "\u2212")


def show_interval(row: Any) -> str:
    """Return an estimate with its interval in brackets, or that it is not identified."""
    if not all(map(math.isfinite, (row.estimate, row.lower, row.upper))):
        return "not identified"
    interval = f"[{row.lower:.2f},\u00a0{row.upper:.2f}]"  # a line may break before it, not in it
    return f"{row.estimate:.2f} {interval}".replace("-", "\u2212")


def pair_name(row: Any) -> str:
    """Return the model of a row, or the two models of a difference."""
    return f"{row.model} \u2212 {row.minus_model}" if row.minus_model else row.model


def show_number(value: float) -> str:
    """Return a positive number with two or three digits, as 0.85, 3.5 or 120."""
    if value >= 1e6 or value < 1e-3:
        return f"{value:.0e}"
    return f"{float(f'{value:.2g}'):g}"


def show_signed(value: float) -> str:
    """Return a number of any sign and size with three digits, an open end as infinity.

    Examples
    --------
    >>> show_signed(1234.5), show_signed(6.4e-5), show_signed(float("inf"))
    ('1230', '6.4e-05', '\u221e')
    """
    if math.isnan(value):
        return BLANK
    text = "\u221e" if math.isinf(value) else f"{float(f'{abs(value):.3g}'):g}"
    return f"\u2212{text}" if value < 0 else text


def is_known(row: Any) -> bool:
    """Return whether a row of a table of fits has an estimate with an interval, maybe an open one."""
    ends = (row.lower, row.upper)
    return bool(row.identified) and math.isfinite(row.estimate) and not any(map(math.isnan, ends))


def show_fit(row: Any) -> str:
    """Return the estimate of a row of a table of fits with its interval, or that it is not identified."""
    if not is_known(row):
        return "not identified"
    ends = f"[{show_signed(row.lower)},\u00a0{show_signed(row.upper)}]"
    return f"{show_signed(row.estimate)} {ends}"


def side_of_zero(row: Any) -> str:
    """Return whether an interval lies "above" or "below" 0, or "includes" it."""
    return "above" if row.lower > 0 else "below" if row.upper < 0 else "includes"
