"""Generate the stores of data that a study is short of."""

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nstar.artifacts import DATA, provenance, read_store, write_store
from nstar.grid import Slice, data_specification
from nstar.plan import data_store
from nstar.progress import Progress
from nstar.tasks import Task, build_task
from nstar.tasks.stream import SequenceStream


def generate_data(job: Mapping[str, Any], results: Path) -> None:
    """Write stores of data.

    Parameters
    ----------
    job : mapping
        ``tasks`` (options by name) and ``slices`` (fields of `nstar.grid.Slice`).
    results : Path
    """
    progress = Progress("stores of data", len(job["slices"]))
    for done, fields in enumerate(job["slices"], start=1):
        piece = Slice(**fields)
        options = job["tasks"][piece.task]
        write_store(
            data_store(options, piece, results),
            sequences(build_task(options), piece),
            DATA,
            data_specification(options, piece),
            provenance(device="cpu"),
        )
        progress.update(done)
    progress.finish()


def sequences(task: Task, piece: Slice) -> xr.Dataset:
    """Return tokens and labels of a stretch of the stream, both (sequence, position)."""
    stream = _stream(task.n_symbols, piece.length, piece.seed)
    tokens = stream.sequences(piece.start, piece.stop)
    labels = task.labels(tokens)
    return xr.Dataset(
        {
            "tokens": (("sequence", "position"), tokens.astype(np.min_scalar_type(task.n_symbols))),
            "labels": (("sequence", "position"), labels.astype(np.min_scalar_type(task.n_states))),
        }
    )


@cache
def _stream(n_symbols: int, length: int, seed: int) -> SequenceStream:
    return SequenceStream(n_symbols, length, seed)


def read_sequences(
    task: Mapping[str, Any], pieces: list[Slice], results: Path, n_sequences: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and labels of the first `n_sequences` of the pieces, both int64 (n, T)."""
    stores = [_arrays(data_store(task, piece, results)) for piece in pieces]
    tokens, labels = (
        np.concatenate(parts)[:n_sequences].astype(np.int64) for parts in zip(*stores, strict=True)
    )
    return tokens, labels


@lru_cache(maxsize=128)
def _arrays(path: str) -> tuple[np.ndarray, np.ndarray]:
    """Return tokens and labels of a store; the cells of one job read the same stores."""
    store = read_store(path, DATA)
    return store["tokens"].values, store["labels"].values
