"""How much the LayerNorms of a transformer amplify differences: its blow-up."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from nstar.measures.accuracy import sequences_at_once
from nstar.models import StackedModel, Transformer
from nstar.models.stacked import Parameters


@dataclass(frozen=True)
class Blowup:
    """Blow-up of every replicate, mean over inputs; NaN where the model is no `Transformer`.

    Attributes
    ----------
    theory : Tensor of float64, shape (R,)
        Mean of Blowup(x), the product over all LayerNorms of the largest ``1 + 1 / sqrt(var + eps)``
        over positions, with the biased variance and the epsilon of the model. With 1e-5, one factor
        1 / std is at most 10^2.5; with 0 it is infinite where a variance is 0.
    theory_squared : Tensor of float64, shape (R,)
        Mean of Blowup(x)^2.
    code : Tensor of float64, shape (R,)
        That of the authors' code: the largest ``1 / std``, unbiased and without eps, where the last
        layer (and a norm after it) counts at the last position alone; infinite where a std is 0.
    """

    theory: Tensor
    theory_squared: Tensor
    code: Tensor


@torch.no_grad()
def blowup(model: StackedModel, parameters: Parameters, tokens: Tensor) -> Blowup:
    """Return the blow-up of every replicate of a pack on the same inputs.

    Parameters
    ----------
    model : StackedModel
    parameters : mapping of str to Tensor, each of shape (R, ...)
    tokens : Tensor of int64, shape (B, T)
        B at least 1.

    Returns
    -------
    Blowup

    Notes
    -----
    The theory has one LayerNorm per layer; the networks of its experiments, as those here, have two, and
    the product runs over every application.

    References
    ----------
    Hahn and Rofin (2024), arXiv:2402.09963: equations (5) and (11), corollary 5, and the measurement
    of their code (section 7.1, where "1 +" is left out).
    """
    first = next(iter(parameters.values()))
    n_replicates = len(first)
    if not isinstance(model, Transformer):
        unknown = torch.full((n_replicates,), torch.nan, dtype=torch.float64, device=first.device)
        return Blowup(unknown, unknown, unknown)
    epsilon = model.options.norm_epsilon
    earlier = tuple(f"layer{i}." for i in range(model.options.depth - 1))
    theory = squared = code = 0.0
    for part in tokens.split(sequences_at_once(model, tokens)):
        inputs = model.norm_inputs(parameters, part.expand(n_replicates, -1, -1))
        of_theory = amplification(inputs.values(), offset=1, epsilon=epsilon, unbiased=False)
        counted = [
            values if name.startswith(earlier) else values[:, :, -1:]
            for name, values in inputs.items()
        ]
        of_code = amplification(counted, offset=0, epsilon=0, unbiased=True)
        theory = theory + of_theory.sum(1)
        squared = squared + of_theory.square().sum(1)
        code = code + of_code.sum(1)
    return Blowup(*(total / len(tokens) for total in (theory, squared, code)))


def amplification(
    norm_inputs: Iterable[Tensor], offset: float, epsilon: float, unbiased: bool
) -> Tensor:
    """Return the product over LayerNorms of the largest ``offset + 1 / sqrt(var + eps)`` over positions.

    Parameters
    ----------
    norm_inputs : iterable of Tensor, each of shape (..., T', D)
        What each LayerNorm is applied to, one at least; T' may differ.
    offset, epsilon : float
        Non-negative.
    unbiased : bool
        Whether the variance over features is divided by D - 1, or by D.

    Returns
    -------
    Tensor of float64, shape (...)
    """
    product = 1.0
    for inputs in norm_inputs:
        variance = inputs.double().var(-1, correction=int(unbiased))
        factors = offset + 1 / (variance + epsilon).sqrt()
        product = product * factors.amax(-1)
    return product
