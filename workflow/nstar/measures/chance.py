"""Accuracies relative to chance."""

import numpy as np


def above_chance(accuracy, chance: float):
    """Rescale an accuracy so that guessing is 0 and perfection is 1: ``(a - c) / (1 - c)``.

    It is NaN where chance is 1: the input does not matter there, so that nothing is above guessing.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, appendix B.1 ("normalised so that chance is 0").

    Examples
    --------
    >>> above_chance(1.0, chance=0.2), above_chance(0.2, chance=0.2)
    (1.0, 0.0)
    """
    if chance == 1:
        return np.full_like(accuracy, np.nan)
    return (accuracy - chance) / (1 - chance)
