"""How many replicates are trained together: as many as a device serves best, and has room for."""

from dataclasses import dataclass

import torch

from nstar.errors import DeviceError
from nstar.measures.accuracy import score
from nstar.models import StackedModel
from nstar.training.device import free_memory_bytes, reduced
from nstar.training.memory import peak_bytes
from nstar.training.optimiser import AdamState
from nstar.training.sampler import EpochSampler
from nstar.training.step import PackData, Replicate, Rules, train_steps

ACTIVATION_BYTES = 2**20
PARAMETER_BYTES = 2**23
"""What one activation (R, B, T, D) and the parameters of a launch may take on a CPU. Beyond, they
leave the caches, and more replicates at once cost time instead of saving it: `benchmarks/training.py`."""

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
        In ``1 .. R``. No number of a replicate depends on it.

    Raises
    ------
    DeviceError
        If not even one replicate has room.
    """
    device = data.tokens.device
    if device.type == "cpu":
        tokens_per_step = rules.batch_size * data.tokens.shape[-1]
        by_activations = ACTIVATION_BYTES // (4 * tokens_per_step * model.width)
        by_parameters = PARAMETER_BYTES // (4 * model.n_parameters)
        n_replicates = min(n_replicates, max(1, min(by_activations, by_parameters)))
    plan = plan_memory(model, data, rules)
    free = free_memory_bytes(device)
    room = plan.most_replicates(SHARE_OF_FREE[device.type] * free)
    if room < 1:
        raise DeviceError(
            f"out of memory before the first step: one replicate with batch size {rules.batch_size} "
            f"and length {data.tokens.shape[-1]} needs {plan.of(1) / 2**30:.2f} GiB on {device}, "
            f"where {free / 2**30:.2f} GiB are free; lower training.batch_size or the width of the "
            "model, or choose a device with more memory"
        )
    return min(n_replicates, room)


def plan_memory(model: StackedModel, data: PackData, rules: Rules) -> MemoryPlan:
    """Find what a launch takes from one step of one replicate and of two.

    All tensors of a launch are either shared by its replicates or have a replicate axis, so its
    peak is linear in their number.
    """
    one, two = (_launch_bytes(model, data, rules, n) for n in (1, 2))
    per_replicate = max(1, two - one)
    drawn = 8 * rules.batch_size * (rules.evaluate_every - 1)  # the order of further steps
    return MemoryPlan(max(0, one - per_replicate), per_replicate + drawn)


def _launch_bytes(model: StackedModel, data: PackData, rules: Rules, n_replicates: int) -> int:
    """Return the peak of one training step and one evaluation of so many new replicates."""
    device, batch = data.tokens.device, rules.batch_size
    blank = PackData(
        data.tokens.new_zeros(1, batch, data.tokens.shape[-1]),
        data.labels.new_zeros(1, batch, data.labels.shape[-1]),
        torch.zeros_like(data.validation_tokens[:1]),
        torch.zeros_like(data.validation_labels[:1]),
    )
    members = [Replicate(0, 0.0, 0, EpochSampler(batch, batch, {}))] * n_replicates
    parameters = model.initialise([0] * n_replicates).to(device)
    adam = AdamState.of(parameters)
    sets = torch.zeros(n_replicates, dtype=torch.int64, device=device)

    def run() -> None:
        train_steps(model, blank, members, rules, parameters, adam, 0, 1)
        validation = blank.validation_tokens, blank.validation_labels
        with reduced(rules.precision, device):
            score(model, model.views(parameters), *validation, sets)

    return peak_bytes(run, device)
