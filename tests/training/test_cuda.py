"""What a GPU computes: the same networks, measures and runs as a CPU, and the same bits every time.

``pytest --pretended-cuda`` runs these tests on a CPU, in smaller sizes; see `support.pretended_cuda`.
"""

import json
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import xarray as xr
from support import pretended_cuda
from support.packs import CPU, assert_same, curve, data_for, final, model_for, rules, run
from support.stores import tampered
from support.studies import tiny
from support.tokens import first_output, labels_for, tokens_for
from support.variants import VARIANTS, of_each_kind

from nstar.errors import DeviceError, StoppedError
from nstar.jobs import part
from nstar.jobs.evaluation import evaluate_cells
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells
from nstar.measures.accuracy import decode, score
from nstar.models import build_model
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.store.schemas import CELL, EVALUATION
from nstar.tasks.supervision import NO_LABEL
from nstar.training import launch
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.device import free_memory_bytes, memory_errors_named, prepare_device
from nstar.training.launch import SHARE_OF_FREE, launch_bytes, launch_size, plan_memory
from nstar.training.state import arrays_of, initial_state

pytestmark = pytest.mark.cuda

GPU = torch.device("cuda")
SHAPES = {"n_classes": 4, "n_positions": 70}
DROPOUT = {"kind": "transformer", "width": 12, "depth": 1, "heads": 2, "dropout": 0.2}
WIDE = {
    "transformer": {"kind": "transformer", "width": 64, "depth": 2, "heads": 4},
    "lstm": {"kind": "lstm", "width": 64},
    "dense_ssm": {"kind": "dense_ssm", "width": 32},
    "deltanet": {**VARIANTS["deltanet"], "width": 48},
}
"""Models whose memory is more than what an allocator rounds up."""
JOBS = {
    "models": {name: VARIANTS[name] for name in ("transformer", "dense_ssm", "deltanet")},
    "grid.0.supervisions": ["outcome", "chain_of_thought", "aligned"],
    "grid.0.length_distributions": ["fixed", "uniform"],
    "grid.0.lengths": [4],
    "training.max_steps": 40,
}
FEW_JOBS = JOBS | {
    "models": {"dense_ssm": VARIANTS["dense_ssm"]},
    "grid.0.supervisions": ["chain_of_thought"],
    "grid.0.length_distributions": ["fixed"],
}
SCHEMAS = {"cells": CELL, "evaluations": EVALUATION}
CAUSAL = {name: options for name, options in VARIANTS.items() if options.get("causal", True)}

LARGE_GRIDS = ("transformer",)
"""Variants whose attention ends at 65,535 sequences also on the pretended GPU."""

SHORT = rules(max_steps=4, evaluate_every=2)
TWO_STEPS = rules(max_steps=2, evaluate_every=1)
"""Errors grow with steps: in deltanet, one of 1e-7 becomes 1e-5 of the loss in 2 steps, 1e-1 in 10."""

MANY, LENGTH_OF_MANY = 512, 7
"""A large batch, and a length with that many sequences."""

LARGEST_ERROR = 1e-3
"""Of float32 against double, of the largest entry; a CPU reaches 1e-4 over 70 steps."""

gpu = pytest.mark.gpu
every_variant = pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
wide_models = pytest.mark.parametrize("options", WIDE.values(), ids=WIDE)
every_run = pytest.mark.parametrize("options", of_each_kind(VARIANTS | {"dropout": DROPOUT}))


