"""A table that is read is the one that was sealed, or it is refused by name."""

import pandas as pd
import pytest

from nstar.errors import ArtifactError
from nstar.files.seals import check_read, note_written, sealing, stamp
from nstar.tables import TABLES, read_table, write_table

JOB = "fit_exponents-0123456789ab"
VALUES = {"str": "a", "bool": True, "Int64": 1, "int64": 1, "float64": 0.81}
DAMAGE = {
    "one bit": lambda content: content[:99] + bytes([content[99] ^ 1]) + content[100:],
    "half": lambda content: content[: len(content) // 2],
    "header": lambda content: content.splitlines(keepends=True)[0],
    "a number": lambda content: content.replace(b"0.81", b"9.87") + b" " * (b"0.81" not in content),
    "empty": lambda content: b"",
    "not UTF-8": lambda content: content + b"\xff",
}


def table(name="ratios"):
    columns = {key: [VALUES[column.dtype]] * 3 for key, column in TABLES[name].items()}
    return pd.DataFrame(columns)


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a study with a sealed table."""
    with sealing(tmp_path / "mine", JOB):
        write_table(tmp_path / "mine/tables/ratios.csv", "ratios", table())
    return tmp_path / "mine"


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_table_is_refused_with_and_without_its_seal(kind, ending, folder):
    path = folder / f"tables/ratios.{ending}"
    assert len(read_table(path, "ratios")) == 3
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    with pytest.raises(ArtifactError, match=rf"ratios\.{ending} was edited or damaged after"):
        read_table(path, "ratios")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("content", [b"", b"PAR1PAR1", b"a,b\n1\n2,3,4\n", b"\xff\xfe", b"\0" * 9])
def test_a_table_without_seals_that_cannot_be_read_is_refused(content, ending, tmp_path):
    path = tmp_path / f"ratios.{ending}"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"is damaged|has other columns"):
        read_table(path, "ratios")


def test_a_table_beside_seals_that_has_none_is_refused(folder):
    write_table(folder / "tables/steps.csv", "steps", table("steps"))
    with pytest.raises(ArtifactError, match=r"steps\.csv has no seal"):
        read_table(folder / "tables/steps.csv", "steps")


def test_a_step_reads_no_table_without_a_seal(tmp_path):
    write_table(tmp_path / "tables/ratios.csv", "ratios", table())
    with (
        pytest.raises(ArtifactError, match="has no seal"),
        sealing(tmp_path, JOB),
    ):
        read_table(tmp_path / "tables/ratios.csv", "ratios")
    assert not list(tmp_path.glob("seals/*"))


def test_a_step_that_fails_leaves_no_seal_and_removes_the_last_one(folder):
    with pytest.raises(ZeroDivisionError), sealing(folder, JOB):
        _ = 1 / 0
    assert not list(folder.glob("seals/*"))


def test_files_that_a_step_no_longer_makes_are_removed_and_others_stay(folder):
    (folder / "tables/mine.csv").write_text("of a user")
    with sealing(folder, "fit_exponents-ba9876543210"):
        (folder / "fits.json").write_text("{}")
        note_written(folder / "fits.json")
    assert {path.name for path in folder.glob("*/*")} == {
        *("mine.csv", "fit_exponents-ba9876543210.json")
    }


def test_files_say_what_they_were_made_from(folder):
    assert stamp() == ""
    said = pd.read_parquet(folder / "tables/ratios.parquet").attrs
    assert said == {"seal": "nstar study mine, fit_exponents, made from 0123456789ab"}


def test_a_seal_is_that_of_its_own_file_alone(folder):
    content = (folder / "tables/ratios.csv").read_bytes()
    (folder / "tables/steps.csv").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"steps\.csv has no seal"):
        check_read(folder / "tables/steps.csv", content)
