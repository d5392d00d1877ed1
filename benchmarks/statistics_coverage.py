"""Do the intervals cover the truth? Simulated studies with known exponents.

Prints for every scenario the share of nominal 95 % intervals that contain the true exponent of length,
the bias and the median width: for the scaling fit, for its inverse information alone with normal and
with t quantiles, and for the usual least squares on the smallest budget
of any seed, and on that of each seed, with censored ones left out.
Then the same for the difference of two models that saw the same data, for demands of single curves, for
exponents of learning curves, and for runs that are looked at at every evaluation, of which the steps to
learn are asked.

Run: ``python benchmarks/statistics_coverage.py --studies 1000 --processes 2``.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
from learning_curve_coverage import CURVES, assess_curve
from passage_coverage import EXPONENT as STEP_EXPONENT
from passage_coverage import PASSAGES, assess_passage_demand, assess_passages
from scipy import stats
from scipy.special import logit
from statsmodels.api import OLS, add_constant

from nstar.stats import (
    compare_coefficients,
    compare_pairs,
    fit_demand,
    fit_scaling,
)

EXPONENT = 1.83
OTHER_EXPONENT = 1.0
CONFIDENCE = 0.95
LATTICE = (4, 8, 16, 32, 64)  # neighbouring lengths in the ratio of neighbouring budgets
OFF_LATTICE = (4, 6, 11, 19, 28)
FOUR_MODULI = (2, 3, 5, 7)
MODULUS_EXPONENT = 0.7

SCENARIOS = {
    "run noise": {},
    "seed thresholds": {"run_scale": 0.0, "seed_scale": 0.35},
    "run noise and seed thresholds": {"seed_scale": 0.2},
    "lack of fit": {"curve_scale": 0.3},
    "right-censored": {"n_budgets": 8},
    "lack of fit, right-censored": {"curve_scale": 0.3, "n_budgets": 8},
    "lack of fit, left-censored": {"curve_scale": 0.3, "first_budget": 3},
    "left-censored, lapse 10 %": {"curve_scale": 0.3, "first_budget": 3, "lapse": 0.1},
    "noise grows with length": {"noise_growth": 0.3},
    "lapse 10 %": {"lapse": 0.1},
    "three seeds": {"n_seeds": 3},
    "three curves": {"lengths": (4, 11, 28)},
    "three curves, three seeds": {"lengths": (4, 11, 28), "n_seeds": 3},
    "shallow": {"run_scale": 0.8, "first_budget": -2, "n_budgets": 14},
    "sharp, lack of fit": {"run_scale": 0.03, "curve_scale": 0.2, "lengths": OFF_LATTICE},
    "sharp, no scatter, lattice": {"run_scale": 0.03},
    "20 curves": {"moduli": FOUR_MODULI},
    "20 curves, lack of fit": {"moduli": FOUR_MODULI, "curve_scale": 0.3},
    "20 curves, lack of fit, lapse 10 %": {
        "moduli": FOUR_MODULI,
        "curve_scale": 0.3,
        "lapse": 0.1,
    },
    "20 curves, lack of fit, censored": {
        "moduli": FOUR_MODULI,
        "curve_scale": 0.3,
        "n_budgets": 8,
    },
    "20 curves, sharp": {"moduli": FOUR_MODULI, "curve_scale": 0.2, "run_scale": 0.03},
    "misspecified: heavy tails": {"curve_scale": 0.3, "heavy_tails": True},
    "misspecified: law bends": {"bend": 0.2},
}
"""Arguments of `simulate_runs` by name."""


def simulate_runs(
    seed,
    lengths=LATTICE,
    moduli=(2,),
    n_seeds=5,
    n_budgets=12,
    first_budget=0,
    run_scale=0.25,
    seed_scale=0.0,
    curve_scale=0.0,
    noise_growth=0.0,
    lapse=0.0,
    heavy_tails=False,
    bend=0.0,
    exponent=EXPONENT,
    place_effects=None,
):
    """Return one row per run of a study with budgets 2^first, 2^(first + 1), ...

    Scales are in natural log units. ``place_effects`` gives the curve effects instead of drawing them.
    """
    generator = np.random.default_rng([20260218, seed])
    offset = generator.uniform(0.75, 1.45)  # keeps thresholds from lining up with the budgets
    log_budget = np.log(2) * (first_budget + np.arange(n_budgets))
    parts = []
    for number, (modulus, length) in enumerate((m, n) for m in moduli for n in lengths):
        effect = generator.standard_t(3) / np.sqrt(3) if heavy_tails else generator.normal()
        effect = curve_scale * effect if place_effects is None else place_effects[number]
        x = np.log(length / lengths[0])
        location = offset + exponent * x + bend * x**2
        location += MODULUS_EXPONENT * np.log(modulus / moduli[0]) + effect
        thresholds = location + seed_scale * generator.normal(size=(n_seeds, 1))
        thresholds = thresholds + run_scale * np.exp(noise_growth * x) * generator.logistic(
            size=(n_seeds, n_budgets)
        )
        lapsed = generator.random((n_seeds, n_budgets)) < lapse
        generator.random((n_seeds, n_budgets))  # once of scores: the studies stay what they were
        parts.append(
            pd.DataFrame(
                {
                    "curve": number,
                    "length": length,
                    "modulus": modulus,
                    "seed": np.repeat(np.arange(n_seeds), n_budgets),
                    "budget": np.tile(np.exp(log_budget), n_seeds),
                    "learnt": ((log_budget >= thresholds) & ~lapsed).ravel(),
                    "log_demand": location,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def scaling_data(runs):
    """Return the arguments of `fit_scaling`."""
    columns = [runs[name].to_numpy() for name in ("curve", "budget", "length", "modulus")]
    order = np.lexsort(columns[1::-1])
    curve, budget, length, modulus = (column[order] for column in columns)
    first = np.flatnonzero((np.diff(curve, prepend=-1) != 0) | (np.diff(budget, prepend=-1) != 0))
    places = pd.DataFrame({"length": length[first], "modulus": modulus[first]})
    return {
        "budget": budget[first],
        "n_learnt": np.add.reduceat(runs["learnt"].to_numpy()[order].astype(int), first),
        "n_runs": np.diff(first, append=len(runs)),
        "curve": curve[first],
        "covariates": covariates(places),
    }


def covariates(rows):
    """Return ln n, and ln m where it varies."""
    names = ("length", "modulus") if rows["modulus"].nunique() > 1 else ("length",)
    return {name: np.log(rows[name].to_numpy(dtype=float)) for name in names}


def least_squares(runs, by):
    """Fit smallest successful budgets by least squares, those without one left out.

    ``by=["curve"]`` takes the smallest budget of any seed; ``by=["curve", "seed"]`` that of every seed.
    """
    learnt = (
        runs[runs["learnt"]]
        .groupby(by, as_index=False)
        .agg(budget=("budget", "min"), length=("length", "first"), modulus=("modulus", "first"))
    )
    design = add_constant(np.column_stack(list(covariates(learnt).values())))
    return OLS(np.log(learnt["budget"]), design).fit()


def without_dispersion(fit):
    """Return the intervals of the inverse information alone, with normal and with t quantiles."""
    length, tail = fit.coefficient("length"), (1 + CONFIDENCE) / 2
    t_quantile = stats.t.ppf(tail, fit.degrees_of_freedom)
    least = (stats.norm.ppf(tail) / t_quantile) ** 2  # what a quantised fit uses at least
    error = length.standard_error / np.sqrt(max(fit.dispersion, least * fit.quantised))
    margins = {"z": stats.norm.ppf(tail) * error, "t": t_quantile * error}
    return {
        name: (length.estimate, length.estimate - margin, length.estimate + margin)
        for name, margin in margins.items()
    }


def true_slope(scenario):
    """Return the slope that the power law closest to the truth has."""
    x = np.log(np.array(scenario.get("lengths", LATTICE), dtype=float))
    return EXPONENT + scenario.get("bend", 0.0) * np.polyfit(x - x[0], (x - x[0]) ** 2, 1)[0]


def assess_study(seed, scenario):
    """Return estimate and interval of every method for one study."""
    runs = simulate_runs(seed, **scenario)
    fit = fit_scaling(**scaling_data(runs), confidence=CONFIDENCE)
    row = fit.coefficient("length")
    found = {"fit": (row.estimate, row.lower, row.upper)}
    found |= without_dispersion(fit)
    for name, by in (("any", ["curve"]), ("seeds", ["curve", "seed"])):
        naive = least_squares(runs, by)
        found[name] = (naive.params.iloc[1], *naive.conf_int(1 - CONFIDENCE).iloc[1])
    return found, fit.n_censored / fit.n_curves, fit.quantised


def assess_difference(seed, shared_scale):
    """Return the difference of two models that share their data, by separate and by paired fits.

    Beside it, estimate and interval of each model's exponent.
    """
    generator = np.random.default_rng([7, seed])
    shared = shared_scale * generator.normal(size=5)
    studies = [
        simulate_runs(2 * seed + k, exponent=exponent, place_effects=shared + own)
        for k, (exponent, own) in enumerate(
            zip((EXPONENT, OTHER_EXPONENT), 0.2 * generator.normal(size=(2, 5)), strict=True)
        )
    ]
    data = [scaling_data(runs) for runs in studies]
    fits = [fit_scaling(**part) for part in data]
    separate = compare_coefficients(*fits, "length")
    outcomes = ("budget", "n_learnt", "n_runs", "curve")
    demands = [fit_demand(**{name: part[name] for name in outcomes}) for part in data]
    paired = compare_pairs(
        *([demand.estimate for demand in part] for part in demands),
        {"length": np.log(LATTICE)},
        "length",
    )
    found, each = (
        [(one.estimate, one.lower, one.upper) for one in rows]
        for rows in ((separate, paired), (fit.coefficient("length") for fit in fits))
    )
    return dict(zip(("separate", "paired"), found, strict=True)), each


def assess_demand(seed, scenario, n_replicates=(5, 15)):
    """Return how many demands of a study are covered: of half of the runs, of any of 5, of any of 15.

    The last number is that of the demands.
    """
    runs = simulate_runs(seed, **scenario)
    data = scaling_data(runs)
    del data["covariates"]
    truth = runs.drop_duplicates("curve")["log_demand"].to_numpy()
    found = fit_demand(**data)
    covered = [_n_covered(found, np.exp(truth))]
    scale, lapse = scenario.get("run_scale", 0.25), scenario.get("lapse", 0.0)
    for k in n_replicates:
        shift = scale * logit((1 - 0.5 ** (1 / k)) / (1 - lapse))
        covered.append(_n_covered([demand.any_of(k) for demand in found], np.exp(truth + shift)))
    return *covered, len(found)


def _n_covered(demands, truth):
    return sum(d.lower <= t <= d.upper for d, t in zip(demands, truth, strict=True))


def summarise(intervals, truth, middle=np.mean):
    """Return coverage, bias and median width as text; studies without an interval do not count."""
    values = np.array(intervals, dtype=float)
    values = values[np.isfinite(values).all(axis=1)]
    if not len(values):
        return "-"
    covered = ((values[:, 1] <= truth) & (truth <= values[:, 2])).mean()
    width = np.median(values[:, 2] - values[:, 1])
    return f"{covered:.3f} {middle(values[:, 0]) - truth:+.2f} {width:.2f}"


def main():
    """Print the tables."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--studies", type=int, default=1000, help="per scenario (default: 1000)")
    flags.add_argument("--processes", type=int, default=1, help="at a time (default: 1)")
    options = flags.parse_args()
    seeds = range(options.studies)
    with ProcessPoolExecutor(options.processes) as pool:
        print("Exponent of length: coverage, bias, median width")
        print("scenario | censored | fitted | scaling fit | z | t | any seed | each seed")
        for name, scenario in SCENARIOS.items():
            work = partial(assess_study, scenario=scenario)
            found, censored, _ = zip(*pool.map(work, seeds, chunksize=25), strict=True)
            methods = [[study[method] for study in found] for method in found[0]]
            fitted = np.isfinite([interval[1] for interval in methods[0]]).sum()
            columns = [summarise(method, true_slope(scenario)) for method in methods]
            share = f"{np.mean(censored):.0%} | {fitted}/{options.studies}"
            print(name, share, *columns, sep=" | ", flush=True)

        print("\nDifference of two models with 5 curves each: coverage, bias, median width")
        print("scatter of places shared by both | separate fits | paired curves")
        for scale in (0.0, 0.4):
            work = partial(assess_difference, shared_scale=scale)
            found = [difference for difference, _ in pool.map(work, seeds, chunksize=25)]
            truth = EXPONENT - OTHER_EXPONENT
            columns = [summarise([study[m] for study in found], truth) for m in found[0]]
            print(f"{scale:.1f}", *columns, sep=" | ", flush=True)

        print("\nDemand of single curves: coverage")
        print("scenario | half of the runs | any of 5 | any of 15")
        for name in (
            *("run noise", "right-censored", "lapse 10 %", "three seeds", "shallow"),
            *("sharp, no scatter, lattice", "20 curves"),
        ):
            work = partial(assess_demand, scenario=SCENARIOS[name])
            *covered, total = np.sum(list(pool.map(work, seeds, chunksize=25)), axis=0)
            print(name, *(f"{n / total:.3f}" for n in covered), sep=" | ", flush=True)

        print("\nExponent of a learning curve: coverage, bias of the median, median width")
        print("scenario | with an interval | fit")
        for name, scenario in CURVES.items():
            found = list(pool.map(partial(assess_curve, scenario=scenario), seeds, chunksize=25))
            fitted = np.isfinite(found).all(axis=1).sum()
            row = summarise(found, scenario.get("exponent", 0.8), np.median)
            print(name, f"{fitted}/{options.studies}", row, sep=" | ", flush=True)

        print("\nSteps to learn: exponent (coverage, bias, median width), coverage of demands")
        print("scenario | with an interval | exponent | demand")
        for name, scenario in PASSAGES.items():
            found = list(pool.map(partial(assess_passages, scenario=scenario), seeds, chunksize=25))
            fitted = np.isfinite(found).all(axis=1).sum()
            work = partial(assess_passage_demand, scenario=scenario)
            covered, total = np.sum(list(pool.map(work, seeds, chunksize=25)), axis=0)
            row = summarise(found, STEP_EXPONENT), f"{covered / total:.3f}"
            print(name, f"{fitted}/{options.studies}", *row, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
