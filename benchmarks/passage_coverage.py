"""Simulated runs that are looked at at every evaluation, whose steps to learn are asked for.

`statistics_coverage.py` prints what comes of the scenarios.
"""

import numpy as np

from nstar.stats import fit_demand, fit_scaling

EXPONENT = 1.0

PASSAGES = {
    "run noise": {},
    "lack of fit": {"curve_scale": 0.3},
    "lapse 10 %": {"lapse": 0.1},
    "right-censored, lack of fit": {"steps_at_shortest": 120, "curve_scale": 0.3},
    "left-censored": {"steps_at_shortest": 8},
    "sharp": {"run_scale": 0.05},
    "sharp, far evaluations": {"run_scale": 0.03, "evaluate_every": 50},
    "shallow": {"run_scale": 0.6, "max_steps": 1000},
    "three seeds, lack of fit": {"n_seeds": 3, "curve_scale": 0.3},
    "three curves, three seeds": {"lengths": (4, 8, 16), "n_seeds": 3},
    "many seeds, close evaluations": {
        **{"n_seeds": 20, "run_scale": 0.1, "curve_scale": 0.5},
        **{"evaluate_every": 2, "max_steps": 1000},
    },
}
"""Arguments of `simulate_passages` by name."""


def simulate_passages(
    seed,
    lengths=(4, 6, 8, 11, 16),
    n_seeds=5,
    run_scale=0.25,
    curve_scale=0.0,
    lapse=0.0,
    evaluate_every=10,
    max_steps=400,
    steps_at_shortest=40,
):
    """Return the arguments of `fit_scaling` for a simulated study, and the true demands.

    Every run has one threshold, logistic in the logarithm of the steps, and learns at the first
    evaluation after it.
    """
    generator = np.random.default_rng([20260219, seed])
    log_n = np.log(np.array(lengths, dtype=float))
    location = np.log(steps_at_shortest) + EXPONENT * (log_n - log_n[0])
    location = location + curve_scale * generator.normal(size=len(lengths))
    thresholds = location[:, None] + run_scale * generator.logistic(size=(len(lengths), n_seeds))
    thresholds[generator.random(thresholds.shape) < lapse] = np.inf
    steps = np.arange(evaluate_every, max_steps + 1, evaluate_every)
    curve, run, evaluation = (
        axis.ravel() for axis in np.indices((len(lengths), n_seeds, len(steps)))
    )
    budget = steps[evaluation]
    data = {
        "budget": budget,
        "n_learnt": np.log(budget) >= thresholds[curve, run],
        "n_runs": np.ones(len(budget)),
        "curve": curve,
        "run": run,
        "covariates": {"length": log_n[curve]},
    }
    return data, np.exp(location)


def assess_passages(seed, scenario):
    """Return estimate and interval of the exponent for one study."""
    row = fit_scaling(**simulate_passages(seed, **scenario)[0]).coefficient("length")
    return row.estimate, row.lower, row.upper


def assess_passage_demand(seed, scenario):
    """Return how many demands of a study are covered, and how many there are."""
    data, truth = simulate_passages(seed, **scenario)
    del data["covariates"]
    found = fit_demand(**data)
    covered = sum(d.lower <= t <= d.upper for d, t in zip(found, truth, strict=True))
    return covered, len(found)
