"""The workflow, run by snakemake: from a configuration to tables, and what a change makes again."""

import json
import os
import re
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import xarray as xr
import yaml
from support.studies import EXTREMES, JOINED, changed, tiny
from support.workflow import (
    LAST_OF_TABLES,
    ROOT,
    STABLE_TABLES,
    make_run,
    snakemake,
    snakemake_afresh,
    write_config,
)

from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.subjects.demand.subject import DEMAND
from nstar.tables import read_table

ASKED = "supervision~aligned/length_distribution~fixed"


def planned(folder, study, run=snakemake):
    """Return the rules that a dry run would start, without their coordinates, and the cells."""
    write_config(folder, study)
    shown = run(folder, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    text = shown.stdout + shown.stderr
    rules = re.findall(r"^([\w-]+) +\d+$", text, flags=re.MULTILINE)
    missing = re.findall(r"Missing output files: (.*?)(?:; |\n)", text)
    files = {path for line in missing for path in line.split(", ")}
    cells = {path for path in files if path.startswith("results/cells/")}
    return {name for name in ALL for rule in rules if rule.startswith(name)}, cells


AFTER_CELLS = {
    *("collect_results", "fit_exponents", "compare_curves"),
    *("draw_figures", "write_findings"),
}
METHODS = {"write_methods"}  # of another configuration, whatever it has
ALL = {"generate_data", "train_cells", "evaluate_cells", *AFTER_CELLS, *METHODS}


def test_second_run_does_nothing(folder):
    again = snakemake(folder)
    assert "Nothing to be done" in again.stdout + again.stderr


def test_a_table_as_target_names_its_rule_and_a_configuration_is_no_target(folder):
    table, config = (f"results/studies/tiny/{name}" for name in ("tables/cells.csv", "config.json"))
    refused = snakemake(folder, table)
    assert refused.returncode == 1
    assert f"error: {table} is not a target; the rule collect_results makes it" in refused.stderr
    study = json.loads((folder / config).read_text())
    (folder / config).write_text(json.dumps(study | {"title": "plain"}))
    planned = snakemake(folder, "-n", "--configfile", config)
    assert planned.returncode == 0, planned.stderr


@pytest.mark.parametrize(
    ("change", "rules", "coordinates"),
    [
        (
            {"grid.0.lengths": [4, 5, 6, 7]},
            ALL,
            {f"dense_ssm length~7/budget~{budget}" for budget in (2, 4, 8)},
        ),
        (
            {"grid.1.budgets": [2, 8, 10]},
            ALL - {"generate_data"},
            {f"transformer length~{length}/budget~10" for length in (4, 5)},
        ),
        (
            {"models.lstm": {"kind": "lstm", "width": 8}, "grid.1.models": ["attention", "lstm"]},
            ALL - {"generate_data"},
            {f"lstm length~{length}/budget~{budget}" for length in (4, 5) for budget in (2, 8)},
        ),
        (
            {"replicates.seeds": [0, 1, 7]},
            ALL,
            {f"dense_ssm length~{n}/budget~{b}/seeds~7" for n in (4, 5, 6) for b in (2, 4, 8)}
            | {f"transformer length~{n}/budget~{b}/seeds~7" for n in (4, 5) for b in (2, 8)},
        ),
    ],
    ids=["length", "budget", "model", "seed"],
)
def test_dry_run_lists_exactly_the_new_cells(folder, change, rules, coordinates):
    found, cells = planned(folder, changed(EXTREMES, **change))
    assert found == rules
    assert len(cells) == len(coordinates)
    for wanted in coordinates:
        kind, path = wanted.split()
        part = rf"results/cells/model~{kind}-\w+/task~modular_addition-\w+/{ASKED}/{path}/"
        assert sum(bool(re.match(part, cell)) for cell in cells) == 1, wanted


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({"replicates.learning_rates": [0.02]}, ALL - {"generate_data"}),
        ({"training.max_steps": 120}, ALL - {"generate_data"}),
        ({"evaluation.test_examples": 60}, ALL - {"train_cells"}),
        ({"fit.confidence": 0.9}, AFTER_CELLS - {"collect_results"} | METHODS),
        ({"fit.bootstrap_replicates": 200}, AFTER_CELLS - {"collect_results"} | METHODS),
        ({"figures.width_inches": 6.0}, {"draw_figures"}),
        ({"grid.0.lengths": [4, 5]}, AFTER_CELLS | METHODS),
        ({"title": "Another title"}, {"write_findings"} | METHODS),
        ({"device": "cpu"}, set()),
    ],
    ids=[
        "learning rate",
        "steps",
        "evaluation",
        "fit",
        "bootstrap",
        "figure",
        "fewer lengths",
        "title",
        "device",
    ],
)
def test_what_a_change_makes_again(folder, change, rules):
    assert planned(folder, changed(EXTREMES, **change))[0] == rules


