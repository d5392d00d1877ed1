"""The pretended CUDA device keeps the rules of a real one, computes what a CPU does, and counts."""

import pytest
import torch
import torch.nn.functional as F
from support import pretended_cuda

pytestmark = pytest.mark.pretended

if pretended_cuda.installed:
    from support.pretended_cuda.ledger import COUNTS, MEMORY, TOTAL_BYTES
    from support.pretended_cuda.tensor import PretendedTensor

GPU = torch.device("cuda")


def counted(function):
    """Return what a call did: operations, synchronisations, copies from the host, generators."""
    COUNTS.clear()
    function()
    return COUNTS.operations.total(), *COUNTS.of_host.values()


def on_gpu(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(GPU)


def test_tensors_say_where_they_are_and_come_back_with_their_numbers():
    numbers = torch.arange(6.0)
    moved = numbers.to("cuda")
    assert moved.is_cuda and moved.device == torch.device("cuda:0")
    assert isinstance(moved, PretendedTensor)
    assert torch.equal((2 * moved).cpu(), 2 * numbers)
    with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
        moved.numpy()


def test_gradients_flow_as_on_a_cpu():
    start = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))

    def gradient(device):
        values = start.to(device).requires_grad_()
        loss = (values @ values).tanh().sum()
        return torch.autograd.grad(loss, values)[0].cpu()

    assert torch.equal(gradient("cuda"), gradient("cpu"))


@pytest.mark.parametrize(
    "mix",
    [
        lambda gpu, cpu: gpu + cpu,
        lambda gpu, cpu: gpu @ cpu,
        lambda gpu, cpu: torch.cat([gpu, cpu]),
        lambda gpu, cpu: torch.where(cpu > 0, gpu, gpu),
        lambda gpu, cpu: gpu.add_(cpu),
    ],
)
def test_tensors_of_two_devices_are_refused(mix):
    with pytest.raises(RuntimeError, match="all tensors to be on the same device"):
        mix(on_gpu(3, 3), torch.ones(3, 3))


def test_indices_of_the_device_into_a_tensor_of_the_host_are_refused():
    with pytest.raises(RuntimeError, match="indices should be either on cpu"):
        torch.ones(3)[torch.zeros(2, dtype=torch.int64, device=GPU)]


def test_a_number_of_the_host_goes_along():
    assert torch.equal((on_gpu(3) * torch.tensor(2.0)).cpu(), on_gpu(3).cpu() * 2)


def test_a_generator_of_the_host_is_refused_and_one_of_the_device_is_counted():
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator"):
        torch.empty(3, device=GPU).bernoulli_(0.5, generator=torch.Generator())
    *_, made = counted(lambda: torch.rand(3, device=GPU, generator=torch.Generator("cuda")))
    assert made == 1


@pytest.mark.parametrize(
    ("act", "found"),
    [
        (lambda t: t * 2 + 1, (2, 0, 0, 0)),
        (lambda t: t.t()[1:].unsqueeze(0).detach(), (0, 0, 0, 0)),
        (lambda t: torch.empty_like(t), (0, 0, 0, 0)),
        (lambda t: t.sum().item(), (2, 1, 0, 0)),
        (lambda t: bool((t > 0).any()), (3, 1, 0, 0)),
        (lambda t: t.cpu(), (0, 1, 0, 0)),
        (lambda t: t.tolist(), (0, 1, 0, 0)),
        (lambda t: torch.ones(3).to(GPU), (0, 0, 1, 0)),
        (lambda t: torch.tensor([1.0], device=GPU), (0, 0, 1, 0)),
        (lambda t: t.copy_(torch.ones(4, 4)), (0, 0, 1, 0)),
        (lambda t: t.nonzero(), (1, 1, 0, 0)),
        (lambda t: t[t > 0], (2, 1, 0, 0)),
        (lambda t: t.masked_fill_(t > 0, 0.0), (2, 0, 0, 0)),
        (lambda t: t[torch.tensor([0, 1])], (1, 0, 1, 0)),
    ],
)
def test_what_an_act_costs(act, found):
    tensor = on_gpu(4, 4)
    assert counted(lambda: act(tensor)) == found


def test_a_mask_filled_with_a_number_needs_no_count_of_its_entries():
    tensor = on_gpu(4)
    assert counted(lambda: tensor.__setitem__(tensor > 0, 0.0))[1] == 0
    assert counted(lambda: tensor.__setitem__(tensor > 0, tensor[:0]))[1] == 1


def test_kernels_that_differ_from_run_to_run_are_refused_where_determinism_is_asked_for():
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(RuntimeError, match="does not have a deterministic implementation"):
            on_gpu(3).cumsum(0)
        on_gpu(3).long().cumsum(0)
    finally:
        torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("masked", ["causal", "mask", "bias", "full"])
def test_memory_efficient_attention_is_that_of_single_operations(masked):
    def attended(device):
        generator = torch.Generator().manual_seed(0)
        parts = [torch.randn(2, 3, 5, 4, generator=generator) for _ in range(3)]
        mask = torch.rand(5, 5, generator=generator)
        parts = [part.to(device).requires_grad_() for part in parts]
        options = {
            "causal": {"is_causal": True},
            "mask": {"attn_mask": ((mask > 0.5) | torch.eye(5, dtype=torch.bool)).to(device)},
            "bias": {"attn_mask": mask.to(device)},
            "full": {},
        }[masked]
        COUNTS.clear()
        mixed = F.scaled_dot_product_attention(*parts, **options)
        kernels = COUNTS.operations["aten::_scaled_dot_product_efficient_attention"]
        assert kernels == (torch.device(device).type == "cuda")
        gradients = torch.autograd.grad((mixed * mixed.cos()).sum(), parts)
        return [part.detach().cpu() for part in (mixed, *gradients)]

    for found, wanted in zip(attended("cuda"), attended("cpu"), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_heads_of_an_odd_size_take_single_operations():
    heads = on_gpu(2, 3, 5, 6)
    COUNTS.clear()
    F.scaled_dot_product_attention(heads, heads, heads)
    assert not any("attention" in name for name in COUNTS.operations)
    assert COUNTS.operations.total() > 3


def test_more_sequences_than_a_grid_has_are_refused():
    heads = torch.zeros(2**16, 1, 1, 4, device=GPU)
    with pytest.raises(RuntimeError, match="invalid configuration argument"):
        F.scaled_dot_product_attention(heads, heads, heads)


def test_memory_is_counted_given_back_and_limited():
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    held = torch.zeros(1000, device=GPU)
    part = held[10:]
    assert torch.cuda.memory_allocated() - before == 4096
    del held
    assert torch.cuda.memory_allocated() - before == 4096  # the view holds it
    del part
    assert torch.cuda.memory_allocated() == before
    assert torch.cuda.max_memory_allocated() - before == 4096
    torch.cuda.set_per_process_memory_fraction((before + 2**20) / TOTAL_BYTES)
    try:
        with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
            torch.zeros(2**20, device=GPU)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert MEMORY.allocated_bytes == before
