"""Generate the stores of data that a study is short of."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nstar.cells import Slice, data_specification, slice_of, table_slice
from nstar.files import is_there
from nstar.files.faults import reading
from nstar.jobs.turns import in_turns
from nstar.plan.stores import data_store
from nstar.progress import Progress
from nstar.store.archive import read_store, specification_of, write_store
from nstar.store.provenance import provenance
from nstar.store.schemas import DATA
from nstar.tasks import HELD_OUT, Supervision, Task, TruthTable, build_task
from nstar.tasks.functions.boolean_function import all_inputs


def generate_data(job: Mapping[str, Any], results: Path) -> None:
    """Write stores of data, those that are not there.

    Parameters
    ----------
    job : mapping
        ``tasks`` (options by name) and ``slices`` (fields of `nstar.cells.Slice`); for truth tables of
        networks ``sources``; see `nstar.jobs.networks.rounded_outputs`.
    results : Path
    """
    pieces = [slice_of(fields) for fields in job["slices"]]
    sources = job.get("sources", [None] * len(pieces))
    stores = {
        Path(data_store(job["tasks"][piece.task], piece, results)): (piece, source)
        for piece, source in zip(pieces, sources, strict=True)
    }
    progress = Progress("stores of data", len(stores))
    for done, path in enumerate(in_turns(results, list(stores)), start=1):
        piece, source = stores[path]
        if not is_there(path):
            _generate(path, job["tasks"][piece.task], piece, source, results)
        progress.update(done)
    progress.finish()


def _generate(
    path: Path,
    options: dict[str, Any],
    piece: Slice,
    source: Mapping[str, Any] | None,
    results: Path,
) -> None:
    """Write a store of data."""
    if source is not None:
        made = tabulate(build_task(options), piece, source)
    else:
        made = sequences(task_of_seed(options, piece.task, piece.seed, results), piece)
    write_store(path, made, DATA, data_specification(options, piece), provenance(device="cpu"))


def sequences(task: Task, piece: Slice) -> xr.Dataset:
    """Return symbols and states of a stretch of sequences, both (sequence, position), and lengths."""
    pool = piece.pool(task)
    if piece.split == "train":
        symbols, lengths = pool.training(piece.seed, piece.start, piece.stop)
    else:
        split = piece.split if piece.split in HELD_OUT else HELD_OUT[0]
        symbols, lengths = pool.held(split, piece.seed)
    return _dataset(task, symbols, task.stored_states(symbols, lengths), lengths)


def _dataset(
    task: Task, symbols: np.ndarray, states: np.ndarray, lengths: np.ndarray
) -> xr.Dataset:
    """Return what a store of data holds, in the smallest types; see `nstar.store.schemas.DATA`."""
    axes = ("sequence", "position")
    type_of_states = np.float32 if task.real_valued else np.min_scalar_type(task.n_states)
    return xr.Dataset(
        {
            "symbols": (axes, symbols.astype(np.min_scalar_type(task.n_symbols))),
            "states": (axes, states.astype(type_of_states)),
            "length": ("sequence", lengths.astype(np.min_scalar_type(symbols.shape[1]))),
        }
    )


def tabulate(task: Task, piece: Slice, source: Mapping[str, Any]) -> xr.Dataset:
    """Return the truth table of a trained network, rounded, as `sequences`.

    Parameters
    ----------
    task : Task
    piece : Slice
        Of the split ``table``.
    source : mapping
        Which network; see `nstar.jobs.networks.rounded_outputs`.
    """
    from nstar.jobs.networks import rounded_outputs  # torch, which other data do without

    symbols = all_inputs(piece.length)
    states = np.zeros_like(symbols)
    states[:, -1] = rounded_outputs(source, piece.length)
    return _dataset(task, symbols, states, np.full(len(symbols), piece.length))


def task_of_seed(options: Mapping[str, Any], name: str, seed: int, results: Path) -> Task:
    """Return the task of a name and a seed; a learnt function is read from the store of its table.

    Parameters
    ----------
    options : mapping
        As specifications hold them, see `nstar.cells.task_options`.
    name : str
    seed : int
    results : Path
    """
    task = build_task(options)
    if task.source is None:
        return task
    _, states, _ = read_arrays(data_store(options, table_slice(task, name, seed), results))
    return TruthTable(kind="truth_table", values="".join(map(str, states[:, -1])))


def read_sequences(
    options: Mapping[str, Any],
    supervision: Supervision,
    pieces: list[Slice],
    results: Path,
    n_sequences: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return tokens and labels of the first `n_sequences` of the pieces of one pool.

    See `Task.supervise`. The third array is the place of each one's length among those of the pool.
    """
    task = build_task(options)
    stores = [read_arrays(data_store(options, piece, results)) for piece in pieces]
    arrays = [np.concatenate(parts)[:n_sequences] for parts in zip(*stores, strict=True)]
    legal = pieces[0].pool(task).lengths
    tokens, labels = task.supervise(supervision, *arrays, legal)
    return tokens, labels, arrays[2].astype(np.int64) - legal[0]


@lru_cache(maxsize=128)
def read_arrays(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return symbols, states and lengths of a store; the cells of one job read the same stores."""
    store = read_store(path, DATA)
    check_sequences(path, store)
    return store["symbols"].values, store["states"].values, store["length"].values


def check_sequences(path: Path | str, store: xr.Dataset) -> None:
    """Check that symbols, states and lengths of a store are those of its task.

    Raises
    ------
    DamageError
        If one is outside of what the task knows.
    """
    with reading(path):
        specification = specification_of(store)
        task, length = build_task(specification["task"]), specification["length"]
        if store.sizes["position"] != task.n_positions(length):
            raise ValueError(
                f"it has {store.sizes['position']} positions, not those of length {length}"
            )
        bounds = {"symbols": task.n_symbols - 1, "length": store.sizes["position"]}
        if not task.real_valued:
            bounds["states"] = task.n_states  # one more where none is asked for
        for name, most in bounds.items():
            largest = store[name].values.max(initial=0)
            if largest > most:
                raise ValueError(f"{name} reach {largest}; those of its task end at {most}")
