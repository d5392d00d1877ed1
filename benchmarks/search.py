"""What does a search save, and what does it cost in precision? Simulated studies with known N*.

Prints for every scenario and strategy of `nstar.study.search`: runs trained and training cost, as shares
of those of the full grid; that cost times the ratio of the mean square errors, as more seeds would make
it; rounds of a curve (mean, share with more than five, most). By `nstar.stats.fit_demand`: share of the
curves with an estimate, bias and root mean square error of log2 N*, coverage of nominal 95 % intervals,
and its difference from that of the full grid with its standard error over studies. By
`nstar.stats.fit_scaling`: share of the studies with an exponent of length, its error and coverage.

Run: ``python benchmarks/search.py``.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from nstar.stats import fit_demand, fit_scaling
from nstar.study.search import STRATEGIES, RunCounts, replay

COST_LEARNT = 0.3
"""Steps of a run that learnt, over those of a run that failed, which go to the limit of steps.

In the default study, where failures may end early as well, replicates that learnt took 447 steps on
average and those that failed 1,562.
"""

GRID = tuple(2.0 ** np.arange(12))
LENGTHS = np.array([4, 8, 16, 32, 64])
EXPONENT = 1.0
CURVE_SCALE = 0.2  # misfit of the law from curve to curve, in ln N
ROUND = tuple(a * 10**k for k in (1, 2, 3, 4) for a in (1, 1.5, 2, 3, 5, 7))[:20]

SCENARIOS = {
    "medium": {},
    "sharp": {"run_scale": 0.03},
    "shallow": {"run_scale": 0.8},
    "3 seeds": {"n_seeds": 3},
    "10 seeds": {"n_seeds": 10},
    "lapse 5 %": {"lapse": 0.05},
    "lapse 10 %": {"lapse": 0.1},
    "3 seeds, lapse 10 %": {"n_seeds": 3, "lapse": 0.1},
    "dips": {"dip": 0.8},
    "off the ends": {"overhang": 4.0},
    "short of steps": {"n_short": 5},
    "10 budgets": {"grid": tuple(2.0 ** np.arange(10))},
    "16 budgets": {"grid": tuple(2.0 ** np.arange(16))},
    "20 budgets": {"grid": tuple(2.0 ** np.arange(20))},
    "20 budgets, shallow, 3 seeds, lapse 10 %": {
        "grid": tuple(2.0 ** np.arange(20)),
        "run_scale": 0.8,
        "n_seeds": 3,
        "lapse": 0.1,
    },
    "20 budgets by sqrt 2": {"grid": tuple(2.0 ** (np.arange(20) / 2))},
    "20 budgets, round": {"grid": ROUND},
}
"""Arguments of `simulate_study` by name."""


class Curve(NamedTuple):
    """A curve of a study: its ln N*, and the outcome of every budget of the grid."""

    log_demand: float
    outcomes: dict[float, RunCounts]


def simulate_study(
    seed,
    grid=GRID,
    n_seeds=5,
    run_scale=0.25,
    lapse=0.0,
    dip=0.0,
    overhang=-1.0,
    n_short=0,
):
    """Return one curve per length of a study with ln N* = a + ln n + misfit.

    Scales are in ln N. ``overhang`` is how many factors of 2 the lengths may reach out of the grid,
    ``dip`` how much of its chances a curve loses at a budget 2 to 8 times its demand. At the ``n_short``
    largest budgets three quarters of the runs that fail do not fit their training set either.
    """
    generator = np.random.default_rng([20260218, seed])
    log_budget = np.log(np.array(grid))
    reach = overhang * np.log(2)
    span = EXPONENT * np.log(LENGTHS[-1] / LENGTHS[0])
    first = generator.uniform(log_budget[0] - reach, log_budget[-1] + reach - span)
    curves = []
    for length in LENGTHS:
        location = first + EXPONENT * np.log(length / LENGTHS[0])
        location += CURVE_SCALE * generator.normal()
        chance = (1 - lapse) * expit((log_budget - location) / run_scale)
        dip_at = location + generator.uniform(np.log(2), np.log(8))
        chance[np.abs(log_budget - dip_at).argmin()] *= 1 - dip
        n_learnt = generator.binomial(n_seeds, chance)
        short = np.where(np.arange(len(grid)) < len(grid) - n_short, 0.0, 0.75)
        n_fitted = n_seeds - generator.binomial(n_seeds - n_learnt, short)
        outcomes = {
            budget: RunCounts(int(learnt), int(fitted), n_seeds)
            for budget, learnt, fitted in zip(grid, n_learnt, n_fitted, strict=True)
        }
        curves.append(Curve(location, outcomes))
    return curves


def cost_of(outcomes):
    """Return the training cost in runs that go to the limit of steps."""
    n_learnt = sum(outcome.n_learnt for outcome in outcomes)
    return sum(outcome.n_runs for outcome in outcomes) - (1 - COST_LEARNT) * n_learnt


def assess_study(seed, scenario, strategies=STRATEGIES):
    """Return what each strategy did and found: a table of curves, and one of laws."""
    curves = simulate_study(seed, **scenario)
    by_curve, by_law = [], []
    for strategy in strategies:
        place = {"study": seed, "strategy": strategy}
        searches = [replay(tuple(curve.outcomes), curve.outcomes, strategy) for curve in curves]
        data = {
            "budget": [budget for search in searches for budget in search.used],
            "curve": [c for c, search in enumerate(searches) for _ in search.used],
        }
        outcomes = [curves[c].outcomes[n] for n, c in zip(*data.values(), strict=True)]
        data["n_learnt"] = [outcome.n_learnt for outcome in outcomes]
        data["n_runs"] = [outcome.n_fitted for outcome in outcomes]
        for curve, search, demand in zip(curves, searches, fit_demand(**data), strict=True):
            row = {
                "n_budgets": len(search.used),
                "cost": cost_of([curve.outcomes[budget] for budget in search.used]),
                "grid_budgets": len(curve.outcomes),
                "grid_cost": cost_of(curve.outcomes.values()),
                "n_round": search.n_round,
                "error": np.log2(demand.estimate) - curve.log_demand / np.log(2),
                "covered": demand.lower <= np.exp(curve.log_demand) <= demand.upper,
            }
            by_curve.append(place | row)
        fit = fit_scaling(**data, covariates={"length": np.log(LENGTHS[data["curve"]])})
        law = fit.coefficient("length")
        covered = law.lower <= EXPONENT <= law.upper if np.isfinite(law.lower) else np.nan
        by_law.append(place | {"error": law.estimate - EXPONENT, "covered": covered})
    return pd.DataFrame(by_curve), pd.DataFrame(by_law)


def summarise(by_curve, by_law):
    """Return the figures of each strategy, one row per strategy, compared with the full grid."""
    grid = by_curve[by_curve["strategy"] == "all"].reset_index(drop=True)
    whole = grid["error"].to_numpy()
    rows = {}
    for strategy, found in by_curve.groupby("strategy", sort=False):
        law = by_law[by_law["strategy"] == strategy].dropna()
        cost = found["cost"].sum() / found["grid_cost"].sum()
        error = found["error"].to_numpy()
        both = np.isfinite(error) & np.isfinite(whole)
        gain = found["covered"].to_numpy().astype(float) - grid["covered"]
        gain_by_study = gain.groupby(grid["study"]).mean()
        loss = (error[both] ** 2).mean() / (whole[both] ** 2).mean()
        rows[strategy] = {
            "runs": found["n_budgets"].sum() / found["grid_budgets"].sum(),
            "cost": cost,
            "cost at equal precision": cost * loss,
            "rounds": found["n_round"].mean(),
            "over 5": (found["n_round"] > 5).mean(),
            "most": found["n_round"].max(),
            "estimated": np.isfinite(error).mean(),
            "bias": np.nanmean(error),
            "RMSE": np.sqrt(np.nanmean(error**2)),
            "coverage": found["covered"].mean(),
            "over the grid": gain_by_study.mean(),
            "its error": gain_by_study.std() / np.sqrt(len(gain_by_study)),
            "fitted": len(law) / found["study"].nunique(),
            "exponent RMSE": np.sqrt((law["error"] ** 2).mean()),
            "exponent coverage": law["covered"].mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


FORMATS = {
    **dict.fromkeys(("runs", "cost", "cost at equal precision"), ".2f"),
    **{"rounds": ".1f", "over 5": ".1%", "most": ".0f", "estimated": ".0%", "fitted": ".0%"},
    **dict.fromkeys(("bias", "RMSE", "coverage", "over the grid", "its error"), ".3f"),
    **dict.fromkeys(("exponent RMSE", "exponent coverage"), ".3f"),
}


def main():
    """Print the table."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument(
        "--studies", type=int, default=200, help="of 5 curves, per scenario (default: 200)"
    )
    flags.add_argument("--processes", type=int, default=1, help="at a time (default: 1)")
    options = flags.parse_args()
    print("scenario", "strategy", *FORMATS, sep=" | ")
    with ProcessPoolExecutor(options.processes) as pool:
        for name, scenario in SCENARIOS.items():
            work = partial(assess_study, scenario=scenario)
            found = zip(*pool.map(work, range(options.studies), chunksize=10), strict=True)
            for strategy, figures in summarise(*map(pd.concat, found)).iterrows():
                row = (format(figures[column], form) for column, form in FORMATS.items())
                print(name, strategy, *row, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
