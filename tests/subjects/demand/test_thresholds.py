"""The table of thresholds, from rows of cells worked out by hand."""

import pandas as pd
import pytest
from support.studies import tiny

from nstar.reading.check import load_study
from nstar.subjects.demand.thresholds import find_thresholds

LEARNT, GENERALISED_NOT, FITTED_NOT = "learnt", "not_generalised", "not_fitted"


def thresholds_of(outcomes):
    """Return thresholds by seed (and "any") for outcomes by (budget, seed, learning rate)."""
    rows = [
        {"model": "lstm", "task": "parity", "n_states": 2, "length": 5, "diverged": False}
        | {"supervision": "aligned", "length_distribution": "fixed"}
        | {"budget": budget, "seed": seed, "learning_rate": rate, "outcome": outcome}
        for (budget, seed, rate), outcome in outcomes.items()
    ]
    table = find_thresholds(load_study(tiny()), pd.DataFrame(rows))
    return {("any" if pd.isna(row.seed) else row.seed): row for row in table.itertuples()}


def test_rule_any_takes_the_best_replicate_and_rule_seed_the_best_learning_rate():
    found = thresholds_of(
        {
            (2, 0, 0.1): GENERALISED_NOT,
            (2, 0, 0.2): GENERALISED_NOT,
            (2, 1, 0.1): GENERALISED_NOT,
            (2, 1, 0.2): GENERALISED_NOT,
            (8, 0, 0.1): LEARNT,
            (8, 0, 0.2): FITTED_NOT,
            (8, 1, 0.1): GENERALISED_NOT,
            (8, 1, 0.2): GENERALISED_NOT,
        }
    )
    assert (found[0].lower, found[0].upper, found[0].censoring) == (2, 8, "interval")
    assert (found[1].lower, found[1].upper, found[1].censoring) == (8, float("inf"), "right")
    assert (found["any"].n_star, found["any"].lower) == (8, 2)
    assert (found[0].n_replicates, found["any"].n_replicates) == (4, 8)
    assert not found[0].limited_by_steps


@pytest.mark.parametrize(
    ("outcomes", "lower", "censoring", "limited"),
    [
        ((GENERALISED_NOT, FITTED_NOT, LEARNT), 2, "interval", True),
        ((FITTED_NOT, FITTED_NOT, LEARNT), 0, "left", True),
        ((LEARNT, LEARNT, FITTED_NOT), 0, "left", True),
        ((FITTED_NOT, FITTED_NOT, FITTED_NOT), 0, "unknown", True),
        ((GENERALISED_NOT, GENERALISED_NOT, LEARNT), 4, "interval", False),
        ((GENERALISED_NOT, GENERALISED_NOT, FITTED_NOT), 4, "right", True),
    ],
)
def test_budget_left_unfitted_is_no_evidence(outcomes, lower, censoring, limited):
    keys = [(budget, 0, 0.1) for budget in (2, 4, 8)]
    row = thresholds_of(dict(zip(keys, outcomes, strict=True)))[0]
    assert (row.lower, row.censoring, row.limited_by_steps) == (lower, censoring, limited)


def test_number_of_training_sequences_that_exist():
    (row, _) = thresholds_of({(2, 0, 0.1): LEARNT}).values()
    assert row.n_available == 32 - 6  # length 5 over 2 symbols, a fifth kept for validation
