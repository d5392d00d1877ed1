"""How well variance components of simulated studies are found, and what shared seeds do to demands.

``python benchmarks/variance_coverage.py --studies 500`` prints two tables in Markdown: of each scenario
and component the coverage of nominal 95 % intervals, and the mean of the estimates; and the coverage of
the demand of single curves where runs share their data.
"""

import argparse
import itertools

import numpy as np
import pandas as pd

from nstar.stats import divide_variance, fit_demand

FACTORS = ("data", "initialisation", "order")
SETS = [s for size in (1, 2, 3) for s in itertools.combinations(FACTORS, size)]
NAMES = [" x ".join(s) if len(s) < 3 else "residual" for s in SETS]
MIXED = (0.30, 0.15, 0.05, 0.05, 0.02, 0.0, 0.10)
SCENARIOS = {
    "3 curves, 4 x 3 x 2 seeds": (3, (4, 3, 2), MIXED, {}),
    "6 curves, 2 x 2 x 2 seeds": (6, (2, 2, 2), MIXED, {}),
    "2 curves, 2 x 2 x 2 seeds": (2, (2, 2, 2), MIXED, {}),
    "3 curves, 3 x 3 x 3 seeds, residual alone": (3, (3, 3, 3), (0, 0, 0, 0, 0, 0, 0.2), {}),
    "3 curves, 4 x 3 x 2 seeds, budgets a factor of 2 apart": (3, (4, 3, 2), MIXED, {"grid": 2.0}),
    "3 curves, 4 x 3 x 2 seeds, initial effects the same at all lengths": (
        *(3, (4, 3, 2), MIXED),
        {"shared": True},
    ),
    "3 curves, 4 x 3 x 2 seeds, exponential effects": (3, (4, 3, 2), MIXED, {"skewed": True}),
}


def factorial(n_curves, levels):
    """Return curve and levels of every value."""
    places = itertools.product(range(n_curves), *map(range, levels))
    return pd.DataFrame(places, columns=["curve", *FACTORS])


def draw(table, variances, generator, grid=None, shared=False, skewed=False):
    """Return ln N* of every combination of every curve."""
    value = generator.uniform(4, 8, table["curve"].max() + 1)[table["curve"]]
    for chosen, variance in zip(SETS, variances, strict=True):
        own = [] if shared and chosen == ("initialisation",) else ["curve"]
        codes = table.groupby([*own, *chosen]).ngroup().to_numpy()
        shape = codes.max() + 1
        effects = generator.exponential(size=shape) - 1 if skewed else generator.normal(size=shape)
        value = value + np.sqrt(variance) * effects[codes]
    if grid is None:
        return value
    return np.log(grid) * np.ceil(value / np.log(grid))


def component_lines(n_studies, generator):
    """Yield a line for each scenario: coverage and relative mean of each component."""
    for name, (n_curves, levels, variances, options) in SCENARIOS.items():
        table = factorial(n_curves, levels)
        covered, estimates = np.zeros((2, len(SETS)))
        for _ in range(n_studies):
            value = draw(table, variances, generator, **options)
            found = divide_variance(value, table["curve"], table[[*FACTORS]])
            for i, one in enumerate(found):
                covered[i] += one.lower <= variances[i] <= one.upper
                estimates[i] += one.variance
        cells = [
            f"{c / n_studies:.3f}, {e / n_studies:.3f}"
            for c, e in zip(covered, estimates, strict=True)
        ]
        yield f"| {name} | {' | '.join(cells)} |"


def demand_lines(n_studies, generator):
    """Yield a line for each share of the data: coverage of ln N* of half of the runs, by curve."""
    budgets, n_curves = 2.0 ** np.arange(2, 12), 5
    for n_data, n_other, share in ((12, 1, 0.5), (4, 3, 0.5), (4, 3, 0.9), (2, 6, 0.9)):
        covered = 0
        for _ in range(n_studies):
            centre = generator.uniform(4, 6, n_curves)
            data = np.sqrt(0.2 * share) * generator.normal(size=(n_curves, n_data, 1))
            own = np.sqrt(0.2 * (1 - share)) * generator.normal(size=(n_curves, n_data, n_other))
            threshold = (centre[:, None, None] + data + own).reshape(n_curves, -1)
            learnt = (np.log(budgets)[:, None, None] >= threshold).sum(axis=-1)  # (budget, curve)
            demands = fit_demand(
                np.repeat(budgets, n_curves),
                learnt.ravel(),
                np.full(learnt.size, n_data * n_other),
                np.tile(np.arange(n_curves), len(budgets)),
            )
            covered += sum(one.lower <= np.exp(centre[one.curve]) <= one.upper for one in demands)
        yield f"| {n_data} x {n_other} | {share:g} | {covered / (n_curves * n_studies):.3f} |"


def main():
    """Parse the command line and print both tables."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--studies", type=int, default=500, help="of each scenario; default 500")
    options = flags.parse_args()
    generator = np.random.default_rng(0)
    print(f"| scenario | {' | '.join(NAMES)} |\n|{'---|' * (1 + len(NAMES))}")
    for line in component_lines(options.studies, generator):
        print(line, flush=True)
    print("\n| seeds of the data x others | share of the data | half of the runs |\n|---|---|---|")
    for line in demand_lines(options.studies, generator):
        print(line, flush=True)


if __name__ == "__main__":
    main()
