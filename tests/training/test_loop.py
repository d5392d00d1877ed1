"""The packed loop: independence of replicates, ends of replicates, resuming."""

import copy

import numpy as np
import pytest
import torch
from support.packs import (
    CPU,
    LENGTH,
    MODULUS,
    KilledError,
    assert_same,
    curve,
    data_for,
    final,
    judged,
    killed_at,
    known,
    model_for,
    rules,
    run,
)
from support.variants import VARIANTS, of_each_kind

from nstar.errors import ArtifactError
from nstar.models import Dropout, build_model
from nstar.plan.attempts import check_checkpoint
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.optimiser import AdamState
from nstar.training.sampler import EpochSampler
from nstar.training.state import arrays_of, initial_state
from nstar.verdicts import LEARNT, NOT_FITTED, NOT_GENERALISED

DROPOUT = {"kind": "transformer", "width": 12, "depth": 1, "heads": 2, "dropout": 0.2}
LSTM, DENSE = VARIANTS["lstm"], VARIANTS["dense_ssm"]
EVERY_MODEL = VARIANTS | {"dropout": DROPOUT}
every_model = pytest.mark.parametrize("options", EVERY_MODEL.values(), ids=EVERY_MODEL)
every_kind = pytest.mark.parametrize("options", of_each_kind(EVERY_MODEL))


pytestmark = pytest.mark.usefixtures("one_thread")


def assert_same_replicate(pack, slot, alone):
    """Compare weights, moments and all evidence."""
    assert_same(pack.part(slice(slot, slot + 1)), alone)


def short():
    """Return rules of two evaluations: a diverged replicate leaves at the first, the others train on."""
    return rules(max_steps=20)


@every_model
def test_replicate_is_bitwise_the_same_alone_and_in_any_pack(options):
    """In packs of 2, 4 and 16, in the first and the last slot, beside one that diverges."""
    alone = run(options, [(0, 0.003)], short())
    diverging = (1, 1e18)
    others = [(seed % 4, 0.001 * (seed + 1)) for seed in range(1, 14)]
    for companions, slots in [
        ([diverging], [1]),
        ([diverging, *others[:1]], [0, 3]),
        ([diverging, *others], [0, 15]),
    ]:
        members = list(companions)
        for slot in slots:
            members.insert(slot, (0, 0.003))
        pack = run(options, members, short())
        for slot in slots:
            assert_same_replicate(pack, slot, alone)


@every_kind
def test_cells_that_share_a_pack_do_not_know_of_it(options):
    pack = run(options, [(0, 0.003, 20), (1, 0.003, 7), (0, 0.003, 7)], short())
    assert_same_replicate(pack, 0, run(options, [(0, 0.003)], short(), budget=20))
    assert_same_replicate(pack, 2, run(options, [(0, 0.003)], short(), budget=7))


@pytest.mark.parametrize(
    ("options", "at_once"),
    [
        *of_each_kind(EVERY_MODEL, 2),
        *(pytest.param(LSTM, at_once, id=f"lstm-{at_once}") for at_once in (1, 3)),
    ],
)
def test_launches_of_any_size_give_the_same_numbers(options, at_once):
    """Five members in launches of two leave one alone, which is a launch of another size."""
    members = [(0, 0.003), (1, 0.01), (1, 1e18), (2, 0.003), (3, 0.003)]
    together = run(options, members, short())
    apart = run(options, members, short(), at_once=at_once)
    assert_same(apart, together)


@pytest.mark.parametrize(
    ("options", "decoupled", "n_steps"),
    [
        *of_each_kind(VARIANTS, True, 20),
        *(pytest.param(LSTM, decoupled, 50, id=f"long-{decoupled}") for decoupled in (True, False)),
    ],
)
def test_pack_equals_the_reference_with_torch_optimiser(options, decoupled, n_steps):
    """In double precision and at small steps, where rounding errors do not grow into differences.

    20 steps are six epochs. Adam does not know the model, so one model shows both forms and 50 steps, and
    gradients of all variants are compared in `tests/models/test_contract.py`.
    """
    members = [(0, 3e-4), (1, 1e-4)]
    chosen = rules(threshold=2.0, max_steps=n_steps)
    chosen.optimiser["decoupled"] = decoupled
    model = model_for(options)
    start = initial_state(model, [0, 1], CPU)
    start.parameters = start.parameters.double()
    start.adam = AdamState.of(start.parameters)
    state = run(options, members, chosen, state=start)
    data = data_for(options, [0, 1])
    algorithm = torch.optim.AdamW if decoupled else torch.optim.Adam
    for r, (seed, rate) in enumerate(members):
        initial = model.views(model.initialise([seed]))
        values = {name: part[0].double().requires_grad_() for name, part in initial.items()}
        trained = list(values.values())
        optimiser = algorithm(trained, lr=rate, betas=(0.9, 0.99), weight_decay=0.01)
        for batch in EpochSampler(20, 6, {"seed": seed}).indices(0, n_steps):
            optimiser.zero_grad()
            logits = model.in_training.naive(values, data.train.tokens[r, batch])
            labels = data.train.labels[r, batch]
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
        found = model.views(torch.from_numpy(final(state)))
        for name, value in values.items():
            actual, wanted = found[name][r].clone(), value.detach()
            if name.endswith("query_key_value.bias"):
                # Softmax ignores a bias of the keys; Adam blows its rounding noise up to full steps.
                keys = slice(options["width"], 2 * options["width"])
                actual[:, keys] = wanted[:, keys]
            torch.testing.assert_close(
                actual,
                wanted,
                rtol=1e-7,
                atol=1e-9,
                msg=lambda m, n=name: f"{n}: {m}",
            )


