"""Tables of learning curves: who counts, what guessing reaches, and which curves have an exponent."""

import itertools

import numpy as np
import pandas as pd
import pytest
from support.studies import tiny

from nstar.cells import make_pool
from nstar.reading.check import load_study
from nstar.stats import Words
from nstar.subjects.demand.columns import LEARNING_CURVES, LEARNING_EXPONENTS
from nstar.subjects.demand.learning_curves import (
    best_by_seed,
    chance_levels,
    fit_learning_curves,
    tabulate_curves,
)
from nstar.tasks import build_task
from nstar.tasks.supervision import NO_LABEL

ASKED = {"supervision": "aligned", "length_distribution": "fixed"}
BUDGETS = [2**k for k in range(1, 9)]
STUDY = load_study(tiny())


def make_cells(
    exponent=1.5, outcome="not_generalised", budgets=BUDGETS, seeds=5, rates=(0.01, 0.1)
):
    """Return cells whose losses and errors fall from chance; the second learning rate is worse."""
    rows = []
    for budget, seed, rate in itertools.product(budgets, range(seeds), rates):
        generator = np.random.default_rng([budget, seed])
        left = 1 / (1 + (budget / 16) ** exponent) * np.exp(0.1 * generator.normal())
        left = min(left * (1 + 0.5 * (rate == 0.1)), 1)
        rows.append(
            {"model": "lstm", "task": "parity", "n_states": 2, "length": 8, **ASKED}
            | {"budget": budget, "seed": seed, "learning_rate": rate, "outcome": outcome}
            | {"best_validation_loss": np.log(2) * left}
            | {"best_validation_token_accuracy": 1 - left / 2}
            | {"best_validation_sequence_accuracy": 1 - left * (1 - 2**-8)}
        )
    return pd.DataFrame(rows)


def curves_of(cells, stops=True):
    """Return the table of learning curves."""
    training = STUDY.training.model_copy(update={"stop_on_success": stops})
    return tabulate_curves(STUDY.model_copy(update={"training": training}), cells)


def exponents_of(cells, stops=True):
    """Return the table of exponents by measure, and the cards."""
    rows, cards = fit_learning_curves(cells, curves_of(cells, stops), 0.95, Words())
    assert set(rows[0]) == set(LEARNING_EXPONENTS)
    return pd.DataFrame(rows).set_index("measure"), cards


def test_a_seed_counts_with_its_best_learning_rate():
    cells = make_cells(budgets=[16], seeds=2)
    cells.loc[(cells["seed"] == 1) & (cells["learning_rate"] == 0.01), "outcome"] = "learnt"
    cells.loc[cells["seed"] == 0, "outcome"] = "not_fitted"
    best = best_by_seed(cells)

    good = cells[cells["learning_rate"] == 0.01]
    assert list(best["loss"]) == list(good["best_validation_loss"])
    assert list(best["sequence_accuracy"]) == list(good["best_validation_sequence_accuracy"])
    assert list(best["fitted"]) == [False, True]
    assert list(best["learnt"]) == [False, True]


def test_curves_have_the_spread_of_seeds_and_say_how_many_count():
    cells = make_cells()
    cells.loc[(cells["budget"] == 16) & (cells["seed"] == 3), "outcome"] = "learnt"
    cells.loc[(cells["budget"] == 16) & (cells["seed"] == 4), "outcome"] = "not_fitted"
    curves = curves_of(cells)
    row = curves[(curves["budget"] == 16) & (curves["measure"] == "loss")].iloc[0]
    losses = best_by_seed(cells).query("budget == 16")["loss"]

    assert list(curves.columns) == list(LEARNING_CURVES)
    assert len(curves) == 3 * len(BUDGETS)
    assert (row["least"], row["median"], row["most"]) == tuple(losses.quantile([0, 0.5, 1]))
    assert (row["n_seeds"], row["n_fitted"], row["n_stopped"]) == (5, 4, 1)
    pool = make_pool(STUDY.tasks["parity"], "fixed", 8, STUDY.data)
    assert row["n_available"] == pool.n_training
    assert (curves_of(cells, stops=False)["n_stopped"] == 0).all()


