"""How much the outputs of a network change when its parameters are moved in random directions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from nstar.measures.truth_table import outputs
from nstar.models import StackedModel
from nstar.seeds import derive_seed

Kind = Literal["gaussian", "sphere", "relative"]


@dataclass(frozen=True)
class Perturbation:
    """A random step of the parameters, but for those of positions.

    Attributes
    ----------
    kind : {"gaussian", "sphere", "relative"}
        Every parameter moves by Normal(0, size^2); or all by a step of length `size`, uniform on the
        sphere; or of length `size` times the `parameter_norm`.
    size : float
        Above 0.
    """

    kind: Kind
    size: float

    def __post_init__(self):
        if self.kind not in get_args(Kind):
            raise ValueError(
                f"a perturbation of kind {self.kind!r}; there are {', '.join(get_args(Kind))}"
            )
        if not 0 < self.size < math.inf:
            raise ValueError(
                f"a perturbation of size {self.size}: it moves nothing that could be measured; choose "
                f"a finite size above 0"
            )

    def scale(self, direction_length: Tensor, norm: Tensor) -> Tensor:
        """Return what a standard normal direction is multiplied with.

        Parameters
        ----------
        direction_length, norm : Tensor, shape (R,)
            Lengths of the directions, and `parameter_norm`.

        Returns
        -------
        Tensor, shape (R,)
        """
        if self.kind == "gaussian":
            return torch.full_like(direction_length, self.size)
        return self.size * (norm if self.kind == "relative" else 1) / direction_length


@dataclass(frozen=True)
class Sharpness:
    """Of every replicate and each of K perturbations, on the scale of {-1, +1}.

    Attributes
    ----------
    value : Tensor of float64, shape (R, K)
        Mean over draws and inputs of ``(T_(theta + Delta)(x) - T_theta(x))^2``.
    standard_error : Tensor of float64, shape (R, K)
        Of that mean, over draws; NaN where there was one.
    loss_increase, loss_increase_error : Tensor of float64, shape (R, K)
        The same of the increase of the mean squared error against the targets; equal to the value
        where the network equals its targets.
    radius : Tensor of float64, shape (R, K)
        Mean length of Delta.
    """

    value: Tensor
    standard_error: Tensor
    loss_increase: Tensor
    loss_increase_error: Tensor
    radius: Tensor


@torch.no_grad()
def sharpness(
    model: StackedModel,
    flat: Tensor,
    tokens: Tensor,
    targets: Tensor,
    perturbations: Sequence[Perturbation],
    seeds: Sequence[int],
    n_draws: int,
) -> Sharpness:
    """Return the average-direction sharpness of every replicate of a pack.

    Parameters
    ----------
    model : StackedModel
        With one output, on the scale of {0, 1}.
    flat : Tensor, shape (R, P')
        Buffer of the parameters; it is left as it is.
    tokens : Tensor of int64, shape (S, n, T)
        S sets of inputs; draw j uses set ``j mod S``. With one set, it is the same for all draws; with a
        set for each draw, the standard error covers the choice of inputs too.
    targets : Tensor of float, shape (S, n, T')
        Of the last T' <= T positions, on the scale of {0, 1}; NaN where nothing is asked for. Means are
        over all that is asked for.
    perturbations : sequence of Perturbation
        K of them; a draw has one direction, which serves all.
    seeds : sequence of int
        One per replicate (R,); its directions depend on nothing else.
    n_draws : int
        Directions, at least 1.

    Returns
    -------
    Sharpness

    Raises
    ------
    ValueError
        If the model has several outputs, there is no draw, or not one seed for each replicate.

    Notes
    -----
    The outputs are on the scale of {0, 1}, the results on that of {-1, +1}: squares times 4. A direction
    g_j is standard normal in every parameter; Delta is ``size g_j``, ``size g_j / |g_j|``, or
    ``size |theta| g_j / |g_j|``. Parameters of positions neither move nor count in lengths.

    References
    ----------
    Hahn and Rofin (2024), arXiv:2402.09963: equation (15) on the sphere. Their code measures the loss
    increase with Gaussian steps of size 0.02.
    """
    if n_draws < 1:
        raise ValueError(f"n_draws is {n_draws}: at least one direction is needed")
    if len(seeds) != len(flat):
        raise ValueError(f"{len(seeds)} seeds for {len(flat)} replicates: each needs its own")
    n_sets, read_from = len(tokens), tokens.shape[2] - targets.shape[2]
    norm = parameter_norm(model, flat)
    drawn = flat.new_empty(3, len(flat), len(perturbations), n_draws, dtype=torch.float64)
    for chosen in range(min(n_sets, n_draws)):
        inputs, wanted = tokens[chosen], targets[chosen].double()
        before = outputs(model, model.views(flat), inputs, read_from)  # (R, n, T')
        for draw in range(chosen, n_draws, n_sets):
            direction = _directions(model, seeds, draw).to(flat)
            length = _norm(direction)
            for k, perturbation in enumerate(perturbations):
                scale = perturbation.scale(length, norm)
                moved = _move(flat, scale, direction)
                after = outputs(model, model.views(moved), inputs, read_from)
                change = after - before
                increase = change * ((after - wanted) + (before - wanted))
                drawn[0, :, k, draw] = 4 * _mean(change.square(), wanted)
                drawn[1, :, k, draw] = 4 * _mean(increase, wanted)
                drawn[2, :, k, draw] = scale * length
    (value, increase, radius), errors = drawn.mean(-1), _standard_errors(drawn)
    return Sharpness(value, errors[0], increase, errors[1], radius)


def parameter_norm(model: StackedModel, flat: Tensor) -> Tensor:
    """Return the Euclidean norm of all parameters but those of positions.

    Parameters
    ----------
    model : StackedModel
    flat : Tensor, shape (R, P')
        Buffer of the parameters; what is beyond P does not count.

    Returns
    -------
    Tensor of float64, shape (R,)
    """
    return _norm(flat[:, : model.n_parameters][:, _is_moved(model).to(flat.device)])


def _norm(rows: Tensor) -> Tensor:
    return rows.double().square().sum(1).sqrt()


def _is_moved(model: StackedModel) -> Tensor:
    """Return which of the P parameters are none of positions."""
    return torch.cat(
        [
            torch.full((spec.size,), spec.name not in model.position_parameters)
            for spec in model.parameters
        ]
    )


def _directions(model: StackedModel, seeds: Sequence[int], draw: int) -> Tensor:
    """Return standard normal directions (R, P), each from its own seed, 0 for parameters of positions."""
    rows = torch.empty(len(seeds), model.n_parameters)
    for row, seed in zip(rows, seeds, strict=True):
        generator = torch.Generator().manual_seed(
            derive_seed("perturbation", seed=int(seed), draw=draw)
        )
        row.normal_(generator=generator)
    return rows.masked_fill_(~_is_moved(model), 0.0)


def _move(flat: Tensor, scale: Tensor, direction: Tensor) -> Tensor:
    """Return a buffer moved by a multiple (R,) of directions (R, P)."""
    moved = flat.clone()
    moved[:, : direction.shape[1]] += scale[:, None].to(flat) * direction
    return moved


def _mean(values: Tensor, targets: Tensor) -> Tensor:
    """Return means (R,) of values (R, n, T') over what the targets (n, T') ask for."""
    asked = ~targets.isnan()
    return values.where(asked, 0.0).sum((1, 2)) / asked.sum()


def _standard_errors(drawn: Tensor) -> Tensor:
    n_draws = drawn.shape[-1]
    if n_draws == 1:
        return torch.full_like(drawn[..., 0], torch.nan)
    return drawn.std(-1) / n_draws**0.5
