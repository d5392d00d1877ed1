"""The table of verdicts, on replicates whose shares on the test set are known."""

import numpy as np
import pandas as pd
import pytest

from nstar.tables import TABLES, write_table
from nstar.tables.verdicts import verdict_table

CELL = {"model": "lstm", "task": "parity", "supervision": "aligned"}
CELL |= {"length_distribution": "fixed", "n_states": 2, "length": 8, "budget": 64}


def judged(tests, n_test=100, **cell):
    """Return replicates of a cell that learnt, with their shares on the test set."""
    row = CELL | {"rule": "study", "learnt": True, "n_test": n_test} | cell
    return pd.DataFrame([row | {"test": test} for test in tests])


def table_of(*parts, measure="sequence_accuracy", threshold=0.9):
    return verdict_table(pd.concat(parts, ignore_index=True), measure, threshold)


def test_replicates_below_the_threshold_are_counted_and_tested():
    """Of 100 sequences 88 are no surprise at 0.9, and 70 are: P(X <= 70) is below 1e-7."""
    (row,) = table_of(judged([1.0, 0.88, 0.7, np.nan])).to_dict("records")
    assert (row["n_replicates"], row["n_learnt"], row["n_unknown"]) == (4, 4, 1)
    assert (row["n_below"], row["n_flagged"], row["median_test"]) == (2, 1, 0.88)
    assert row["n_test"] == 100 and row["reason"] == ""


def test_one_of_many_is_flagged_only_if_it_stands_out_from_all_of_them():
    """P(X <= 83) of 100 at 0.9 is 0.021: enough for one test, not for the smallest of a thousand."""
    assert table_of(judged([0.83]))["n_flagged"].tolist() == [1]
    many = table_of(judged([0.83]), judged([0.95] * 999, budget=128))
    assert many["n_flagged"].tolist() == [0, 0]
    apart = table_of(judged([0.83]), judged([0.95] * 999, rule="strict"))
    assert apart["n_flagged"].tolist() == [1, 0], "rules are tested each for itself"


def test_a_replicate_at_the_threshold_is_not_below_it():
    """The share 0.9 in 32 bits is less than in 64."""
    assert float(np.float32(0.9)) < 0.9
    assert table_of(judged([float(np.float32(0.9)), 0.89]))["n_below"].tolist() == [1]


def test_few_sequences_flag_nothing():
    assert table_of(judged([0.5], n_test=2))["n_flagged"].tolist() == [0]


def test_a_share_of_labels_is_rounded_up_to_whole_sequences():
    """0.826 of 100 counts as 83, and float32 noise adds none: 0.83 in 32 bits stays 83."""
    noisy = float(np.float32(0.83))
    shares = [[0.83], [noisy], [0.826], [0.845]]
    parts = [judged(share, budget=budget) for budget, share in enumerate(shares)]
    alone = [table_of(part, measure="token_accuracy")["n_flagged"].item() for part in parts]
    assert alone == [1, 1, 1, 0]


def test_a_loss_is_counted_and_not_tested():
    (row,) = table_of(judged([0.05, 0.2]), measure="loss", threshold=0.1).to_dict("records")
    assert row["n_below"] == 1 and pd.isna(row["n_flagged"])
    assert "no binomial test" in row["reason"]


def test_replicates_that_have_not_learnt_are_not_tested(tmp_path):
    rows = judged([np.nan, 0.95])
    rows["learnt"] = [False, True]
    table = table_of(rows)
    (row,) = table.to_dict("records")
    assert (row["n_replicates"], row["n_learnt"], row["n_unknown"]) == (2, 1, 0)
    write_table(tmp_path / "verdicts.csv", "verdicts", table)
    assert set(table.columns) == set(TABLES["verdicts"])


@pytest.mark.parametrize("threshold", [0.5, 0.9])
def test_runs_at_the_threshold_are_flagged_no_more_often_than_the_level_allows(threshold):
    """300 studies of 20 runs whose true share is the threshold: at most 5 % have any flag."""
    generator = np.random.default_rng(0)
    shares = generator.binomial(200, threshold, (300, 20)) / 200
    wrong = [
        int(table_of(judged(study, n_test=200), threshold=threshold)["n_flagged"].sum() > 0)
        for study in shares
    ]
    assert np.mean(wrong) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
