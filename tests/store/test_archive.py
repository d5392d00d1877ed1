"""Stores: round trip, same bytes for same content, and refusal of what is damaged or foreign."""

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from support.parts import PAIRS, name_of, weights_of, write_part

from nstar.cells import Block
from nstar.errors import ArtifactError
from nstar.specification import digest
from nstar.store.archive import read_store, specification_of, write_store
from nstar.store.header import read_header
from nstar.store.provenance import provenance
from nstar.store.replicates import check_replicates, pairs_of
from nstar.store.schemas import CELL, DATA, EVALUATION, OWN_SETS

SPECIFICATION = {"stage": "data", "length": 3, "seed": 0, "start": 0, "stop": 4}


def sequences(offset=0):
    symbols = (np.arange(12, dtype=np.uint8).reshape(4, 3) + offset) % 5
    axes, length = ("sequence", "position"), np.full(4, 3, dtype=np.uint8)
    return xr.Dataset(
        {
            "symbols": (axes, symbols),
            "states": (axes, symbols[:, ::-1]),
            "length": ("sequence", length),
        }
    )


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "deep" / f"{digest(SPECIFICATION)}.zarr.zip"
    write_store(path, sequences(), DATA, SPECIFICATION, {"device": "cpu"})
    return path


def numbers_of(variable, shape, generator):
    """Return legal numbers of a variable."""
    numbers = generator.random(shape) if variable.kinds == "f" else generator.integers(1, 9, shape)
    return numbers.astype({"f": np.float32, "b": bool}.get(variable.kinds, np.int64))


@pytest.mark.parametrize("schema", [DATA, EVALUATION], ids=lambda schema: schema.stage)
def test_round_trip_of_every_variable(schema, tmp_path):
    variables = {**schema.variables, **schema.optional}
    sizes = {"sequence": 4, "stream": 3}
    for variable in variables.values():
        for name in variable.dimensions:
            sizes.setdefault(name, len(sizes) + 2)
    generator = np.random.default_rng(0)
    written = xr.Dataset(
        {
            name: (variable.dimensions, numbers_of(variable, shape, generator))
            for name, variable in variables.items()
            for shape in [[sizes[axis] for axis in variable.dimensions]]
        }
    )
    summary = {}
    if schema is EVALUATION:
        steps = written["step"].values.tolist()
        rows = [[*pair, step] for pair, step in zip(pairs_of(written), steps, strict=True)]
        summary = {"rows": rows, "tests": [OWN_SETS, *written["tested_length"].values.tolist()]}
    path = tmp_path / f"{digest(SPECIFICATION)}.zarr.zip"
    write_store(path, written, schema, SPECIFICATION, provenance(device="cpu"), summary)
    read = read_store(path, schema)
    xr.testing.assert_equal(read.reset_coords(), written)
    assert specification_of(read) == SPECIFICATION
    for name in variables:
        assert read[name].attrs["long_name"] and read[name].attrs["units"]


def test_round_trip_of_a_trained_cell(tmp_path):
    path = write_part(name_of(tmp_path, 0), {PAIRS[0]: (0, 2), PAIRS[1]: (1, 4)})
    read = read_store(path, CELL)
    assert pairs_of(read) == PAIRS[:2]
    np.testing.assert_array_equal(read["weights"][0], weights_of(PAIRS[0], 10))
    assert all(read[name].attrs["units"] for name in CELL.variables)


def test_same_content_has_the_same_bytes(path):
    before = path.read_bytes()
    write_store(path, sequences(), DATA, SPECIFICATION, {"device": "cpu"})
    assert path.read_bytes() == before


