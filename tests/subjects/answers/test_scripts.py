"""Scripts of a study of widths: tables on disk in; tables, figures and a page out."""

import pandas as pd
import pytest
from support.answer_tables import JOB, steps, table
from support.scripts import job_file, run_script
from support.sealed import seal_tables

from nstar.tables import write_table

FIGURES = ("width_accuracy", "widths", "operations", "locality")
DRAWN = {
    "figures": {"width_inches": 6.0, "dots_per_inch": 50},
    "names": FIGURES,
    "measure": "chain",
    "threshold": 0.9,
    "title": "A study",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return results with answers of two strata, one of them with localities, and what is fitted."""
    results = tmp_path_factory.mktemp("study") / "results"
    for folder in ("tables", "figures"):
        (results / folder).mkdir(parents=True)
    rows = steps(lambda n: n, (5, 10, 20), (4, 8, 16, 32))
    direct = table(rows).assign(supervision="outcome")
    for m in (1, 2):
        rows += steps(lambda n: 16, (20,), (8, 16), task=f"lis_{m}", locality=m)
    answers = pd.concat([table(rows), direct])
    write_table(results / "tables" / "answers.csv", "answers", answers)
    seal_tables(results)
    assert run("fit_widths", results, JOB).returncode == 0
    return results


def run(step, results, job):
    told = job_file(results, step, job)
    return run_script("analyse_study.py", "answers." + step, "--results", results, "--job", told)


def test_every_figure_of_every_stratum_is_written(results):
    finished = run("draw_answers", results, DRAWN)
    assert finished.returncode == 0, finished.stderr
    assert {path.name for path in (results / "figures").iterdir()} == {
        f"{name}_{stratum}_fixed.{ending}"
        for name in FIGURES
        for stratum in ("chain_of_thought", "outcome")
        for ending in ("svg", "png")
    }


def test_the_page_is_written_with_what_was_fitted(results):
    finished = run("write_answers", results, DRAWN)
    assert finished.returncode == 0, finished.stderr
    page = (results / "answers.html").read_text()
    assert "How it grows" in page and "Chain of thought, fixed lengths" in page
