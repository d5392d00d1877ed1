"""How curves are called in plans, logs, figures and findings: what is usual goes without saying."""

from collections.abc import Mapping
from typing import Any


def curve_name(curve: Mapping[str, Any]) -> str:
    """Return the coordinates of a curve in words.

    Examples
    --------
    >>> curve = {"model": "lstm", "task": "parity", "supervision": "outcome", "length": 8}
    >>> curve_name({**curve, "length_distribution": "uniform"})
    'lstm, parity, outcome, uniform lengths to 8'
    """
    parts = [curve["model"], curve["task"], _in_words(curve["supervision"], "aligned")]
    length = f"length {curve['length']}"
    if curve["length_distribution"] != "fixed":
        length = f"{_lengths_name(curve['length_distribution'])} to {curve['length']}"
    return ", ".join(filter(None, [*parts, length]))


def stratum_name(supervision: str, length_distribution: str, task: str = "") -> str:
    """Return what is asked for, and at which lengths, in words; all of them. A law may be of one task.

    Examples
    --------
    >>> stratum_name("chain_of_thought", "short_to_long")
    'chain of thought, short-to-long lengths'
    >>> stratum_name("outcome", "fixed", "arithmetic")
    'arithmetic, outcome, fixed lengths'
    """
    parts = [task, _in_words(supervision), _lengths_name(length_distribution)]
    return ", ".join(filter(None, parts))


def stratum_suffix(supervision: str, length_distribution: str) -> str:
    """Return what the names of files about a stratum end with: nothing for the usual one.

    Examples
    --------
    >>> stratum_suffix("aligned", "fixed"), stratum_suffix("outcome", "fixed")
    ('', '_outcome_fixed')
    """
    if (supervision, length_distribution) == ("aligned", "fixed"):
        return ""
    return f"_{supervision}_{length_distribution}"


def _in_words(name: str, usual: str = "") -> str:
    return "" if name == usual else name.replace("_", " ")


def _lengths_name(length_distribution: str) -> str:
    return f"{length_distribution.replace('_', '-')} lengths"
