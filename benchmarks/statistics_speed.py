"""How fast are the statistics? Each line sets two ways beside each other, in one run.

1. A fit of many curves, with its time for each curve beside that of a fit of few: the cost should be
   linear in the curves, and seconds for 1,000.
2. A bootstrap of a study like the default one (3 models of 9 curves, 5 budgets, 5 seeds) beside fits of
   as many drawn studies one by one, each from the three starts that an unknown study needs.
3. The censored regression of the check beside the same model in lifelines, where that is installed.

Run: ``python benchmarks/statistics_speed.py --replicates 1000``. Absolute times depend on the machine.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from statistics_coverage import covariates, scaling_data, simulate_runs

from nstar.stats import bootstrap_scaling, fit_demand, fit_intervals, fit_scaling
from nstar.stats.bootstrap import Law
from nstar.stats.design import curve_design, observe_complete


def timed(function, *arguments, **options):
    """Return what a function returns, and the seconds of processor time that it took."""
    start = time.process_time()
    return function(*arguments, **options), time.process_time() - start


def many_curves(n_curves):
    """Return a study of so many curves, 8 budgets each around their demand."""
    lengths = np.unique(np.round(np.geomspace(4, 4 * n_curves, 2 * n_curves)))[:n_curves]
    runs = simulate_runs(0, lengths=tuple(lengths), curve_scale=0.3, n_budgets=24)
    near = (np.log(runs["budget"]) - runs["log_demand"]).abs() < 4 * np.log(2)
    return scaling_data(runs[near])


def compare_sizes(few=100, many=1000):
    """Print the time of fits of few and of many curves."""
    for name, function in (("scaling fit", fit_scaling), ("demands", fit_demand)):
        seconds = {}
        for n_curves in (few, many):
            data = many_curves(n_curves)
            if function is fit_demand:
                del data["covariates"]
            _, seconds[n_curves] = timed(function, **data)
        ratio = seconds[many] / many / (seconds[few] / few)
        print(
            f"{name}: {many} curves {seconds[many]:.2f} s, {few} curves {seconds[few]:.2f} s; "
            f"time per curve, many over few: {ratio:.2f}"
        )


def compare_bootstrap(n_replicates):
    """Print the time of the bootstrap and of fits one by one."""
    bootstrapped = one_by_one = 0.0
    n_single = max(10, n_replicates // 20)
    for seed in range(3):
        runs = simulate_runs(
            seed, lengths=(4, 6, 8), moduli=(2, 3, 5), curve_scale=0.1, first_budget=1, n_budgets=5
        )
        data = scaling_data(runs)
        fit = fit_scaling(**data)
        generator = np.random.default_rng(seed)
        _, seconds = timed(
            bootstrap_scaling, fit, **data, generator=generator, n_replicates=n_replicates
        )
        bootstrapped += seconds

        observations = observe_complete(**data)
        law = Law.of(fit, observations, curve_design(observations, data["covariates"]))
        for _ in range(n_single):
            eta = law.draw_eta(observations.log_budget, observations.curve, generator)
            drawn = observations.draw(eta, fit.lapse, generator)
            study = {**data, "n_learnt": drawn.n_learnt[np.argsort(drawn.row)]}
            _, seconds = timed(fit_scaling, **study)
            one_by_one += seconds * n_replicates / n_single
    print(
        f"bootstrap of a study of 3 models, {n_replicates} replicates: {bootstrapped:.1f} s; one by one "
        f"{one_by_one:.1f} s (from {n_single} each); ratio {one_by_one / bootstrapped:.1f}"
    )


def compare_lifelines():
    """Print the time of the censored regression here and in lifelines."""
    try:
        from lifelines import LogNormalAFTFitter
    except ImportError:
        print("lifelines is not installed: the censored regression is not compared")
        return
    runs = simulate_runs(0, lengths=tuple(range(4, 104)), n_budgets=14)
    curves = runs.drop_duplicates("curve")
    step = np.log(2)
    lower = np.floor(curves["log_demand"] / step) * step
    upper = np.where(lower > 6, np.inf, lower + step)
    design = covariates(curves)
    _, ours = timed(fit_intervals, lower, upper, design)
    rows = pd.DataFrame({"lower": np.exp(lower), "upper": np.exp(upper), **design})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, theirs = timed(LogNormalAFTFitter().fit_interval_censoring, rows, "lower", "upper")
    print(
        f"censored regression of 100 curves: {ours:.3f} s; lifelines {theirs:.3f} s; "
        f"ratio {theirs / ours:.1f}"
    )


def main():
    """Print the comparisons."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--replicates", type=int, default=1000, help="drawn studies (default: 1000)")
    options = flags.parse_args()
    compare_sizes()
    compare_bootstrap(options.replicates)
    compare_lifelines()


if __name__ == "__main__":
    main()
