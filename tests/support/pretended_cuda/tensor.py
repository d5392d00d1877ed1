"""Tensors that say they are on a GPU: every operation is checked as CUDA does, counted, and computed."""

import functools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from support.pretended_cuda import attention
from support.pretended_cuda.ledger import COUNTS, MEMORY, out_of_memory
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

CUDA = torch.device("cuda:0")
CPU = torch.device("cpu")

COPIES = ("aten::_to_copy", "aten::copy_")
INDEXING = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
NOT_LAUNCHED = {
    f"aten::{name}"
    for name in (
        *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize_"),
        *("_unsafe_view", "alias", "detach", "lift_fresh", "set_", "is_same_size"),
    )
}
"""Operations that launch nothing, although their schema does not call them views."""

SYNCHRONISING = {
    f"aten::{name}"
    for name in (
        *("_local_scalar_dense", "equal", "masked_select", "nonzero", "repeat_interleave"),
        *("_unique2", "unique_consecutive", "unique_dim", "bincount"),
    )
}
"""Operations whose result, or the size of it, the host has to know."""

NOT_DETERMINISTIC = {
    f"aten::{name}"
    for name in (
        *("histc", "kthvalue", "median", "nanmedian", "nll_loss2d_forward", "put_"),
        *("_ctc_loss", "_embedding_bag", "grid_sampler_2d_backward"),
    )
}
"""Refused by CUDA while deterministic algorithms are on: see `torch.use_deterministic_algorithms`."""


class PretendedTensor(Tensor):
    """A tensor that says ``cuda:0``, and holds its numbers in a tensor of the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor):
        return Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=CUDA,
        )

    def __init__(self, held: Tensor):
        self.held = held
        MEMORY.follow(held.untyped_storage())

    def __repr__(self, **options):
        return f"PretendedTensor({self.held!r})"

    def numpy(self, **options):
        """Refuse, as a tensor of a GPU does."""
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")

    def tolist(self):
        """Return the numbers, after a copy to the host."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return dispatch(operation, args, kwargs or {})


class PretendedDevice(TorchDispatchMode):
    """Catches operations that make tensors of the device: factories, and copies from the host."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch to leave the dispatcher as it is; see `nstar.training.memory`."""
        return False

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = (*tensors_in(args), *tensors_in(kwargs.values()))
        if names_cuda(kwargs.get("device")) or any(map(is_pretended, tensors)):
            return dispatch(operation, args, kwargs)
        return operation(*args, **kwargs)


class Generator(torch.Generator):
    """A generator that draws the numbers of the CPU, and knows the device it was made for."""

    of_device: ClassVar[set[int]] = set()
    """Addresses of those of the pretended device: the dispatcher passes on no Python object."""

    def __new__(cls, device: torch.device | str = CPU):
        generator = super().__new__(cls, CPU)
        if names_cuda(device):
            COUNTS.host_generators += 1
            cls.of_device.add(generator._cdata)
            weakref.finalize(generator, cls.of_device.discard, generator._cdata).atexit = False
        return generator


def is_pretended(value: Any) -> bool:
    """Return whether a value is a tensor of the pretended device."""
    return isinstance(value, PretendedTensor)


def names_cuda(device: Any) -> bool:
    """Return whether an argument names a GPU."""
    return device is not None and torch.device(device).type == "cuda"


def tensors_in(values: Iterable[Any]) -> Iterator[Tensor]:
    """Yield the tensors in the arguments of an operation, of both devices."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)


def each_tensor(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Return a value with every tensor replaced; torch's own trees take half the time of a test."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, list | tuple):
        return type(value)(each_tensor(function, part) for part in value)
    return value


def held_by(value: Any) -> Any:
    """Return the tensor of the CPU that a tensor of the device holds; anything else as it is."""
    return value.held if is_pretended(value) else value


def dispatch(operation: Callable, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Check an operation as CUDA does, count it, and compute it on the tensors that are held."""
    name = operation._schema.name
    tensors = [*tensors_in(args), *tensors_in(kwargs.values())]
    on_device = [tensor for tensor in tensors if is_pretended(tensor)]
    on_host = [tensor for tensor in tensors if not is_pretended(tensor)]
    target = kwargs.get("device")
    to_device = bool(on_device) if target is None else names_cuda(target)
    if on_device and on_host and name not in COPIES:
        _refuse_mixed(name, args, on_host)
    if to_device:
        _refuse_generator_of_host(name, kwargs.get("generator"))
        _refuse_chance(name, tensors)
    _count(operation, args, on_device, on_host, to_device)
    held = {key: each_tensor(held_by, value) for key, value in kwargs.items()}
    made = _compute(operation, each_tensor(held_by, args), held)
    if not to_device:
        return made
    wrapped = each_tensor(PretendedTensor, made)
    return return_and_correct_aliasing(operation, args, kwargs, wrapped)


