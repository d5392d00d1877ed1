"""Training in stretches: a run that goes on, or is repeated, is the uninterrupted one, bit for bit."""

import copy
from functools import lru_cache

import numpy as np
import pytest
import torch
from support.packs import (
    CPU,
    assert_same,
    curve,
    data_for,
    final,
    judged,
    known,
    model_for,
    rules,
    run,
    stored,
)
from support.variants import VARIANTS, of_each_kind

from nstar.measures.accuracy import score
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.evidence import fitted_part
from nstar.training.state import arrays_of, initial_state, join_states
from nstar.verdicts import SETS

DROPOUT = {"kind": "transformer", "width": 12, "depth": 1, "heads": 2, "dropout": 0.2}
LSTM = VARIANTS["lstm"]
EVERY_MODEL = VARIANTS | {"dropout": DROPOUT}
every_model = pytest.mark.parametrize("options", EVERY_MODEL.values(), ids=EVERY_MODEL)
every_kind = pytest.mark.parametrize("options", of_each_kind(EVERY_MODEL))
MEMBERS = [(0, 0.003), (1, 0.01), (2, 0.003)]


pytestmark = pytest.mark.usefixtures("one_thread")


def never(max_steps, **changes):
    """Return rules that no run here satisfies before its last step."""
    return rules(max_steps=max_steps, measure="loss", threshold=1e-9, **changes)


@lru_cache
def uninterrupted(name):
    """Return the state of a run of 40 steps of a model, with the weights of every evaluation."""
    return run(EVERY_MODEL[name], MEMBERS, never(40, keep_every=10))


def whole_run(options):
    (name,) = (name for name, own in EVERY_MODEL.items() if own is options)
    return uninterrupted(name)


def assert_goes_on_as(later, whole, before):
    """Check that a state after an interruption holds what the uninterrupted one holds of its steps."""
    np.testing.assert_array_equal(final(later), final(whole))
    found, expected = arrays_of(later), arrays_of(whole)
    for name in ("state_replicate", "first_moment", "second_moment", "position_of", "length_of"):
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    by_evaluation = [name for name in expected if name.startswith(("batch_", "numbers"))]
    by_evaluation += ["whole_right", "position_right", "position_loss"]
    for r in range(len(later.n_steps)):
        first, n = found["first_evaluation"][r], found["n_evaluations"][r]
        assert first == before.n_steps[r] // 10
        assert first + n == expected["n_evaluations"][r]
        for name in by_evaluation:
            np.testing.assert_array_equal(
                found[name][r, :n], expected[name][r, first : first + n], err_msg=name
            )
        last = later.kept[r][int(later.n_steps[r])]
        for name, value in whole.kept[r][int(whole.n_steps[r])].items():
            np.testing.assert_array_equal(last[name], value, err_msg=name)


@every_model
def test_going_on_is_bitwise_the_uninterrupted_run(options):
    whole = whole_run(options)
    before = run(options, MEMBERS, never(20))
    later = run(options, MEMBERS, never(40), state=stored(before))
    assert_goes_on_as(later, whole, before)


@pytest.mark.parametrize(
    ("options", "at_once"),
    [
        *of_each_kind(EVERY_MODEL, 2),
        *(pytest.param(LSTM, at_once, id=f"lstm-{at_once}") for at_once in (1, 1000)),
    ],
)
def test_those_furthest_behind_catch_up_first(options, at_once):
    """Three replicates that stood at 30, 10 and 20 steps, in launches of any size."""
    whole = whole_run(options)
    parts = [
        run(options, [member], never(n)) for member, n in zip(MEMBERS, (30, 10, 20), strict=True)
    ]
    before = join_states([stored(part) for part in parts])
    assert before.active.tolist() == [1, 2, 0] and before.step == 10
    seen = []
    later = run(
        options,
        MEMBERS,
        never(40),
        state=copy.deepcopy(before),
        at_once=at_once,
        after=lambda state: seen.append(state.n_steps.tolist()),
    )
    assert seen == [[30, 20, 20], [30, 30, 30], [40, 40, 40]]
    assert_goes_on_as(later, whole, before)


