"""What the statistics refuse before any arithmetic, and in which words."""

from collections.abc import Callable

import numpy as np
import pandas as pd

__all__ = ["as_columns", "check_confidence", "check_labels", "refuse_rows"]


def as_columns(**columns) -> dict[str, np.ndarray]:
    """Return the columns as float arrays of one length, or say which is not."""
    arrays = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    first, *others = arrays
    if arrays[first].ndim != 1:
        raise ValueError(f"{first} has shape {arrays[first].shape}: it must be one-dimensional")
    for name in others:
        if arrays[name].shape != arrays[first].shape:
            raise ValueError(
                f"{first} has shape {arrays[first].shape} and {name} has shape "
                f"{arrays[name].shape}: both need one value for each row"
            )
    return arrays


def refuse_rows(wrong: np.ndarray, describe: Callable[[int], str]) -> None:
    """Raise ValueError for the first row that is wrong, in the words of `describe`."""
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"row {row}: {describe(row)}")


def check_labels(labels, n_rows: int, name: str = "curve") -> tuple[np.ndarray, list]:
    """Return the number of each row's label and the labels, or say which is wrong."""
    labels = pd.Series(list(labels), dtype=object)
    if len(labels) != n_rows:
        raise ValueError(
            f"{name} has {len(labels)} labels: one for each of the {n_rows} rows is needed"
        )
    if labels.isna().any():
        row = int(labels.isna().argmax())
        raise ValueError(f"the {name} label of row {row} is missing ({labels[row]!r})")
    code, names = pd.factorize(labels)
    return code, list(names)


def check_confidence(confidence: float) -> None:
    """Refuse a nominal coverage outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}: it must lie between 0 and 1")
