"""Optimiser and schedules agree with those of torch, replicate by replicate."""

import numpy as np
import pytest
import torch

from nstar.training.optimiser import CHUNK, AdamState, PackedAdam
from nstar.training.schedule import Schedule

N_PARAMETERS = 64


def gradients(n_steps, n_rows, n_columns=N_PARAMETERS, scale=1.0):
    generator = torch.Generator().manual_seed(0)
    return scale * torch.randn(n_steps, n_rows, n_columns, generator=generator)


def by_torch(algorithm, start, steps, rate, clip=None, scheduler=None, **options):
    """Return what torch makes of one row of parameters with the same gradients."""
    parameter = torch.nn.Parameter(start.clone())
    optimiser = algorithm([parameter], lr=rate, **options)
    schedule = scheduler(optimiser) if scheduler else None
    for gradient in steps:
        parameter.grad = gradient.clone()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([parameter], clip)
        optimiser.step()
        if schedule is not None:
            schedule.step()
    return parameter.detach()


@pytest.mark.parametrize("decoupled", [True, False])
def test_each_replicate_is_trained_as_by_torch_with_its_own_settings(decoupled):
    rates, decays, clips = [1e-3, 1e-2, 3e-2], [0.0, 0.1, 0.5], [1.0, 5.0, 1e9]
    start, steps = torch.randn(3, N_PARAMETERS), gradients(30, 3)
    parameters = start.clone()
    optimiser = PackedAdam(
        parameters,
        AdamState.of(parameters),
        torch.tensor(rates, dtype=torch.float64),
        betas=(0.9, 0.98),
        epsilon=1e-6,
        weight_decay=torch.tensor(decays, dtype=torch.float64),
        decoupled=decoupled,
        gradient_clip=torch.tensor(clips, dtype=torch.float64),
    )
    for gradient in steps:
        optimiser.step(gradient.clone())
    algorithm = torch.optim.AdamW if decoupled else torch.optim.Adam
    for r in range(3):
        options = {"betas": (0.9, 0.98), "eps": 1e-6, "weight_decay": decays[r]}
        wanted = by_torch(algorithm, start[r], steps[:, r], rates[r], clips[r], **options)
        torch.testing.assert_close(parameters[r], wanted, rtol=1e-5, atol=1e-6)


def test_replicates_may_have_taken_different_numbers_of_steps():
    start, steps = torch.randn(2, N_PARAMETERS), gradients(20, 2)
    parameters = start.clone()
    state = AdamState.of(parameters)
    rates = torch.full((2,), 1e-2, dtype=torch.float64)
    for gradient in steps[:10]:
        PackedAdam(parameters[:1], state[:1], rates[:1]).step(gradient[:1].clone())
    for gradient in steps[10:]:
        PackedAdam(parameters, state, rates).step(gradient.clone())
    assert state.n_steps.tolist() == [20, 10]
    for r, seen in ((0, steps), (1, steps[10:])):
        wanted = by_torch(torch.optim.AdamW, start[r], seen[:, r], 1e-2, weight_decay=0.0)
        torch.testing.assert_close(parameters[r], wanted, rtol=1e-5, atol=1e-6)


def test_large_buffers_are_updated_in_chunks_with_the_same_result():
    n_columns = CHUNK + 64
    start, steps = torch.randn(2, n_columns), gradients(3, 2, n_columns)
    parameters = start.clone()
    rates = torch.tensor([1e-3, 1e-2], dtype=torch.float64)
    optimiser = PackedAdam(parameters, AdamState.of(parameters), rates, gradient_clip=1.0)
    for gradient in steps:
        optimiser.step(gradient.clone())
    for r in range(2):
        wanted = by_torch(
            torch.optim.AdamW, start[r], steps[:, r], rates[r].item(), 1.0, weight_decay=0.0
        )
        torch.testing.assert_close(parameters[r], wanted, rtol=1e-5, atol=1e-6)


SCHEDULERS = {
    "constant": (Schedule(30), lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0)),
    "linear": (
        Schedule(30, "linear", final_factor=0.1),
        lambda o: torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, 30),
    ),
    "cosine": (
        Schedule(30, "cosine"),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 30),
    ),
    "warmup and cosine": (
        Schedule(30, "cosine", warmup_steps=10, final_factor=0.2),
        lambda o: torch.optim.lr_scheduler.SequentialLR(
            o,
            [
                torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 9),
                torch.optim.lr_scheduler.CosineAnnealingLR(o, 20, eta_min=0.2e-2),
            ],
            [10],
        ),
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.filterwarnings("ignore:.*epoch parameter.*:UserWarning")
def test_schedules_are_those_of_torch(name):
    schedule, scheduler = SCHEDULERS[name]
    start, steps = torch.randn(1, N_PARAMETERS), gradients(30, 1)
    parameters = start.clone()
    rate = torch.full((1,), 1e-2, dtype=torch.float64)
    optimiser = PackedAdam(parameters, AdamState.of(parameters), rate, factor=schedule.factor)
    for gradient in steps:
        optimiser.step(gradient.clone())
    wanted = by_torch(
        torch.optim.AdamW, start[0], steps[:, 0], 1e-2, scheduler=scheduler, weight_decay=0.0
    )
    torch.testing.assert_close(parameters[0], wanted, rtol=1e-5, atol=1e-6)


def test_factors_of_a_schedule_by_hand():
    steps = torch.arange(8, dtype=torch.float64)
    found = Schedule(8, "linear", warmup_steps=4, final_factor=0.5).factor(steps)
    np.testing.assert_allclose(found, [0.25, 0.5, 0.75, 1.0, 1.0, 0.875, 0.75, 0.625])