def _compute(operation: Callable, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    name = operation._schema.name
    if name in (attention.FORWARD, attention.BACKWARD):
        run = attention.forward if name == attention.FORWARD else attention.backward
        return run(*args, **kwargs)
    if kwargs.get("device") is not None:
        kwargs = {**kwargs, "device": CPU}
    if "pin_memory" in kwargs:
        kwargs = {**kwargs, "pin_memory": False}
    try:
        return operation(*args, **kwargs)
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise out_of_memory(0) from None


def _refuse_mixed(name: str, args: Sequence[Any], on_host: Sequence[Tensor]) -> None:
    """Refuse tensors of two devices, but for numbers, and for indices into a tensor of the device."""
    if name in INDEXING:
        if is_pretended(args[0]):
            return
        raise RuntimeError(
            "indices should be either on cpu or on the same device as the indexed tensor (cpu)"
        )
    if any(tensor.dim() for tensor in on_host):
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two devices, cuda:0 "
            f"and cpu! ({name})"
        )


def _refuse_generator_of_host(name: str, generator: torch.Generator | None) -> None:
    if generator is not None and generator._cdata not in Generator.of_device:
        raise RuntimeError(f"Expected a 'cuda' device type for generator but found 'cpu' ({name})")


def _refuse_chance(name: str, tensors: Sequence[Tensor]) -> None:
    sums_floats = name == "aten::cumsum" and tensors[0].is_floating_point()
    if (name in NOT_DETERMINISTIC or sums_floats) and torch.are_deterministic_algorithms_enabled():
        raise RuntimeError(
            f"{name} does not have a deterministic implementation, but you set "
            "'torch.use_deterministic_algorithms(True)'"
        )


def _count(
    operation: Callable,
    args: Sequence[Any],
    on_device: Sequence[Tensor],
    on_host: Sequence[Tensor],
    to_device: bool,
) -> None:
    name = operation._schema.name
    if name in COPIES:
        source_on_device = is_pretended(args[-1] if name == "aten::copy_" else args[0])
        to_device = is_pretended(args[0]) if name == "aten::copy_" else to_device
        if source_on_device and not to_device:
            COUNTS.synchronisations[name] += 1
        elif to_device and not source_on_device:
            COUNTS.host_copies[name] += 1
        elif source_on_device:
            COUNTS.operations[name] += 1
        return
    if not on_device and not to_device:
        return
    if on_device and (name in SYNCHRONISING or _has_mask(name, args)):
        COUNTS.synchronisations[name] += 1
    if name in INDEXING and any(tensor.dim() for tensor in on_host):
        COUNTS.host_copies[name] += 1
    if name not in NOT_LAUNCHED and not _is_view(operation):
        COUNTS.operations[name] += 1


def _has_mask(name: str, args: Sequence[Any]) -> bool:
    """Return whether an index is a mask, whose true entries the host has to count.

    A single mask that is filled with one number of the host takes another way, which needs no count.
    """
    if name not in INDEXING:
        return False
    indices = [part for part in args[1] if part is not None]
    has_mask = any(part.dtype == torch.bool for part in indices)
    filled = name != "aten::index" and args[2].numel() == 1 and not is_pretended(args[2])
    return has_mask and not (filled and len(indices) == 1)


@functools.cache
def _is_view(operation: Callable) -> bool:
    returns = operation._schema.returns
    aliases = [part.alias_info for part in returns]
    return bool(aliases) and all(alias is not None and not alias.is_write for alias in aliases)
