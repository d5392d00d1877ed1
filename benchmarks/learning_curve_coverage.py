"""Simulated learning curves with known exponents, for `statistics_coverage.py` and its short form."""

import numpy as np

from nstar.stats import fit_learning_curve

CURVES = {
    "loss": {},
    "loss, a floor": {"floor": 0.02},
    "loss, three seeds": {"n_seeds": 3},
    "loss, two seeds": {"n_seeds": 2},
    "loss, five budgets": {"n_budgets": 5, "first_budget": 16},
    "loss, five budgets, a floor": {"n_budgets": 5, "first_budget": 16, "floor": 0.05},
    "loss, seeds differ more than runs": {"noise": 0.1, "seed_noise": 0.5},
    "loss, far above the midpoint": {"first_budget": 128, "midpoint": 16, "exponent": 0.5},
    "loss, steep": {"exponent": 3.0},
    "loss, seeds fall at budgets of their own": {
        "exponent": 1.5,
        "noise": 0.1,
        "seed_noise": 0.0,
        "seed_scale": 0.3,
    },
    "errors": {"variance": "binomial"},
    "errors, a floor": {"variance": "binomial", "floor": 0.05, "chance": 0.9},
    "errors, three seeds": {"variance": "binomial", "n_seeds": 3},
    "errors, little noise": {"variance": "binomial", "noise": 0.05, "floor": 0.05},
    "errors, steep": {"variance": "binomial", "exponent": 3.0},
    "errors, a run learns or does not": {
        "variance": "binomial",
        "exponent": 1.5,
        "floor": 0.01,
        "chance": 0.9,
        "all_or_nothing": True,
    },
}
"""Arguments of `simulate_curve` by name."""


def simulate_curve(
    seed,
    variance="relative",
    exponent=0.8,
    floor=0.0,
    chance=1.0,
    midpoint=32,
    n_seeds=5,
    n_budgets=8,
    first_budget=4,
    noise=0.3,
    seed_noise=0.2,
    seed_scale=0.0,
    all_or_nothing=False,
):
    """Return the arguments of `fit_learning_curve` for one curve, budgets a factor of 2 apart.

    Losses are the curve times log-normal noise of runs and of seeds with mean 1; errors have a beta
    distribution about it with the variance of ``1 / noise**2`` answers.
    """
    generator = np.random.default_rng([20260218, seed])
    budget = first_budget * 2.0 ** np.arange(n_budgets)
    shift = generator.uniform(0.7, 1.4)  # keeps the midpoint from lining up with the budgets
    midpoints = midpoint * shift * np.exp(seed_scale * generator.normal(size=(n_seeds, 1)))
    mean = floor + (chance - floor) / (1 + (budget / midpoints) ** exponent)
    if all_or_nothing:
        fails = generator.random(mean.shape) < (mean - floor) / (chance - floor)
        error = np.where(fails, chance, floor)
    elif variance == "binomial":
        error = generator.beta(mean / noise**2, (1 - mean) / noise**2)
    else:
        logarithm = noise * generator.normal(size=mean.shape)
        logarithm += seed_noise * generator.normal(size=(n_seeds, 1))
        error = mean * np.exp(logarithm - (noise**2 + seed_noise**2) / 2)
    return {
        "budget": np.tile(budget, n_seeds),
        "error": error.ravel(),
        "seed": np.repeat(np.arange(n_seeds), n_budgets),
        "chance": chance,
        "variance": variance,
    }


def assess_curve(seed, scenario):
    """Return estimate and interval of the exponent of one curve."""
    found = fit_learning_curve(**simulate_curve(seed, **scenario)).coefficient("exponent")
    return found.estimate, found.lower, found.upper
