"""Where models run, in which precision, and what makes a device give the same numbers every time."""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psutil
import torch

from nstar.errors import DeviceError

Precision = Literal["float32", "tf32", "bfloat16"]


def prepare_device(name: str, precision: Precision = "float32") -> torch.device:
    """Return the device and make its kernels deterministic.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU where there is one.
    precision : {"float32", "tf32", "bfloat16"}
        Of matrix products; parameters, optimiser and losses are always float32. ``tf32`` rounds the
        factors of products to 10 bits; for ``bfloat16`` see `reduced`.

    Raises
    ------
    DeviceError
        If a GPU is asked for and torch sees none, or ``tf32`` of a CPU.

    Notes
    -----
    On a CPU one thread is used: a study runs as many processes as there are cores. On a GPU,
    deterministic algorithms are on.
    """
    torch.set_num_threads(1)
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError(
            "device: 'cuda' is asked for, and torch finds no GPU; set device: auto or cpu, or check "
            "the driver (nvidia-smi) and that this torch was built with CUDA"
        )
    if name == "cpu" or not available:
        if precision == "tf32":
            raise DeviceError(
                "training.precision: 'tf32' is asked for on a CPU, which knows float32 and bfloat16; "
                "choose one of these, or a GPU"
            )
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    return torch.device("cuda")


def reduced(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the context of a forward pass: torch's autocast for ``bfloat16``, else nothing.

    Recurrences over time stay in float32; see `nstar.models.stacked.in_float32`.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def free_memory_bytes(device: torch.device) -> int:
    """Return the memory that a run may still take on a device; bytes.

    On a CPU it is the least of what the machine and the control groups leave.
    """
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return min(
        psutil.virtual_memory().available,
        _left_in_control_group(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")),
    )


CONTROL_GROUPS = (
    (":memory:", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ("0::", "", "memory.max", "memory.current"),
)
"""Versions 1 and 2: how the line of a membership begins or goes on, folder, limit, and use."""


def _left_in_control_group(membership: Path, root: Path) -> float:
    """Return what the control groups of this process leave to it, infinity for no limit; bytes."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return math.inf
    left = math.inf
    for line in lines:
        for mark, folder, limit, used in CONTROL_GROUPS:
            if mark in line:
                group = root / folder / line.partition(mark)[2].lstrip("/")
                for part in (group, *group.parents):
                    left = min(left, _left_in(part / limit, part / used))
    return left


def _left_in(limit: Path, used: Path) -> float:
    try:
        return max(0, int(limit.read_text()) - int(used.read_text()))
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return math.inf


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error says that a device has no memory left."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(words in str(error) for words in ("can't allocate memory", "ALLOC_FAILED"))


@contextlib.contextmanager
def memory_errors_named(device: torch.device, work: str) -> Iterator[None]:
    """Turn an error for lack of memory into one that says where it was and what to do.

    Parameters
    ----------
    device : torch.device
    work : str
        What is done within the context.

    Raises
    ------
    DeviceError
        In place of what torch or numpy raise for lack of memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceError(
            f"out of memory on {describe_device(device)} while {work}: less is free than at the "
            "start; give the job more memory or fewer neighbours, and run it again (training goes "
            "on from its last checkpoint)"
        ) from None


def describe_device(device: torch.device) -> str:
    """Return the name of the device for the records of a store."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
