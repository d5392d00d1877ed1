"""From the parts of trajectories on disk to what a study reads of them.

A part never changes. What several parts hold of a block is joined, and a study reads it up to the
evaluation at which its own rule ends each run: the view.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from nstar.errors import ArtifactError
from nstar.store.archive import read_store
from nstar.store.header import read_header
from nstar.store.schemas import CELL, EVALUATION, LONGER, OWN_SETS
from nstar.verdicts import (
    LEARNT,
    NOT_FITTED,
    OUTCOMES,
    QUANTITIES,
    SETS,
    Rule,
    Verdicts,
    verdicts,
)

MEASURES = ("loss", "token_accuracy", "sequence_accuracy")

_KNOWN_SETS = (*SETS, "test")

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
    paths: Sequence[Path | str], replicates: Collection[tuple[int, float]] | None = None
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
            raise ArtifactError(
                f"store {path} is no part of the block of {paths[0]}: it was moved or copied by hand; "
                f"remove it: rm '{path}'"
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


def pairs_of(dataset: xr.Dataset) -> list[tuple[int, float]]:
    """Return seed and learning rate of each replicate of a store."""
    seeds, rates = dataset["seed"].values.tolist(), dataset["learning_rate"].values.tolist()
    return list(zip(seeds, rates, strict=True))


def _join_evaluations(parts: Sequence[xr.Dataset], rows_of: Sequence[Sequence[int]]) -> xr.Dataset:
    """Return the first part with the evaluations that later ones add, up to the first gap of each run."""
    first, n_replicates = parts[0], parts[0].sizes["replicate"]
    most = max(int((part["first_evaluation"] + part["n_evaluations"]).max()) for part in parts)
    there = np.zeros((n_replicates, most), dtype=bool)
    joined: dict[str, np.ndarray] = {}
    for part, rows in zip(parts, rows_of, strict=True):
        starts, counts = (part[name].values for name in ("first_evaluation", "n_evaluations"))
        arrays = {name: part[name].values for name in _ROWS if name in part}
        for i, row in enumerate(rows):
            own = slice(starts[i], starts[i] + counts[i])
            new = ~there[row, own]
            for name, values in arrays.items():
                if name not in joined:
                    shape = (n_replicates, most, *values.shape[2:])
                    blank = np.nan if values.dtype.kind == "f" else 0
                    joined[name] = np.full(shape, blank, dtype=values.dtype)
                joined[name][row, own][new] = values[i, : counts[i]][new]
            there[row, own] = True
    known = np.logical_and.accumulate(there, axis=1).sum(axis=1)
    every = int(first["evaluate_every"])
    dropped = {"evaluation", "kept", "state"}
    kept = [name for name, part in first.variables.items() if not dropped & {*part.dims}]
    return (
        first[[name for name in kept if name not in first.coords]]
        .assign(
            first_evaluation=("replicate", np.zeros_like(known)),
            n_evaluations=("replicate", known),
            **{name: (first[name].dims, values) for name, values in joined.items()},
        )
        .assign_coords(
            seed=first["seed"],
            learning_rate=first["learning_rate"],
            step=("evaluation", every * np.arange(1, most + 1)),
        )
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


def view(joined: xr.Dataset, rule: Rule, keep_every: int | None = None) -> xr.Dataset:
    """Return what a study reads of a block: each run up to the evaluation at which its rule ends it.

    Parameters
    ----------
    joined : xarray.Dataset
        See `read_parts`.
    rule : Rule
        That of the study.
    keep_every : int, optional
        Distance of the steps of snapshots.

    Returns
    -------
    xarray.Dataset
        By replicate ``outcome``, ``strict_outcome`` and ``published_outcome`` (codes of
        `nstar.verdicts`, or `outcomes_so_far`), ``diverged``,
        ``n_steps``, ``learnt_at`` and ``fitted_at`` (steps; -1 for never), ``n_confirmations``, and
        ``parameters``, the weights at the end. For each of the three sets that rules may read and each
        measure a curve such as ``validation_loss`` (replicate, evaluation), NaN after the end; the same
        of ``batch``. For these sets and ``test``, ``*_right`` and ``*_of``: sequences all right at the
        end, and of how many. The test set has the measures at the end (replicate). Where snapshots are
        kept, ``snapshot_step`` and ``snapshot_parameters``, those before the end.

    Raises
    ------
    ArtifactError
        If the rule has not ended a run, or weights are missing: the workflow has not made them.
    """
    every = int(joined["evaluate_every"])
    numbers, n_known = joined["numbers"].values, joined["n_evaluations"].values
    judged = verdicts(numbers, n_known, every, rule)
    if not judged.ended.all():
        raise ArtifactError(
            f"store {joined.attrs['paths'][0]} and its parts hold runs that the rule of the study has "
            "not ended; run the workflow, which goes on with them"
        )
    n_evaluations = judged.end + 1
    n_steps = every * n_evaluations
    weights = _Weights(joined)
    at_end = weights.places(n_steps)
    forms = {
        f"{name}_outcome": (
            "replicate",
            outcomes_so_far(verdicts(numbers, n_evaluations, every, form), form),
        )
        for name, form in (("strict", rule.strict()), ("published", rule.published()))
    }
    meaning = {"flag_values": list(range(len(OUTCOMES))), "flag_meanings": " ".join(OUTCOMES)}
    dataset = xr.Dataset(
        {
            "outcome": ("replicate", judged.outcome, meaning),
            **forms,
            "diverged": ("replicate", judged.diverged),
            "n_steps": ("replicate", n_steps),
            "learnt_at": ("replicate", _steps(judged.learnt_at, every)),
            "fitted_at": ("replicate", _steps(judged.fitted_at, every)),
            "n_confirmations": ("replicate", judged.n_confirmations),
            "parameters": (("replicate", "parameter"), joined["weights"].values[at_end]),
            **_curves(joined, n_evaluations),
            **_at_end(joined, judged.end, at_end),
            **_snapshots(weights, n_steps, keep_every),
        },
        coords={
            "seed": joined["seed"],
            "learning_rate": joined["learning_rate"],
            "step": joined["step"][: n_evaluations.max()],
        },
        attrs=joined.attrs,
    )
    if "n_tokens" in joined:
        dataset["n_tokens"] = joined["n_tokens"]
    return dataset


def outcomes_so_far(judged: Verdicts, rule: Rule) -> np.ndarray:
    """Return codes of outcomes: -1 of a run that a rule has not ended, -2 where it has not even fitted.

    Where the best evaluation decides, a pass is final, also of a run that goes on.
    """
    decided = judged.ended | ((judged.outcome == LEARNT) & (rule.at == "best"))
    undecided = np.where(judged.outcome == NOT_FITTED, -2, -1)
    return np.where(decided, judged.outcome, undecided).astype(np.int8)


def _steps(evaluations: np.ndarray, every: int) -> np.ndarray:
    return np.where(evaluations < 0, -1, every * (evaluations + 1)).astype(np.int64)


def _curves(joined: xr.Dataset, n_evaluations: np.ndarray) -> dict[str, Any]:
    """Return every measure of every set at each evaluation, up to the end of each run."""
    most = n_evaluations.max()
    known = np.arange(most) < n_evaluations[:, None]
    numbers = joined["numbers"].values[:, :most]
    whole = joined["whole_right"].values[:, :most]
    labels = joined["position_right"].values[:, :most].sum(-1)
    n_sequences = joined["n_sequences"].values
    n_labels = joined["position_of"].values.sum(-1)
    curves = {}
    for i, name in enumerate(SETS):
        mean = {
            measure: numbers[:, :, i, QUANTITIES.index((measure, "mean"))].astype(np.float64)
            for measure in MEASURES
        }
        exact = {  # the numbers are float32; counts say the same in full
            "loss": mean["loss"],
            "token_accuracy": labels[:, :, i] / n_labels[:, i, None],
            "sequence_accuracy": whole[:, :, i] / n_sequences[:, i, None],
        }
        for measure in MEASURES:
            seen = known & ~np.isnan(mean[measure])
            curves[f"{name}_{measure}"] = np.where(seen, exact[measure], np.nan)
    for measure in MEASURES:
        values = joined[f"batch_{measure}"].values[:, :most]
        curves[f"batch_{measure}"] = np.where(known, values, np.nan)
    return {name: (("replicate", "evaluation"), values) for name, values in curves.items()}


def _at_end(joined: xr.Dataset, end: np.ndarray, at_end: np.ndarray) -> dict[str, Any]:
    """Return what the test set says at the end of each run, and the counts of every set there."""
    rows, n_sequences = np.arange(len(end)), joined["n_sequences"].values.astype(np.int64)
    whole = joined["whole_right"].values[rows, end].astype(np.int64)
    whole = np.column_stack([whole, joined["test_whole_right"].values[at_end]])
    numbers = joined["test_numbers"].values[at_end].astype(np.float64)
    found = {f"test_{name}": numbers[:, QUANTITIES.index((name, "mean"))] for name in MEASURES}
    of_test = n_sequences[:, -1]
    unknown = np.isnan(found["test_sequence_accuracy"])
    found["test_sequence_accuracy"] = np.where(unknown, np.nan, whole[:, -1] / of_test)
    for i, name in enumerate(_KNOWN_SETS):
        found[f"{name}_right"], found[f"{name}_of"] = whole[:, i], n_sequences[:, i]
    return {name: ("replicate", values) for name, values in found.items()}


def _snapshots(weights: "_Weights", n_steps: np.ndarray, keep_every: int | None) -> dict[str, Any]:
    """Return the snapshots before the end of each run, NaN after it."""
    if keep_every is None:
        return {}
    steps = np.arange(keep_every, n_steps.max(), keep_every)
    shape = (len(n_steps), len(steps), weights.values.shape[1])
    snapshots = np.full(shape, np.nan, dtype=np.float32)
    for i, step in enumerate(steps):
        rows = np.flatnonzero(step < n_steps)
        snapshots[rows, i] = weights.values[weights.places(np.full(len(rows), step), rows)]
    return {
        "snapshot_step": ("snapshot", steps),
        "snapshot_parameters": (("replicate", "snapshot", "parameter"), snapshots),
    }


class _Weights:
    """The kept weights of joined parts, found by replicate and step."""

    def __init__(self, joined: xr.Dataset):
        self.values = joined["weights"].values
        self.path = joined.attrs["paths"][0]
        keys = zip(joined["kept_replicate"].values, joined["kept_step"].values, strict=True)
        self.place = {(int(row), int(step)): place for place, (row, step) in enumerate(keys)}

    def places(self, steps: np.ndarray, rows: Sequence[int] | None = None) -> np.ndarray:
        """Return where the weights of some replicates, all by default, at some steps lie."""
        rows = range(len(steps)) if rows is None else rows
        keys = [(int(row), int(step)) for row, step in zip(rows, steps, strict=True)]
        if missing := [key for key in keys if key not in self.place]:
            row, step = missing[0]
            raise ArtifactError(
                f"store {self.path} and its parts hold no weights of replicate {row} at step {step}; "
                "run the workflow, which makes them again"
            )
        return np.array([self.place[key] for key in keys], dtype=np.int64)


def read_evaluations(
    paths: Sequence[Path | str], trained: xr.Dataset, lengths: Sequence[int] = ()
) -> xr.Dataset:
    """Return the evaluation of the last weights of each run of a view, from the parts that hold them.

    Parameters
    ----------
    paths : sequence of path
        Parts of the evaluation of the block, in their order.
    trained : xarray.Dataset
        See `view`.
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
            for test in _tests_of(part):
                places.setdefault((*pair, step, test), (number, i))
    own, *longer = (_rows_of(places, trained, test, paths[0]) for test in (OWN_SETS, *lengths))
    n_moments = max(parts[number].sizes.get("moment", 0) for number, _ in own)
    if n_moments:
        parts = [with_moments(part, n_moments) if "moment" in part.dims else part for part in parts]
    joined = xr.concat(
        [parts[number].drop_dims(_LONGER_AXES, errors="ignore").isel(replicate=[i]) for number, i in own],
        "replicate",
        data_vars="minimal",
        coords="minimal",
        combine_attrs="override",
    )
    if lengths:
        joined = joined.assign(_join_longer(parts, longer, lengths))
    return joined.assign_attrs(paths=list(map(str, paths)))


