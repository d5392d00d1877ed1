"""Whether a scaling law can be fitted to these rows at all."""

import numpy as np
import pandas as pd

__all__ = ["check_brackets", "check_confidence", "check_covariates", "check_curves"]


def check_brackets(lower, upper) -> tuple[np.ndarray, np.ndarray]:
    """Return the brackets as float arrays, or say which row is wrong."""
    lower, upper = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    if lower.ndim != 1 or lower.shape != upper.shape:
        raise ValueError(
            f"lower has shape {lower.shape} and upper has shape {upper.shape}: both must be "
            "one-dimensional and of the same length"
        )
    for row, (low, high) in enumerate(zip(lower, upper, strict=True)):
        if not 0 <= low < high:  # also refuses NaN
            raise ValueError(
                f"row {row}: the bracket ({low:g}, {high:g}] is not a range of budgets; "
                "0 <= lower < upper is needed"
            )
        if low == 0 and high == np.inf:
            raise ValueError(
                f"row {row}: the bracket (0, inf] holds no information; leave the row out"
            )
    return lower, upper


def check_covariates(covariates, n_rows: int) -> np.ndarray:
    """Return the design with its intercept, or say which covariate is wrong."""
    columns = [np.ones(n_rows)]
    for name, values in covariates.items():
        values = np.asarray(values, dtype=float)
        if name == "intercept":
            raise ValueError("a covariate is called 'intercept': that name is taken")
        if values.shape != (n_rows,):
            raise ValueError(
                f"covariate {name!r} has shape {values.shape}: one value for each of the "
                f"{n_rows} rows is needed"
            )
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"covariate {name!r} is {values[row]} in row {row}: it must be finite")
        if n_rows and np.ptp(values) == 0:
            raise ValueError(
                f"covariate {name!r} is {values[0]:g} in every row: its effect cannot be told "
                "from the intercept, so leave it out"
            )
        columns.append(values)
    return np.column_stack(columns)


def check_curves(curve, n_rows: int) -> np.ndarray:
    """Return the number of each row's curve, or say which label is wrong."""
    labels = pd.Series(list(curve), dtype=object)
    if len(labels) != n_rows:
        raise ValueError(
            f"curve has {len(labels)} labels: one for each of the {n_rows} rows is needed"
        )
    if labels.isna().any():
        row = int(labels.isna().argmax())
        raise ValueError(f"the curve label of row {row} is missing ({labels[row]!r})")
    return pd.factorize(labels)[0]


def check_confidence(confidence: float) -> None:
    """Refuse a nominal coverage outside (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence!r}: it must lie between 0 and 1")
