"""Do the intervals of the scaling fit cover the truth? Simulated studies with known exponents.

Prints, per scenario, the share of nominal 95 % intervals that contain the true exponent of length and of
the modulus, the bias, and the same for ordinary least squares on the centres of the brackets, with
censored thresholds left out. Run: ``python benchmarks/statistics_coverage.py --studies 300``.
"""

import argparse

import numpy as np
from statsmodels.api import OLS, add_constant

from nstar.stats import fit_scaling

LENGTHS = (4, 8, 16, 32, 64)
MODULI = (2, 5)
SEEDS_PER_CURVE = 5
TRUTH = {"log_length": 1.8, "log_modulus": 0.7}


def simulate_study(seed, curve_scale=0.3, residual_scale=0.35, largest_budget=2**16):
    """Return the arguments of `fit_scaling` for 10 curves of 5 seeds on budgets 1, 2, 4, ..."""
    generator = np.random.default_rng([20260218, seed])
    curve = np.repeat(np.arange(len(LENGTHS) * len(MODULI)), SEEDS_PER_CURVE)
    log_length = np.log(np.repeat(LENGTHS, len(MODULI)))[curve]
    log_modulus = np.log(np.tile(MODULI, len(LENGTHS)))[curve]

    # A random intercept keeps the thresholds from lining up with the budgets.
    log_n_star = generator.uniform(-1, 0) + 1.8 * log_length + 0.7 * log_modulus
    log_n_star += curve_scale * generator.standard_normal(curve.max() + 1)[curve]
    log_n_star += residual_scale * generator.standard_normal(len(curve))
    upper = 2.0 ** np.maximum(np.ceil(log_n_star / np.log(2)), 0)
    lower = np.where(upper == 1, 0.0, upper / 2)
    fails = upper > largest_budget
    return {
        "lower": np.where(fails, largest_budget, lower),
        "upper": np.where(fails, np.inf, upper),
        "covariates": {"log_length": log_length, "log_modulus": log_modulus},
        "curve": curve,
    }


def least_squares(study):
    """Fit bracket centres by ordinary least squares, with censored rows left out."""
    kept = (study["lower"] > 0) & np.isfinite(study["upper"])
    design = add_constant(np.column_stack(list(study["covariates"].values())))
    centres = np.log(study["lower"][kept] * study["upper"][kept]) / 2
    return OLS(centres, design[kept]).fit()


SCENARIOS = {
    "lack of fit (tau 0.3)": {},
    "no lack of fit (tau 0)": {"curve_scale": 0.0},
    "tau 0.3, largest budget 2^9": {"largest_budget": 2**9},
    "tau 0.3, largest budget 2^6": {"largest_budget": 2**6},
    "sharp (sigma 0.05), tau 0.2": {"residual_scale": 0.05, "curve_scale": 0.2},
}
"""Arguments of `simulate_study` by name; smaller largest budgets censor more thresholds."""


def coverage(n_studies, **scenario):
    """Return coverage and bias of both methods over simulated studies, and the censored share."""
    truth = np.array(list(TRUTH.values()))
    rows, censored = [], []
    for seed in range(n_studies):
        study = simulate_study(seed, **scenario)
        censored.append(np.mean(~np.isfinite(study["upper"]) | (study["lower"] == 0)))
        fit = fit_scaling(**study)
        if not fit.identified:
            continue
        found = [fit.coefficient(name) for name in TRUTH]
        naive = least_squares(study)
        rows.append(
            (
                [
                    entry.lower <= value <= entry.upper
                    for entry, value in zip(found, truth, strict=True)
                ],
                [entry.estimate - value for entry, value in zip(found, truth, strict=True)],
                [
                    low <= value <= high
                    for (low, high), value in zip(naive.conf_int()[1:], truth, strict=True)
                ],
                naive.params[1:] - truth,
            )
        )
    return [np.mean(part, axis=0) for part in zip(*rows, strict=True)], len(rows), np.mean(censored)


def main():
    """Print one line per scenario."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--studies", type=int, default=300, help="per scenario (default: 300)")
    options = flags.parse_args()
    print("scenario | censored | identified | coverage | bias | OLS coverage | OLS bias")
    for name, scenario in SCENARIOS.items():
        (cover, bias, naive, naive_bias), n_fits, censored = coverage(options.studies, **scenario)
        numbers = " | ".join(
            ", ".join(f"{value:+.2f}" if signed else f"{value:.3f}" for value in part)
            for part, signed in ((cover, 0), (bias, 1), (naive, 0), (naive_bias, 1))
        )
        print(f"{name} | {censored:.0%} | {n_fits}/{options.studies} | {numbers}", flush=True)


if __name__ == "__main__":
    main()
