"""The evaluations of the runs that a study reads, from the parts that hold them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nstar.errors import ArtifactError
from nstar.seeds import seed_text
from nstar.store.archive import read_store
from nstar.store.header import evaluated_rows, read_header
from nstar.store.replicates import pairs_of
from nstar.store.schemas import EVALUATION, LONGER, OWN_SETS
from nstar.store.summaries import tests_of


def read_evaluations(
    paths: Sequence[Path | str], trained: xr.Dataset, lengths: Sequence[int] = ()
) -> xr.Dataset:
    """Return the evaluation of the last weights of each run of a view, from the parts that hold them.

    Parameters
    ----------
    paths : sequence of path
        Parts of the evaluation of the block, in their order.
    trained : xarray.Dataset
        See `nstar.store.view.view`.
    lengths : sequence of int
        Lengths beyond that of training whose tests are wanted, beside the own sets.

    Raises
    ------
    ArtifactError
        If a part is missing or damaged, or no part holds the end of a run.
    """
    parts = [read_store(path, EVALUATION) for path in paths]
    places: dict[tuple, tuple[int, int]] = {}
    for number, part in enumerate(parts):
        steps = part["step"].values.tolist()
        for i, (pair, step) in enumerate(zip(pairs_of(part), steps, strict=True)):
            for test in tests_of(part):
                places.setdefault((*pair, step, test), (number, i))
    own, *longer = (_rows_of(places, trained, test, paths[0]) for test in (OWN_SETS, *lengths))
    n_moments = max(parts[number].sizes.get("moment", 0) for number, _ in own)
    if n_moments:
        parts = [with_moments(part, n_moments) if "moment" in part.dims else part for part in parts]
    joined = xr.concat(
        [
            parts[number].drop_dims(_LONGER_AXES, errors="ignore").isel(replicate=[i])
            for number, i in own
        ],
        "replicate",
        data_vars="minimal",
        coords="minimal",
        combine_attrs="override",
    )
    if lengths:
        joined = joined.assign(_join_longer(parts, longer, lengths))
    return joined.assign_attrs(paths=list(map(str, paths)))


_LONGER_AXES = ("tested", "state")


def _rows_of(
    places: Mapping[tuple, tuple[int, int]], trained: xr.Dataset, test: int, path: Path | str
) -> list[tuple[int, int]]:
    """Return part and row of the test of each run of a view."""
    found = [places.get((*end, test)) for end in ends_of(trained)]
    if None in found:
        seed, rate, step = ends_of(trained)[found.index(None)]
        where = f" at length {test}" if test else ""
        raise ArtifactError(
            f"no part of {path} evaluates seed {seed_text(seed)}, learning rate {rate} at step "
            f"{step}{where}; run the workflow, which does"
        )
    return [place for place in found if place]


def _join_longer(
    parts: Sequence[xr.Dataset],
    places: Sequence[Sequence[tuple[int, int]]],
    lengths: Sequence[int],
) -> dict[str, Any]:
    """Return the tests at longer lengths, of each length from the part and row of each run."""
    longest, n_replicates = max(lengths), len(places[0])
    arrays = [{name: part[name].values for name in LONGER if name in part} for part in parts]
    joined: dict[str, Any] = {"tested_length": ("tested", np.array(lengths))}
    n_longer = []
    for i, (length, rows) in enumerate(zip(lengths, places, strict=True)):
        for r, (number, row) in enumerate(rows):
            own = arrays[number]
            k = own["tested_length"].tolist().index(length)
            for name in own.keys() - {"tested_length", "n_longer"}:
                axes = LONGER[name].dimensions
                if name not in joined:
                    shape = (n_replicates, len(lengths), longest)[: len(axes)]
                    joined[name] = axes, np.full(shape, np.nan)
                value = own[name][row, k]
                joined[name][1][(r, i, slice(length))[: len(axes)]] = (
                    value[:length] if value.ndim else value
                )
        n_longer.append(own["n_longer"][k])
    return joined | {"n_longer": ("tested", np.array(n_longer))}


def ends_of(trained: xr.Dataset) -> list[list]:
    """Return seed, learning rate and last step of each run of a view."""
    steps = trained["n_steps"].values.tolist()
    return [[*pair, step] for pair, step in zip(pairs_of(trained), steps, strict=True)]


def read_ends(paths: Sequence[Path | str]) -> list[list]:
    """Return seed, learning rate, step and test of what parts of an evaluation hold, by their headers."""
    rows = (evaluated_rows(read_header(path)["summary"], path) for path in paths)
    return [[*row, test] for part in rows for row, test in part]


def with_moments(measured: xr.Dataset, n_moments: int) -> xr.Dataset:
    """Return measures with so many moments: blank ones, of step -1, stand before the last."""
    lacking = n_moments - measured.sizes["moment"]
    if not lacking:
        return measured
    blank = {name: -1 if name == "measured_step" else np.nan for name in measured.data_vars}
    padded = measured.isel(moment=slice(-1)).pad(moment=(0, lacking), constant_values=blank)
    return xr.concat([padded, measured.isel(moment=[-1])], "moment", data_vars="minimal")
