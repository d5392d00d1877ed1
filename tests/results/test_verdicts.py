"""Verdicts of a finished run, computed once more from its stores by other means.

By default on a small study that the test runs; with ``--results FOLDER`` on the tree there. No number
is asserted, only that two computations agree.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from results.claims import read_study
from scipy.stats import binomtest
from support.stores import finish
from support.studies import tiny

from nstar.cells import Cell, pool_of
from nstar.jobs.collection import collect_results
from nstar.jobs.networks import model_of
from nstar.reading.check import load_study
from nstar.store.archive import specification_of
from nstar.store.parts import read_parts
from nstar.store.replicates import pairs_of
from nstar.store.view import view
from nstar.study import FRESH
from nstar.tables import read_table
from nstar.tables.cells import VERDICTS
from nstar.tasks.supervision import NO_LABEL
from nstar.verdicts import QUANTITIES, SETS

CELL = ["model", "task", "supervision", "length_distribution", "length", "budget"]
OPTIONS = {"training.patience": 2, "replicates.learning_rates": [1e-6, 0.003, 0.01]}
"""The smallest step size fits nothing."""


@pytest.fixture(scope="module")
def finished(request, tmp_path_factory):
    """Return the study, its results folder, and its blocks with their rows of the table of cells."""
    folder = request.config.getoption("--results")
    if folder is None:
        folder = tmp_path_factory.mktemp("verdicts")
        study = load_study(tiny(**OPTIONS))
        finish(study, folder)
        (folder / "tables").mkdir()
        collect_results({"study": study.model_dump(mode="json")}, folder)
    else:
        study = load_study(read_study(Path(folder)))
    folder = Path(folder)
    cells = read_table(folder / "tables/cells.parquet", "cells")
    blocks = []
    for store, rows in cells.groupby("store", sort=False):
        first = folder / "cells" / store.partition("cells/")[2]
        stem = first.name.removesuffix(".zarr.zip")
        later = sorted(
            first.parent.glob(f"{stem}-*.zarr.zip"),
            key=lambda path: int(path.name.removesuffix(".zarr.zip").rpartition("-")[2]),
        )
        blocks.append((read_parts([first, *later]), rows))
    return study, folder, blocks


def passes(value, measure, threshold):
    value, threshold = np.float32(value), np.float32(threshold)
    return bool(value <= threshold if measure == "loss" else value >= threshold)


def judged(numbers, every, study):
    """Return outcome, steps, learnt_at and fitted_at of a run by the words of the documentation."""
    training, success = study.training, study.training.success
    fitted = training.fitted or success
    column = {
        name: QUANTITIES.index((rule.measure, success.over))
        for name, rule in (("train", fitted), ("validation", success), ("confirmation", success))
    }
    best, waited, learnt_at, fitted_at = -math.inf, 0, None, None
    for number, evaluation in enumerate(numbers, start=1):
        steps = every * number
        value = {name: float(evaluation[SETS.index(name), column[name]]) for name in SETS}
        passed = passes(value["validation"], success.measure, success.threshold)
        if success.confirm:
            passed = passed and passes(value["confirmation"], success.measure, success.threshold)
        if fitted_at is None and passes(value["train"], fitted.measure, fitted.threshold):
            fitted_at = steps
        if success.at == "final":
            learnt_at = steps if passed else None
        elif passed and learnt_at is None:
            learnt_at = steps
        gain = -value["validation"] if success.measure == "loss" else value["validation"]
        is_better = gain > best
        best = max(best, gain) if is_better else best
        waited = 0 if is_better or fitted_at is None else waited + 1
        out_of_patience = training.patience is not None and waited >= training.patience
        stops = training.stop_on_success and passed
        if (
            stops
            or out_of_patience
            or steps >= training.max_steps
            or math.isnan(value["validation"])
        ):
            break
    outcome = "not_fitted" if fitted_at is None else "not_generalised"
    return "learnt" if learnt_at is not None else outcome, steps, learnt_at, fitted_at


def test_every_verdict_is_that_of_a_loop_over_the_evidence(finished):
    study, _, blocks = finished
    for joined, rows in blocks:
        place = {pair: i for i, pair in enumerate(pairs_of(joined))}
        for row in rows.itertuples():
            i = place[row.seed, row.learning_rate]
            known = joined["numbers"].values[i, : int(joined["n_evaluations"].values[i])]
            found = row.outcome, row.n_steps, row.learnt_at, row.fitted_at
            found = tuple(None if pd.isna(value) else value for value in found)
            assert found == judged(known, int(joined["evaluate_every"]), study), row


def test_the_last_weights_of_what_is_not_fitted_contradict_no_label(finished):
    """A forward pass over the training set, without dropout; runs that diverged are left out."""
    study, _, blocks = finished
    n_tested = 0
    for joined, rows in blocks:
        chosen = rows[(rows["outcome"] == "not_fitted") & ~rows["diverged"]]
        if chosen.empty or chosen["budget"].iloc[0] == FRESH:
            continue
        cell = Cell(**{name: chosen[name].iloc[0] for name in CELL})
        if study.tasks[cell.task].source is not None:
            continue
        trained = view(joined, study.training.rule)
        model = model_of(specification_of(trained))
        place = {pair: i for i, pair in enumerate(pairs_of(trained))}
        for row in chosen.itertuples():
            weights = trained["parameters"].values[[place[row.seed, row.learning_rate]]]
            value = measured(study, cell, int(row.seed), model, torch.from_numpy(weights))
            fitted = study.training.fitted or study.training.success
            assert not passes(value, fitted.measure, fitted.threshold), row
            n_tested += 1
    assert n_tested or all((rows["outcome"] != "not_fitted").all() for _, rows in blocks)


def measured(study, cell, seed, model, weights):
    """Return the mean of the measure of fit over the training set, or the sample that is evaluated."""
    pool = pool_of(study, cell)
    symbols, lengths = pool.training(seed, 0, int(cell.budget))
    states = pool.task.stored_states(symbols, lengths)
    tokens, labels = pool.task.supervise(cell.supervision, symbols, states, lengths, pool.lengths)
    n = min(study.training.fitted_examples, len(tokens))
    sample = [i * len(tokens) // n for i in range(n)]
    tokens, labels = (torch.from_numpy(np.asarray(part)[sample]) for part in (tokens, labels))
    read_from = tokens.shape[1] - labels.shape[1]
    with torch.no_grad():
        logits = model.forward(model.views(weights), tokens[None].long(), read_from)[0].double()
    asked = labels != NO_LABEL
    measure = (study.training.fitted or study.training.success).measure
    if measure == "loss" and study.training.objective == "squared_error":
        errors = (torch.sigmoid(logits[..., 0]) - labels.double()) ** 2
        return float(errors[asked].mean())
    if measure == "loss":
        chances = logits.log_softmax(-1).gather(-1, labels.long().clamp_min(0)[..., None])[..., 0]
        return float(-chances[asked].mean())
    guess = (logits[..., 0] > 0).long() if logits.shape[-1] == 1 else logits.argmax(-1)
    right = (guess == labels) | ~asked
    return float(
        right.all(1).double().mean()
        if measure == "sequence_accuracy"
        else right[asked].double().mean()
    )


def test_the_table_of_verdicts_follows_from_cells_and_stores(finished):
    """For the rule of the study, cell by cell; p values and their adjustment are computed by hand."""
    study, folder, blocks = finished
    success = study.training.success
    table = read_table(folder / "tables/verdicts.csv", "verdicts")
    column = QUANTITIES.index((success.measure, "mean"))
    runs = []
    for joined, rows in blocks:
        place = {pair: i for i, pair in enumerate(pairs_of(joined))}
        for row in rows.itertuples():
            kept = (joined["kept_replicate"].values == place[row.seed, row.learning_rate]) & (
                joined["kept_step"].values == (-1 if pd.isna(row.learnt_at) else row.learnt_at)
            )
            share = (
                float(joined["test_numbers"].values[kept, column][0]) if kept.any() else math.nan
            )
            learnt = row.outcome == "learnt"
            assert not learnt or kept.any(), "the study asks for the weights at which a run learnt"
            runs.append([*(getattr(row, name) for name in CELL), learnt, share, row.test_of])
    runs = pd.DataFrame(runs, columns=[*CELL, "learnt", "share", "n"])
    if success.measure != "loss":
        known = runs[runs["learnt"]]
        p_values = {
            i: binomtest(
                math.ceil(row.share * row.n - 1e-3), row.n, success.threshold, alternative="less"
            ).pvalue
            for i, row in known.iterrows()
        }
        runs["flagged"] = False
        for rank, i in enumerate(sorted(p_values, key=p_values.get)):  # Holm: until one passes
            if p_values[i] * (len(p_values) - rank) > 0.05:
                break
            runs.loc[i, "flagged"] = True
    own = table[table["rule"] == "study"]
    assert set(table["rule"]) == {"study", "published", "strict"}
    for key, part in runs.groupby(CELL):
        (row,) = own[(own[CELL] == list(key)).all(axis=1)].to_dict("records")
        learnt = part[part["learnt"]]
        assert (row["n_replicates"], row["n_learnt"], row["n_unknown"]) == (
            len(part),
            len(learnt),
            0,
        )
        below = [not passes(s, success.measure, success.threshold) for s in learnt["share"]]
        assert row["n_below"] == sum(below)
        assert row["n_test"] == part["n"].min()
        if success.measure == "loss":
            assert pd.isna(row["n_flagged"])
        else:
            assert row["n_flagged"] == part["flagged"].sum()
    assert list(table.columns) == list(VERDICTS)
