"""A pretended CUDA device: real numbers, the rules of CUDA, and counts of what a GPU would do.

A CPU build of torch computes everything on tensors that say ``cuda:0``. Mixed devices, generators of the
host, operations without a deterministic kernel, grids that are too large and a lack of memory raise as
on a GPU; operations, synchronisations, copies and generators of the host, and memory are counted. How
fast a GPU is, and how its kernels round, is not pretended.

``pytest --pretended-cuda`` runs tests on it. It has to be installed before torch is imported, for the
whole process, and needs a C++ compiler.
"""

import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

GUARD = Path(__file__).with_name("guard.cpp")
NAME = "pretended CUDA"

installed = False


class NoCompilerError(Exception):
    """No C++ compiler was found."""


def install(cache: Path) -> None:
    """Pretend for the rest of the process that there is one GPU.

    Parameters
    ----------
    cache : Path
        Folder for the compiled part, which takes seconds to make.

    Raises
    ------
    NoCompilerError
        If no C++ compiler is found.
    """
    global installed
    ctypes.CDLL(str(_compiled_guard(cache)))
    _replace()
    installed = True


def _compiled_guard(cache: Path) -> Path:
    """Return the compiled guard, for this source and this torch."""
    torch_folder = Path(importlib.util.find_spec("torch").origin).parent
    version = (torch_folder / "version.py").read_bytes()
    name = hashlib.sha256(GUARD.read_bytes() + version).hexdigest()[:16]
    library = cache / f"{name}.so"
    if library.exists():
        return library
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++")
    if compiler is None:
        raise NoCompilerError("no C++ compiler is installed; install g++ or clang, or set CXX")
    temporary = cache / f"{name}.{os.getpid()}.partial"
    libraries = torch_folder / "lib"
    subprocess.run(
        [
            *(compiler, "-O1", "-shared", "-fPIC", "-std=c++20", "-w", GUARD, "-o", temporary),
            *(f"-I{torch_folder / 'include'}", f"-L{libraries}", f"-Wl,-rpath,{libraries}"),
            *("-ltorch_cpu", "-lc10"),
        ],
        check=True,
    )
    temporary.rename(library)
    return library


def _replace() -> None:
    """Replace what a CPU build of torch lacks, or does below the dispatcher."""
    import torch
    from support.pretended_cuda import attention
    from support.pretended_cuda.ledger import MEMORY, TOTAL_BYTES
    from support.pretended_cuda.tensor import (
        Generator,
        PretendedDevice,
        held_by,
        is_pretended,
        names_cuda,
    )
    from torch.utils._pytree import tree_map

    def placed(make):
        """Return a function that makes tensors on the host and then moves them to the device."""

        def made(content, *args, device=None, **options):
            if is_pretended(content) or names_cuda(device):
                tensor = content if is_pretended(content) else make(content, *args, **options)
                return tensor.to(device or tensor.device, options.get("dtype"))
            return make(content, *args, device=device, **options)

        return made

    save = torch.save

    def save_held(content, *args, **options):
        return save(tree_map(held_by, content), *args, **options)

    torch.tensor, torch.as_tensor = placed(torch.tensor), placed(torch.as_tensor)
    torch.save = save_held
    torch.Generator = Generator
    torch.nn.functional.scaled_dot_product_attention = attention.scaled_dot_product_attention
    cuda = torch.cuda
    cuda.is_available = cuda.is_initialized = cuda.is_bf16_supported = lambda *args: True
    cuda.device_count = lambda: 1
    cuda.current_device = lambda: 0
    cuda.get_device_name = lambda *args: NAME
    cuda.get_device_capability = lambda *args: (9, 0)
    cuda.mem_get_info = lambda *args: (TOTAL_BYTES - MEMORY.allocated_bytes, TOTAL_BYTES)
    cuda.memory_allocated = cuda.memory_reserved = lambda *args: MEMORY.allocated_bytes
    cuda.max_memory_allocated = lambda *args: MEMORY.peak_bytes
    cuda.reset_peak_memory_stats = lambda *args: MEMORY.reset_peak()
    cuda.set_per_process_memory_fraction = lambda fraction, *args: MEMORY.limit(fraction)
    cuda._lazy_init = cuda.empty_cache = cuda.synchronize = lambda *args: None
    PretendedDevice().__enter__()
