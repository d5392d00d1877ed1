"""Scripts that draw and write of networks as functions: tables on disk in, figures and a page out."""

import pandas as pd
import pytest
from support.function_tables import (
    make_degrees,
    make_measured,
    make_profile,
    make_regressions,
    table,
)
from support.scripts import job_file, run_script
from support.sealed import seal_tables

from nstar.tables import write_table

JOB = {
    "figures": {"width_inches": 6.0, "dots_per_inch": 50},
    "settled_steps": 1000,
    "profile": True,
    "title": "A study",
}
FIGURES = ("growth", "tradeoff", "dynamics", "sensitivity", "degrees", "insensitive", "profiles")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return results with tables of two strata, the second of them with measures alone."""
    results = tmp_path_factory.mktemp("study") / "results"
    for folder in ("tables", "figures"):
        (results / folder).mkdir(parents=True)
    small = make_measured(models=["transformer"], lengths=[4, 22], seeds=[1, 2])
    measures = [small["measures"], small["measures"].assign(supervision="outcome")]
    tables = small | {
        "measures": pd.concat(measures),
        "degrees": make_degrees(),
        "regressions": make_regressions(["transformer"]),
        "shapes": table("shapes", []),
        "contrasts": table("contrasts", []),
        "sensitivity_profile": make_profile(small["measures"]),
        "insensitive": table("insensitive", []),
    }
    for name, rows in tables.items():
        write_table(results / "tables" / f"{name}.csv", name, rows)
    seal_tables(results)
    return results


def run(step, results, **job):
    told = job_file(results, step, JOB | job)
    return run_script("analyse_study.py", "functions." + step, "--results", results, "--job", told)


def test_every_figure_of_every_stratum_is_written(results):
    finished = run("draw_figures", results)

    assert finished.returncode == 0, finished.stderr
    assert {path.name for path in (results / "figures").iterdir()} == {
        f"{name}{stratum}.{ending}"
        for name in FIGURES
        for stratum in ("", "_outcome_fixed")
        for ending in ("svg", "png")
    }
    drawn = {name: (results / "figures" / f"{name}.svg").read_text() for name in FIGURES}
    assert all("was measured" not in drawn[name] for name in FIGURES)
    assert (
        "no degree profile was measured"
        in (results / "figures/degrees_outcome_fixed.svg").read_text()
    )


def test_the_page_is_written_with_what_was_fitted(results):
    finished = run("write_findings", results)

    assert finished.returncode == 0, finished.stderr
    page = (results / "findings.html").read_text()
    assert "<title>Findings: A study</title>" in page
    assert page.count("at this size the study shows that sharpness grows with n.") == 1  # parity


def test_a_missing_table_is_one_readable_line(tmp_path):
    finished = run("write_findings", tmp_path)

    assert finished.returncode == 1
    assert finished.stderr.startswith("error: table ") and "is missing" in finished.stderr