def test_dry_run_and_plan_agree_store_by_store(folder):
    study = changed(EXTREMES, **{"replicates.seeds": [0, 1, 7], "grid.0.budgets": [2, 4, 8, 10]})
    write_config(folder, study | {"jobs": {}})  # a job per curve
    shown = snakemake(folder, "--dry-run")
    missing = re.findall(r"Missing output files: (.*?)(?:; |\n)", shown.stdout + shown.stderr)
    files = {path for line in missing for path in line.split(", ")}
    stores = {path for path in files if path.endswith(".zarr.zip")}
    command = [sys.executable, ROOT / "scripts/plan_study.py", "--json"]
    planned = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    found = json.loads(planned.stdout)
    assert {path for job in found["jobs"] for path in job["stores"]} == stores
    rules = re.findall(r"^([\w-]+) +1$", shown.stdout + shown.stderr, flags=re.MULTILINE)
    assert {job["rule"] for job in found["jobs"]} <= set(rules)
    assert found["totals"]["cells_missing"] == 13 + 3  # all are short of seed 7; a budget is new
    assert sum(path.startswith("results/cells/") for path in stores) == 13 + 3


def test_touching_every_file_retrains_nothing(folder):
    for path in folder.joinpath("results").rglob("*"):
        os.utime(path)
    assert not planned(folder, EXTREMES)[0]


def test_editing_the_code_and_touching_all_of_it_retrains_nothing(folder, tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    for part in ("workflow", "scripts"):
        shutil.copytree(ROOT / part, checkout / part)
    shutil.copy(ROOT / "Snakefile", checkout)
    for path in [path for path in checkout.rglob("*") if path.suffix in (".py", ".smk")]:
        path.write_text(path.read_text() + "\n# a comment\n")
    monkeypatch.setenv("PYTHONPATH", str(checkout / "workflow"))
    shown = snakemake_afresh(folder, "--snakefile", checkout / "Snakefile", "--dry-run")
    assert "Nothing to be done" in shown.stdout + shown.stderr


def test_a_copy_without_the_memory_of_snakemake_is_the_same_study_and_no_other(folder):
    shutil.rmtree(folder / ".snakemake")
    assert not planned(folder, EXTREMES)[0]
    edited = changed(EXTREMES, **{"replicates.seeds": [0], "fit.confidence": 0.5})
    assert planned(folder, edited)[0] == AFTER_CELLS | METHODS
    refused = snakemake(folder, "all", "--report", "report.html")
    assert refused.returncode == 1 and not (folder / "report.html").exists()
    assert "the files of collect_results are not those of the study" in refused.stderr
    edit = folder / "results/studies/tiny/tables/exponents.csv"
    edit.write_text(edit.read_text().replace("0.", "9.", 1))
    assert planned(folder, EXTREMES)[0] == AFTER_CELLS - {"collect_results"}


def test_lost_cell_is_made_again_alone(folder):
    lost = next(
        folder.glob(f"results/cells/model~dense_ssm-*/*/{ASKED}/length~5/budget~4/*/*/*.zip")
    )
    lost.unlink()
    rules, cells = planned(folder, EXTREMES)
    assert rules == {"train_cells", "evaluate_cells", *AFTER_CELLS}  # its ends are not known yet
    assert cells == {str(lost.relative_to(folder))}


def test_dry_run_imports_no_torch(folder, tmp_path, monkeypatch):
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "torch.py").write_text("raise SystemExit('torch was imported')")
    monkeypatch.setenv("PYTHONPATH", str(trap), prepend=os.pathsep)
    study = changed(EXTREMES, **{"training.max_steps": 120})
    assert "train_cells" in planned(folder, study, snakemake_afresh)[0]


