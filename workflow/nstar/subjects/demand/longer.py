"""Networks at longer lengths than that of training: which stand for a curve, and their horizons."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from nstar.columns import DECODED, SYMBOLS, TEACHER_FORCED
from nstar.subjects.demand.columns import HORIZONS, POSITIONS
from nstar.tables.selection import CURVE, CURVE_PLACE
from nstar.tasks import Task

NETWORK = [*CURVE, "seed", "learning_rate"]

BY_POSITION, BY_LENGTH = "position", "test_length"
"""What a horizon is over: positions of the longest test, or test lengths where only the last state of a
sequence is asked for."""


READINGS = {
    SYMBOLS: "symbols alone",
    TEACHER_FORCED: "true states read",
    DECODED: "own answers read",
}
"""What networks read in a test, in the words of figures and pages."""


def lengths_of_test(test: int | str, lengths: pd.Series) -> pd.Series:
    """Return the lengths of a test of ``evaluation.test_lengths``, of the lengths of training.

    Examples
    --------
    >>> lengths = pd.Series([8, 10])
    >>> lengths_of_test("2x", lengths).tolist(), lengths_of_test(50, lengths).tolist()
    ([16, 20], [50, 50])
    """
    return int(test[:-1]) * lengths if isinstance(test, str) else 0 * lengths + test


def name_of_test(test: int | str) -> str:
    """Return a test in words.

    Examples
    --------
    >>> name_of_test("2x"), name_of_test(50)
    ('tested at 2n', 'tested at 50')
    """
    return f"tested at {test[:-1]}n" if isinstance(test, str) else f"tested at {test}"


def longer_along(axis: Mapping[str, Any], longer: pd.DataFrame) -> pd.DataFrame:
    """Return the table of longer lengths with the value on an axis in place of the budget.

    Parameters
    ----------
    axis : mapping
        As `nstar.subjects.axis.axis_job` returns it.
    longer : DataFrame
        The table of this name.
    """
    if axis["name"] == "steps":
        return longer.assign(budget=axis["max_steps"])
    if "models" not in axis:
        return longer
    families, values = (
        longer["model"].map({name: pair[i] for name, pair in axis["models"].items()})
        for i in (0, 1)
    )
    return longer.assign(model=families, budget=values.astype("int64"))


def chosen_networks(longer: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the networks that stand for the seeds of each curve.

    They are those of the role ``extrapolation`` where the curve has some, at the largest budget there
    is. Of the learning rates of a seed the one is taken whose weights have the best validation sequence
    accuracy; among equals that with the lowest validation loss, then the smallest. What happens at
    other lengths has no part in the choice.

    Parameters
    ----------
    longer : DataFrame
        One row per replicate, test length and reading, along the axis.

    Returns
    -------
    DataFrame
        Rows of `longer`.
    """
    meant = longer["role"] == "extrapolation"
    there = meant.groupby([longer[name] for name in CURVE]).transform("any")
    rows = longer[meant == there]
    rows = rows[rows["budget"] == rows.groupby(CURVE)["budget"].transform("max")]
    ranked = rows.drop_duplicates(NETWORK).sort_values(
        ["validation_sequence_accuracy", "validation_loss", "learning_rate"],
        ascending=[False, True, True],
        na_position="last",
        kind="stable",
    )
    best = pd.MultiIndex.from_frame(ranked.drop_duplicates([*CURVE, "seed"])[NETWORK])
    return rows[pd.MultiIndex.from_frame(rows[NETWORK]).isin(best)]


