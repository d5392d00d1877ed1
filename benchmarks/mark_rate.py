"""How often are numbers marked where the law is right? Simulated studies of the default design.

Prints for every scenario the share of studies with at least one mark, with its Monte Carlo error, and how
often each row is marked. A mark is a Holm-adjusted p value below 5 % of the shift between the fit and the
brackets of seeds, see `nstar.stats.SeedChecks`. Finished studies are kept in a folder, so that a run that
was ended goes on.

Run: ``python benchmarks/mark_rate.py --studies 300 --keep mark_rate``.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np

from nstar.stats import SeedChecks, SeedOutcomes, adjust_by_holm, compare_shift, fit_scaling

PLACES = [(2, n) for n in (8, 10, 12, 14, 16)] + [(3, n) for n in (5, 7, 9, 12)]
"""Modulus and length of each curve of the default study."""

MODELS = {
    "transformer": {"law": (1.47, 0.82, 1.33), "run_scale": 0.17, "curve_scale": 0.06},
    "lstm": {"law": (0.20, -0.74, 3.53), "run_scale": 0.18, "curve_scale": 0.13},
    "dense_ssm": {"law": (-1.57, -0.23, 4.76), "run_scale": 0.24, "curve_scale": 0.10},
}
"""What the default study finds: intercept, exponents of length and modulus, and scatter."""

SCENARIOS = {
    "the fitted laws": {},
    "seed thresholds, sd .35": {"seed_scale": 0.35},
    "lapse 10 %": {"lapse": 0.1},
}
"""Arguments of `simulate_model` by name; the law is right in the first and the last."""

N_SEEDS, N_BUDGETS = 5, 5


def simulate_model(generator, law, run_scale, curve_scale, seed_scale=0.0, lapse=0.015):
    """Return the outcomes of the seeds of a model, at budgets a factor of 2 apart around its demands."""
    columns = {name: [] for name in ("budget", "learnt", "curve", "seed", "length", "modulus")}
    intercept, alpha, beta = law
    for number, (modulus, length) in enumerate(PLACES):
        expected = intercept + alpha * np.log(length) + beta * np.log(modulus)
        first = max(0, round(expected / np.log(2)) - N_BUDGETS // 2)
        log_budget = np.log(2) * (first + np.arange(N_BUDGETS))
        location = expected + curve_scale * generator.standard_normal()
        for seed in range(N_SEEDS):
            own = location + seed_scale * generator.standard_normal()
            thresholds = own + run_scale * generator.logistic(size=N_BUDGETS)
            learnt = (log_budget >= thresholds) & (generator.random(N_BUDGETS) >= lapse)
            columns["budget"] += list(np.exp(log_budget))
            columns["learnt"] += list(learnt)
            for name, value in zip(
                ("curve", "seed", "length", "modulus"), (number, seed, length, modulus), strict=True
            ):
                columns[name] += [value] * N_BUDGETS
    covariates = {name: np.log(columns.pop(name)) for name in ("length", "modulus")}
    return SeedOutcomes(**columns, covariates=covariates)


def check_model(seen, generator, n_replicates):
    """Return the checks of the fit to the outcomes of a model."""
    observations = seen.observations
    covariates = {
        name: seen.design[observations.curve, i + 1] for i, name in enumerate(("length", "modulus"))
    }
    fit = fit_scaling(
        np.exp(observations.log_budget),
        observations.n_learnt,
        observations.n_runs,
        observations.curve,
        covariates,
    )
    return SeedChecks.of(fit, seen, generator, n_replicates)


def assess_study(number, scenario, n_replicates):
    """Return the p value of each row of a study by name; None where there is no answer."""
    generator = np.random.default_rng([20261130, number])
    checks = {
        name: check_model(simulate_model(generator, **model, **scenario), generator, n_replicates)
        for name, model in MODELS.items()
    }
    p_values = {}
    for i, quantity in ((1, "length"), (2, "modulus")):
        for name, one in checks.items():
            p_values[f"{name}, {quantity}"] = compare_shift(one.shift[i], one.drawn_shifts[:, i])[1]
        for (first, one), (second, two) in itertools.combinations(checks.items(), 2):
            drawn = one.drawn_shifts[:, i] - two.drawn_shifts[:, i]
            p_value = compare_shift(one.shift[i] - two.shift[i], drawn)[1]
            p_values[f"{first} - {second}, {quantity}"] = p_value
    return {name: float(p) if np.isfinite(p) else None for name, p in p_values.items()}


def marks(p_values):
    """Return the rows of a study that are marked."""
    known = {name: p for name, p in p_values.items() if p is not None}
    adjusted = adjust_by_holm(np.array(list(known.values())))
    return [name for name, p in zip(known, adjusted, strict=True) if p < 0.05]


def main():
    """Print the table."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--studies", type=int, default=300, help="per scenario (default: 300)")
    flags.add_argument("--replicates", type=int, default=100, help="drawn studies (default: 100)")
    flags.add_argument(
        "--keep", type=Path, default=Path("mark_rate"), help="folder of what is done"
    )
    options = flags.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    print("scenario | studies with a mark | rows marked per study | p below .05")
    for place, (name, scenario) in enumerate(SCENARIOS.items()):
        studies = []
        for number in range(options.studies):
            path = options.keep / f"{place}_{options.replicates}_{number}.json"
            if not path.exists():
                path.write_text(json.dumps(assess_study(number, scenario, options.replicates)))
            studies.append(json.loads(path.read_text()))
        found = [marks(study) for study in studies]
        share = np.mean([bool(rows) for rows in found])
        error = np.sqrt(share * (1 - share) / len(found))
        raw = np.mean([p < 0.05 for study in studies for p in study.values() if p is not None])
        rows = np.mean([len(rows) for rows in found])
        print(f"{name} | {share:.3f} +- {error:.3f} | {rows:.2f} | {raw:.3f}", flush=True)


if __name__ == "__main__":
    main()