def link_results(folder, target):
    """Make `results` of a run a symbolic link, as to a larger disk."""
    results = folder / "results"
    if results.exists():
        results.rename(target)
    else:
        target.mkdir()
        folder.mkdir()
    results.symlink_to(target)


def test_tables_and_figures_that_are_lost_come_back_the_same(folder, finished):
    figure = "results/studies/tiny/figures/demand.svg"
    for part in ("tables", "figures"):
        shutil.rmtree(folder / "results/studies/tiny" / part)
    make_run(folder, EXTREMES, LAST_OF_TABLES, "draw_figures")
    for path in (*STABLE_TABLES, figure):
        assert (finished / path).read_bytes() == (folder / path).read_bytes(), path
    stores = [
        xr.open_zarr(run / "results/studies/tiny/tables/study.zarr").load()
        for run in (finished, folder)
    ]
    xr.testing.assert_identical(*stores)


def test_extended_study_is_finished_and_equals_the_same_study_from_scratch(folder, tmp_path):
    study = changed(EXTREMES, **{"replicates.seeds": [0, 1, 7], "grid.0.budgets": [2, 4, 6, 8]})
    link_results(folder, tmp_path / "elsewhere")
    link_results(tmp_path / "scratch", tmp_path / "further")
    extended = make_run(folder, study)
    again = snakemake(folder)
    assert "Nothing to be done" in again.stdout + again.stderr
    scratch = make_run(tmp_path / "scratch", study, LAST_OF_TABLES)
    tables = [
        read_table(run / "results/studies/tiny/tables/cells.csv", "cells")
        for run in (extended, scratch)
    ]
    keys = ["model", "task", "length", "budget", "seed", "learning_rate"]
    tables = [
        t.drop(columns=["store", "evaluation_store"]).sort_values(keys, ignore_index=True)
        for t in tables
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    for name in ("thresholds.csv", "exponents.csv", "checks.csv", "demand.csv"):
        first, second = (run / "results/studies/tiny/tables" / name for run in (extended, scratch))
        assert first.read_bytes() == second.read_bytes()


def test_tables_hold_every_replicate_and_every_column(finished):
    tables = finished / "results/studies/tiny/tables"
    cells = read_table(tables / "cells.csv", "cells")
    assert len(cells) == (9 + 4) * 4
    pd.testing.assert_frame_equal(cells, read_table(tables / "cells.parquet", "cells"))
    without_streams = [name for name in DEMAND.tables if name != "variance_components"]
    for name in ("cells", "provenance", *without_streams):
        read_table(tables / f"{name}.csv", name)


def test_extremes_go_through_to_the_report_visibly_marked(finished):
    tables = finished / "results/studies/tiny/tables"
    cells = read_table(tables / "cells.csv", "cells")
    assert (cells["diverged"] == (cells["learning_rate"] == 1e20)).all()
    assert (cells.loc[cells["diverged"], "outcome"] == "not_fitted").all()
    thresholds = read_table(tables / "thresholds.csv", "thresholds")
    assert {"left", "right"} <= set(thresholds["censoring"])
    assert (thresholds["n_diverged"] > 0).all()
    accuracies = [name for name in cells if name.endswith("accuracy")]
    assert cells.loc[cells["diverged"], accuracies].isna().all(axis=None)
    page = (finished / "results/studies/tiny/findings.html").read_text()
    for heading in ("Right-censored", "Left-censored", "Diverged", "Not identified"):
        assert f"{heading}: none" not in page, heading
    assert "learning rate 1e+20" in page


def test_evaluation_finds_what_training_saw(finished):
    cells = read_table(finished / "results/studies/tiny/tables/cells.csv", "cells")
    learnt = cells[cells["outcome"] == "learnt"]  # these stop at the evaluation that passes
    assert len(learnt) > 5
    for name in ("validation_sequence_accuracy", "validation_token_accuracy"):
        pd.testing.assert_series_equal(learnt[name], learnt[f"best_{name}"], check_names=False)


def test_refits_of_the_tutorial_run(finished):
    (naive, full, *_) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/tutorial.md").read_text(), re.DOTALL
    )
    for code, words in ((naive, "dense {"), (full, "dense Coefficient(name='length'")):
        code = code.replace("aligned_addition", "tiny")
        shown = subprocess.run(
            [sys.executable, "-c", code], cwd=finished, capture_output=True, text=True, check=True
        )
        assert words in shown.stdout


