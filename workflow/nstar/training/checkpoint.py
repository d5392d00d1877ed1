"""Checkpoints: the whole state of a run, in a file that is no output of the workflow."""

import dataclasses
import hashlib
import io
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nstar.files import is_there, written_whole
from nstar.files.faults import UNREADABLE, is_of_machine, machine_fault, patiently
from nstar.training.evidence import Evidence
from nstar.training.optimiser import AdamState
from nstar.training.state import PackState

logger = logging.getLogger(__name__)

DIGEST_BYTES = hashlib.sha256().digest_size

PARTS = {"adam": AdamState, "evidence": Evidence}
"""Fields of a state that have fields of their own."""


def save_checkpoint(path: Path, state: PackState) -> None:
    """Write the state so that it is there whole or not at all, behind the SHA-256 of what follows.

    The name of the file says which store, replicates, budget and rule it belongs to
    (`nstar.jobs.part.Part.checkpoint`). It stands in the file too, so that training does not go on from a
    checkpoint under another name.
    """
    fields = {
        "name": path.name,
        "step": state.step,
        **vars(state),
    }  # name and step are read without torch, by what retries jobs and by verification
    fields |= {name: vars(fields[name]) for name in PARTS}
    content = io.BytesIO()
    torch.save(_map(fields, np.ndarray, torch.from_numpy), content)
    with written_whole(path) as temporary:
        temporary.write_bytes(hashlib.sha256(content.getbuffer()).digest() + content.getbuffer())


def load_checkpoint(path: Path, device: torch.device) -> PackState | None:
    """Return the state, or None where there is no checkpoint of this name that can be read.

    A checkpoint that is damaged, or was renamed and belongs to another run, costs time and no result:
    training starts again, and the log says so.

    Raises
    ------
    DamageError
        If something else than a file lies in its place.
    MachineError
        If the machine does not let it be read: it may be whole.
    """
    if not is_there(path, "checkpoint"):
        return None
    fields = _fields(path)
    if fields is None:
        logger.warning("checkpoint %s is damaged; training starts again", path)
        return None
    fields.pop("step", None)
    name = fields.pop("name", None)
    known = set(fields) == _names(PackState)
    if not (known and all(set(fields[name]) == _names(cls) for name, cls in PARTS.items())):
        logger.warning("checkpoint %s is of another version; training starts again", path)
        return None
    if name != path.name:
        logger.warning("checkpoint %s is of another run (%s); training starts again", path, name)
        return None
    on_device = {"parameters", "adam"}
    for name, value in fields.items():
        if name in on_device:
            fields[name] = _map(value, torch.Tensor, lambda tensor: tensor.to(device))
        else:
            fields[name] = _map(value, torch.Tensor, lambda tensor: tensor.numpy())
    return PackState(**fields | {name: cls(**fields[name]) for name, cls in PARTS.items()})


def _fields(path: Path) -> dict[str, Any] | None:
    """Return what a checkpoint holds, or None where it is not what was written."""
    try:
        if not patiently(lambda: _is_whole(path)):
            return None
        with path.open("rb") as file:
            file.seek(DIGEST_BYTES)
            content = io.BytesIO(file.read())
        fields = torch.load(content, map_location="cpu", weights_only=True)
        return fields if isinstance(fields, dict) else None
    except (MemoryError, pickle.UnpicklingError, *UNREADABLE) as error:
        if is_of_machine(error):
            raise machine_fault(error, path) from None
        return None


def _is_whole(path: Path) -> bool:
    """Return whether a checkpoint is what its digest says; takes no memory, whatever its size."""
    with path.open("rb") as file:
        wanted = file.read(DIGEST_BYTES)
        return hashlib.file_digest(file, "sha256").digest() == wanted


def _names(cls: type) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)}


def _map(value, kind, function):
    """Apply the function to every leaf of the kind in nested dicts and lists."""
    if isinstance(value, kind):
        return function(value)
    if isinstance(value, dict):
        return {name: _map(entry, kind, function) for name, entry in value.items()}
    if isinstance(value, list):
        return [_map(entry, kind, function) for entry in value]
    return value
