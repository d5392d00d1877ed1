"""The evaluations of the runs that a study reads, from the parts that hold them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from nstar.errors import ArtifactError
from nstar.seeds import read_seed, seed_text
from nstar.store.archive import pairs_of, read_store
from nstar.store.header import read_header
from nstar.store.schemas import EVALUATION


def read_evaluations(paths: Sequence[Path | str], trained: xr.Dataset) -> xr.Dataset:
    """Return the evaluation of the last weights of each run of a view, from the parts that hold them.

    Parameters
    ----------
    paths : sequence of path
        Parts of the evaluation of the block, in their order.
    trained : xarray.Dataset
        See `nstar.store.view.view`.

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
            places.setdefault((*pair, step), (number, i))
    rows = [places.get(tuple(end)) for end in ends_of(trained)]
    if None in rows:
        seed, rate, step = ends_of(trained)[rows.index(None)]
        raise ArtifactError(
            f"no part of {paths[0]} evaluates seed {seed_text(seed)}, learning rate {rate} at step "
            f"{step}; run the workflow, which does"
        )
    if "moment" in parts[0].dims:
        n_moments = max(part.sizes["moment"] for part in parts)
        parts = [with_moments(part, n_moments) for part in parts]
    joined = xr.concat(
        [parts[number].isel(replicate=[i]) for number, i in rows],
        "replicate",
        data_vars="minimal",
        coords="minimal",
        combine_attrs="override",
    )
    return joined.assign_attrs(paths=list(map(str, paths)))


def ends_of(trained: xr.Dataset) -> list[list]:
    """Return seed, learning rate and last step of each run of a view."""
    steps = trained["n_steps"].values.tolist()
    return [[*pair, step] for pair, step in zip(pairs_of(trained), steps, strict=True)]


def read_ends(paths: Sequence[Path | str]) -> list[list]:
    """Return the same of what parts of an evaluation hold, from their headers."""
    rows = (row for path in paths for row in read_header(path)["summary"]["rows"])
    return [[read_seed(seed), *others] for seed, *others in rows]


def with_moments(measured: xr.Dataset, n_moments: int) -> xr.Dataset:
    """Return measures with so many moments: blank ones, of step -1, stand before the last."""
    lacking = n_moments - measured.sizes["moment"]
    if not lacking:
        return measured
    blank = {name: -1 if name == "measured_step" else np.nan for name in measured.data_vars}
    padded = measured.isel(moment=slice(-1)).pad(moment=(0, lacking), constant_values=blank)
    return xr.concat([padded, measured.isel(moment=[-1])], "moment", data_vars="minimal")
