"""Seals: what the files of a study were made from, and whether they still are what was made.

A step that makes files writes its seal last, into ``seals/`` of the folder of the study: the digest of
the job that it was given, and the SHA-256 of every file that it read and of every file that it wrote. A
step that failed or was killed leaves no seal. Time stamps and the memory of the workflow system play no
part: a copy of the folder is as good as the original, and an edited, cut or exchanged file is refused.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nstar.errors import ArtifactError
from nstar.files import is_there, read_at_most, remove, whole_in, written_whole
from nstar.files.faults import machine_fault, patiently, reading, wrong_type
from nstar.specification import canonical_json, digest

FOLDER = "seals"
STORES = "stores"
"""The name under which a seal has the digest of all stores that a step read."""

LARGEST_SEAL = 2**22
"""Bytes of a seal that are read; one of 30,000 files has as many."""

_NOT_CONTENT = ".snakemake_timestamp"


@dataclass(frozen=True)
class Seal:
    """What a step made, and from what.

    Attributes
    ----------
    study : str
        Name of the study, which is that of its folder.
    step : str
    job : str
        Digest of what the step was told: its part of the configuration, and the recipe.
    inputs, outputs : dict of str to str
        SHA-256 of each file, by its path below the folder. An output may be a folder.
    name : str
        That of the file of the seal, without ending; it begins with step and job.
    """

    study: str
    step: str
    job: str
    inputs: dict[str, str] = field(default_factory=dict, hash=False)
    outputs: dict[str, str] = field(default_factory=dict, hash=False)
    name: str = ""

    @property
    def stamp(self) -> str:
        """What a file says of its origin where its format has room for it."""
        return f"nstar study {self.study}, {self.step}, made from {self.job}"


@dataclass(frozen=True)
class _Work:
    """The step that this process is at."""

    folder: Path
    seal: Seal
    written: list[Path]


_WORK: ContextVar[_Work | None] = ContextVar("work", default=None)


@contextmanager
def sealing(folder: Path, job: Path | str, name: str | None = None) -> Iterator[None]:
    """Seal what the block makes, when it ends without error.

    Within the block `check_read` and `note_written` say what belongs into the seal. Files of the last
    seal of the step that are not made again are removed.

    Parameters
    ----------
    folder : Path
        The folder of the study.
    job : path
        The file of the job, whose name is the step and a digest; see `nstar.plan.job_files`.
    name : str, optional
        The name of the seal, without ending, if it is not that of the job.
    """
    step, _, job_digest = Path(job).stem.rpartition("-")
    before = [seal for seal in read_seals(folder) if seal.step == step]
    for path in whole_in(folder / FOLDER, ".json"):
        if path.name.startswith(f"{step}-"):
            remove(path)
    work = _Work(folder, Seal(folder.absolute().name, step, job_digest), [])
    token = _WORK.set(work)
    try:
        yield
    finally:
        _WORK.reset(token)
    for file in work.written:
        work.seal.outputs[file.relative_to(folder).as_posix()] = str(checksum(file))
    for name_before in {name for seal in before for name in seal.outputs}:
        if name_before not in work.seal.outputs and (folder / name_before).is_file():
            remove(folder / name_before)
    write_seal(folder, work.seal, name or Path(job).stem)


def write_seal(folder: Path, seal: Seal, name: str) -> None:
    """Write a seal under a name, which becomes its own."""
    content = asdict(seal) | {"name": name}
    with written_whole(seal_path(folder, name)) as temporary:
        temporary.write_text(
            json.dumps(content | {"checksum": digest(content)}, indent=1, sort_keys=True)
        )


def stamp() -> str:
    """Return what a file that is being made says of its origin; empty outside of `sealing`."""
    work = _WORK.get()
    return work.seal.stamp if work else ""


def note_written(path: Path) -> None:
    """Note that the step has written a file, or a folder."""
    if work := _WORK.get():
        work.written.append(path)


def note_read(path: Path) -> None:
    """Note a file of the study that the step reads and that needs no comparison, such as a seal."""
    if work := _WORK.get():
        work.seal.inputs[path.relative_to(work.folder).as_posix()] = str(checksum(path))


def note_stores(stores: str) -> None:
    """Note the digest of all stores that the step reads."""
    if work := _WORK.get():
        work.seal.inputs[STORES] = stores


def check_read(path: Path, content: bytes) -> None:
    """Compare a file that was read with its seal, and note it as an input of the step.

    Parameters
    ----------
    path : Path
        ``<folder of the study>/<folder>/<name>``. Where there are no seals beside it, as for a published
        table, a file is compared with nothing, unless a step reads it.
    content : bytes
        All of the file.

    Raises
    ------
    ArtifactError
        If no step has sealed the file, or if its content is not the one that was sealed.
    """
    work, folder = _WORK.get(), path.parent.parent
    if not (work or (folder / FOLDER).is_dir()):
        return
    name, found = path.relative_to(folder).as_posix(), hashlib.sha256(content).hexdigest()
    sealed = {seal.outputs[name] for seal in read_seals(folder) if name in seal.outputs}
    again = "run the workflow, which makes it again"
    if not sealed:
        raise ArtifactError(f"{path} has no seal: it is not known what it was made from; {again}")
    if found not in sealed:
        raise ArtifactError(f"{path} was edited or damaged after it was made; {again}")
    if work:
        work.seal.inputs[name] = found


def seal_path(folder: Path, name: str) -> Path:
    """Return the path of a seal of the folder of a study."""
    return folder / FOLDER / f"{name}.json"


def read_seals(folder: Path) -> list[Seal]:
    """Return the seals of the folder of a study, without those that are damaged.

    Raises
    ------
    DamageError
        If something else than a file lies in the place of one.
    MachineError
        If one cannot be read.
    """
    return [seal for seal in map(read_seal, whole_in(folder / FOLDER, ".json")) if seal]


def read_seal(path: Path) -> Seal | None:
    """Return a seal, or None where it is missing, damaged, or has been renamed; see `read_seals`."""
    if not is_there(path, "seal"):  # it may have been removed since the folder was read
        return None
    try:
        content: dict[str, Any] = json.loads(patiently(lambda: read_at_most(path, LARGEST_SEAL)))
        checksum = content.pop("checksum")
        seal = Seal(**content)
        is_whole = digest(content) == checksum and seal.name == path.stem
    except OSError as error:
        raise machine_fault(error, path) from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return seal if is_whole else None


def find_fitting(folder: Path, job: str) -> Seal | None:
    """Return a seal of a job whose files are those that were read and written; None where there is none.

    Parameters
    ----------
    folder : Path
        The folder of the study.
    job : str
        Name of the job: its step and a digest. Stores that it read are not compared; a plan does that.
    """
    for seal in read_seals(folder):
        files = {name: read for name, read in seal.inputs.items() if name != STORES} | seal.outputs
        if f"{seal.step}-{seal.job}" == job and all(
            checksum(folder / name) == content for name, content in files.items()
        ):
            return seal
    return None


def checksum(path: Path) -> str | None:
    """Return the SHA-256 of a file, or of names and contents of all files of a folder ``.zarr``.

    None if nothing lies there.

    Raises
    ------
    DamageError
        If something of another kind lies there: a folder, a device, a link that leads nowhere.
    MachineError
        If it cannot be read.
    """
    if path.suffix == ".zarr":
        return _checksum_of_folder(path)
    if not is_there(path, "file"):
        return None
    with reading(path, "file"):
        return patiently(lambda: _checksum_of_file(path))


def _checksum_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum_of_folder(path: Path) -> str | None:
    try:
        mode = patiently(lambda: os.lstat(path)).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise machine_fault(error, path) from None
    if not stat.S_ISDIR(mode):
        raise wrong_type(path, mode, "table", "a folder")

    def refuse(error: OSError) -> None:
        raise machine_fault(error, verb="listed") from None

    files = sorted(
        Path(folder, name)
        for folder, _, names in os.walk(path, onerror=refuse)
        for name in names
        if name != _NOT_CONTENT
    )
    content = {file.relative_to(path).as_posix(): checksum(file) for file in files}
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
