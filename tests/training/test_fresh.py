"""Fresh batches, the squared error of one output, and snapshots of the weights."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.packs import CPU, KilledError, killed_at, rules
from support.variants import VARIANTS

from nstar.cells import make_pool
from nstar.measures.accuracy import compare, score
from nstar.models import build_model
from nstar.outcomes import LEARNT
from nstar.study import Data
from nstar.tasks import build_task
from nstar.training.checkpoint import load_checkpoint
from nstar.training.loop import initial_state, train_pack
from nstar.training.sampler import FreshSampler
from nstar.training.step import PackData, Replicate

LENGTH, BATCH = 5, 6
ENCODER = VARIANTS["transformer_sensitivity"]
every_model = pytest.mark.parametrize(
    "options", [ENCODER, VARIANTS["lstm"]], ids=["encoder", "lstm"]
)
every_task = pytest.mark.parametrize("kind", ["first", "mean"])


pytestmark = pytest.mark.usefixtures("one_thread")


def run(
    options, members, kind="first", state=None, at_once=10, after=lambda state: None, **changes
):
    """Train members (seed, learning rate) on fresh sequences, the last label asked for."""
    pool = make_pool(build_task({"kind": kind}), "fixed", LENGTH, Data(), whole=True)

    def labelled(symbols, lengths):
        states = pool.task.labels(symbols)
        return pool.task.supervise("outcome", symbols, states, lengths, pool.lengths)

    def sampler(seed):
        return FreshSampler(lambda *stretch: labelled(*pool.draw(seed, *stretch)), BATCH)

    seeds = sorted({seed for seed, _ in members})
    validation = [torch.from_numpy(part)[None] for part in labelled(*pool.validation(0))]
    validation = [part.expand(len(seeds), -1, -1) for part in validation]
    blank = [part.new_zeros(1, BATCH, part.shape[-1]) for part in validation]
    model = build_model(options, n_symbols=2, n_classes=1, n_positions=LENGTH)
    samplers = {seed: sampler(seed) for seed in seeds}
    replicates = [
        Replicate(seed, rate, seeds.index(seed), samplers[seed]) for seed, rate in members
    ]
    chosen = rules(
        **{"success_measure": "loss", "success_threshold": 0.01, "max_steps": 60, **changes}
    )
    state = state or initial_state(model, [seed for seed, _ in members], CPU)
    data = PackData(*blank, *validation)
    return train_pack(model, data, replicates, chosen, state, at_once, after)


@every_model
@every_task
def test_a_replicate_of_fresh_batches_is_bitwise_the_same_alone_and_in_a_pack(options, kind):
    alone = run(options, [(0, 0.003)], kind)
    pack = run(options, [(1, 0.01), (0, 0.003), (0, 0.01)], kind)
    apart = run(options, [(1, 0.01), (0, 0.003), (0, 0.01)], kind, at_once=2)
    assert torch.equal(pack.final_parameters[1], alone.final_parameters[0])
    np.testing.assert_array_equal(apart.final_parameters, pack.final_parameters)


@every_model
def test_a_fresh_run_learns(options):
    state = run(options, [(0, 0.01)], max_steps=1000, evaluate_every=100)
    assert state.outcome[0] == LEARNT
    assert state.curves["validation_sequence_accuracy"][-1][0] == 1.0


def test_a_real_valued_task_has_a_loss_and_no_accuracy():
    state = run(ENCODER, [(0, 0.003)], "mean")
    assert np.isfinite(state.curves["validation_loss"][-1][0])
    for split in ("train", "validation"):
        for part in ("token", "sequence"):
            assert np.isnan(state.curves[f"{split}_{part}_accuracy"]).all()


def test_fresh_batches_do_not_depend_on_when_runs_are_evaluated():
    often, seldom = (
        run(ENCODER, [(0, 0.003)], evaluate_every=every, stop_on_success=False) for every in (5, 30)
    )
    assert torch.equal(often.final_parameters, seldom.final_parameters)


@every_model
def test_snapshots_are_the_weights_of_shorter_runs(options):
    members = [(0, 0.003), (1, 0.01)]
    state = run(options, members, snapshot_every=20, stop_on_success=False)
    assert len(state.snapshots) == 2  # the weights at the end are no snapshot
    for number, steps in enumerate((20, 40)):
        shorter = run(options, members, max_steps=steps, stop_on_success=False)
        np.testing.assert_array_equal(state.snapshots[number], shorter.final_parameters)


def test_a_replicate_that_ended_is_nan_in_later_snapshots():
    state = run(ENCODER, [(0, 0.003), (0, 1e18)], snapshot_every=20, stop_on_success=False)
    assert state.diverged.tolist() == [False, True]
    assert np.isnan(state.snapshots[1][1]).all() and np.isfinite(state.snapshots[1][0]).all()


def test_a_resumed_run_has_the_same_weights_and_snapshots(tmp_path):
    members = [(0, 0.003), (1, 0.01)]
    whole = run(ENCODER, members, snapshot_every=20, stop_on_success=False)

    kill = killed_at(30, tmp_path / "checkpoint.pt")
    with pytest.raises(KilledError):
        run(ENCODER, members, snapshot_every=20, stop_on_success=False, after=kill)
    state = load_checkpoint(tmp_path / "checkpoint.pt", CPU)
    assert state.step == 30
    resumed = run(ENCODER, members, state=state, snapshot_every=20, stop_on_success=False)
    np.testing.assert_array_equal(resumed.final_parameters, whole.final_parameters)
    np.testing.assert_array_equal(np.stack(resumed.snapshots), np.stack(whole.snapshots))


def test_the_squared_error_is_that_of_torch_where_something_is_asked_for():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randn(2, 3, 4, 1, generator=generator)
    labels = torch.randint(2, (2, 3, 4), generator=generator)
    labels[0, 1] = -100
    losses, right = compare(outputs, labels)
    asked = labels >= 0
    expected = F.mse_loss(outputs[..., 0], labels.float(), reduction="none")
    torch.testing.assert_close(losses, expected.where(asked, 0.0))
    assert torch.equal(right[asked], (outputs[..., 0] > 0.5)[asked] == labels[asked].bool())


def test_scores_of_one_output_are_means_over_what_is_asked_for():
    model = build_model(ENCODER, n_symbols=2, n_classes=1, n_positions=LENGTH)
    parameters = model.views(model.initialise([0]))
    tokens = torch.randint(2, (1, 9, LENGTH), generator=torch.Generator().manual_seed(0))
    labels = tokens[..., -1:]
    outputs = model.forward(parameters, tokens, LENGTH - 1)[..., 0]
    found = score(model, parameters, tokens, labels, torch.zeros(1, dtype=torch.int64))
    assert float(found.loss) == pytest.approx(float((outputs - labels).square().mean()), rel=1e-5)
    assert float(found.sequence_accuracy) == float(
        ((outputs > 0.5) == labels.bool()).double().mean()
    )
