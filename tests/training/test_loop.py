"""The packed loop: independence of replicates, ends of replicates, resuming."""

import copy

import numpy as np
import pytest
import torch

from nstar.models import build_model
from nstar.models.reference import build_reference, load_replicate, stacked_names
from nstar.outcomes import LEARNT, NOT_FITTED, NOT_GENERALISED
from nstar.tasks import ModularAddition
from nstar.tasks.stream import SequenceStream
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.loop import CURVES, PackData, Rules, initial_state, train_pack
from nstar.training.sampler import EpochSampler

OPTIONS = [
    {"kind": "transformer", "width": 12, "depth": 1, "heads": 2},
    {"kind": "lstm", "width": 10},
    {"kind": "dense_ssm", "width": 7},
]
LENGTH, MODULUS, CPU = 5, 3, torch.device("cpu")


def rules(**changes):
    optimiser = {"betas": (0.9, 0.99), "epsilon": 1e-8, "weight_decay": 0.01, "gradient_clip": 1.0}
    default = {
        "batch_size": 6,
        "max_steps": 50,
        "evaluate_every": 10,
        "patience": None,
        "success_measure": "sequence_accuracy",
        "success_threshold": 0.95,
        "optimiser": optimiser,
    }
    return Rules(**{**default, **changes})


def data_for(seeds, budget=20, device=CPU):
    task = ModularAddition(kind="modular_addition", modulus=MODULUS)
    sets = [SequenceStream(MODULUS, LENGTH, seed).sequences(0, 30 + budget) for seed in seeds]
    tokens = torch.from_numpy(np.stack(sets))
    labels = torch.from_numpy(np.stack([task.labels(part) for part in sets]))
    parts = (tokens[:, 30:], labels[:, 30:], tokens[:, :30], labels[:, :30])
    return PackData(*(part.to(device) for part in parts))


def run(
    options,
    replicates,
    chosen_rules=None,
    budget=20,
    state=None,
    after=lambda state: None,
    device=CPU,
):
    chosen_rules = chosen_rules or rules()
    model = build_model(options, n_symbols=MODULUS, n_classes=MODULUS, n_positions=LENGTH)
    seeds = sorted({seed for seed, _ in replicates})
    return train_pack(
        model,
        data_for(seeds, budget, device),
        np.array([seeds.index(seed) for seed, _ in replicates]),
        np.array([rate for _, rate in replicates]),
        [EpochSampler(budget, chosen_rules.batch_size, {"seed": seed}) for seed in seeds],
        chosen_rules,
        initial_state(model, [seed for seed, _ in replicates], device) if state is None else state,
        after,
    )


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options["kind"])
@pytest.mark.parametrize("n_companions", [1, 3, 15])
def test_replicate_is_bitwise_the_same_alone_and_in_any_pack(options, n_companions):
    alone = run(options, [(0, 0.003)])
    companions = [(seed % 4, 0.001 * (seed + 1)) for seed in range(n_companions)]
    companions[0] = (1, 1e18)  # this one diverges
    for slot in {0, n_companions}:
        pack = run(options, [*companions[:slot], (0, 0.003), *companions[slot:]])
        assert torch.equal(pack.final_parameters[slot], alone.final_parameters[0])
        for name in CURVES:
            packed = np.stack(pack.curves[name])[:, slot]
            np.testing.assert_array_equal(packed, np.stack(alone.curves[name])[:, 0])


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options["kind"])
def test_pack_equals_plain_module_with_torch_optimiser_over_50_steps(options):
    replicates = [(0, 0.003), (1, 0.001)]
    state = run(options, replicates)
    model = build_model(options, n_symbols=MODULUS, n_classes=MODULUS, n_positions=LENGTH)
    data = data_for([0, 1])
    for r, (seed, rate) in enumerate(replicates):
        start = {k: v[0] for k, v in model.views(model.initialise([seed])).items()}
        module = build_reference(model)
        load_replicate(module, start)
        names = [k for k, _ in module.named_parameters() if k != "recurrent.bias_hh_l0"]
        trained = [dict(module.named_parameters())[k] for k in names]
        optimiser = torch.optim.AdamW(trained, lr=rate, betas=(0.9, 0.99), weight_decay=0.01)
        for batch in EpochSampler(20, 6, {"seed": seed}).indices(0, 50):
            optimiser.zero_grad()
            logits = module(data.tokens[r, batch])
            labels = data.labels[r, batch]
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
        wanted = stacked_names(module, {k: p.data for k, p in module.named_parameters()})
        found = model.views(state.final_parameters)
        for name, value in wanted.items():
            actual = found[name][r].clone()
            if name.endswith("query_key_value.bias"):
                # Softmax ignores a bias of the keys; Adam blows its rounding noise up to full steps.
                keys = slice(options["width"], 2 * options["width"])
                actual[:, keys] = value[:, keys]
            torch.testing.assert_close(actual, value, rtol=2e-3, atol=2e-4, msg=name)


