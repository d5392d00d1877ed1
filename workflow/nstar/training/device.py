"""Where models run, and the settings that make a device give the same numbers every time."""

import os

import torch

from nstar.errors import DeviceError


def prepare_device(name: str) -> torch.device:
    """Return the device and make its kernels deterministic.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        ``auto`` takes a GPU where there is one.

    Raises
    ------
    DeviceError
        If a GPU is asked for and torch sees none.

    Notes
    -----
    On a CPU one thread is used: a study runs as many processes as there are cores. On a GPU,
    reduced-precision matrix products stay off and deterministic algorithms are on.
    """
    torch.set_num_threads(1)
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError(
            "device: 'cuda' is asked for, and torch finds no GPU; set device: auto or cpu, or check "
            "the driver (nvidia-smi) and that this torch was built with CUDA"
        )
    if name == "cpu" or not available:
        return torch.device("cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    return torch.device("cuda")


def describe_device(device: torch.device) -> str:
    """Return the name of the device for the records of a store."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
