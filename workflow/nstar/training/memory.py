"""How much memory a computation takes at its peak, found by running it small."""

import weakref
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


def peak_bytes(function: Callable[[], object], device: torch.device) -> int:
    """Run a function and return the most memory that tensors took beyond what was there; bytes.

    On a GPU the allocator is asked. On a CPU every operation is watched; what a kernel takes for
    itself while it runs is not seen.
    """
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        function()
        return torch.cuda.max_memory_allocated(device) - before
    with _Watch() as watch:
        function()
    return watch.peak


class _Watch(TorchDispatchMode):
    """Follows the storages that operations make until they are freed."""

    def __init__(self):
        super().__init__()
        self.live = self.peak = 0
        self._known: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Tell torch to leave the dispatcher as it is: guarding it imports its compiler, for a second."""
        return False

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for tensor in _tensors((*args, *kwargs.values())):
            self._follow(tensor.untyped_storage(), size=0)  # unless known, it was there before
        made = operation(*args, **kwargs)
        for tensor in _tensors([made]):
            storage = tensor.untyped_storage()
            self._follow(storage, storage.nbytes())
        return made

    def _follow(self, storage: torch.UntypedStorage, size: int) -> None:
        key = storage._cdata
        if key not in self._known:
            self._known.add(key)
            self.live += size
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self._free, key, size).atexit = False

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def _tensors(values: Iterable[object]) -> Iterator[Tensor]:
    """Yield the tensors that an operation takes or makes: alone, or in a list."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
