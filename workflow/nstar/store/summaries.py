"""What a header says of the arrays of its store: written from them, and compared with them by readers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from nstar.store.evidence import pack, unpacked
from nstar.store.header import rows_of
from nstar.store.replicates import pairs_of
from nstar.store.schemas import CELL, EVALUATION, OWN_SETS, Schema


def cell_summary(dataset: xr.Dataset) -> dict[str, Any]:
    """Return what plans have to know of a part of trained cells; see `nstar.store.schemas.CELL`."""
    evidence = [dataset[name].values for name in ("numbers", "first_evaluation", "n_evaluations")]
    replicates = pairs_of(dataset)
    kept: list[list[int]] = [[] for _ in replicates]
    for row, step in zip(
        dataset["kept_replicate"].values, dataset["kept_step"].values.tolist(), strict=True
    ):
        kept[row].append(step)
    _, first, n = evidence
    ends = int(dataset["evaluate_every"]) * (first + n)
    states: list[int | None] = [None] * len(replicates)
    for row in dataset["state_replicate"].values:
        states[row] = int(ends[row])
    return {
        **pack(*evidence),
        "replicates": [list(pair) for pair in replicates],
        "kept": [sorted(steps) for steps in kept],
        "states": states,
    }


def tests_of(part: xr.Dataset) -> list[int]:
    """Return what a part of an evaluation tests its runs on: lengths, and the own sets."""
    own = [OWN_SETS] if "validation_loss" in part else []
    return own + (part["tested_length"].values.tolist() if "tested_length" in part else [])


def check_summary(dataset: xr.Dataset, schema: Schema, summary: Mapping[str, Any]) -> None:
    """Check that the header of a store says what its arrays hold.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it does not.
    """
    if schema is CELL:
        _check_cell(dataset, summary)
    elif schema is EVALUATION:
        steps = dataset["step"].values.tolist()
        rows = [(*pair, step) for pair, step in zip(pairs_of(dataset), steps, strict=True)]
        if rows_of(summary) != rows or sorted(summary["tests"]) != sorted(tests_of(dataset)):
            raise ValueError("its header tells of other rows or tests than it holds")


def sizes_of(
    schema: Schema, specification: Mapping[str, Any], summary: Mapping[str, Any]
) -> dict[str, int]:
    """Return the sizes of axes that follow from the header of a store.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the header is not one of such a store.
    """
    if schema is CELL:
        n = [int(count) for count in summary["n"]]
        return {
            "replicate": len(n),
            "evaluation": max(n, default=0),
            "kept": sum(map(len, summary["kept"])),
            "state": sum(step is not None for step in summary["states"]),
        }
    if schema is EVALUATION:
        n_longer = len([test for test in summary["tests"] if test != OWN_SETS])
        return {"replicate": len(summary["rows"])} | ({"tested": n_longer} if n_longer else {})
    return {"sequence": specification["stop"] - specification["start"]}


def _check_cell(dataset: xr.Dataset, summary: Mapping[str, Any]) -> None:
    own = cell_summary(dataset)
    if not isinstance(summary["rule"], dict):
        raise ValueError("the rule in its header is none")
    for name in ("first", "n", "replicates", "kept", "states"):
        if _as_json(own[name]) != summary[name]:
            raise ValueError(f"{name} in its header is not that of its arrays")
    numbers, _, n = unpacked(summary)
    known = np.arange(numbers.shape[1]) < n[:, None]
    if not np.array_equal(numbers[known], dataset["numbers"].values[known], equal_nan=True):
        raise ValueError("the evidence in its header is not that of its arrays")


def _as_json(value: Any) -> Any:
    """Return nested sequences as the lists that JSON makes of them."""
    return [_as_json(entry) for entry in value] if isinstance(value, list | tuple) else value
