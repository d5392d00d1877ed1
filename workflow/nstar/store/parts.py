"""From the parts of trajectories on disk to one: what several parts hold of a block, joined.

A part never changes. Of each evaluation, weight and state the first part that has it counts.
"""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from nstar.files.faults import damage
from nstar.seeds import AnySeed
from nstar.store.archive import read_store
from nstar.store.joint import Joint
from nstar.store.replicates import pairs_of, replicate_coordinates
from nstar.store.schemas import CELL

_ROWS, _KEPT = (
    tuple(
        name
        for name, variable in {**CELL.variables, **CELL.optional}.items()
        if variable.dimensions[: len(axes)] == axes and name not in left_out
    )
    for axes, left_out in (
        (("replicate", "evaluation"), ()),
        (("kept",), ("kept_replicate", "kept_step")),
    )
)
"""Variables with a row for each evaluation, and for each of the weights that are kept."""


def read_parts(
    paths: Sequence[Path | str], replicates: Collection[tuple[AnySeed, float]] | None = None
) -> xr.Dataset:
    """Read parts of one block and join them.

    Parameters
    ----------
    paths : sequence of path
        Those of part 0 and of any later ones, in their order.
    replicates : collection of tuple, optional
        Seed and learning rate of those that are wanted; all by default.

    Returns
    -------
    xarray.Dataset
        As part 0 (see `nstar.store.schemas.CELL`) with the evaluations, kept weights and states of all
        parts. ``n_evaluations`` counts a replicate's evaluations from the first on, ``state_step`` says
        where each state is. Of what several parts hold, the first is taken. The attribute
        ``provenance`` is that of part 0; ``paths``, ``provenances`` and ``n_replicates`` are lists over
        the parts.

    Raises
    ------
    ArtifactError
        If a part is missing, damaged, or of another block.
    """
    parts = [read_store(path, CELL) for path in paths]
    places = {pair: place for place, pair in enumerate(pairs_of(parts[0]))}
    rows_of = []
    for path, part in zip(paths, parts, strict=True):
        if part.attrs["digest"] != parts[0].attrs["digest"] or not set(pairs_of(part)) <= set(
            places
        ):
            raise damage(
                path, f"is not a part of the block of {paths[0]}: it was moved or copied by hand"
            )
        rows_of.append([places[pair] for pair in pairs_of(part)])
    dataset = _join_evaluations(parts, rows_of)
    dataset = dataset.merge(_join_kept(parts, rows_of)).merge(_join_states(parts, rows_of, dataset))
    if replicates is not None:
        dataset = _choose(dataset, [pair in set(replicates) for pair in places])
    provenances = [json.loads(part.attrs["provenance"]) for part in parts]
    return dataset.assign_attrs(
        parts[0].attrs,
        paths=list(map(str, paths)),
        provenances=provenances,
        n_replicates=[part.sizes["replicate"] for part in parts],
    )


def _choose(joined: xr.Dataset, wanted: Sequence[bool]) -> xr.Dataset:
    """Return some replicates of joined parts, with the weights and states of these."""
    wanted = np.array(wanted)
    new_place = np.cumsum(wanted) - 1
    chosen = joined.isel(
        replicate=np.flatnonzero(wanted),
        kept=np.flatnonzero(wanted[joined["kept_replicate"].values]),
        state=np.flatnonzero(wanted[joined["state_replicate"].values]),
    )
    for name in ("kept_replicate", "state_replicate"):
        chosen[name] = chosen[name].copy(data=new_place[chosen[name].values])
    return chosen


def _join_evaluations(parts: Sequence[xr.Dataset], rows_of: Sequence[Sequence[int]]) -> xr.Dataset:
    """Return the first part with the evaluations that later ones add, up to the first gap of each run."""
    first = parts[0]
    starts, counts = (
        [part[name].values for part in parts] for name in ("first_evaluation", "n_evaluations")
    )
    joint = Joint(first.sizes["replicate"], rows_of, starts, counts)
    joined = {
        name: (first[name].dims, joint.join([part[name].values for part in parts]))
        for name in _ROWS
        if name in first
    }
    dropped = {"evaluation", "kept", "state"}
    kept = [name for name, part in first.variables.items() if not dropped & {*part.dims}]
    steps = int(first["evaluate_every"]) * np.arange(1, joint.part_of.shape[1] + 1)
    return (
        first[[name for name in kept if name not in first.coords]]
        .assign(
            first_evaluation=("replicate", np.zeros_like(joint.n_known)),
            n_evaluations=("replicate", joint.n_known),
            **joined,
        )
        .assign_coords(**replicate_coordinates(first), step=("evaluation", steps))
    )


def _join_kept(parts: Sequence[xr.Dataset], rows_of: Sequence[Sequence[int]]) -> xr.Dataset:
    """Return the kept weights of all parts, each once, with what the test set says of them."""
    chosen: dict[tuple[int, int], tuple[xr.Dataset, int]] = {}
    for part, rows in zip(parts, rows_of, strict=True):
        found = zip(part["kept_replicate"].values, part["kept_step"].values, strict=True)
        for i, (replicate, step) in enumerate(found):
            chosen.setdefault((rows[replicate], int(step)), (part, i))
    owners = {id(part): part for part, _ in chosen.values()}
    arrays = {
        key: {name: part[name].values for name in _KEPT if name in part}
        for key, part in owners.items()
    }
    axes = {name: parts[0][name].dims for name in _KEPT if name in parts[0]}
    stacked = {
        name: (dims, np.stack([arrays[id(part)][name][i] for part, i in chosen.values()]))
        for name, dims in axes.items()
    }
    replicates, steps = (np.array(keys, dtype=np.int64) for keys in zip(*chosen, strict=True))
    return xr.Dataset(
        {"kept_replicate": ("kept", replicates), "kept_step": ("kept", steps), **stacked}
    )


def _join_states(
    parts: Sequence[xr.Dataset], rows_of: Sequence[Sequence[int]], joined: xr.Dataset
) -> xr.Dataset:
    """Return the states of all parts that lie within the joined evaluations."""
    every = int(joined["evaluate_every"])
    names = ("first_moment", "second_moment")
    states: dict[tuple[int, int], list[np.ndarray]] = {}
    for part, rows in zip(parts, rows_of, strict=True):
        stops = (part["first_evaluation"] + part["n_evaluations"]).values
        moments = [part[name].values for name in names]
        for i, place in enumerate(part["state_replicate"].values):
            row, stop = rows[place], int(stops[place])
            if stop <= joined["n_evaluations"].values[row]:
                states.setdefault((row, every * stop), [moment[i] for moment in moments])
    n_parameters = parts[0].sizes["parameter"]
    arrays = [
        np.array([state[i] for state in states.values()], dtype=np.float32).reshape(
            -1, n_parameters
        )
        for i in range(2)
    ]
    return xr.Dataset(
        {
            "state_replicate": ("state", np.array([row for row, _ in states], dtype=np.int64)),
            "state_step": ("state", np.array([step for _, step in states], dtype=np.int64)),
            **{n: (("state", "parameter"), a) for n, a in zip(names, arrays, strict=True)},
        }
    )
