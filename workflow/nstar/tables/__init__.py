"""Which tables and columns are there, and how are they written and read?"""

import io
from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nstar.columns import Column, Table
from nstar.errors import ArtifactError
from nstar.files import is_there, written_whole
from nstar.files.faults import patiently, reading
from nstar.files.seals import check_read, note_written, stamp
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
    typed.attrs = {"seal": stamp()} if stamp() else {}  # Parquet keeps them
    for file in (path.with_suffix(".parquet"), path.with_suffix(".csv")):
        with written_whole(file) as temporary:
            if file.suffix == ".parquet":
                typed.to_parquet(temporary, index=False)
            else:
                typed.to_csv(temporary, index=False)
        note_written(file)


def read_table(path: Path, name: str) -> "pd.DataFrame":
    """Read a table back with the types it was written with, and compare it with its seal.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged, edited, or has other columns than the table; or if it lies in
        the folder of a study and has no seal. See `nstar.files.seals.check_read`.
    """
    if not is_there(path, "table"):
        raise ArtifactError(f"table {path} is missing; run the workflow to make it")
    with reading(path, "table"):
        content = patiently(path.read_bytes)
    check_read(path, content)
    try:
        table = _parse(content, path.suffix, name)
        columns = columns_of(name, table)
        if list(table.columns) != list(columns):
            raise ArtifactError(
                f"table {path} has other columns than {name} now has; remove it and run the workflow "
                "again"
            )
        strings = [key for key, column in columns.items() if column.dtype == "str"]
        table[strings] = table[strings].fillna("")
        return table.astype({key: column.dtype for key, column in columns.items()})
    except (
        ValueError,
        TypeError,
        KeyError,
        OSError,
        OverflowError,
    ) as error:  # those of the parsers
        reason = str(error).splitlines() or [type(error).__name__]
        raise ArtifactError(
            f"table {path} is damaged ({reason[0]}); run the workflow, which makes it again"
        ) from None


def _parse(content: bytes, suffix: str, name: str) -> "pd.DataFrame":
    """Return a table as its file has it; an error is one of the libraries."""
    import pandas as pd  # a plan reads names of tables alone

    if suffix == ".parquet":
        return pd.read_parquet(io.BytesIO(content))
    strings = {key: "str" for key, column in TABLES[name].items() if column.dtype == "str"}
    return pd.read_csv(io.BytesIO(content), dtype=strings, keep_default_na=False, na_values=[""])


def table_file(name: str) -> str:
    """Return the file that a table is read from, relative to the folder of the study."""
    return f"tables/{name}.parquet"


def read_tables(folder: Path, *names: str) -> "tuple[pd.DataFrame, ...]":
    """Read tables of the folder of a study by name; see `read_table`."""
    return tuple(read_table(folder / table_file(name), name) for name in names)


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
