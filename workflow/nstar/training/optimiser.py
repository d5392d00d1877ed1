"""Adam and AdamW for a pack: one flat buffer, a learning rate per replicate, nothing shared."""

import torch
from torch import Tensor


class PackedAdam:
    """Adam with decoupled weight decay on a flat buffer (R, P).

    Parameters
    ----------
    parameters : Tensor, shape (R, P)
        Updated in place.
    learning_rates : Tensor of float64, shape (R,)
    betas : tuple of float
        Decay rates of the two moments, each in [0, 1).
    epsilon : float
        Added to the denominator.
    weight_decay : float
        Decoupled: parameters shrink by ``learning_rate * weight_decay`` per step; 0 gives Adam.
    gradient_clip : float or None
        Largest Euclidean norm of the gradient of one replicate; None for no limit.

    Notes
    -----
    The update is that of ``torch.optim.AdamW`` (equal to rounding). It stands here because torch's
    has one learning rate and one gradient norm for the whole pack, and takes a second to import.

    References
    ----------
    Kingma and Ba (2015), algorithm 1; Loshchilov and Hutter (2019), algorithm 2.
    """

    def __init__(
        self,
        parameters: Tensor,
        learning_rates: Tensor,
        betas: tuple[float, float],
        epsilon: float,
        weight_decay: float,
        gradient_clip: float | None,
    ):
        self.parameters = parameters
        self.learning_rates = learning_rates
        self.betas = betas
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.gradient_clip = gradient_clip
        self.n_steps = 0
        self.first_moment = torch.zeros_like(parameters)
        self.second_moment = torch.zeros_like(parameters)

    @torch.no_grad()
    def step(self, gradient: Tensor) -> None:
        """Update the parameters from the gradient (R, P), which is scaled in place if clipped."""
        if self.gradient_clip is not None:
            norm = gradient.norm(dim=1, keepdim=True)
            gradient.mul_((self.gradient_clip / (norm + 1e-6)).clamp(max=1.0))
        self.n_steps += 1
        beta1, beta2 = self.betas
        self.first_moment.lerp_(gradient, 1 - beta1)
        self.second_moment.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        step_size = (self.learning_rates / (1 - beta1**self.n_steps)).float()[:, None]
        if self.weight_decay:
            self.parameters.mul_((1 - self.learning_rates * self.weight_decay).float()[:, None])
        denominator = self.second_moment.sqrt().div_((1 - beta2**self.n_steps) ** 0.5)
        update = self.first_moment / denominator.add_(self.epsilon)
        self.parameters.sub_(update.mul_(step_size))

    def state(self) -> dict:
        """Return what `restore` needs to go on from here."""
        return {
            "n_steps": self.n_steps,
            "first_moment": self.first_moment,
            "second_moment": self.second_moment,
        }

    def restore(self, state: dict) -> None:
        """Go on from a `state`, whole or with replicates left out."""
        self.n_steps = state["n_steps"]
        self.first_moment = state["first_moment"]
        self.second_moment = state["second_moment"]
