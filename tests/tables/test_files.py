"""Tables as files: CSV and Parquet with the same rows, and types that survive where there are none."""

import pandas as pd
import pyarrow.parquet
import pytest

from nstar.errors import ArtifactError
from nstar.tables import TABLES, read_table, table_file, write_table

VALUES = {"str": ["nan", "", 'ü, "x"\n'], "bool": [True, False, True], "Int64": [1, None, 2**62]}
NUMBERS = {"int64": [-1, 0, 2**62], "float64": [0.1 + 0.2, float("inf"), None]}
KINDS = {"str": "large_string", "bool": "bool", "Int64": "int64", "int64": "int64"}


def rows(name, n=3):
    """Return a table whose columns hold awkward values of their types."""
    values = VALUES | NUMBERS
    columns = {key: values[column.dtype][:n] for key, column in TABLES[name].items()}
    return pd.DataFrame(columns)


@pytest.mark.parametrize("name", sorted(TABLES))
@pytest.mark.parametrize("n", [0, 3])
def test_both_files_of_a_table_hold_the_same(name, n, tmp_path):
    write_table(tmp_path / f"{name}.csv", name, rows(name, n))
    texts, typed = (read_table(tmp_path / f"{name}{end}", name) for end in (".csv", ".parquet"))
    pd.testing.assert_frame_equal(texts, typed, check_exact=True)
    assert typed.dtypes.astype(str).to_dict() == {
        key: column.dtype for key, column in TABLES[name].items()
    }


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_without_rows_keeps_its_types_for_every_reader(name, tmp_path):
    write_table(tmp_path / f"{name}.csv", name, rows(name, 0))
    schema = pyarrow.parquet.read_schema(tmp_path / f"{name}.parquet")
    for key, column in TABLES[name].items():
        assert str(schema.field(key).type) == KINDS.get(column.dtype, "double"), key


def test_the_analysis_reads_what_keeps_types(tmp_path):
    assert table_file("thresholds") == "tables/thresholds.parquet"
    with pytest.raises(ArtifactError, match=r"thresholds.parquet is missing; run the workflow"):
        read_table(tmp_path / table_file("thresholds"), "thresholds")