def test_nothing_but_the_store_is_left_behind(path):
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_interrupted_write_leaves_the_old_store(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_store(path, sequences(1), DATA, SPECIFICATION, {})
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def refusal(path, schema=DATA):
    with pytest.raises(ArtifactError) as caught:
        read_store(path, schema)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_missing_store(tmp_path):
    assert "is missing; run the workflow again" in refusal(tmp_path / "0.zarr.zip")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_store_is_refused_with_the_repair(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert f"verify_results.py --repair -- {path}" in refusal(path)


def test_flipped_bit_in_any_entry_is_refused(path):
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    for entry in entries:
        damaged = bytearray(whole)
        damaged[entry.header_offset + 30 + len(entry.filename) + entry.file_size // 2] ^= 1
        path.write_bytes(bytes(damaged))
        assert "damaged" in refusal(path)


def rewritten(path, change):
    """Write the zip file again with its entries changed, as a tool for zip files would."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def test_exchanged_array_is_refused(path):
    before = path.with_name("before.zip")
    before.write_bytes(path.read_bytes())
    write_store(path, sequences(1), DATA, SPECIFICATION, {"device": "cpu"})
    with zipfile.ZipFile(before) as archive:
        other = archive.read("symbols/c/0/0")
    rewritten(path, lambda entries: entries.update({"symbols/c/0/0": other}))
    assert "not that of its checksum" in refusal(path)


def test_edited_header_is_refused(path):
    def edit(entries):
        assert b"cpu" in entries["zarr.json"]
        entries["zarr.json"] = entries["zarr.json"].replace(b"cpu", b"gpu")

    rewritten(path, edit)
    assert "not that of its checksum" in refusal(path)


def test_removed_entry_is_refused(path):
    rewritten(path, lambda entries: entries.pop("states/c/0/0"))
    assert "not that of its checksum" in refusal(path)


def test_header_is_read_without_the_arrays(path):
    header = read_header(path)
    assert header["specification"] == SPECIFICATION
    assert header["provenance"] == {"device": "cpu"} and header["summary"] == {}
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ArtifactError, match=r"damaged .* --repair -- "):
        read_header(path)


def test_store_of_another_stage_is_refused(path):
    assert "is of stage 'data', schema version 2; wanted is stage 'training'" in refusal(path, CELL)


def test_store_under_a_foreign_name_is_refused(path):
    other = path.with_name("0123456789ab.zarr.zip")
    path.rename(other)
    assert "not the one it is named after" in refusal(other)


def test_foreign_zip_is_refused(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("root", ["[]", "{", '{"attributes": []}', '{"attributes": {}}', "\udcff"])
def test_foreign_store_is_refused(root, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", root.encode(errors="surrogateescape"))
    assert "damaged" in refusal(path)


def test_flipped_bit_in_the_directory_of_the_zip_file_is_refused_or_harmless(path):
    """Its library raises many kinds of errors there, EOFError and that of zlib among them."""
    whole, before = path.read_bytes(), read_store(path, DATA)
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    n_refused = 0
    for position in range(start, len(whole)):
        for bit in (0, 3):
            damaged = bytearray(whole)
            damaged[position] ^= 1 << bit
            path.write_bytes(bytes(damaged))
            try:
                xr.testing.assert_identical(read_store(path, DATA), before)
            except ArtifactError:
                n_refused += 1
    assert n_refused > len(whole) - start  # the rest are times and rights


def test_store_of_other_replicates_is_refused():
    found = xr.Dataset(
        coords={"seed": ("replicate", [0, 1]), "learning_rate": ("replicate", [0.1, 0.1])}
    )
    check_replicates("a.zarr.zip", found, Block(None, (0, 1), (0.1,)))
    with pytest.raises(ArtifactError, match=r"a.zarr.zip holds the replicates .*, not the"):
        check_replicates("a.zarr.zip", found, Block(None, (0, 2), (0.1,)))


def test_dataset_that_does_not_follow_the_schema_is_not_written(tmp_path):
    path = tmp_path / f"{digest(SPECIFICATION)}.zarr.zip"
    with pytest.raises(ArtifactError, match="variable states of schema data is missing"):
        write_store(path, sequences().drop_vars("states"), DATA, SPECIFICATION, {})
    with pytest.raises(ArtifactError, match="symbols has dimensions"):
        write_store(path, sequences().transpose(), DATA, SPECIFICATION, {})
    assert not path.exists()


def test_a_store_opens_with_xarray_alone(path):
    """In the way that the page of tables shows; the path alone is taken for a folder."""
    page = (Path(__file__).parents[2] / "docs/reference/tables.md").read_text()
    (code,) = re.findall(r"```python\n([^`]*zip::[^`]*)```", page)
    with pytest.raises(zarr.errors.GroupNotFoundError):
        xr.open_zarr(path, consolidated=False)
    names = {"path": path}
    exec(code, names)
    expected = read_store(path, DATA)
    for name, variable in expected.variables.items():
        assert names["store"][name].dtype == variable.dtype
        np.testing.assert_array_equal(names["store"][name], variable)