@pytest.mark.parametrize("name", ["dense_ssm", "factored_ssm"])
def test_states_are_normalised_when_the_option_says(name):
    """With `inference` training is as with `never`, and an evaluation as with `always`."""
    options = {
        when: VARIANTS[name] | {"normalise": when} for when in ("inference", "never", "always")
    }
    found = {when: run(own, [(0, 0.003)], short()) for when, own in options.items()}
    weights = {when: final(state) for when, state in found.items()}
    assert np.array_equal(weights["inference"], weights["never"])
    assert not np.array_equal(weights["inference"], weights["always"])
    losses = {when: curve(state, "validation", "loss") for when, state in found.items()}
    assert (losses["inference"] != losses["never"]).all()
    models = {when: model_for(own) for when, own in options.items()}
    tokens = data_for(options["always"], [0]).validation.tokens
    views = models["always"].views(torch.from_numpy(weights["inference"]))
    logits = {when: model.forward(views, tokens) for when, model in models.items()}
    assert torch.equal(logits["inference"], logits["always"])
    assert not torch.allclose(logits["inference"], logits["never"])


def test_reading_fewer_positions_trains_on_their_loss_alone():
    state = run(LSTM, [(0, 0.003)], read_from=4)
    model = build_model(LSTM, n_symbols=MODULUS, n_classes=MODULUS, n_positions=LENGTH)
    values = {
        name: part[0].clone().requires_grad_()
        for name, part in model.views(model.initialise([0])).items()
    }
    data = data_for(LSTM, [0])
    batch = EpochSampler(20, 6, {"seed": 0}).indices(0, 1)[0]
    logits = model.naive(values, data.train.tokens[0, batch])[:, 4]
    loss = torch.nn.functional.cross_entropy(logits, data.train.labels[0, batch, 4])
    first = run(LSTM, [(0, 0.003)], rules(evaluate_every=1, max_steps=1), read_from=4)
    assert arrays_of(first)["batch_loss"][0, 0] == pytest.approx(loss.item(), rel=1e-5)
    assert np.isfinite(final(state)).all()


def test_diverged_replicate_is_an_outcome_and_leaves_the_others_alone():
    state = run(LSTM, [(0, 0.003), (1, float("inf"))])
    found = judged(state, rules())
    assert found.diverged.tolist() == [False, True]
    assert found.outcome[1] == NOT_FITTED
    assert state.n_steps.tolist() == [50, 10]
    assert np.isfinite(known(state, 0)).all() and len(known(state, 0)) == 5
    assert np.isnan(known(state, 1)).all() and len(known(state, 1)) == 1
    assert not arrays_of(state)["whole_right"][1].any()
    assert state.moments[0] is not None and state.moments[1] is None


