"""Measure trained networks as functions of bits: norm, blow-up, sharpness, sensitivity, degrees."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from nstar.measures.blowup import blowup
from nstar.measures.sensitivity import (
    average_sensitivity,
    degree_profile,
    estimate_average_sensitivity,
)
from nstar.measures.sharpness import Perturbation, parameter_norm, sharpness
from nstar.measures.truth_table import outputs
from nstar.models import StackedModel
from nstar.seeds import derive_seed, numpy_generator, streams_of
from nstar.store.archive import pairs_of
from nstar.store.evaluations import with_moments
from nstar.subjects.functions.columns import PERTURBATIONS
from nstar.tasks import Task
from nstar.tasks.functions.boolean_function import all_inputs
from nstar.tasks.supervision import Supervision

NETWORKS_AT_ONCE = 8
"""Measured together; on a CPU no number depends on it."""


@dataclass(frozen=True)
class Inputs:
    """What functions are measured on: all inputs of n bits, or random ones.

    Attributes
    ----------
    symbols : ndarray of int64, shape (S, n_inputs, n)
        One set with all inputs, or a set for each draw.
    exact : bool
        Whether these are all.
    """

    symbols: np.ndarray
    exact: bool

    @classmethod
    def of(cls, length: int, options: Mapping[str, Any]) -> "Inputs":
        """Return the inputs of a length; ``options`` are those of ``evaluation.function``."""
        if length <= options["exact_bits"]:
            return cls(all_inputs(length)[None], exact=True)
        shape = (options["draws"], options["inputs"], length)
        generator = numpy_generator("inputs", shape=list(shape))
        return cls(generator.integers(2, size=shape), exact=False)


def perturbations_of(options: Mapping[str, Any]) -> list[Perturbation]:
    """Return the steps in weight space that ``evaluation.function`` asks for."""
    return [Perturbation(kind, size) for kind in PERTURBATIONS for size in options[kind]]


def measure_functions(
    options: Mapping[str, Any],
    trained: xr.Dataset,
    tasks: Mapping[int, Task],
    model: StackedModel,
    specification: Mapping[str, Any],
    device: torch.device,
) -> xr.Dataset:
    """Measure the final weights of a block, and those of its snapshots.

    Parameters
    ----------
    options : mapping
        Those of ``evaluation.function``.
    trained : xarray.Dataset
        What the study reads of the block; see `nstar.store.view.view`.
    tasks : mapping of int to Task
        By seed of the data.
    model : StackedModel
    specification : mapping
        That of the trained cell.
    device : torch.device

    Returns
    -------
    xarray.Dataset
        The optional variables of `nstar.store.schemas.EVALUATION`, the last moment the final weights.
        A run that ended before others has blank moments before its last one.
    """
    length, supervision = specification["length"], specification["supervision"]
    shortest = length + 1 - len(specification["sets"])
    inputs, perturbations = Inputs.of(length, options), perturbations_of(options)
    most = trained.sizes.get("snapshot", 0) + 1
    measured: list[xr.Dataset] = []
    sets: dict[Task, _Sets] = {}
    for replicate, (seed, rate) in enumerate(pairs_of(trained)):
        weights, steps = _weights_of(trained.isel(replicate=replicate))
        task = tasks[streams_of(seed).data]
        if task not in sets:  # where every seed has its own, only one is kept
            sets = {task: _Sets(inputs, task, supervision, shortest, device)}
        key = {"training": trained.attrs["digest"], "seed": seed, "rate": rate}
        seeds = [derive_seed("measures", step=int(step), **key) for step in steps]
        parts = []
        for start in range(0, len(steps), NETWORKS_AT_ONCE):
            rows = slice(start, start + NETWORKS_AT_ONCE)
            flat = torch.from_numpy(weights[rows]).to(device)
            parts.append(
                _measure(model, flat, sets[task], perturbations, seeds[rows], options["draws"])
            )
        variables = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        measured.append(with_moments(_as_dataset(variables, steps, sets[task].target), most))
    kinds = [PERTURBATIONS.index(one.kind) for one in perturbations]
    codes = list(range(len(PERTURBATIONS)))
    meaning = {"flag_values": codes, "flag_meanings": " ".join(PERTURBATIONS)}
    dataset = xr.concat(measured, "replicate")
    return dataset.assign_coords(
        perturbation_kind=("perturbation", np.array(kinds, dtype=np.int8), meaning),
        perturbation_size=("perturbation", [one.size for one in perturbations]),
    )


def _weights_of(replicate: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return parameters (M, P) and steps (M,) of the snapshots of a replicate, and its last ones."""
    weights, steps = [replicate["parameters"].values], [int(replicate["n_steps"])]
    if "snapshot_step" in replicate:
        before = replicate["snapshot_step"].values < steps[0]
        weights = [*replicate["snapshot_parameters"].values[before], *weights]
        steps = [*replicate["snapshot_step"].values[before], *steps]
    return np.stack(weights), np.array(steps)


