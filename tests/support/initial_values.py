"""Whether initial values of ours are distributed as torch's."""

import pytest
import torch


def assert_same_distribution(found, wanted, kind, name):
    """Compare as many numbers of both; kind is that of a `ParameterSpec`."""
    found, wanted = found.flatten(), wanted.flatten()
    assert found.shape == wanted.shape, name
    if kind == "constant":
        assert torch.equal(found, wanted), name
        return
    assert wanted.std() > 0.01, name
    # Five standard errors of the difference of two standard deviations, each of n numbers.
    error = {"uniform": 0.45, "normal": 0.71}[kind] * (2 / len(found)) ** 0.5
    assert found.std().item() == pytest.approx(wanted.std().item(), rel=5 * error), name
    if kind == "uniform":
        # The largest of n falls short of the bound by more than 10 / n of it once in e^10.
        near = 10 / len(found)
        assert found.abs().max().item() == pytest.approx(wanted.abs().max().item(), rel=near), name