def test_a_part_of_a_pack_goes_on_alone_and_without_the_others():
    whole = whole_run(LSTM)
    before = run(LSTM, MEMBERS, never(20))
    later = run(LSTM, [MEMBERS[2], MEMBERS[0]], never(40), state=stored(before, [2, 0]))
    np.testing.assert_array_equal(final(later), final(whole)[[2, 0]])
    np.testing.assert_array_equal(arrays_of(later)["numbers"][0], known(whole, 2)[2:])


def test_a_stricter_rule_goes_on_where_a_laxer_one_ended():
    """Patience, best and fit of the rule count what was before the interruption."""
    members = [(0, 0.02), (1, 0.02), (2, 0.01)]
    lax = rules(max_steps=400, threshold=0.3, patience=3)
    strict = rules(max_steps=400, threshold=0.95, patience=3, fitted_threshold=0.5)
    before = run(LSTM, members, lax, budget=40)
    whole = run(LSTM, members, strict, budget=40)
    assert (before.n_steps < whole.n_steps).all()
    assert len(set(before.n_steps)) > 1
    later = run(LSTM, members, strict, state=stored(before), budget=40)
    np.testing.assert_array_equal(later.n_steps, whole.n_steps)
    assert_goes_on_as(later, whole, before)
    for name, values in vars(judged(whole, strict)).items():
        np.testing.assert_array_equal(getattr(judged(later, strict), name), values)


def test_going_on_from_a_checkpoint_of_going_on(tmp_path):
    whole = run(LSTM, MEMBERS, never(50))
    before = run(LSTM, MEMBERS, never(20))
    path = tmp_path / "checkpoint.pt"
    run(
        LSTM,
        MEMBERS,
        never(50),
        state=stored(before),
        after=lambda state: save_checkpoint(path, state) if state.step == 30 else None,
    )
    resumed = load_checkpoint(path, CPU)
    assert resumed.step == 30 and resumed.evidence.first.tolist() == [2, 2, 2]
    assert_goes_on_as(run(LSTM, MEMBERS, never(50), state=resumed), whole, before)


@every_kind
def test_a_replay_keeps_the_weights_that_are_wanted_and_records_nothing_anew(options):
    whole = whole_run(options)
    numbers = [known(whole, r) for r in range(3)]
    start = initial_state(model_for(options), [0, 1, 2], CPU, known=numbers)
    replay = run(options, MEMBERS, never(40), state=start, until=30, keep=(20, 30))
    assert replay.differs.tolist() == [-1, -1, -1]
    assert replay.n_steps.tolist() == [30, 30, 30]
    found = arrays_of(replay)
    assert found["n_evaluations"].tolist() == [0, 0, 0]
    assert found["numbers"].shape[1] == found["batch_loss"].shape[1] == 0
    assert not len(found["state_replicate"]) and found["first_moment"].shape[0] == 0
    for own, expected in zip(replay.kept, whole.kept, strict=True):
        assert sorted(own) == [20, 30]
        for step in own:
            assert own[step].keys() == expected[step].keys()
            for name, value in own[step].items():
                np.testing.assert_array_equal(value, expected[step][name])


def test_a_replay_from_a_stored_state():
    whole = whole_run(LSTM)
    start = stored(run(LSTM, MEMBERS, never(20)))
    start.evidence = type(start.evidence).after([known(whole, r) for r in range(3)])
    replay = run(LSTM, MEMBERS, never(40), state=start, until=30, keep=(30,))
    assert replay.differs.tolist() == [-1, -1, -1]
    for own, expected in zip(replay.kept, whole.kept, strict=True):
        np.testing.assert_array_equal(own[30]["weights"], expected[30]["weights"])


def test_a_replay_that_differs_says_where():
    numbers = [known(run(LSTM, [MEMBERS[0]], never(40)), 0).copy()]
    numbers[0][2, 1, 0] = np.nextafter(numbers[0][2, 1, 0], np.float32(9))
    start = initial_state(model_for(LSTM), [0], CPU, known=numbers)
    replay = run(LSTM, [MEMBERS[0]], never(40), state=start, until=40, keep=(40,))
    assert replay.differs.tolist() == [2]