class _Sets:
    """Inputs as a model reads them, what a task wants of them, and what the task itself measures."""

    def __init__(
        self,
        inputs: Inputs,
        task: Task,
        supervision: Supervision,
        shortest: int,
        device: torch.device,
    ):
        self.exact = inputs.exact
        self.one_output = supervision != "chain_of_thought"
        self.n_bits = inputs.symbols.shape[2]
        rows = inputs.symbols.reshape(-1, self.n_bits)
        lengths = np.full(len(rows), self.n_bits)
        legal = range(shortest, self.n_bits + 1)
        tokens, labels = task.supervise(supervision, rows, task.labels(rows), lengths, legal)
        wanted = np.where(labels < 0, np.nan, labels)
        self.tokens, self.targets = (
            torch.from_numpy(part).to(device).view(*inputs.symbols.shape[:2], -1)
            for part in (tokens, wanted)
        )

        def function(bits: np.ndarray) -> np.ndarray:
            return 2.0 * task.labels((bits > 0).astype(np.int64))[:, -1] - 1

        self.target = _sensitivity_of(function, self.n_bits, self.exact, inputs.symbols.shape[1])


def _sensitivity_of(
    function: Callable[[np.ndarray], np.ndarray], n_bits: int, exact: bool, n_inputs: int
) -> dict[str, np.ndarray]:
    """Return sensitivity, its error, and degrees (NaN from samples) of functions of bits.

    They take (N, n) in {-1, +1} and return (..., N).
    """
    if exact:
        tables = np.asarray(function(2 * all_inputs(n_bits) - 1))
        sensitivity = average_sensitivity(tables)
        degrees = degree_profile(tables)
        return {"sensitivity": sensitivity, "error": 0 * sensitivity, "degrees": degrees}
    seed = derive_seed("sensitivity", n_bits=n_bits)
    found = estimate_average_sensitivity(function, n_bits, n_inputs, seed)
    unknown = np.full((*np.shape(found.value), n_bits + 1), np.nan)
    return {"sensitivity": found.value, "error": found.standard_error, "degrees": unknown}


def _measure(
    model: StackedModel,
    flat: Tensor,
    sets: _Sets,
    perturbations: list[Perturbation],
    seeds: list[int],
    n_draws: int,
) -> dict[str, np.ndarray]:
    """Return every measure of some networks (M, ...)."""
    views = model.views(flat)
    blown = blowup(model, views, sets.tokens[0])
    sharp = sharpness(model, flat, sets.tokens, sets.targets, perturbations, seeds, n_draws)
    return {
        "parameter_norm": _array(parameter_norm(model, flat)),
        "blowup": _array(blown.theory),
        "squared_blowup": _array(blown.theory_squared),
        "plain_blowup": _array(blown.code),
        "sharpness": _array(sharp.value),
        "sharpness_error": _array(sharp.standard_error),
        "loss_increase": _array(sharp.loss_increase),
        "loss_increase_error": _array(sharp.loss_increase_error),
        "radius": _array(sharp.radius),
        **_sensitivities(model, flat, sets),
    }


def _sensitivities(model: StackedModel, flat: Tensor, sets: _Sets) -> dict[str, np.ndarray]:
    """Return sensitivity and degrees of networks (M, ...); NaN where there are several outputs."""
    views = model.views(flat)

    def networks_and_rounded(bits: np.ndarray) -> np.ndarray:
        """Return what the networks make of bits (N, n), and that rounded: (2, M, N)."""
        tokens = torch.from_numpy((bits > 0).astype(np.int64)).to(flat.device)
        values = 2 * _array(outputs(model, views, tokens, bits.shape[1] - 1))[..., 0] - 1
        return np.stack([values, _rounded(values)])

    n_bits, n_inputs = sets.n_bits, sets.tokens.shape[1]
    if sets.one_output:
        found = _sensitivity_of(networks_and_rounded, n_bits, sets.exact, n_inputs)
    else:
        unknown = np.full((2, len(flat)), np.nan)
        degrees = np.full((2, len(flat), n_bits + 1), np.nan)
        found = {"sensitivity": unknown, "error": unknown, "degrees": degrees}
    return {
        "average_sensitivity": found["sensitivity"][0],
        "average_sensitivity_error": found["error"][0],
        "rounded_sensitivity": found["sensitivity"][1],
        "degree_weight": found["degrees"][0],
    }


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return values as -1 or +1; NaN stays NaN."""
    return np.where(np.isnan(values), np.nan, np.where(values > 0, 1.0, -1.0))


def _array(values: Tensor) -> np.ndarray:
    return values.double().cpu().numpy()


_AXES = {
    **dict.fromkeys(("sharpness", "sharpness_error", "loss_increase"), "perturbation"),
    **dict.fromkeys(("loss_increase_error", "radius"), "perturbation"),
    "degree_weight": "degree",
}
"""The axis that a measure has beside replicate and moment."""


def _as_dataset(
    variables: Mapping[str, np.ndarray], steps: np.ndarray, target: Mapping[str, Any]
) -> xr.Dataset:
    """Return the measures of one replicate on the axes of its store."""
    return xr.Dataset(
        {
            "measured_step": ("moment", steps),
            **{
                name: (("moment", _AXES[name]) if name in _AXES else ("moment",), values)
                for name, values in variables.items()
            },
            "target_sensitivity": ((), target["sensitivity"]),
            "target_degree_weight": (("degree",), target["degrees"]),
        }
    )
