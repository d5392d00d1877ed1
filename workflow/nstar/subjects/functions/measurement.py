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
    sensitivity_profile,
)
from nstar.measures.sharpness import Perturbation, parameter_norm, sharpness
from nstar.measures.truth_table import outputs, truth_table
from nstar.models import StackedModel
from nstar.options import EVERYTHING
from nstar.seeds import derive_seed, numpy_generator, streams_of
from nstar.store.evaluations import with_moments
from nstar.store.replicates import pairs_of
from nstar.subjects.functions.columns import CUTS, PERTURBATIONS
from nstar.subjects.functions.options import FunctionMeasures
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
    training_set: Callable[[int], tuple[np.ndarray, np.ndarray] | None] = lambda seed: None,
) -> xr.Dataset:
    """Measure the final weights of a block, those of its snapshots, and on request the initial ones.

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
    training_set : callable
        Takes a seed, and returns symbols and lengths of the sequences that taught its network, or its
        source; None where there are none.

    Returns
    -------
    xarray.Dataset
        The optional variables of `nstar.store.schemas.EVALUATION`, the last moment the final weights.
        A run that ended before others has blank moments before its last one.
    """
    options = FunctionMeasures(**options).model_dump(context=EVERYTHING)
    length, supervision = specification["length"], specification["supervision"]
    shortest = length + 1 - len(specification["sets"])
    perturbations = perturbations_of(options)
    asked = _Asked(Inputs.of(length, options), perturbations, options["draws"], options["profile"])
    most = trained.sizes.get("snapshot", 0) + options["untrained"] + 1
    measured: list[xr.Dataset] = []
    sets: dict[Task, _Sets] = {}
    for replicate, (seed, rate) in enumerate(pairs_of(trained)):
        weights, steps = _weights_of(trained.isel(replicate=replicate))
        data, initialisation, _ = streams_of(seed)
        if options["untrained"]:
            before = model.initialise([initialisation]).numpy()[:, : weights.shape[1]]
            weights, steps = np.concatenate([before, weights]), np.concatenate([[0], steps])
        task = tasks[data]
        if task not in sets:  # where every seed has its own, only one is kept
            sets = {task: _Sets(asked.inputs, task, supervision, shortest, device)}
        seen = training_set(data) if options["training_set"] else None
        own = seen and sets[task].supervised(*seen)
        key = {"training": trained.attrs["digest"], "seed": seed, "rate": rate}
        seeds = [derive_seed("measures", step=int(step), **key) for step in steps]
        parts = []
        for start in range(0, len(steps), NETWORKS_AT_ONCE):
            rows = slice(start, start + NETWORKS_AT_ONCE)
            flat = torch.from_numpy(weights[rows]).to(device)
            part = _measure(model, flat, sets[task], asked, seeds[rows])
            if options["training_set"]:
                part |= _training_sharpness(model, flat, own, asked, seeds[rows])
            parts.append(part)
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


