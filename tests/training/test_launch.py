"""How many replicates are launched together, and what they take."""

import pytest
import torch
from support.packs import CPU, MODULUS, data_for, rules

from nstar.errors import DeviceError
from nstar.models import build_model
from nstar.training import launch
from nstar.training.device import _left_in_control_group, memory_errors_named, prepare_device
from nstar.training.launch import MemoryPlan, launch_bytes, launch_size, plan_memory
from nstar.training.memory import peak_bytes

LSTM = {"kind": "lstm", "width": 32}


def model_of(kind="lstm", width=32, **options):
    shapes = {"n_symbols": MODULUS, "n_classes": MODULUS, "n_positions": 5}
    return build_model({"kind": kind, "width": width, **options}, **shapes)


def test_peak_counts_what_lives_at_the_same_time():
    ones = torch.ones(1000)

    def run():
        first = ones + 1  # 4,000 bytes, freed before the next
        del first
        second = ones * 2
        third = second.view(10, 100) + 1
        second.add_(third.flatten())

    assert peak_bytes(run, CPU) == 8000


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "lstm", "width": 32},
        {"kind": "dense_ssm", "width": 16},
        {"kind": "transformer", "width": 32, "depth": 2, "heads": 2},
    ],
    ids=lambda options: options["kind"],
)
def test_planned_memory_is_that_of_a_launch_of_many(options):
    model, chosen = model_of(**options), rules(evaluate_every=1)
    plan = plan_memory(model, data_for(options, [0]), chosen)
    taken = launch_bytes(model, data_for(options, [0]), chosen, 12)
    # A little above is right: what the optimiser takes for itself stops growing with the pack.
    assert taken <= 1.02 * plan.of(12)
    assert plan.of(12) == pytest.approx(taken, rel=0.1)


@pytest.mark.parametrize(
    ("seconds", "most", "wanted"),
    [
        ({1: 1.0, 2: 0.6, 3: 0.5, 5: 0.4, 10: 0.3}, 10, 10),
        ({1: 1.0, 2: 0.6, 3: 0.55, 5: 0.59}, 10, 3),
        ({1: 1.0, 2: 0.98}, 10, 1),
        ({1: 1.0}, 1, 1),
    ],
)
def test_sizes_are_tried_until_more_no_longer_pay(seconds, most, wanted, monkeypatch):
    """A size that is not in `seconds` is not tried."""

    def of_a_step(trial):
        return seconds[len(trial.members)] * len(trial.members)

    monkeypatch.setattr(launch._Trial, "seconds", of_a_step)
    monkeypatch.setattr(launch._Trial, "train", lambda trial, n_steps: None)
    assert launch._fastest_size(model_of(), data_for(LSTM, [0]), rules(), most) == wanted


def test_pack_is_split_before_memory_runs_out(monkeypatch):
    plan = plan_memory(model_of(), data_for(LSTM, [0]), rules())
    monkeypatch.setattr(launch, "free_memory_bytes", lambda device: 2 * plan.of(5) + 1)
    monkeypatch.setattr(launch, "_fastest_size", lambda model, data, rules, most: most)
    assert launch_size(model_of(), data_for(LSTM, [0]), rules(), 100) == 5


def test_pack_is_planned_from_one_trial_where_there_is_room_in_plenty(monkeypatch):
    model, data = model_of(), data_for(LSTM, [0])
    plan, sizes = plan_memory(model, data, rules()), []

    def counted(*arguments):
        sizes.append(arguments[-1])
        return launch_bytes(*arguments)

    monkeypatch.setattr(launch, "launch_bytes", counted)
    monkeypatch.setattr(launch, "_fastest_size", lambda model, data, rules, most: most)
    for replicates, tried in ((200, [2]), (100, [2, 1, 2])):
        monkeypatch.setattr(launch, "free_memory_bytes", lambda _, n=replicates: 2 * plan.of(n) + 1)
        sizes.clear()
        assert launch_size(model, data, rules(), 100) == 100
        assert sizes == tried


def test_one_replicate_too_many_is_refused_before_the_first_step(monkeypatch):
    monkeypatch.setattr(launch, "free_memory_bytes", lambda device: 1000)
    with pytest.raises(DeviceError, match=r"batch size 6 and length 5 needs .* GiB on cpu.*lower"):
        launch_size(model_of(), data_for(LSTM, [0]), rules(), 1)


def test_plan_of_memory_by_hand():
    plan = MemoryPlan(fixed_bytes=100, per_replicate_bytes=10)
    assert plan.of(3) == 130
    assert [plan.most_replicates(n) for n in (99, 109, 110, 139)] == [0, 0, 1, 3]


def test_precision_that_a_cpu_does_not_know():
    with pytest.raises(DeviceError, match=r"training.precision: 'tf32' .* float32 and bfloat16"):
        prepare_device("cpu", "tf32")


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU")
def test_missing_gpu():
    with pytest.raises(DeviceError, match=r"device: 'cuda' .* auto or cpu"):
        prepare_device("cuda")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
        MemoryError(),
    ],
)
def test_lack_of_memory_is_named(error):
    with pytest.raises(DeviceError, match=r"on cpu while training lstm: .* last checkpoint"):
        with memory_errors_named(CPU, "training lstm"):
            raise error


def test_a_real_lack_of_memory_is_named():
    with pytest.raises(DeviceError, match="out of memory on cpu"):
        with memory_errors_named(CPU, "allocating"):
            torch.empty(2**60)


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes"):
        with memory_errors_named(CPU, "training lstm"):
            raise RuntimeError("shapes do not fit")


def test_model_whose_trial_does_not_fit_is_refused(monkeypatch):
    def does_not_fit(*arguments):
        raise MemoryError

    monkeypatch.setattr(launch, "launch_bytes", does_not_fit)
    with pytest.raises(DeviceError, match=r"length 5 does not fit on cpu.* lower"):
        launch_size(model_of(), data_for(LSTM, [0]), rules(), 1)


@pytest.mark.parametrize(
    ("membership", "files", "left"),
    [
        ("0::/job\n", {"job/memory.max": "1000", "job/memory.current": "400"}, 600),
        ("0::/job\n", {"job/memory.max": "max", "job/memory.current": "400"}, float("inf")),
        (
            "0::/slurm/job\n",
            {
                **{"slurm/memory.max": "500", "slurm/memory.current": "450"},
                **{"slurm/job/memory.max": "1000", "slurm/job/memory.current": "400"},
            },
            50,
        ),
        (
            "4:memory:/job\n0::/\n",
            {"memory/job/memory.limit_in_bytes": "9", "memory/job/memory.usage_in_bytes": "2"},
            7,
        ),
        ("0::/elsewhere\n", {}, float("inf")),
    ],
)
def test_memory_left_in_a_control_group(membership, files, left, tmp_path):
    for name, content in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    (tmp_path / "cgroup").write_text(membership)
    assert _left_in_control_group(tmp_path / "cgroup", tmp_path / "root") == left
    assert _left_in_control_group(tmp_path / "nowhere", tmp_path / "root") == float("inf")