def test_training_from_the_start_beyond_what_is_known_records_what_is_new():
    """As where states were not kept: the known prefix is compared, the rest is a continued run."""
    whole = whole_run(LSTM)
    before = run(LSTM, MEMBERS, never(20))
    start = initial_state(
        model_for(LSTM), [0, 1, 2], CPU, known=[known(before, r) for r in range(3)]
    )
    later = run(LSTM, MEMBERS, never(40), state=start)
    assert later.differs.tolist() == [-1, -1, -1]
    assert_goes_on_as(later, whole, before)


def test_kept_are_the_first_pass_the_confirmed_pass_the_best_and_the_last():
    limits = {"max_steps": 200, "threshold": 0.4, "confirm": True, "stop_on_success": False}
    chosen = rules(**limits)
    members = [(seed, rate) for seed in range(4) for rate in (0.01, 0.03)]
    state = run(LSTM, members, chosen, budget=60)
    found = judged(state, chosen)
    validation = curve(state, "validation", "sequence_accuracy")
    passes = validation >= np.float32(0.4)
    differ = 0
    for r, own in enumerate(state.kept):
        first = 10 * (np.argmax(passes[r]) + 1) if passes[r].any() else None
        learnt = 10 * (found.learnt_at[r] + 1) or None
        best, last = 10 * (np.argmax(validation[r]) + 1), 200
        assert set(own) == {first, learnt, best, last} - {None}
        differ += first != learnt
    assert differ  # else nothing here tells a first pass from a confirmed one


def test_the_test_set_is_scored_on_kept_weights():
    state = run(LSTM, MEMBERS, never(40, keep_every=20))
    found, model, data = arrays_of(state), model_for(LSTM), data_for(LSTM, [0, 1, 2])
    assert len(found["kept_step"]) >= 6
    for k, r in enumerate(found["kept_replicate"]):
        views = model.views(torch.from_numpy(found["weights"][k : k + 1]))
        scored = score(model, views, data.test.tokens, data.test.labels, torch.tensor([r]))
        assert found["test_numbers"][k, 0] == pytest.approx(scored.loss.item(), rel=1e-6)
        assert found["test_numbers"][k, 3] == np.float32(scored.token_accuracy.item())
        assert found["test_whole_right"][k] == round(scored.sequence_accuracy.item() * 25)
    assert found["n_sequences"].tolist() == [[20, 30, 20, 25]] * 3


@every_model
def test_numbers_are_those_of_a_forward_pass_without_dropout(options):
    state = run(options, MEMBERS[:2], never(20))
    model, data = model_for(options), data_for(options, [0, 1])
    views = model.views(torch.from_numpy(final(state)))
    for name in SETS:
        one = getattr(data, name)
        scored = score(model, views, one.tokens, one.labels, torch.arange(2))
        for measure in ("loss", "token_accuracy", "sequence_accuracy"):
            found = curve(state, name, measure)[:, -1]
            np.testing.assert_allclose(found, getattr(scored, measure), rtol=1e-6, err_msg=name)


def test_fitting_is_measured_on_the_own_budget_of_each_replicate():
    state = run(LSTM, [(0, 0.01, 7), (0, 0.01, 20)], never(20, fitted_examples=10))
    assert arrays_of(state)["n_sequences"][:, 0].tolist() == [7, 10]
    alone = run(LSTM, [(0, 0.01, 7)], never(20, fitted_examples=10))
    assert_same(state.part(slice(0, 1)), alone)


def test_a_sample_of_a_training_set_is_spread_evenly():
    train = data_for(LSTM, [0]).train
    chosen = fitted_part(train, 20, 6)
    assert torch.equal(chosen.tokens, train.tokens[:, [0, 3, 6, 10, 13, 16]])
    assert torch.equal(fitted_part(train, 5, 6).tokens, train.tokens[:, :5])
