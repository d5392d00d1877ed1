"""Tables of networks measured as functions, with the sizes that arXiv:2402.09963 reports."""

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd

from nstar.tables import TABLES
from nstar.tables.selection import REPLICATE

ASKED = {"supervision": "aligned", "length_distribution": "fixed"}
SHARPNESS = {
    "parity": lambda n: -0.016 + 0.0503 * n,
    "majority": lambda n: 0.1138 + 0.00183 * n,
    "first": lambda n: 0.1282 + 0.000064 * n,
    "mean": lambda n: 0.1227 - 0.0000194 * n,
}
"""Sharpness at length n, by the regressions of table 2."""
SENSITIVITY = {
    "parity": lambda n: n,
    "majority": lambda n: (2 * n / np.pi) ** 0.5,
    "first": lambda n: 1.0,
    "mean": lambda n: 1 / n,
}
TASKS = tuple(SHARPNESS)


def table(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a table of that name, with its types; what is left out is empty, or 0."""
    types = {key: column.dtype for key, column in TABLES[name].items()}
    blanks = {key: {"str": "", "int64": 0}[d] for key, d in types.items() if d in ("str", "int64")}
    return pd.DataFrame([blanks | row for row in rows], columns=list(types)).astype(types)


def make_measured(
    models=("transformer", "lstm"),
    tasks=TASKS,
    lengths=(4, 10, 16, 22),
    seeds=(1, 2, 3),
    steps=(500, 1000, 2000, 4000),
) -> dict[str, pd.DataFrame]:
    """Return the tables `measures` and `sharpness`.

    Runs of parity converge later as n grows, and those of the last seed do not learn beyond n = 16. The
    LSTM has no blow-up, and half of the sharpness.
    """
    generator = np.random.default_rng(0)
    measures, sharpness = [], []
    for model, task, length, seed in itertools.product(models, tasks, lengths, seeds):
        learnt = not (task == "parity" and length > 16 and seed == max(seeds) and len(seeds) > 1)
        converged = 200 + 60 * length if task == "parity" else 200
        run = {"model": model, "task": task, "length": length, "budget": 0, "seed": seed} | ASKED
        run |= {"learning_rate": 0.0003}
        level = SHARPNESS[task](length) * (1.0 if model == "transformer" else 0.5)
        for step in steps:
            reached = learnt and step >= converged
            noise = np.exp(0.1 * generator.normal())
            row = run | {"step": step, "final": step == max(steps)}
            blowup = 10 ** (step / 4000) * noise * (1 + (task == "parity") * length / 20)
            sensitivity = (SENSITIVITY[task](length) * noise**0.2) if reached else 0.01
            measures.append(
                row
                | {"learnt": learnt, "converged_at": converged if learnt else pd.NA}
                | {"loss": 1e-4 * noise if reached else 0.25}
                | {"parameter_norm": 35 - 8 * np.log10(blowup) + noise}
                | {"plain_blowup": blowup if model == "transformer" else np.nan}
                | {"blowup": 2 * blowup if model == "transformer" else np.nan}
                | {"average_sensitivity": sensitivity, "average_sensitivity_error": 0.0}
                | {"rounded_sensitivity": sensitivity}
                | {"target_sensitivity": SENSITIVITY[task](length)}
            )
            value = level * noise if reached else 0.05 * noise
            for kind, size in (("sphere", 1.0), ("gaussian", 0.02)):
                sharpness.append(
                    row
                    | {"perturbation": kind, "size": size, "radius": 8.9 if size < 1 else 1.0}
                    | {"sharpness": value * (1 if size < 1 else 0.1)}
                    | {"sharpness_error": 0.02 * value}
                )
    return {"measures": table("measures", measures), "sharpness": table("sharpness", sharpness)}


def make_degrees(models=("transformer", "lstm"), lengths=(4, 10), seeds=(1, 2)) -> pd.DataFrame:
    """Return the profiles of parity, first and mean: nearly all weight at one degree."""
    rows = []
    for model, task, length, seed in itertools.product(
        models, ("parity", "first", "mean"), lengths, seeds
    ):
        run = {"model": model, "task": task, "length": length, "budget": 0, "seed": seed} | ASKED
        for degree in range(length + 1):
            target = float(degree == (length if task == "parity" else 1))
            target *= 1 / length if task == "mean" else 1
            weight = 0.9 * target + 0.005 * seed
            row = run | {"learning_rate": 0.0003, "step": 4000, "final": True, "degree": degree}
            rows.append(row | {"weight": weight, "target_weight": target})
    return table("degrees", rows)


def make_profile(measures: pd.DataFrame) -> pd.DataFrame:
    """Return profiles of the runs of `measures` at their last step, and of networks at step 0.

    Before training, half of all inputs are insensitive, and all where the cut is at 1/2 and the seed is
    the first; the others have the sensitivity 1. Final networks have the profile of parity.
    """
    rows = []
    for row in measures[measures["final"]].itertuples():
        run = {key: getattr(row, key) for key in (*REPLICATE, "step", "final")}
        n_inputs, binomials = (
            2**row.length,
            [math.comb(row.length, s) for s in range(row.length + 1)],
        )
        for cut, before in itertools.product(("half", "median"), (True, False)):
            constant = cut == "half" and row.seed == measures["seed"].min()
            for s in range(row.length + 1):
                share = {0: 1.0 if constant else 0.5, 1: 0.0 if constant else 0.5}.get(s, 0.0)
                if not before:
                    share = float(s == row.length)
                rows.append(
                    run
                    | ({"step": 0, "final": False} if before else {})
                    | {"initialisation_seed": row.seed}
                    | {"cut": cut, "sensitivity": s, "count": int(share * n_inputs), "share": share}
                    | {"random_share": binomials[s] / n_inputs}
                    | {"target_count": n_inputs * (s == row.length)}
                )
    return table("sensitivity_profile", rows)


def fit(regression: str, coefficient: str, estimate=0.05, half_width=0.01, **changes) -> dict:
    """Return one row of the table of regressions, of the sharpness of the paper."""
    row = {"regression": regression, "model": "transformer", "task": "parity", "length": pd.NA}
    row |= {"moment": "final", "quantity": "sharpness_gaussian_0.02", "coefficient": coefficient}
    row |= {"estimate": estimate, "lower": estimate - half_width, "upper": estimate + half_width}
    row |= {"confidence": 0.95, "standard_error": half_width / 2, "p_value": 0.01, "r": 0.88}
    row |= {
        "n_used": 30,
        "n_left_out": 2,
        "n_missing": 0,
        "n_clusters": 4,
        "identified": True,
        "reason": "",
    }
    return row | ASKED | changes


UNKNOWN = {
    **dict.fromkeys(["estimate", "lower", "upper", "standard_error", "p_value", "r"], np.nan),
    "identified": False,
    "reason": "4 rows are too few for 2 coefficients and their errors.",
}
"""What a row of a fit has instead of an estimate."""


def make_regressions(models=("transformer", "lstm"), tasks=TASKS, **changes) -> pd.DataFrame:
    """Return straight lines of growth, and of sharpness in sensitivity at n = 22."""
    rows = []
    for model, task in itertools.product(models, tasks):
        scale = 1.0 if model == "transformer" else 0.5
        where = {"model": model, "task": task} | changes
        at_zero, at_one = (scale * SHARPNESS[task](n) for n in (0, 1))
        rows.append(fit("growth", "intercept", at_zero, **where))
        rows.append(fit("growth", "n", at_one - at_zero, **where))
    for model in models:
        scale = 1.0 if model == "transformer" else 0.5
        where = {"model": model, "task": "", "length": 22} | changes
        rows.append(fit("sensitivity", "intercept", 0.08 * scale, **where))
        rows.append(fit("sensitivity", "average_sensitivity", 0.045 * scale, **where))
    return table("regressions", rows)
