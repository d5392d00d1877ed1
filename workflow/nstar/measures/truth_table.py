"""Which function a trained network with one output computes."""

import torch
from torch import Tensor

from nstar.measures.accuracy import sequences_at_once
from nstar.measures.sensitivity import cube
from nstar.models import StackedModel
from nstar.models.stacked import Parameters


def truth_table(model: StackedModel, parameters: Parameters, n_bits: int) -> Tensor:
    """Return the output after the last bit at all inputs of the cube.

    Parameters
    ----------
    model : StackedModel
        With one output, on the scale of {0, 1}.
    parameters : mapping of str to Tensor, each of shape (R, ...)
    n_bits : int
        n, from 1 to `nstar.measures.sensitivity.MOST_BITS`; at most what the model has positions for.

    Returns
    -------
    Tensor of float64, shape (R, 2^n)
        On the scale of {-1, +1}, in the order of `nstar.measures.sensitivity.cube`: in row i, symbol j
        is 1 where bit j of i is set, else 0.

    Raises
    ------
    ValueError
        If the model has several outputs, or n is out of range.
    """
    device = next(iter(parameters.values())).device
    tokens = torch.from_numpy(cube(n_bits) > 0).to(device, torch.int64)
    return 2 * outputs(model, parameters, tokens, read_from=n_bits - 1)[..., 0] - 1


@torch.no_grad()
def outputs(
    model: StackedModel, parameters: Parameters, tokens: Tensor, read_from: int = 0
) -> Tensor:
    """Return the one output of every replicate on the same inputs.

    Parameters
    ----------
    model : StackedModel
    parameters : mapping of str to Tensor, each of shape (R, ...)
    tokens : Tensor of int64, shape (B, T)
    read_from : int
        First position that is read, in ``0 .. T - 1``.

    Returns
    -------
    Tensor of float64, shape (R, B, T - read_from)

    Raises
    ------
    ValueError
        If the model has several outputs.
    """
    if model.n_classes != 1:
        raise ValueError(
            f"the model has {model.n_classes} outputs: only a network with one (n_classes 1) is "
            f"measured as a function"
        )
    n_replicates = len(next(iter(parameters.values())))
    parts = [
        model.forward(parameters, part.expand(n_replicates, -1, -1), read_from)[..., 0].double()
        for part in tokens.split(sequences_at_once(model, tokens))
    ]
    return torch.cat(parts, dim=1)
