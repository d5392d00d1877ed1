"""How the learning rate changes over a run: warm-up, then constant, linear or cosine decay."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """The factor of the learning rate at each step.

    Attributes
    ----------
    max_steps : int
        S, steps of a whole run.
    decay : {"constant", "linear", "cosine"}
    warmup_steps : int
        W < S, steps over which the factor grows linearly to 1.
    final_factor : float
        What a decay would reach at step S, one after the last, as in torch; in [0, 1].

    Notes
    -----
    Step s = 0, 1, .. has the factor ``(s + 1) / W`` for s < W. After that, with
    ``p = (s - W) / (S - W)``, it is 1, ``1 - (1 - final) p``, or
    ``final + (1 - final) (1 + cos(pi p)) / 2``.
    """

    max_steps: int
    decay: Literal["constant", "linear", "cosine"] = "constant"
    warmup_steps: int = 0
    final_factor: float = 0.0

    def factor(self, step: Tensor) -> Tensor:
        """Return the factors of steps, float64 of any shape."""
        progress = (step - self.warmup_steps) / (self.max_steps - self.warmup_steps)
        if self.decay == "constant":
            factor = torch.ones_like(step)
        elif self.decay == "linear":
            factor = 1 - (1 - self.final_factor) * progress
        else:
            wave = (1 + torch.cos(math.pi * progress)) / 2
            factor = self.final_factor + (1 - self.final_factor) * wave
        if self.warmup_steps:
            growing = (step + 1) / self.warmup_steps
            factor = torch.where(step < self.warmup_steps, growing, factor)
        return factor