def first_tests(extrapolation: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the shortest test length of each curve, own answers left out."""
    rows = extrapolation[extrapolation["reading"] != DECODED]
    return rows[rows["test_length"] == rows.groupby(CURVE)["test_length"].transform("min")]


def position_tables(
    tasks: Mapping[str, Task], threshold: float, longer: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Return the tables horizons and positions.

    Parameters
    ----------
    tasks : mapping of str to Task
    threshold : float
        Accuracy below which the horizon lies.
    longer : DataFrame
        Along the axis; the column `by_position` has the accuracies (test length,) by the number of the
        state.
    """
    horizons, positions = [], []
    keys = [*CURVE_PLACE, "role", "budget", "reading"]
    for key, rows in chosen_networks(longer).groupby(keys, sort=False):
        place = dict(zip(keys, key, strict=True))
        over = BY_LENGTH if place["supervision"] == "outcome" else BY_POSITION
        longest = rows["test_length"].max()
        place |= {"over": over, "longest": longest}
        if over == BY_LENGTH:
            wide = rows.pivot(index="seed", columns="test_length", values="token_accuracy")
            at, accuracies = wide.columns.to_numpy(), wide.to_numpy()
        else:
            rows = rows[rows["test_length"] == longest].set_index("seed").sort_index()
            accuracies = np.stack(rows["by_position"].to_list())
            at, wide = np.arange(1, longest + 1), rows
        task = tasks[place["task"]]
        chances = [task.chance(int(n), int(n)) for n in at]
        horizons.extend(_horizon_rows(place, wide.index, at, accuracies, threshold))
        positions.append(_position_rows(place, at, accuracies, chances))
    return {
        "horizons": pd.DataFrame(horizons, columns=list(HORIZONS)),
        "positions": pd.concat(positions, ignore_index=True)[list(POSITIONS)]
        if positions
        else pd.DataFrame(columns=list(POSITIONS)),
    }


def horizon(at: np.ndarray, accuracies: np.ndarray, threshold: float) -> tuple[float, str]:
    """Return the first of some positions at which accuracy lies below a threshold, and its censoring.

    Returns
    -------
    horizon : float
        NaN where it is not known.
    censoring : str
        ``exact``; ``beyond``, where no accuracy lies below the threshold: it is beyond the last
        position; ``unknown``, where an accuracy is not a number.

    Examples
    --------
    >>> at = np.arange(1, 5)
    >>> horizon(at, np.array([1.0, 0.95, 0.6, 0.95]), 0.9)
    (3.0, 'exact')
    >>> horizon(at, np.array([1.0, 0.95, 0.9, 0.9]), 0.9)
    (nan, 'beyond')
    """
    if np.isnan(accuracies).any():
        return np.nan, "unknown"
    below = at[accuracies < threshold]
    return (float(below[0]), "exact") if len(below) else (np.nan, "beyond")


def median_horizon(found: list[tuple[float, str]]) -> tuple[float, str]:
    """Return the median of horizons of which some may be censored; those that are unknown do not count.

    Where there is an even number, the lower one of the middle two: it is known wherever the median is.

    Examples
    --------
    >>> median_horizon([(12.0, "exact"), (np.nan, "beyond"), (8.0, "exact")])
    (12.0, 'exact')
    >>> median_horizon([(12.0, "exact"), (np.nan, "beyond"), (np.nan, "beyond")])
    (nan, 'beyond')
    """
    known = sorted(
        np.inf if censoring == "beyond" else n for n, censoring in found if censoring != "unknown"
    )
    if not known:
        return np.nan, "unknown"
    middle = known[(len(known) - 1) // 2]
    return (middle, "exact") if np.isfinite(middle) else (np.nan, "beyond")


def _horizon_rows(
    place: Mapping[str, Any], seeds: Any, at: np.ndarray, accuracies: np.ndarray, threshold: float
) -> Iterator[dict[str, Any]]:
    """Yield the horizon of each seed of a curve, and their median."""
    found = [horizon(at, own, threshold) for own in accuracies]
    for seed, (value, censoring) in zip(seeds, found, strict=True):
        yield {**place, "rule": "seed", "seed": seed, "horizon": value, "censoring": censoring}
    value, censoring = median_horizon(found)
    yield {**place, "rule": "median", "seed": pd.NA, "horizon": value, "censoring": censoring}


def _position_rows(
    place: Mapping[str, Any], at: np.ndarray, accuracies: np.ndarray, chances: list[float]
) -> pd.DataFrame:
    """Return accuracy by position of a curve: the median over seeds, and its spread."""
    known = pd.DataFrame(accuracies)
    return pd.DataFrame(
        {
            **place,
            "position": at,
            "chance": chances,
            "n_seeds": known.notna().sum().to_numpy(),
            "median": known.median().to_numpy(),
            "least": known.min().to_numpy(),
            "most": known.max().to_numpy(),
        }
    )
