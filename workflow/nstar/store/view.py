"""What a study reads of a block: each run up to the evaluation at which its own rule ends it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from nstar.errors import ArtifactError
from nstar.store.replicates import replicate_coordinates
from nstar.verdicts import (
    LEARNT,
    MEASURES,
    NOT_FITTED,
    OUTCOMES,
    QUANTITIES,
    SETS,
    Rule,
    Verdicts,
    verdicts,
)

_KNOWN_SETS = (*SETS, "test")


def view(joined: xr.Dataset, rule: Rule, keep_every: int | None = None) -> xr.Dataset:
    """Return what a study reads of a block: each run up to the evaluation at which its rule ends it.

    Parameters
    ----------
    joined : xarray.Dataset
        See `nstar.store.parts.read_parts`.
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
            **replicate_coordinates(joined),
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