def test_study_store_opens_with_names_and_units(finished, recwarn):
    store = xr.open_zarr(finished / "results/studies/tiny/tables/study.zarr", chunks=None)
    assert not [str(warning.message) for warning in recwarn.list]
    for name, variable in store.variables.items():
        assert variable.attrs["long_name"] and variable.attrs["units"], name
    cells = read_table(finished / "results/studies/tiny/tables/cells.csv", "cells")
    assert store.sizes["replicate"] == len(cells)
    assert (store["learning_rate"].values == cells["learning_rate"]).all()


def test_every_number_leads_back_to_its_store(finished):
    cells = read_table(finished / "results/studies/tiny/tables/cells.csv", "cells")
    for row in cells.itertuples():
        assert (finished / row.store).is_file() and row.specification in row.store
        assert (finished / row.evaluation_store).is_file()
    sources = read_table(finished / "results/studies/tiny/tables/provenance.csv", "provenance")
    assert set(sources["store"]) == set(cells["store"])
    assert (sources["commit"] != "").all() and (sources["device"] != "").all()


def test_wrong_configuration_stops_before_any_job(tmp_path):
    wrong = changed(EXTREMES, **{"training.max_step": 5, "grid.0.budgets": [2, 400]})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(wrong))
    stopped = snakemake(tmp_path)
    assert stopped.returncode == 1
    text = stopped.stdout + stopped.stderr
    assert "training.max_step: unknown key" in text and "did you mean max_steps?" in text
    assert "budget 400 does not exist" in text
    assert "Traceback" not in text
    assert not (tmp_path / "results").exists()


def test_damaged_cell_is_named_with_its_repair(folder, finished):
    victim = next(
        folder.glob(f"results/cells/model~dense_ssm-*/*/{ASKED}/length~5/budget~4/*/*/*.zip")
    )
    victim.write_bytes(victim.read_bytes()[:200])
    table = "results/studies/tiny/tables/cells.csv"
    (folder / table).unlink()
    failed = snakemake(folder)
    text = failed.stdout + failed.stderr
    name = str(victim.relative_to(folder))
    assert failed.returncode == 1
    assert f"error: store {name} is damaged" in text and f"--repair -- '{name}'" in text
    victim.unlink()
    make_run(folder, EXTREMES, "collect_results")
    assert (folder / table).read_bytes() == (finished / table).read_bytes()


def test_search_ends_after_some_runs_with_a_part_of_the_grid(tmp_path):
    """Every run makes one round; tables come with the last; the cells are those of the whole grid."""
    study = tiny(
        models={"dense": {"kind": "dense_ssm", "width": 8}},
        **{
            "grid.0": {"lengths": [7, 9], "budgets": {"smallest": 1, "largest": 64}},
            "search": "bracket",
            "jobs": JOINED,
        },
    )
    write_config(tmp_path, study)
    n_runs, text = 0, ""
    while n_runs < 9:
        n_runs, previous = n_runs + 1, text
        process = snakemake(tmp_path)
        text = process.stdout + process.stderr
        assert process.returncode == 0, text
        if "run the same command again" not in text:
            break
        assert not (tmp_path / "results/studies/tiny/tables").exists()
    assert "next: tables" in previous
    assert 3 <= n_runs <= 6
    cells = read_table(tmp_path / "results/studies/tiny/tables/cells.csv", "cells")
    counts = cells.groupby("length")["budget"].nunique()
    assert (counts < 7).all() and (counts >= 4).all()
    assert set(planned(tmp_path, study)[0]) == set()
    whole = make_plan(load_study(study | {"search": "all"}), "results")
    stores = {whole.stores.cell(block) for block in whole.blocks}
    assert set(cells["store"]) < stores and len(stores) == 2 * 7