_LONGER_AXES = ("tested", "state")


def _tests_of(part: xr.Dataset) -> list[int]:
    """Return what a part of an evaluation tests its runs on: lengths, and the own sets."""
    own = [OWN_SETS] if "validation_loss" in part else []
    return own + (part["tested_length"].values.tolist() if "tested_length" in part else [])


def _rows_of(
    places: Mapping[tuple, tuple[int, int]], trained: xr.Dataset, test: int, path: Path | str
) -> list[tuple[int, int]]:
    """Return part and row of the test of each run of a view."""
    found = [places.get((*end, test)) for end in ends_of(trained)]
    if None in found:
        seed, rate, step = ends_of(trained)[found.index(None)]
        where = f" at length {test}" if test else ""
        raise ArtifactError(
            f"no part of {path} evaluates seed {seed}, learning rate {rate} at step {step}{where}; run "
            "the workflow, which does"
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
    """Return seed, learning rate, step and test of what parts of an evaluation hold, from their headers."""
    summaries = [read_header(path)["summary"] for path in paths]
    return [
        [*row, test] for summary in summaries for row in summary["rows"] for test in summary["tests"]
    ]


def with_moments(measured: xr.Dataset, n_moments: int) -> xr.Dataset:
    """Return measures with so many moments: blank ones, of step -1, stand before the last."""
    lacking = n_moments - measured.sizes["moment"]
    if not lacking:
        return measured
    blank = {name: -1 if name == "measured_step" else np.nan for name in measured.data_vars}
    padded = measured.isel(moment=slice(-1)).pad(moment=(0, lacking), constant_values=blank)
    return xr.concat([padded, measured.isel(moment=[-1])], "moment", data_vars="minimal")
