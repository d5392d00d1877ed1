"""Which tables and columns are there, and how are they written and read?"""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nstar.columns import Column, Table
from nstar.errors import ArtifactError
from nstar.files import written_whole
from nstar.subjects.registry import SUBJECTS
from nstar.tables.cells import CELLS, LONGER, PROVENANCE, VERDICTS

if TYPE_CHECKING:
    import pandas as pd

EVERY_STUDY = {
    "cells": Table("one row per cell and replicate.", CELLS),
    "longer": Table(
        "tests at longer lengths than that of training, one row per replicate, length and reading.",
        LONGER,
    ),
    "provenance": Table("one row per part of a store of trained replicates.", PROVENANCE),
    "verdicts": Table(
        "one row per cell and rule: those that learnt, judged on a test set that no rule reads.",
        VERDICTS,
    ),
}
"""Tables that every study has; a subject has others beside them."""

TABLES: Mapping[str, Mapping[str, Column]] = {
    name: table.columns
    for tables in (EVERY_STUDY, *(subject.tables for subject in SUBJECTS))
    for name, table in tables.items()
}
"""Columns of all tables by name."""


def columns_of(name: str, found: Container[str]) -> dict[str, Column]:
    """Return the columns of a table by name, without the optional ones that are not found."""
    return {
        key: column for key, column in TABLES[name].items() if key in found or not column.optional
    }


def write_table(path: Path, name: str, table: "pd.DataFrame") -> None:
    """Write a table with its columns as documented: as CSV, and beside it as Parquet, which keeps types.

    Both have the same rows and columns. A reader of the CSV has to guess the type of a column that is
    empty, as all are in a table without rows, or whose numbers are mostly infinite.
    """
    columns = columns_of(name, table)
    if set(table.columns) != set(columns):
        wrong = sorted(set(table.columns) ^ set(columns))
        raise ArtifactError(f"table {name}: columns {', '.join(wrong)} missing or not documented")
    typed = table[list(columns)].astype({key: column.dtype for key, column in columns.items()})
    with written_whole(path.with_suffix(".parquet")) as temporary:
        typed.to_parquet(temporary, index=False)
    with written_whole(path.with_suffix(".csv")) as temporary:
        typed.to_csv(temporary, index=False)


def read_table(path: Path, name: str) -> "pd.DataFrame":
    """Read a table back with the types it was written with.

    Raises
    ------
    ArtifactError
        If the file is missing, or its columns are not those of the table.
    """
    import pandas as pd  # a plan reads names of tables alone

    types = {key: column.dtype for key, column in TABLES[name].items()}
    if not path.is_file():
        raise ArtifactError(f"table {path} is missing; run the workflow to make it")
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
    else:
        strings = {key: "str" for key, dtype in types.items() if dtype == "str"}
        table = pd.read_csv(path, dtype=strings, keep_default_na=False, na_values=[""])
    columns = columns_of(name, table)
    if list(table.columns) != list(columns):
        raise ArtifactError(
            f"table {path} has other columns than {name} now has; remove it and run the workflow again"
        )
    strings = [key for key, column in columns.items() if column.dtype == "str"]
    table[strings] = table[strings].fillna("")
    return table.astype({key: column.dtype for key, column in columns.items()})


def table_file(name: str) -> str:
    """Return the file that a table is read from, relative to the results folder."""
    return f"tables/{name}.parquet"


def read_tables(results: Path, *names: str) -> "tuple[pd.DataFrame, ...]":
    """Read tables of a results folder by name; see `read_table`."""
    return tuple(read_table(results / table_file(name), name) for name in names)


__all__ = [
    "CELLS",
    "EVERY_STUDY",
    "PROVENANCE",
    "TABLES",
    "columns_of",
    "read_table",
    "read_tables",
    "table_file",
    "write_table",
]
