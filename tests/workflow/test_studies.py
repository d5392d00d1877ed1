"""The smoke studies go through the workflow to their figures: every supervision, every measure.

What they train is shortened, and where several curves show the same, one of them is trained: which
numbers come out is no matter here.
"""

import pytest
from support.studies import JOINED, changed, study_in
from support.workflow import ROOT, make_run, snakemake, write_config

from nstar.reading.file import read_config
from nstar.subjects.registry import SUBJECTS
from nstar.tables import read_table
from nstar.tasks import LENGTH_DISTRIBUTIONS, SUPERVISIONS


def shortened(name, max_steps, **changes):
    """Return a study of `workflow/studies` with fewer steps and a short bootstrap."""
    study = read_config(ROOT / f"workflow/studies/{name}.yaml")
    short = {"training.max_steps": max_steps, "fit.bootstrap_replicates": 100, "jobs": JOINED}
    return changed(study, **short, **changes)


def read_all(results, subject):
    """Return all tables of a subject by name, but for what needs streams."""
    (names,) = (one.tables for one in SUBJECTS if one.name == subject)
    names = [name for name in names if name != "variance_components"]
    return {name: read_table(results / f"tables/{name}.csv", name) for name in names}


def test_smoke_study_of_demand_runs_to_its_figures(tmp_path):
    of_each = {"models": ["transformer", "lstm"], "budgets": [4, 16]}
    strata = [  # every supervision, every distribution, and a mixture of lengths beside its lengths
        *(("aligned", "fixed", [3, 4]), ("aligned", "uniform", [4])),
        *(("outcome", "fixed", [3, 4]), ("chain_of_thought", "short_to_long", [4])),
    ]
    grid = [
        {**of_each, "supervisions": [asked], "length_distributions": [mix], "lengths": lengths}
        for asked, mix, lengths in strata
    ]
    changes = {"training.evaluate_every": 20, "grid": grid}
    study = shortened("induction_bias_smoke", 40, **changes)
    run = make_run(tmp_path / "run", study)
    results = study_in(run / "results")
    cells = read_table(results / "tables/cells.parquet", "cells")
    assert set(cells["supervision"]) == set(SUPERVISIONS)
    assert set(cells["length_distribution"]) == set(LENGTH_DISTRIBUTIONS)
    assert read_table(results / "tables/longer.csv", "longer")["above_chance"].notna().all()
    assert len(read_table(results / "tables/sharing.csv", "sharing")) == 2 * 2 * 2
    drawn = {path.stem for path in (results / "figures").glob("*.svg")}
    assert {"sharing", "demand", "demand_aligned_uniform"} <= drawn
    assert len(drawn) == 1 + 7 * len(strata)
    assert ">Comparisons<" in (results / "findings.html").read_text()
    again = snakemake(run, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_smoke_study_of_functions_runs_to_its_figures(tmp_path):
    outcome, chain = {"supervisions": ["outcome"]}, {"supervisions": ["chain_of_thought"]}
    uniform = {"length_distributions": ["uniform"]}
    curves = [
        (["encoder", "lstm"], ["parity"], [3, 4, 6], "fresh", outcome),
        (["encoder"], ["majority", "mean"], [4], "fresh", outcome),
        (["encoder_without_decay"], ["parity"], [4], "fresh", outcome),
        (["decoder", "encoder_decoder"], ["parity"], [3], "fresh", chain),
        (["lstm"], ["majority"], [6], "fresh", outcome | uniform),
        (["encoder"], ["random"], [6], [32], outcome),
        (["encoder"], ["random", "learnt_32"], [6], "fresh", outcome),
    ]
    names = ("models", "tasks", "lengths", "budgets")
    grid = [dict(zip(names, curve, strict=False)) | curve[-1] for curve in curves]
    study = shortened("sensitivity_smoke", 100, **{"training.snapshot_every": 20, "grid": grid})
    run = make_run(tmp_path / "run", study)
    results = study_in(run / "results")
    tables = read_all(results, "functions")
    measures = tables["measures"]
    assert len(measures) == 5 * len(measures[measures["final"]]) == 15 * 2 * 5
    assert (
        measures.drop(columns="converged_at")[measures["model"] == "encoder"].notna().all(axis=None)
    )
    learnt = measures[measures["task"] == "learnt_32"]
    assert (learnt["source_outcome"] != "").all() and learnt["target_sensitivity"].nunique() == 2
    assert {"growth", "tradeoff", "sensitivity"} <= set(tables["regressions"]["regression"])
    drawn = {path.stem for path in (results / "figures").glob("*.svg")}
    assert {"growth_outcome_fixed", "dynamics_chain_of_thought_fixed"} <= drawn
    assert len(drawn) == 5 * 3
    assert not (results / "tables/thresholds.csv").exists()
    assert "as functions" in (results / "findings.html").read_text()
    again = snakemake(run, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


def test_smoke_study_of_answers_runs_to_its_figures(tmp_path):
    fewer = {"grid.0.lengths": [2], "grid.2.lengths": [3, 4]}
    study = shortened("efficient_transformers_smoke", 20, **fewer)
    run = make_run(tmp_path / "run", study)
    results = study_in(run / "results")
    tables = read_all(results, "answers")
    answers = tables["answers"]
    assert len(answers) == 2 * (6 * (2 + 1 + 2 * 2) + 2)
    assert set(answers["family"]) == {"standard", "linear", "sparse"}
    numbers = ["answer_accuracy", "chain_accuracy", "end_rate", "forward_flops", "chance"]
    assert answers[numbers].notna().all(axis=None)
    of_subsequences = answers[answers["locality"].notna()]
    assert (of_subsequences["n_tokens"] == 2 * of_subsequences["length"] + 3).all()
    assert set(tables["width_exponents"]["covariate"]) == {"n_tokens", "length", "locality"}
    drawn = {path.stem for path in (results / "figures").glob("*.svg")}
    assert {"width_accuracy_outcome_fixed", "locality_chain_of_thought_fixed"} <= drawn
    assert {"demand_outcome_fixed", "exponents_chain_of_thought_fixed"} <= drawn
    assert len(drawn) == (4 + 4) * 2
    assert "Width needed" in (results / "answers.html").read_text()
    assert "D* of every curve" in (results / "findings.html").read_text()
    demand = read_all(results, "demand")
    of_several_lengths = {"lis_1", "lis_2"}
    assert set(demand["forms"]["task"]) == of_several_lengths
    assert set(demand["exponents"]["task"]) == set(study["tasks"])
    keys = ["task", "supervision", "length", "seed"]
    by_seed = demand["thresholds"].query("rule == 'seed'")
    widths = tables["widths"].query("rule == 'seed' and measure == 'answer' and threshold == 0.9")
    found, own = (
        table.rename(columns={"family": "model"}).set_index(["model", *keys])["lower"].sort_index()
        for table in (by_seed, widths)
    )
    assert found.equals(own)
    again = snakemake(run, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.long
@pytest.mark.parametrize("subject", ["induction_bias", "sensitivity", "efficient_transformers"])
def test_smoke_studies_run_as_they_are(subject, tmp_path):
    study = read_config(ROOT / f"workflow/studies/{subject}_smoke.yaml")
    run = make_run(tmp_path / "run", study)
    again = snakemake(run, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr


@pytest.mark.parametrize(
    ("name", "symbol", "models", "fewer"),
    [
        (
            *("least_width_two_cores", "D*", {"lstm"}),
            {"models.lstm.width": [2, 4, 8, 16, 32], "grid.0.lengths": [4, 6]},
        ),
        ("least_depth_two_cores", "K*", {"transformer"}, {}),
        (
            *("least_steps_two_cores", "S*", {"lstm", "dense_ssm"}),
            {"grid.0.lengths": [4, 6, 8], "replicates.seeds": [0, 1]},
        ),
        ("chain_data_two_cores", "N*", {"transformer"}, {"grid.0.budgets": [16, 64]}),
    ],
)
def test_studies_of_other_demands_run_to_their_reports(name, symbol, models, fewer, tmp_path):
    run = tmp_path / "run"
    write_config(run, shortened(name, 100, **fewer))
    for _ in range(8):  # rounds of a search
        finished = snakemake(run)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        if "run the same command again" not in finished.stderr:
            break
    results = study_in(run / "results")
    demand = read_table(results / "tables/demand.csv", "demand")
    assert set(demand["model"]) == models
    assert (demand["censoring"] != "unknown").all()
    page = (results / "findings.html").read_text()
    assert symbol in page and ("N*" in page) == (symbol == "N*")
    if name == "least_width_two_cores":
        assert snakemake(run, "--report", "report.html").returncode == 0
        assert "what width D*" in (run / "report.html").read_text()
