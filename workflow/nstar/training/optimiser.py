"""Adam and AdamW for a pack: one flat buffer, nothing shared between replicates."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 2**17
"""Entries that a CPU updates together: all passes over them find them in the cache of a core."""


@dataclass
class AdamState:
    """What Adam remembers of R replicates.

    Attributes
    ----------
    n_steps : Tensor of float64, shape (R,)
    first_moment, second_moment : Tensor, shape (R, P)
    """

    n_steps: Tensor
    first_moment: Tensor
    second_moment: Tensor

    @classmethod
    def of(cls, parameters: Tensor) -> "AdamState":
        """Return the state before the first step."""
        n_steps = torch.zeros(len(parameters), dtype=torch.float64, device=parameters.device)
        return cls(n_steps, torch.zeros_like(parameters), torch.zeros_like(parameters))

    @classmethod
    def join(cls, states: Sequence["AdamState"]) -> "AdamState":
        """Return the state of the replicates of several states, one after the other."""
        fields = ([vars(state)[name] for state in states] for name in vars(states[0]))
        return cls(*map(torch.cat, fields))

    def __getitem__(self, rows: slice | Tensor) -> "AdamState":
        """Return the state of some replicates: views for a slice, copies for indices."""
        return AdamState(self.n_steps[rows], self.first_moment[rows], self.second_moment[rows])


class PackedAdam:
    """Adam on a flat buffer (R, P).

    Parameters
    ----------
    parameters : Tensor, shape (R, P)
        Updated in place.
    state : AdamState
        Updated in place.
    learning_rates : Tensor of float64, shape (R,)
        One for each replicate.
    betas : tuple of float
        Decay rates of the two moments, each in [0, 1).
    epsilon : float
        Added to the denominator.
    weight_decay : float or Tensor of float64, shape (R,)
        At least 0.
    decoupled : bool
        Whether parameters shrink by ``learning_rate * weight_decay`` per step (AdamW), or the
        gradient grows by ``weight_decay * parameter`` (Adam).
    gradient_clip : float or Tensor of float64, shape (R,), or None
        Largest Euclidean norm of the gradient of one replicate; None for no limit.
    factor : callable, optional
        From steps taken (R,) to factors of the learning rate (R,); see `Schedule`.

    Notes
    -----
    The update is that of ``torch.optim.Adam`` and ``AdamW``, equal to rounding. It stands here because
    theirs has one learning rate, one gradient norm and one step count for the whole pack, and takes a
    second to import.

    References
    ----------
    Kingma and Ba (2015), algorithm 1; Loshchilov and Hutter (2019), algorithm 2.
    """

    def __init__(
        self,
        parameters: Tensor,
        state: AdamState,
        learning_rates: Tensor,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
        weight_decay: float | Tensor = 0.0,
        decoupled: bool = True,
        gradient_clip: float | Tensor | None = None,
        factor: Callable[[Tensor], Tensor] | None = None,
    ):
        self.parameters = parameters
        self.state = state
        self.learning_rates = learning_rates
        self.betas = betas
        self.epsilon = epsilon
        given = torch.as_tensor(weight_decay, dtype=torch.float64, device=learning_rates.device)
        self.weight_decay = given.expand_as(learning_rates)
        self.decoupled = decoupled
        self.gradient_clip = gradient_clip
        self.factor = factor
        self._decays = bool(given.any())

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Update the parameters from the gradient (R, P), which is used up."""
        state, (beta1, beta2) = self.state, self.betas
        rate = self.learning_rates
        if self.factor is not None:
            rate = rate * self.factor(state.n_steps)
        state.n_steps += 1
        step_size = self._column(rate / (1 - beta1**state.n_steps))
        correction = self._column((1 - beta2**state.n_steps).sqrt())
        decay = scale = None
        if self._decays:
            decay = self._column(self.weight_decay * rate if self.decoupled else self.weight_decay)
        if self.gradient_clip is not None:
            norm = gradient.norm(dim=1).double()
            scale = self._column((self.gradient_clip / (norm + 1e-6)).clamp(max=1.0))
        for rows, columns in _chunks(*gradient.shape, whole=gradient.is_cuda):
            part = gradient[rows, columns]
            parameters = self.parameters[rows, columns]
            first, second = state.first_moment[rows, columns], state.second_moment[rows, columns]
            if scale is not None:
                part.mul_(scale[rows])
            if decay is not None:
                shrunk = parameters if self.decoupled else part
                shrunk.add_(parameters * decay[rows], alpha=-1 if self.decoupled else 1)
            first.lerp_(part, 1 - beta1)
            second.mul_(beta2).addcmul_(part, part, value=1 - beta2)
            denominator = second.sqrt().div_(correction[rows]).add_(self.epsilon)
            parameters.sub_(torch.div(first, denominator, out=denominator).mul_(step_size[rows]))

    def _column(self, values: Tensor) -> Tensor:
        """Return one number per replicate as a column (R, 1) of the type of the parameters."""
        return values.to(self.parameters.dtype)[:, None]


def _chunks(n_rows: int, n_columns: int, whole: bool) -> Iterator[tuple[slice, slice]]:
    """Yield slices of rows and of columns that cut a buffer into pieces of about `CHUNK` entries."""
    if whole:
        yield slice(None), slice(None)
        return
    rows_at_once = max(1, CHUNK // n_columns)
    for row in range(0, n_rows, rows_at_once):
        for column in range(0, n_columns, CHUNK):
            yield slice(row, row + rows_at_once), slice(column, column + CHUNK)
