"""Counts of what a GPU would have done, and the memory it would have given."""

import weakref
from collections import Counter
from dataclasses import dataclass, field

import torch

ALLOCATION_BYTES = 512
"""CUDA's allocator rounds every tensor up to a multiple of this."""

TOTAL_BYTES = 2**35


@dataclass
class Counts:
    """What happened since the last `clear`.

    Attributes
    ----------
    operations : Counter of str
        Operations by the name of their schema, ``aten::mul``; views and empty tensors are left out.
    synchronisations : Counter of str
        Where the host waited for the device: an item, a copy to the host, a size that depends on data.
    host_copies : Counter of str
        Copies from the host to the device.
    host_generators : int
        Generators of the device that the host made.
    """

    operations: Counter = field(default_factory=Counter)
    synchronisations: Counter = field(default_factory=Counter)
    host_copies: Counter = field(default_factory=Counter)
    host_generators: int = 0

    @property
    def of_host(self) -> dict[str, int]:
        """Synchronisations, copies and generators of the host, by name."""
        return {
            "synchronisations": self.synchronisations.total(),
            "host_copies": self.host_copies.total(),
            "host_generators": self.host_generators,
        }

    def clear(self) -> None:
        """Set everything to zero."""
        for counter in (self.operations, self.synchronisations, self.host_copies):
            counter.clear()
        self.host_generators = 0


class Memory:
    """Storages that tensors of the device hold.

    Attributes
    ----------
    allocated_bytes, peak_bytes : int
    limit_bytes : int
        What this process may take; see `torch.cuda.set_per_process_memory_fraction`.
    """

    def __init__(self):
        self.allocated_bytes = self.peak_bytes = 0
        self.limit_bytes = TOTAL_BYTES
        self._known: set[int] = set()

    def follow(self, storage: torch.UntypedStorage) -> None:
        """Count a storage until it is freed.

        Raises
        ------
        torch.OutOfMemoryError
            If there is no room for it, in the words of CUDA.
        """
        key = storage._cdata
        if key in self._known:
            return
        size = -(-storage.nbytes() // ALLOCATION_BYTES) * ALLOCATION_BYTES
        if self.allocated_bytes + size > self.limit_bytes:
            raise out_of_memory(size)
        self._known.add(key)
        self.allocated_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.allocated_bytes)
        weakref.finalize(storage, self._free, key, size).atexit = False

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.allocated_bytes -= size

    def reset_peak(self) -> None:
        """Forget the peak so far."""
        self.peak_bytes = self.allocated_bytes

    def limit(self, fraction: float) -> None:
        """Let the process take a share of the memory of the device."""
        self.limit_bytes = int(fraction * TOTAL_BYTES)


def out_of_memory(size: int) -> torch.OutOfMemoryError:
    """Return the error of CUDA's allocator."""
    return torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {size / 2**30:.2f} GiB.")


COUNTS = Counts()
MEMORY = Memory()
