"""The store of a study's tables: it grows with the rows, and every reader opens it."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from support.studies import tiny

from nstar.jobs.collection import write_study_store
from nstar.reading.check import load_study
from nstar.tables import CELLS, TABLES

ROOT = Path(__file__).parents[2]
CORE = {"bool", "int16", "int64", "float64"}
WORDS = {"outcome": ["learnt", "not_fitted"], "model": ["lstm", "dense"], "rule": ["seed", "any"]}


def rows(name, n):
    """Return a table of n rows, all of whose coordinates differ."""
    values = {
        "str": lambda key: [WORDS.get(key.split("_")[-1], [key, "other"])[i % 2] for i in range(n)],
        "bool": lambda key: [i % 3 == 0 for i in range(n)],
        "Int64": lambda key: [None if i % 2 else i for i in range(n)],
        "int64": lambda key: [2**60 + i for i in range(n)],
        "float64": lambda key: [np.nan if i % 5 == 4 else i / 3 for i in range(n)],
    }
    columns = {key: column.dtype for key, column in TABLES[name].items()}
    return pd.DataFrame(
        {key: pd.Series(values[dtype](key), dtype=dtype) for key, dtype in columns.items()}
    )


@pytest.fixture
def written(tmp_path, request):
    cells, thresholds = (rows(name, request.param) for name in ("cells", "thresholds"))
    path = tmp_path / "tables/study.zarr"
    path.parent.mkdir(parents=True)
    write_study_store(path, load_study(tiny()), cells, thresholds)
    return path, cells, thresholds


@pytest.mark.parametrize("written", [0, 40], indirect=True)
def test_every_column_has_a_type_that_all_readers_know(written):
    path, cells, thresholds = written
    raw = xr.open_zarr(path, mask_and_scale=False)
    n_words = 0
    for prefix, table, dimension in (
        ("", cells, "replicate"),
        ("threshold_", thresholds, "threshold"),
    ):
        for key, column in TABLES["cells" if not prefix else "thresholds"].items():
            if key in ("specification", "store", "evaluation_store"):
                continue
            variable = raw[prefix + key]
            header = json.loads((path / (prefix + key) / "zarr.json").read_text())
            assert header["data_type"] in CORE and header["shape"] == [len(table)]
            assert variable.dims == (dimension,)
            assert variable.attrs["long_name"] == column.meaning
            values = table[key]
            if column.dtype == "str":
                words = np.array([*variable.attrs["flag_meanings"].split(), ""])
                assert words[variable.values].tolist() == values.tolist()
                n_words += 1
            elif column.dtype == "Int64":
                assert variable.dtype == "int64"
                assert variable.values.tolist() == values.fillna(-1).tolist()
            else:
                assert variable.dtype == column.dtype
                np.testing.assert_array_equal(variable.values, values.to_numpy())
    assert n_words >= 10


@pytest.mark.parametrize("written", [10], indirect=True)
def test_the_way_of_the_documentation_leads_to_words_and_the_grid(written, monkeypatch):
    path, cells, _ = written
    page = (ROOT / "docs/reference/tables.md").read_text()
    (code,) = re.findall(r"```python\n(.*?set_index.*?)```", page, re.DOTALL)
    monkeypatch.chdir(path.parents[1])
    names = {}
    exec(code, names)
    row = cells.iloc[3]
    axes = [*names["axes"], "learning_rate"]
    found = names["grid"].sel({axis: row[axis] for axis in axes}).item()
    assert found == row["validation_loss"]
    assert names["words"]["outcome"].values.tolist() == cells["outcome"].tolist()


def test_missing_measurements_stay_away(tmp_path):
    cells = rows("cells", 2)
    optional = [key for key, column in CELLS.items() if column.optional]
    path = tmp_path / "study.zarr"
    write_study_store(path, load_study(tiny()), cells.drop(columns=optional), None)
    assert not {*optional} & {*xr.open_zarr(path)}
