"""Faults of the machine are no damage, messages can be pasted, and what is no file is named."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from nstar import files
from nstar.errors import DamageError, MachineError
from nstar.files import faults, is_there, names_in, written_whole
from nstar.files.faults import ADVICE, patiently, quoted, reading, repair_command

OF_THE_MACHINE = (
    *("EACCES", "EPERM", "EMFILE", "ENFILE", "EIO", "ESTALE", "ENOSPC", "EDQUOT", "EROFS"),
    *("ENOMEM", "ETIMEDOUT"),
)


@pytest.mark.parametrize("name", OF_THE_MACHINE)
def test_the_machine_is_named_and_nothing_is_to_be_removed(name):
    number = getattr(errno, name)
    with pytest.raises(MachineError) as caught, reading("cells/a.zarr.zip"):
        raise OSError(number, os.strerror(number))
    text = str(caught.value)
    assert text.startswith(f"cells/a.zarr.zip cannot be read: {os.strerror(number)}; ")
    assert ADVICE[number] in text and "--repair" not in text and "rm " not in text


def test_too_little_memory_is_no_damage():
    with pytest.raises(
        MachineError, match=r"a.zarr.zip cannot be read: there is not enough memory"
    ):
        with reading("a.zarr.zip"):
            raise MemoryError


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EINVAL, "Invalid argument"), KeyError("x"), EOFError(), RecursionError()],
)
def test_what_a_library_raises_for_content_is_damage(error):
    with pytest.raises(DamageError, match=r"store a.zarr.zip is damaged .*--repair -- a.zarr.zip"):
        with reading("a.zarr.zip"):
            raise error


@pytest.mark.parametrize(("name", "n_tries"), [("ESTALE", 3), ("EIO", 3), ("EACCES", 1)])
def test_what_may_pass_is_tried_again(name, n_tries, monkeypatch):
    monkeypatch.setattr(faults, "PAUSES_S", (0.0, 0.0))
    tries = []

    def read():
        tries.append(0)
        raise OSError(getattr(errno, name), "no")

    with pytest.raises(OSError, match="no"):
        patiently(read)
    assert len(tries) == n_tries


NAMES = (
    "it's",
    "a b",
    "x'; touch PWNED; echo '",
    "$(touch PWNED)",
    "-rf",
    "two\nlines",
    "\x1b[31mred",
)
NAMES += ("ö", os.fsdecode(b"\xff\xfe"), "back\\slash\n", "~")


def test_the_command_names_a_script_that_is_there():
    script = repair_command("a.zarr.zip").split()[1]
    assert script.endswith("scripts/verify_results.py") and Path(script).is_file()


@pytest.mark.parametrize("name", NAMES)
def test_commands_can_be_pasted_whatever_a_file_is_called(name, tmp_path):
    (tmp_path / name).touch()
    command = repair_command(Path(name))
    assert command.isprintable()
    listed = ["bash", "-c", f"printf %s {quoted(name)}"]
    assert subprocess.run(listed, capture_output=True, check=True).stdout == os.fsencode(name)
    subprocess.run(["bash", "-c", f"rm -- {quoted(name)}"], cwd=tmp_path, check=True)
    assert not list(tmp_path.iterdir())


def dangling(path):
    path.symlink_to("nowhere")


def circle(path):
    path.symlink_to(path.name)


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.mkdir, "is a folder, not a file"),
        (os.mkfifo, "is a pipe, not a file"),
        (device, "is a device, not a file"),
        (dangling, "is a link to nowhere, which is not there"),
        (circle, "is a link that leads to itself"),
    ],
)
def test_what_is_no_file_is_named(make, words, tmp_path):
    path = tmp_path / "a.zarr.zip"
    assert not is_there(path)
    make(path)
    with pytest.raises(DamageError, match=words):
        is_there(path)


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "cells").touch()
    with pytest.raises(DamageError, match=f"file {tmp_path}/cells is not a folder") as caught:
        is_there(tmp_path / "cells" / "model" / "a.zarr.zip")
    assert caught.value.path == tmp_path / "cells"


def test_what_must_not_be_seen_is_not_missing(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(files.os, "stat", refuse)
    monkeypatch.setattr(files.os, "listdir", refuse)
    with pytest.raises(MachineError, match="Permission denied; ask its owner"):
        is_there(tmp_path / "a.zarr.zip")
    with pytest.raises(MachineError, match="cannot be listed: Permission denied"):
        names_in(tmp_path)


def test_a_failed_write_names_the_file_and_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(MachineError, match=r"a.csv cannot be written: No space left .*free space"):
        with written_whole(path) as temporary:
            temporary.write_text("new")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