def test_diverged_replicate_is_an_outcome_and_leaves_the_others_alone():
    state = run(OPTIONS[1], [(0, 0.003), (1, float("inf"))])
    assert state.diverged.tolist() == [False, True]
    assert state.outcome[1] == NOT_FITTED
    assert state.n_steps.tolist() == [50, 10]
    assert np.isfinite(np.stack(state.curves["validation_loss"])[:, 0]).all()
    for name in CURVES[1:]:
        assert np.isnan(np.stack(state.curves[name])[:, 1]).all(), name


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options["kind"])
def test_gpu_agrees_with_the_cpu(options):
    on_cpu, on_gpu = (
        run(options, [(0, 0.003), (1, 0.01)], device=torch.device(name)) for name in ("cpu", "cuda")
    )
    np.testing.assert_allclose(
        np.stack(on_gpu.curves["train_loss"])[0],
        np.stack(on_cpu.curves["train_loss"])[0],
        rtol=1e-3,
    )


def test_ended_replicates_leave_the_pack_at_their_evaluation():
    sizes = []
    state = run(
        OPTIONS[2],
        [(0, 0.01), (0, 1e-9)],
        rules(success_measure="loss", success_threshold=0.9),
        after=lambda state: sizes.append(len(state.active)),
    )
    assert state.outcome.tolist() == [LEARNT, NOT_FITTED]
    assert state.n_steps[0] < state.n_steps[1] == 50
    assert sizes[0] >= sizes[-2] == 1 and sizes[-1] == 0
    curve = np.stack(state.curves["train_loss"])
    assert np.isnan(curve[state.n_steps[0] // 10 :, 0]).all()


def test_patience_ends_fitted_replicates_only():
    patient = rules(max_steps=400, patience=2, success_threshold=0.999)
    state = run(OPTIONS[1], [(0, 0.02), (0, 1e-9)], patient, budget=6)
    assert state.outcome.tolist() == [NOT_GENERALISED, NOT_FITTED]
    assert state.n_steps[0] < 400
    assert state.n_steps[1] == 400


def test_stopping_rules_do_not_change_what_a_replicate_sees():
    short = run(OPTIONS[1], [(0, 0.003)], rules(max_steps=20))
    long = run(OPTIONS[1], [(0, 0.003)], rules(patience=1, max_steps=50))
    np.testing.assert_array_equal(
        np.stack(short.curves["validation_loss"]), np.stack(long.curves["validation_loss"])[:2]
    )


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: options["kind"])
def test_resumed_run_is_bitwise_the_uninterrupted_one(options, tmp_path):
    replicates = [(0, 0.003), (1, 0.01), (1, 1e18)]
    whole = run(options, replicates)

    class KilledError(Exception):
        pass

    def kill(state):
        save_checkpoint(tmp_path / "checkpoint.pt", state)
        if state.step == 20:
            raise KilledError

    with pytest.raises(KilledError):
        run(options, replicates, after=kill)
    state = load_checkpoint(tmp_path / "checkpoint.pt", CPU)
    assert state.step == 20 and 2 not in state.active
    resumed = run(options, replicates, state=copy.deepcopy(state))
    np.testing.assert_array_equal(resumed.final_parameters, whole.final_parameters)
    np.testing.assert_array_equal(resumed.outcome, whole.outcome)
    for name in CURVES:
        np.testing.assert_array_equal(np.stack(resumed.curves[name]), np.stack(whole.curves[name]))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 half a zip"])
def test_damaged_checkpoint_starts_again(content, tmp_path, caplog):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    assert load_checkpoint(path, CPU) is None
    assert "training starts again" in caplog.text


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