def test_ended_replicates_leave_the_pack_at_their_evaluation():
    sizes = []
    chosen = rules(measure="loss", threshold=0.9)
    state = run(
        DENSE,
        [(0, 0.01), (0, 1e-9)],
        chosen,
        after=lambda state: sizes.append(len(state.active)),
    )
    assert judged(state, chosen).outcome.tolist() == [LEARNT, NOT_FITTED]
    assert state.n_steps[0] < state.n_steps[1] == 50
    assert sizes[0] >= sizes[-2] == 1 and sizes[-1] == 0
    assert np.isnan(state.evidence.numbers[0, state.n_steps[0] // 10 :]).all()


def test_patience_ends_fitted_replicates_only():
    patient = rules(max_steps=400, patience=2, threshold=0.999)
    state = run(LSTM, [(0, 0.02), (0, 1e-9)], patient, budget=6)
    assert judged(state, patient).outcome.tolist() == [NOT_GENERALISED, NOT_FITTED]
    assert state.n_steps[0] < 400
    assert state.n_steps[1] == 400


def test_stopping_rules_do_not_change_what_a_replicate_sees():
    short = run(LSTM, [(0, 0.003)], rules(max_steps=20))
    long = run(LSTM, [(0, 0.003)], rules(patience=1, max_steps=50))
    np.testing.assert_array_equal(
        curve(short, "validation", "loss"), curve(long, "validation", "loss")[:, :2]
    )


@every_kind
def test_resumed_run_is_bitwise_the_uninterrupted_one(options, tmp_path):
    members = [(0, 0.003), (1, 0.01), (1, 1e18)]
    whole = run(options, members, short())

    with pytest.raises(KilledError):
        run(options, members, short(), after=killed_at(10, tmp_path / "checkpoint.pt"))
    state = load_checkpoint(tmp_path / "checkpoint.pt", CPU)
    assert state.step == 10 and 2 not in state.active
    resumed = run(options, members, short(), state=copy.deepcopy(state))
    assert_same(resumed, whole)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_damaged_checkpoint_starts_again(content, tmp_path, caplog):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    assert load_checkpoint(path, CPU) is None
    assert "training starts again" in caplog.text


def test_one_flipped_byte_anywhere_is_a_damaged_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, run(LSTM, [(0, 0.003)], rules(max_steps=10)))
    assert load_checkpoint(path, CPU) is not None
    content = bytearray(path.read_bytes())
    for place in range(0, len(content), len(content) // 50):
        damaged = content.copy()
        damaged[place] ^= 255
        path.write_bytes(damaged)
        assert load_checkpoint(path, CPU) is None


def test_a_checkpoint_under_the_name_of_another_run_is_not_used(tmp_path, caplog):
    """Names say which store, replicates and rule a checkpoint belongs to; shapes may be equal."""
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, run(LSTM, [(0, 0.003)], rules(max_steps=10)))
    check_checkpoint(path)
    other = path.rename(tmp_path / "other.pt")
    assert load_checkpoint(other, CPU) is None
    assert "of another run (checkpoint.pt); training starts again" in caplog.text
    with pytest.raises(ArtifactError, match="of another run than its name says"):
        check_checkpoint(other)
    other.write_bytes(other.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="is damaged"):
        check_checkpoint(other)


def test_checkpoint_of_another_version_starts_again(tmp_path, caplog):
    path = tmp_path / "checkpoint.pt"
    state = run(LSTM, [(0, 0.003)], rules(max_steps=10))
    state.momentum = 1
    save_checkpoint(path, state)
    assert load_checkpoint(path, CPU) is None
    assert "of another version" in caplog.text


@pytest.mark.parametrize(("budget", "batch"), [(1, 1), (5, 2), (20, 6), (9000, 16)])
def test_sampler_visits_every_example_once_per_epoch_and_by_random_access(budget, batch):
    sampler = EpochSampler(budget, batch, {"seed": 0})
    n_steps = -(-2 * budget // batch)
    order = sampler.indices(0, n_steps).ravel()
    assert sorted(order[:budget]) == list(range(budget))
    middle = n_steps // 2
    parts = [sampler.indices(0, middle)] if middle else []
    parts.append(sampler.indices(middle, n_steps))
    np.testing.assert_array_equal(np.concatenate(parts).ravel(), order)


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_bfloat16_trains_near_float32(options):
    exact, low = (
        run(options, [(0, 0.003)], rules(max_steps=10, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert final(low).dtype == np.float32
    first = [arrays_of(state)["batch_loss"][0, 0] for state in (low, exact)]
    assert first[0] == pytest.approx(first[1], rel=0.05)


def test_dropout_is_of_the_replicate_and_the_step():
    sure = {**DROPOUT, "dropout": 0.0}
    noisy, exact = run(DROPOUT, [(0, 0.003)]), run(sure, [(0, 0.003)])
    assert not np.array_equal(final(noisy), final(exact))
    ones = torch.ones(2, 5000)
    drop = Dropout(0.2, [3, 4], 7, CPU)
    first, second = drop(ones), drop(ones)
    assert first.mean(1).tolist() == pytest.approx([1, 1], abs=0.05)
    assert set(first.unique().tolist()) == {0.0, 1.25}
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(first[1], Dropout(0.2, [4], 7, CPU)(ones[:1])[0])
    assert not torch.equal(first[1], Dropout(0.2, [4], 8, CPU)(ones[:1])[0])
