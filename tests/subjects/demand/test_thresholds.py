"""The table of thresholds, from rows of cells worked out by hand."""

import pandas as pd
import pytest
from support.studies import tiny

from nstar.cells import make_pool
from nstar.reading.check import load_study
from nstar.subjects.demand.selection import least_set
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
    assert row.n_available == 32 - 12  # length 5 over 2 symbols: 6, 3 and 3 are held out


def test_the_least_set_is_that_of_the_rule_and_of_what_is_kept_from_training():
    """At length 5 of 32 sequences, 6 validate and 3 confirm; of fresh batches each set has all."""
    cells = pd.DataFrame(
        [
            {"model": "lstm", "task": "parity", "n_states": 2, "length": 5, "diverged": False}
            | {"supervision": "aligned", "length_distribution": "fixed"}
            | {"budget": 2, "seed": 0, "learning_rate": 0.1, "outcome": LEARNT}
        ]
    )
    for confirm, own, other in ((True, 3, 6), (False, 6, 3)):
        study = load_study(
            tiny(**{"training.success.confirm": confirm, "training.success.over": "every_length"})
        )
        found = find_thresholds(study, cells).iloc[0]
        assert (found["least_set"], found["other_least_set"]) == (own, other)
        found = find_thresholds(study, cells, fresh=True).iloc[0]
        assert (found["least_set"], found["other_least_set"]) == (32, 32)


def test_of_several_lengths_the_smallest_set_counts_where_every_length_has_to_pass():
    """Of 4, 8, 16 and 32 sequences 0, 0, 1 and 3 confirm, and 0, 1, 3 and 6 validate."""
    study = load_study(tiny(**{"grid.0.length_distributions": ["uniform"]}))
    pool = make_pool(study.tasks["parity"], "uniform", 5, study.data)
    assert pool.sizes("confirmation") == (0, 0, 1, 3)
    rule = study.training.rule
    assert least_set(rule, pool) == 4
    assert least_set(rule.published(), pool) == 10
    assert least_set(rule.strict(), pool) == 1
