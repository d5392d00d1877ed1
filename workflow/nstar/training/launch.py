"""How many replicates are trained together: as many as a device serves best, and has room for.

On a CPU no number of a replicate depends on it, so it may be found by trying.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
import torch

from nstar.errors import DeviceError
from nstar.measures.accuracy import tally
from nstar.models import StackedModel
from nstar.training.device import free_memory_bytes, is_out_of_memory, reduced
from nstar.training.memory import peak_bytes
from nstar.training.optimiser import AdamState
from nstar.training.sampler import EpochSampler
from nstar.training.step import LabelledSet, PackData, Replicate, Rules, train_steps

TIMED_STEPS = 2
LEAST_GAIN = 0.03
"""On a CPU sizes are tried, from one replicate up, until a larger one saves less of the time."""

SHARE_OF_FREE = {"cuda": 0.9, "cpu": 0.5}
"""Of the memory that is free, what a launch may take; on a CPU other jobs run beside it."""


@dataclass(frozen=True)
class MemoryPlan:
    """Peak memory of a launch beyond parameters, optimiser and data: ``fixed + R * per_replicate``.

    Attributes
    ----------
    fixed_bytes, per_replicate_bytes : int
    """

    fixed_bytes: int
    per_replicate_bytes: int

    def of(self, n_replicates: int) -> int:
        """Return the peak of a launch of so many replicates; bytes."""
        return self.fixed_bytes + n_replicates * self.per_replicate_bytes

    def most_replicates(self, n_bytes: float) -> int:
        """Return how many replicates fit into so many bytes; may be 0."""
        return int(max(0, n_bytes - self.fixed_bytes) // self.per_replicate_bytes)


def launch_size(model: StackedModel, data: PackData, rules: Rules, n_replicates: int) -> int:
    """Return how many of a pack's replicates to train together.

    Parameters
    ----------
    model : StackedModel
    data : PackData
    rules : Rules
    n_replicates : int
        R, those of the pack.

    Returns
    -------
    int
        In ``1 .. R``. On a CPU no number of a replicate depends on it.

    Raises
    ------
    DeviceError
        If not even one replicate has room.
    """
    device = data.train.tokens.device
    free = free_memory_bytes(device)
    allowed = SHARE_OF_FREE[device.type] * free
    try:
        # As if each took what two take: where all have room even so, one trial is enough.
        plan = MemoryPlan(0, launch_bytes(model, data, rules, 2) + _drawn_bytes(rules))
        if plan.of(n_replicates) > allowed:
            plan = plan_memory(model, data, rules)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        plan = None
    room = plan.most_replicates(allowed) if plan else 0
    if room < 1:
        needed = f"needs {plan.of(1) / 2**30:.2f} GiB" if plan else "does not fit"
        raise DeviceError(
            f"out of memory before the first step: one replicate with batch size {rules.batch_size} "
            f"and length {data.train.tokens.shape[-1]} {needed} on {device}, where "
            f"{free / 2**30:.2f} GiB are free; lower training.batch_size, data.validation_examples or "
            "the width of the model, or choose a device with more memory"
        )
    most = min(n_replicates, room)
    return most if device.type == "cuda" else _fastest_size(model, data, rules, most)


def plan_memory(model: StackedModel, data: PackData, rules: Rules) -> MemoryPlan:
    """Find what a launch takes from one step of one replicate and of two.

    All tensors of a launch are either shared by its replicates or have a replicate axis, so its
    peak grows in proportion to their number, or less where the optimiser works in chunks.
    """
    if data.train.tokens.is_cuda:
        launch_bytes(model, data, rules, 1)  # libraries take their work space at the first product
    one, two = (launch_bytes(model, data, rules, n) for n in (1, 2))
    per_replicate = max(1, two - one)
    return MemoryPlan(max(0, one - per_replicate), per_replicate + _drawn_bytes(rules))


def launch_bytes(model: StackedModel, data: PackData, rules: Rules, n_replicates: int) -> int:
    """Return the peak of one training step and one evaluation of so many replicates; bytes."""
    trial = _Trial(model, data, rules, n_replicates)

    def run() -> None:
        trial.train(1)
        trial.evaluate()

    return peak_bytes(run, data.train.tokens.device)


def _drawn_bytes(rules: Rules) -> int:
    """Return what the order of the examples takes per replicate, but for the first step; bytes."""
    return 8 * rules.batch_size * (rules.evaluate_every - 1)


def _fastest_size(model: StackedModel, data: PackData, rules: Rules, most: int) -> int:
    """Return the size, of those that share out `most` evenly, with the least time per replicate.

    More replicates at once share the start of every kernel, and leave the caches sooner.
    """
    sizes = sorted({math.ceil(most / 2**k) for k in range(most.bit_length() + 1)})
    best_size, least = 1, math.inf
    for size in sizes:
        trial = _Trial(model, data, rules, size)
        trial.train(1)
        seconds = min(trial.seconds() for _ in range(TIMED_STEPS)) / size
        if seconds > (1 - LEAST_GAIN) * least:
            break
        best_size, least = size, seconds
    return best_size


class _Trial:
    """A launch of new replicates on data of the shapes of a pack: one of its sequences, repeated.

    Of the sets that are evaluated one after the other, only the largest matters.
    """

    def __init__(self, model: StackedModel, data: PackData, rules: Rules, n_replicates: int):
        batch, device = rules.batch_size, data.train.tokens.device
        self.model = model
        self.rules = rules
        held_out = data.validation, data.confirmation, data.test
        fitted = min(rules.fitted_examples, data.train.tokens.shape[1])
        largest = max(fitted, *(one.tokens.shape[1] for one in held_out))
        train, self.evaluated = (_repeated(data, n) for n in (batch, largest))
        self.data = PackData(train, train, train, train)
        self.members = [Replicate(0, 0.0, 0, EpochSampler(batch, batch, {}))] * n_replicates
        self.parameters = model.initialise([0] * n_replicates).to(device)
        self.adam = AdamState.of(self.parameters)
        self.sets = torch.zeros(n_replicates, dtype=torch.int64, device=device)

    def train(self, n_steps: int) -> None:
        train_steps(
            self.model, self.data, self.members, self.rules, self.parameters, self.adam, 0, n_steps
        )

    def evaluate(self) -> None:
        largest = self.evaluated.tokens, self.evaluated.labels
        with reduced(self.rules.precision, self.parameters.device):
            tally(self.model, self.model.views(self.parameters), *largest, self.sets)

    def seconds(self) -> float:
        """Return the processor time of a step."""
        started = time.process_time()
        self.train(1)
        return time.process_time() - started


def _repeated(data: PackData, n: int) -> LabelledSet:
    """Return n times a sequence of a pack; an encoder-decoder refuses what is not a chain."""
    sequence, labels = data.validation.tokens[:1, :1], data.validation.labels
    return LabelledSet(
        sequence.repeat(1, n, 1),
        labels.new_zeros(1, n, labels.shape[-1]),
        np.zeros((1, n), np.int64),
    )
