"""Accuracies relative to chance."""


def above_chance(accuracy, chance: float):
    """Rescale an accuracy so that guessing is 0 and perfection is 1: ``(a - c) / (1 - c)``.

    References
    ----------
    Ebrahimi et al. (2026), arXiv:2602.18333, appendix B.1 ("normalised so that chance is 0").

    Examples
    --------
    >>> above_chance(1.0, chance=0.2), above_chance(0.2, chance=0.2)
    (1.0, 0.0)
    """
    return (accuracy - chance) / (1 - chance)
