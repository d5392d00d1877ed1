"""Fresh batches, the squared error of one output, and snapshots of the weights."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.packs import (
    CPU,
    KilledError,
    assert_same,
    curve,
    final,
    judged,
    killed_at,
    labelled,
    rules,
)
from support.variants import VARIANTS

from nstar.cells import make_pool
from nstar.measures.accuracy import compare, score
from nstar.models import build_model
from nstar.study import Data
from nstar.tasks import build_task
from nstar.training.checkpoint import load_checkpoint
from nstar.training.loop import train_pack
from nstar.training.sampler import FreshSampler
from nstar.training.state import arrays_of, initial_state
from nstar.training.step import PackData, Replicate
from nstar.verdicts import LEARNT

LENGTH, BATCH = 5, 6
ENCODER = VARIANTS["transformer_sensitivity"]
every_model = pytest.mark.parametrize(
    "options", [ENCODER, VARIANTS["lstm"]], ids=["encoder", "lstm"]
)
every_task = pytest.mark.parametrize("kind", ["first", "mean"])


pytestmark = pytest.mark.usefixtures("one_thread")


LIMITS = {"measure": "loss", "threshold": 0.01, "max_steps": 60}


def held_out(pool):
    """Return the validation set of seed 0."""
    return pool.held("validation", 0)


def run(
    options, members, kind="first", state=None, at_once=10, after=lambda state: None, **changes
):
    """Train members (seed, learning rate) on fresh sequences, the last label asked for."""
    pool = make_pool(build_task({"kind": kind}), "fixed", LENGTH, Data(), whole=True)

    def taught(symbols, lengths):
        states = pool.task.labels(symbols)
        return pool.task.supervise("outcome", symbols, states, lengths, pool.lengths)

    def sampler(seed):
        return FreshSampler(lambda *stretch: taught(*pool.draw(seed, *stretch)), BATCH)

    seeds = sorted({seed for seed, _ in members})
    drawn = zip(*(taught(*pool.draw(seed, 0, 12)) for seed in seeds), strict=True)
    sets = {"train": [torch.from_numpy(np.stack(part)) for part in drawn]}
    held = [torch.from_numpy(part)[None] for part in taught(*held_out(pool))]
    held = [part.expand(len(seeds), -1, -1) for part in held]
    sets |= dict.fromkeys(("validation", "confirmation", "test"), held)
    model = build_model(options, n_symbols=2, n_classes=1, n_positions=LENGTH)
    samplers = {seed: sampler(seed) for seed in seeds}
    replicates = [
        Replicate(seed, rate, seeds.index(seed), samplers[seed]) for seed, rate in members
    ]
    chosen = rules(**LIMITS | changes)
    state = state or initial_state(model, [seed for seed, _ in members], CPU)
    data = PackData(**{name: labelled(*parts) for name, parts in sets.items()})
    return train_pack(model, data, replicates, chosen, state, at_once, after)


@every_model
@every_task
def test_a_replicate_of_fresh_batches_is_bitwise_the_same_alone_and_in_a_pack(options, kind):
    alone = run(options, [(0, 0.003)], kind)
    pack = run(options, [(1, 0.01), (0, 0.003), (0, 0.01)], kind)
    apart = run(options, [(1, 0.01), (0, 0.003), (0, 0.01)], kind, at_once=2)
    assert_same(pack.part(slice(1, 2)), alone)
    assert_same(apart, pack)


@every_model
def test_a_fresh_run_learns(options):
    state = run(options, [(0, 0.01)], max_steps=1000, evaluate_every=100)
    found = judged(state, rules(**LIMITS | {"max_steps": 1000, "evaluate_every": 100}))
    assert found.outcome[0] == LEARNT
    assert curve(state, "validation", "sequence_accuracy")[0, found.end[0]] == 1.0
    assert curve(state, "train", "sequence_accuracy")[0, found.end[0]] == 1.0


def test_a_real_valued_task_has_a_loss_and_no_accuracy():
    state = run(ENCODER, [(0, 0.003)], "mean")
    assert np.isfinite(curve(state, "validation", "loss")).all()
    for measure in ("token_accuracy", "sequence_accuracy"):
        assert np.isnan(arrays_of(state)[f"batch_{measure}"]).all()
        for name in ("train", "validation", "confirmation"):
            assert np.isnan(curve(state, name, measure)).all()


def test_fresh_batches_do_not_depend_on_when_runs_are_evaluated():
    often, seldom = (
        run(ENCODER, [(0, 0.003)], evaluate_every=every, stop_on_success=False) for every in (5, 30)
    )
    np.testing.assert_array_equal(final(often), final(seldom))


@every_model
def test_kept_weights_are_those_of_shorter_runs(options):
    members = [(0, 0.003), (1, 0.01)]
    state = run(options, members, keep_every=20, stop_on_success=False)
    assert all({20, 40, 60} <= set(own) for own in state.kept)
    for steps in (20, 40):
        shorter = final(run(options, members, max_steps=steps, stop_on_success=False))
        for own, weights in zip(state.kept, shorter, strict=True):
            np.testing.assert_array_equal(own[steps]["weights"], weights)


def test_a_replicate_that_ended_has_no_later_weights():
    state = run(ENCODER, [(0, 0.003), (0, 1e18)], keep_every=20, stop_on_success=False)
    assert arrays_of(state)["diverged"].tolist() == [False, True]
    assert max(state.kept[1]) == state.n_steps[1] < 60


def test_a_resumed_run_has_the_same_weights_and_evidence(tmp_path):
    members = [(0, 0.003), (1, 0.01)]
    whole = run(ENCODER, members, keep_every=20, stop_on_success=False)

    kill = killed_at(30, tmp_path / "checkpoint.pt")
    with pytest.raises(KilledError):
        run(ENCODER, members, keep_every=20, stop_on_success=False, after=kill)
    state = load_checkpoint(tmp_path / "checkpoint.pt", CPU)
    assert state.step == 30
    resumed = run(ENCODER, members, state=state, keep_every=20, stop_on_success=False)
    assert_same(resumed, whole)


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