@pytest.mark.parametrize("distribution", ["fixed", "uniform"])
@pytest.mark.parametrize("supervision", ["outcome", "chain_of_thought", "aligned"])
@pytest.mark.parametrize(
    "options",
    [
        {"kind": "modular_addition", "modulus": 3},
        {"kind": "cycle_navigation", "size": 7},
        {"kind": "majority"},
    ],
)
def test_chance_is_what_the_likeliest_label_of_every_position_reaches(
    options, supervision, distribution
):
    """By all sequences of the lengths, each length as often as in the validation set."""
    task = build_task(options)
    pool = make_pool(task, distribution, 5, STUDY.data)
    found = chance_levels(pool, supervision, squared=False)
    accuracy, loss, n_labels, whole = 0.0, 0.0, 0.0, 0.0
    for length, held_out in zip(pool.lengths, pool.sizes("validation"), strict=True):
        symbols = np.array(list(itertools.product(range(task.n_symbols), repeat=length)))
        sequences = symbols, task.labels(symbols), np.full(len(symbols), length)
        _, labels = task.supervise(supervision, *sequences, range(length, length + 1))
        asked = [column for column in labels.T if (column != NO_LABEL).any()]
        shares = [np.bincount(column, minlength=task.n_states) / len(column) for column in asked]
        accuracy += held_out * sum(share.max() for share in shares)
        loss -= held_out * sum((s[s > 0] * np.log(s[s > 0])).sum() for s in shares)
        n_labels += held_out * len(shares)
        whole += held_out * np.prod([share.max() for share in shares])

    assert found["token_accuracy"] == pytest.approx(accuracy / n_labels)
    assert found["loss"] == pytest.approx(loss / n_labels)
    assert found["sequence_accuracy"] == pytest.approx(whole / pool.size("validation"))


def test_chance_of_uniform_states_is_exact_and_that_of_a_squared_error_is_the_variance():
    pool = make_pool(STUDY.tasks["parity"], "fixed", 7, STUDY.data)
    found = chance_levels(pool, "aligned", squared=False)

    assert found == {"loss": np.log(2), "token_accuracy": 0.5, "sequence_accuracy": 2**-7}
    assert chance_levels(pool, "aligned", squared=True)["loss"] == 0.25


def test_exponents_of_losses_and_errors_are_found():
    exponents, cards = exponents_of(make_cells())

    assert list(exponents.index) == ["loss", "token_accuracy", "sequence_accuracy"]
    assert (exponents["lower"] < 1.5).all() and (exponents["upper"] > 1.5).all()
    assert exponents["midpoint"].to_numpy() == pytest.approx(16, rel=0.2)
    assert list(exponents["chance"]) == pytest.approx([np.log(2), 0.5, 1 - 2**-8])
    assert exponents["converged"].all() and (exponents["reason"] == "").all()
    assert (exponents["n_used"] == 40).all() and (exponents["n_left_out"] == 0).all()
    assert len(cards) == 3


def test_losses_above_guessing_count_as_guessing():
    """A network that has overfitted by its first evaluation knows no less than a guess."""
    cells = make_cells()
    plain, _ = exponents_of(cells)
    cells.loc[cells["budget"] < 4, "best_validation_loss"] *= 3
    overfitted, _ = exponents_of(cells)

    assert overfitted.loc["loss", "estimate"] == pytest.approx(
        plain.loc["loss", "estimate"], abs=0.1
    )


def test_budgets_that_the_stopping_rule_decided_are_left_out():
    cells = make_cells()
    cells.loc[(cells["budget"] >= 64) & (cells["seed"] == 0), "outcome"] = "learnt"
    exponents, _ = exponents_of(cells)
    kept, _ = exponents_of(cells[cells["budget"] < 64])
    whole, _ = exponents_of(cells, stops=False)

    assert (exponents["n_left_out"] == 3).all() and (exponents["n_budgets"] == 5).all()
    assert list(exponents["estimate"]) == list(kept["estimate"])
    assert (whole["n_left_out"] == 0).all() and (whole["n_budgets"] == 8).all()


@pytest.mark.parametrize(
    ("outcome", "at_least", "reason"),
    [
        (
            "learnt",
            16,
            "3 of 8 budgets can be used, and 4 are needed: at 5, a run ended at its first success "
            "(training.stop_on_success).",
        ),
        (
            "not_fitted",
            8,
            "2 of 8 budgets can be used, and 4 are needed: at 6, a seed did not fit its training set.",
        ),
    ],
)
def test_too_few_budgets_have_a_reason_and_no_estimate(outcome, at_least, reason):
    cells = make_cells()
    marked = (cells["budget"] >= at_least) & (cells["seed"] == 2)
    cells.loc[marked, "outcome"] = outcome
    exponents, cards = exponents_of(cells)

    assert (exponents["reason"] == reason).all()
    assert exponents[["estimate", "lower", "upper", "floor", "midpoint"]].isna().all(axis=None)
    assert not exponents["identified"].any() and (exponents["n_used"] == 0).all()
    assert not cards


def test_a_study_of_few_budgets_has_no_exponent():
    exponents, _ = exponents_of(make_cells(budgets=[4, 8, 16]))
    assert (exponents["reason"] == "3 of 3 budgets can be used, and 4 are needed.").all()


def test_an_unknown_chance_has_a_reason():
    cells = make_cells()
    curves = curves_of(cells).assign(chance=np.nan)
    rows, _ = fit_learning_curves(cells, curves, 0.95, Words())
    assert {row["reason"] for row in rows} == {
        "What guessing reaches is not known, or nothing is better."
    }
