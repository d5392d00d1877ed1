"""Which tables and columns are there, and how are they written and read?"""

from pathlib import Path

import pandas as pd

from nstar.errors import ArtifactError
from nstar.files import written_whole
from nstar.tables.answers import ANSWERS, WIDTH_EXPONENTS, WIDTHS
from nstar.tables.demand import (
    CELLS,
    CHECKS,
    COMPOSITION,
    DEMAND,
    EXPONENTS,
    EXTRAPOLATION,
    FORMS,
    LENGTHS,
    PROVENANCE,
    RATIOS,
    ROBUSTNESS,
    SHARING,
    STEPS,
    THRESHOLDS,
)
from nstar.tables.learning import LEARNING_CURVES, LEARNING_EXPONENTS
from nstar.tables.measured import CONTRASTS, DEGREES, MEASURES, REGRESSIONS, SHAPES, SHARPNESS

TABLES = {
    "cells": CELLS,
    "thresholds": THRESHOLDS,
    "exponents": EXPONENTS,
    "robustness": ROBUSTNESS,
    "checks": CHECKS,
    "forms": FORMS,
    "demand": DEMAND,
    "sharing": SHARING,
    "ratios": RATIOS,
    "steps": STEPS,
    "extrapolation": EXTRAPOLATION,
    "composition": COMPOSITION,
    "lengths": LENGTHS,
    "learning_curves": LEARNING_CURVES,
    "learning_exponents": LEARNING_EXPONENTS,
    "provenance": PROVENANCE,
    "measures": MEASURES,
    "sharpness": SHARPNESS,
    "degrees": DEGREES,
    "regressions": REGRESSIONS,
    "shapes": SHAPES,
    "contrasts": CONTRASTS,
    "answers": ANSWERS,
    "widths": WIDTHS,
    "width_exponents": WIDTH_EXPONENTS,
}
"""All tables by name."""

FUNCTION_TABLES = ("measures", "sharpness", "degrees", "regressions", "shapes", "contrasts")
"""Those that only a study with ``evaluation.function`` has."""

ANSWER_TABLES = ("answers", "widths", "width_exponents")
"""Those that only a study with ``evaluation.answers`` has."""


def write_table(path: Path, name: str, table: pd.DataFrame) -> None:
    """Write a table as CSV or Parquet, by the ending of the path, with its columns as documented."""
    columns = TABLES[name]
    if set(table.columns) != set(columns):
        wrong = sorted(set(table.columns) ^ set(columns))
        raise ArtifactError(f"table {name}: columns {', '.join(wrong)} missing or not documented")
    typed = table[list(columns)].astype({key: column.dtype for key, column in columns.items()})
    with written_whole(path) as temporary:
        if path.suffix == ".parquet":
            typed.to_parquet(temporary, index=False)
        else:
            typed.to_csv(temporary, index=False)


def read_table(path: Path, name: str) -> pd.DataFrame:
    """Read a table back with the types it was written with.

    Raises
    ------
    ArtifactError
        If the file is missing, or its columns are not those of the table.
    """
    columns = TABLES[name]
    types = {key: column.dtype for key, column in columns.items()}
    if not path.is_file():
        raise ArtifactError(f"table {path} is missing; run the workflow to make it")
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
    else:
        strings = {key: "str" for key, dtype in types.items() if dtype == "str"}
        table = pd.read_csv(path, dtype=strings, keep_default_na=False, na_values=[""])
    if list(table.columns) != list(columns):
        raise ArtifactError(
            f"table {path} has other columns than {name} now has; remove it and run the workflow again"
        )
    strings = [key for key, dtype in types.items() if dtype == "str"]
    table[strings] = table[strings].fillna("")
    return table.astype(types)


__all__ = [
    "ANSWERS",
    "ANSWER_TABLES",
    "CELLS",
    "CHECKS",
    "COMPOSITION",
    "CONTRASTS",
    "DEGREES",
    "DEMAND",
    "EXPONENTS",
    "EXTRAPOLATION",
    "FORMS",
    "FUNCTION_TABLES",
    "LEARNING_CURVES",
    "LEARNING_EXPONENTS",
    "LENGTHS",
    "MEASURES",
    "PROVENANCE",
    "RATIOS",
    "REGRESSIONS",
    "ROBUSTNESS",
    "SHAPES",
    "SHARING",
    "SHARPNESS",
    "STEPS",
    "TABLES",
    "THRESHOLDS",
    "WIDTHS",
    "WIDTH_EXPONENTS",
    "read_table",
    "write_table",
]