@pytest.fixture(autouse=True, scope="module")
def prepared():
    """Set what every job sets, and set it back for the tests that follow."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    prepare_device("cuda")
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = fill
    torch.backends.cuda.matmul.allow_tf32 = False


def mean_losses(logits, labels):
    losses = F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none")
    return losses.view(len(labels), -1).mean(1)


ONE_LARGE_BATCH = rules(batch_size=MANY, max_steps=1, evaluate_every=1)


def wide(options):
    """Return model and data of a pack of large batches."""
    data = data_for(options, [0], MANY, GPU, length=LENGTH_OF_MANY)
    return model_for(options, LENGTH_OF_MANY), data


def assert_near(found, wanted, error=LARGEST_ERROR):
    """Compare with double precision; errors are measured against the largest entry."""
    assert (found.cpu() - wanted).abs().max() <= error * wanted.abs().max()


def loss_curves(state):
    """Return the mean losses of the batches and of the validation set, each (R, E)."""
    return arrays_of(state)["batch_loss"], curve(state, "validation", "loss")


@every_variant
@pytest.mark.parametrize(
    ("n_symbols", "length"),
    [(5, 7), pytest.param(5, 70, marks=gpu("tests/models cover long sequences on a CPU")), (40, 7)],
)
def test_logits_and_gradients_are_those_of_the_reference(options, n_symbols, length):
    model = build_model(options, n_symbols=n_symbols, **SHAPES)
    flat = model.initialise([0, 1])
    tokens = tokens_for(options, 2, 6, length, n_symbols)
    labels = labels_for(options, tokens)
    views = {name: part.requires_grad_() for name, part in model.views(flat.to(GPU)).items()}
    logits = model.forward(views, tokens.to(GPU), first_output(options, length))
    losses = mean_losses(logits, labels.to(GPU))
    gradients = torch.autograd.grad(losses.sum(), list(views.values()))
    for r in range(2):
        values = {
            name: part[r].clone().requires_grad_()
            for name, part in model.views(flat.double()).items()
        }
        plain = model.naive(values, tokens[r])
        (loss,) = mean_losses(plain[None], labels[r : r + 1])
        wanted = torch.autograd.grad(loss, list(values.values()))
        assert_near(logits[r], plain)
        assert losses[r].item() == pytest.approx(loss.item(), rel=1e-4)
        found = [part[r] for part in gradients]
        assert_near(*(torch.cat([part.flatten() for part in each]) for each in (found, wanted)))


def scored(options, device, measure, n_copies=1, batch=40):
    """Return what a measure gives of replicates 0, 1, 0, 1, .., on sets of their own."""
    model = build_model(options, n_symbols=5, **SHAPES)
    tokens = tokens_for(options, 2, batch, 7, 5)
    read_from = max(2, first_output(options, 7))
    labels = tokens[..., read_from:] % 4
    labels[:, ::3, 2] = NO_LABEL
    flat = model.initialise([0, 1]).repeat(n_copies, 1)
    rows = torch.arange(len(flat)) % 2
    parts = (part.to(device) for part in (tokens, labels, rows))
    found = measure(model, model.views(flat.to(device)), *parts)
    return [part.cpu() for part in vars(found).values()]


@every_variant
def test_scores_are_those_of_a_cpu(options):
    for found, wanted in zip(*(scored(options, at, score) for at in (GPU, CPU)), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=0, equal_nan=True)


@pytest.mark.parametrize("options", CAUSAL.values(), ids=CAUSAL)
def test_decoded_answers_are_those_of_a_cpu(options):
    for found, wanted in zip(*(scored(options, at, decode) for at in (GPU, CPU)), strict=True):
        assert torch.equal(found, wanted)


large_grid = pytest.mark.parametrize(
    "options",
    [
        pytest.param(
            options,
            id=name,
            marks=() if name in LARGE_GRIDS else gpu("only attention pretends the limits of grids"),
        )
        for name, options in VARIANTS.items()
    ],
)


@large_grid
def test_a_launch_may_have_more_sequences_than_an_axis_of_a_grid(options):
    """130 replicates on 512 sequences are 66,560; kernels of CUDA end at 65,535."""
    few, many = (scored(options, GPU, score, n, batch=512) for n in (1, 65))
    for alone, together in zip(few, many, strict=True):
        wanted = alone.repeat(65, *[1] * (alone.dim() - 1))
        torch.testing.assert_close(together, wanted, rtol=1e-4, atol=2 / 512)


@large_grid
def test_a_step_may_have_more_sequences_than_an_axis_of_a_grid(options):
    few, many = (
        run(
            options,
            [(0, 0.003), (1, 0.003)] * n,
            ONE_LARGE_BATCH,
            budget=MANY,
            device=GPU,
            length=LENGTH_OF_MANY,
        )
        for n in (1, 65)
    )
    for found, wanted in zip(loss_curves(many), loss_curves(few), strict=True):
        np.testing.assert_allclose(found[:, 0], np.tile(wanted[:, 0], 65), rtol=1e-4)


@every_variant
def test_run_is_that_of_a_cpu(options):
    members = [(0, 0.001), (1, 0.003)]
    on_gpu, on_cpu = (run(options, members, TWO_STEPS, device=device) for device in (GPU, CPU))
    for found, wanted in zip(loss_curves(on_gpu), loss_curves(on_cpu), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3)


@every_run
def test_run_is_bitwise_the_same_twice(options):
    members = [(0, 0.003), (1, 0.01), (1, 1e18)]  # the last one diverges
    one, other = (run(options, members, SHORT, device=GPU) for _ in range(2))
    assert_same(one, other)
    assert arrays_of(one)["diverged"].tolist() == [False, False, True]


@every_run
def test_resumed_run_is_bitwise_the_uninterrupted_one(options, tmp_path):
    members = [(0, 0.003), (1, 0.01), (1, 1e18)]
    path = tmp_path / "checkpoint.pt"

    def save(state):
        if state.step == 2:
            save_checkpoint(path, state)

    whole = run(options, members, SHORT, after=save, device=GPU)
    state = load_checkpoint(path, GPU)
    assert state.step == 2 and state.parameters.is_cuda and state.adam.n_steps.is_cuda
    assert_same(run(options, members, SHORT, state=state, device=GPU), whole)


@every_run
def test_pack_around_a_replicate_changes_rounding_alone(options):
    """Kernels are chosen by the number of replicates, so that no more is promised on a GPU."""
    alone = run(options, [(0, 0.003)], TWO_STEPS, device=GPU)
    pack = run(options, [(1, 1e18), (2, 0.01), (0, 0.003), (3, 0.003)], TWO_STEPS, device=GPU)
    for packed, single in zip(loss_curves(pack), loss_curves(alone), strict=True):
        np.testing.assert_allclose(packed[2], single[0], rtol=1e-3)


@pytest.mark.parametrize(
    "precision",
    [pytest.param("tf32", marks=gpu("a CPU does not round to tf32")), "bfloat16"],
)
@pytest.mark.parametrize("kind", ["transformer", "deltanet", "lstm", "dense_ssm"])
def test_lower_precision_trains_near_float32(kind, precision):
    exact, low = (
        run(VARIANTS[kind], [(0, 0.003)], TWO_STEPS, device=prepare_device("cuda", name))
        for name in ("float32", precision)
    )
    prepare_device("cuda")
    assert final(low).dtype == np.float32
    first = [loss_curves(state)[0][:, 0] for state in (low, exact)]
    np.testing.assert_allclose(*first, rtol=0.05)


@wide_models
def test_planned_memory_holds_a_launch_of_many(options):
    model, data = wide(options)
    plan = plan_memory(model, data, ONE_LARGE_BATCH)
    many = 4 if pretended_cuda.installed else 12
    taken = launch_bytes(model, data, ONE_LARGE_BATCH, many)
    assert taken <= plan.of(many) / SHARE_OF_FREE["cuda"] and plan.of(many) <= 1.5 * taken


@wide_models
def test_largest_launch_fits_into_a_full_gpu(options, monkeypatch):
    model, data = wide(options)
    plan = plan_memory(model, data, ONE_LARGE_BATCH)
    n_fitting = 4 if pretended_cuda.installed else plan.most_replicates(2**30)
    members = [(0, 0.003)] * (2 * n_fitting)
    state = initial_state(model, [0] * len(members), GPU)
    torch.cuda.empty_cache()
    limit = torch.cuda.memory_reserved() + plan.of(n_fitting)
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.mem_get_info()[1])
    monkeypatch.setattr(
        launch, "free_memory_bytes", lambda _: limit - torch.cuda.memory_allocated()
    )
    try:
        at_once = launch_size(model, data, ONE_LARGE_BATCH, len(members))
        assert 1 < at_once < len(members)
        run(
            options,
            members,
            ONE_LARGE_BATCH,
            MANY,
            state,
            device=GPU,
            at_once=at_once,
            length=LENGTH_OF_MANY,
        )
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert np.isfinite(final(state)).all()


def test_free_memory_counts_what_the_allocator_holds_unused():
    before = free_memory_bytes(GPU)
    held = torch.empty(2**28, dtype=torch.uint8, device=GPU)
    assert free_memory_bytes(GPU) <= before - held.nbytes
    del held
    assert free_memory_bytes(GPU) == pytest.approx(before, rel=0.01)


def test_a_real_lack_of_memory_is_named():
    name = re.escape(torch.cuda.get_device_name())
    with pytest.raises(DeviceError, match=f"out of memory on {name}.*while allocating"):
        with memory_errors_named(GPU, "allocating"):
            torch.empty(2**45, device=GPU)


def test_jobs_that_were_stopped_write_the_stores_of_those_that_were_not(tmp_path):
    study = load_study(tiny(**(FEW_JOBS if pretended_cuda.installed else JOBS)))
    whole, stopped = (tmp_path / name for name in ("whole", "stopped"))
    for results in (whole, stopped):
        batches = plan_jobs(make_plan(study, results))
        for batch in batches.generation:
            generate_data(batch.work, results)
        for batch in batches.training:
            if results is stopped:
                with pytest.raises(StoppedError):
                    train_cells(batch.work, results, "cuda", 60.0, stop_asked=lambda: "a test")
            train_cells(batch.work, results, "cuda", 60.0)
        for batch in batches.evaluation:
            evaluate_cells(batch.work, results, "cuda")
    paths = sorted(path.relative_to(whole) for path in whole.rglob("*.zarr.zip"))
    assert {path.parts[0] for path in paths} >= {"cells", "evaluations"}
    for path in paths:
        if path.parts[0] in SCHEMAS:
            schema = SCHEMAS[path.parts[0]]
            one, other = (read_store(results / path, schema) for results in (whole, stopped))
            assert json.loads(one.attrs["provenance"])["device"] == torch.cuda.get_device_name()
            xr.testing.assert_equal(one, other)


def test_a_replay_that_differs_is_warned_of_and_noted(tmp_path, monkeypatch, caplog):
    """A GPU may round otherwise the second time; on a CPU the job ends with an error."""
    changes = FEW_JOBS | {"training.evaluate_every": 10, "grid.0.budgets": [4]}
    study, with_snapshots = (
        load_study(tiny(**changes, **more)) for more in ({}, {"training.snapshot_every": 10})
    )
    planned = plan_jobs(make_plan(study, tmp_path))
    for batch in planned.generation:
        generate_data(batch.work, tmp_path)
    (first,) = planned.training
    train_cells(first.work, tmp_path, "cuda", 60.0)
    monkeypatch.setattr(part, "read_parts", tampered(part.read_parts))
    (replay,) = plan_jobs(make_plan(with_snapshots, tmp_path)).training
    train_cells(replay.work, tmp_path, "cuda", 60.0)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("give other numbers at step 10: weights that are kept" in text for text in warnings)
    differs = [
        json.loads(read_store(job.outputs[0], CELL).attrs["provenance"]).get("differs")
        for job in (first, replay)
    ]
    assert differs == [None, True]