@dataclass(frozen=True)
class _Asked:
    """What is measured of every network."""

    inputs: Inputs
    perturbations: list[Perturbation]
    n_draws: int
    profile: bool


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
        self.task, self.supervision, self.device = task, supervision, device
        self.legal_lengths = range(shortest, self.n_bits + 1)
        rows = inputs.symbols.reshape(-1, self.n_bits)
        supervised = self.supervised(rows, np.full(len(rows), self.n_bits))
        self.tokens, self.targets = (
            part.view(*inputs.symbols.shape[:2], -1) for part in supervised
        )

        def function(bits: np.ndarray) -> np.ndarray:
            return 2.0 * task.labels((bits > 0).astype(np.int64))[:, -1] - 1

        self.target = _sensitivity_of(function, self.n_bits, self.exact, inputs.symbols.shape[1])
        if self.exact:
            taught = _rounded(function(2 * inputs.symbols[0] - 1))
            self.target["profile"] = sensitivity_profile(taught)

    def supervised(self, symbols: np.ndarray, lengths: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return tokens and targets, one set (1, N, ...), of sequences (N, n) of some lengths (N,)."""
        tokens, labels = self.task.supervise(
            self.supervision, symbols, self.task.labels(symbols), lengths, self.legal_lengths
        )
        wanted = np.where(labels < 0, np.nan, labels)
        tokens, wanted = (torch.from_numpy(part).to(self.device)[None] for part in (tokens, wanted))
        return tokens, wanted


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
    asked: _Asked,
    seeds: list[int],
) -> dict[str, np.ndarray]:
    """Return every measure of some networks (M, ...) on the inputs."""
    views = model.views(flat)
    blown = blowup(model, views, sets.tokens[0])
    sharp = sharpness(
        model, flat, sets.tokens, sets.targets, asked.perturbations, seeds, asked.n_draws
    )
    profiles = {"sensitivity_profile": _profiles(model, flat, sets)} if asked.profile else {}
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
        **profiles,
    }


def _training_sharpness(
    model: StackedModel,
    flat: Tensor,
    seen: tuple[Tensor, Tensor] | None,
    asked: _Asked,
    seeds: list[int],
) -> dict[str, np.ndarray]:
    """Return sharpness of networks (M, K) on what was seen, tokens and targets; NaN where nothing was.

    Directions are those of the sharpness on the inputs.
    """
    if seen is None:
        value = error = np.full((len(flat), len(asked.perturbations)), np.nan)
    else:
        sharp = sharpness(model, flat, *seen, asked.perturbations, seeds, asked.n_draws)
        value, error = _array(sharp.value), _array(sharp.standard_error)
    return {"training_sharpness": value, "training_sharpness_error": error}


def _profiles(model: StackedModel, flat: Tensor, sets: _Sets) -> np.ndarray:
    """Return how many inputs have each sensitivity (M, cut, n + 1); NaN where that is not known.

    It is known of networks with one output whose inputs were all taken, and whose outputs are numbers.
    """
    counts = np.full((len(flat), len(CUTS), sets.n_bits + 1), np.nan)
    if not (sets.exact and sets.one_output):
        return counts
    values = _array(truth_table(model, model.views(flat), sets.n_bits))
    known = np.isfinite(values).all(axis=1)
    for cut, tables in enumerate(cut_tables(values[known])):
        counts[known, cut] = sensitivity_profile(tables)
    return counts


def cut_tables(values: np.ndarray) -> list[np.ndarray]:
    """Return the Boolean functions that cuts make of outputs (M, 2^n) on the scale of {-1, +1}.

    In the order of `CUTS`: +1 where an output is above 0, which is 1/2 on the scale of {0, 1}, or above
    the median over all inputs.
    """
    medians = np.median(values, axis=1, keepdims=True)
    return [_rounded(values), _rounded(values - medians)]


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
    **dict.fromkeys(("sharpness", "sharpness_error", "loss_increase"), ("perturbation",)),
    **dict.fromkeys(("loss_increase_error", "radius"), ("perturbation",)),
    **dict.fromkeys(("training_sharpness", "training_sharpness_error"), ("perturbation",)),
    "degree_weight": ("degree",),
    "sensitivity_profile": ("cut", "sensitivity"),
}
"""The axes that a measure has beside replicate and moment."""


def _as_dataset(
    variables: Mapping[str, np.ndarray], steps: np.ndarray, target: Mapping[str, Any]
) -> xr.Dataset:
    """Return the measures of one replicate on the axes of its store."""
    of_profile = {}
    if "sensitivity_profile" in variables:
        unknown = np.full(variables["sensitivity_profile"].shape[-1], np.nan)
        profile = np.asarray(target.get("profile", unknown), dtype=float)
        of_profile["target_sensitivity_profile"] = (("sensitivity",), profile)
    return xr.Dataset(
        {
            "measured_step": ("moment", steps),
            **{
                name: (("moment", *_AXES.get(name, ())), values)
                for name, values in variables.items()
            },
            **of_profile,
            "target_sensitivity": ((), target["sensitivity"]),
            "target_degree_weight": (("degree",), target["degrees"]),
        }
    )
