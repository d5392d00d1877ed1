"""What is made of the stores is made again when it is not what the study asks for, and only then."""

import json
import shutil
from pathlib import Path

import pytest
from support.evidence import learns_at, make
from support.sealed import seal_study
from support.studies import changed, tiny

from nstar.files import written_whole
from nstar.files.seals import note_written, sealing
from nstar.jobs.derived_files import check_derived
from nstar.plan.derived import derived_steps
from nstar.plan.forecast import forecast
from nstar.plan.forecast_text import as_text
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study

STUDY = tiny(title="A study")
TEXTS = {"write_methods", "write_findings"}
AFTER = {"fit_exponents", "compare_curves", "draw_figures", "write_findings"}


@pytest.fixture
def results(tmp_path):
    """Return a results folder with headers of all stores, and sealed files that are empty."""
    results = tmp_path / "results"
    make(make_plan(load_study(STUDY), results), lambda *_: learns_at(30, 2))
    for study in (STUDY, STUDY | {"name": "other"}):
        folder = seal_study(make_plan(load_study(study), results))
        (folder / "logs").mkdir()
        (folder / "logs/fit.log").write_text("in no seal")
    return results


def plan_of(results, **changes):
    return make_plan(load_study(changed(STUDY, **changes)), results)


def stale(results, **changes):
    """Return the steps that a study has to run, with the reasons."""
    steps = derived_steps(plan_of(results, **changes)).values()
    return {step.name: step.stale for step in steps if step.stale}


def problems(results):
    return [problem.text for _, problem in check_derived(results) if problem]


def flip_bit(path):
    content = bytearray(path.read_bytes() or b"\0")
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


WRITTEN = ("checkpoints/a.pt", "jobs/a.json", "studies/tiny/seals/a.json", "studies/tiny/a.html")


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_that_is_being_written_is_no_problem(name, results):
    with written_whole(results / name) as temporary:
        temporary.write_text("half")
        assert problems(results) == []


def test_a_copy_without_any_memory_is_up_to_date(results, tmp_path):
    shutil.copytree(results, tmp_path / "elsewhere/results")
    assert stale(tmp_path / "elsewhere/results") == {}
    assert problems(tmp_path / "elsewhere/results") == []


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        ({"title": "Another"}, {"write_config", *TEXTS}),
        ({"figures.width_inches": 6.0}, {"write_config", "draw_figures"}),
        ({"fit.confidence": 0.9}, {"write_config", "write_methods", *AFTER}),
        ({"replicates.seeds": [0]}, {"collect_results", "write_config", "write_methods", *AFTER}),
        ({"device": "cpu", "jobs.shortest_minutes": 3.0}, set()),
    ],
    ids=["title", "figure", "fit", "seeds", "device"],
)
def test_an_edited_study_makes_again_what_depends_on_it(change, steps, results):
    assert stale(results, **change).keys() == steps


def test_seals_of_another_configuration_have_other_names(results):
    steps = [derived_steps(plan_of(results, **change)) for change in ({}, {"title": "Another"})]
    assert [Path(one["write_findings"].seal).exists() for one in steps] == [True, False]
    assert steps[0]["fit_exponents"].seal == steps[1]["fit_exponents"].seal


DAMAGE = {
    "tables/cells.parquet": "collect_results",
    "tables/provenance.csv": "collect_results",
    "tables/study.zarr/zarr.json": "collect_results",
    "tables/exponents.csv": "fit_exponents",
    "tables/fits.json": "fit_exponents",
    "figures/demand.svg": "draw_figures",
    "figures/demand.png": "draw_figures",
    "findings.html": "write_findings",
    "methods.html": "write_methods",
    "config.json": "write_config",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_is_named_and_made_again(name, results):
    flip_bit(results / "studies/tiny" / name)
    named = name.replace("/zarr.json", "")
    reasons = stale(results)
    assert reasons[DAMAGE[name]] == f"{named} was edited or damaged after it was made"
    assert stale(results, name="other") == {}
    (problem,) = problems(results)
    assert f"{results}/studies/tiny/{named} was edited or damaged" in problem
    step = derived_steps(plan_of(results))[DAMAGE[name]]
    assert not Path(step.seal).exists()  # a missing output: its rule runs
    seal_study(plan_of(results))
    assert stale(results) == {} and problems(results) == []


def test_two_exchanged_files_are_named(results):
    folder = results / "studies/tiny/tables"
    for name in ("ratios", "steps"):
        (folder / f"{name}.csv").write_text(name)
    seal_study(plan_of(results))
    for old, new in (("ratios", "x"), ("steps", "ratios"), ("x", "steps")):
        (folder / f"{old}.csv").rename(folder / f"{new}.csv")
    assert len(problems(results)) == 2
    assert "was edited" in stale(results)["compare_curves"]


@pytest.mark.parametrize("damage", [flip_bit, Path.unlink, lambda path: path.write_text("[]")])
def test_a_lost_or_damaged_seal_seals_nothing(damage, results):
    (path,) = results.glob("studies/tiny/seals/fit_exponents-*.json")
    damage(path)
    assert stale(results)["fit_exponents"] == "tables/exponents.parquet has no seal"
    assert any("exponents.parquet has no seal" in problem for problem in problems(results))


def test_the_folder_of_another_study_is_named(results):
    shutil.rmtree(results / "studies/other")
    shutil.copytree(results / "studies/tiny", results / "studies/other")
    assert stale(results, name="other")["collect_results"] == "made for study tiny"
    (problem,) = problems(results)
    assert "other holds study tiny" in problem


def test_a_seal_of_a_step_that_the_study_does_not_have_is_named(results):
    with sealing(results / "studies/tiny", "fit_widths-0123456789ab"):
        (results / "studies/tiny/tables/widths.csv").write_text("1")
        note_written(results / "studies/tiny/tables/widths.csv")
    seal, table = problems(results)
    assert "fit_widths-0123456789ab.json is of a step that the study does not have" in seal
    assert "tables/widths.csv is of a step that the study does not have" in table


def test_a_file_that_no_step_made_is_named(results):
    (results / "studies/tiny/tables/mine.csv").write_text("1")
    (problem,) = problems(results)
    assert "mine.csv was made by no step of this study" in problem and "--repair" in problem


def test_tables_of_stores_that_were_made_anew_are_stale(results, monkeypatch):
    plan = plan_of(results)
    path = next(iter(plan.stores.checksums))
    monkeypatch.setitem(plan.stores.checksums, path, "of other content")
    assert derived_steps(plan)["collect_results"].stale == "its stores changed"


def test_files_without_their_stores_are_good(results):
    shutil.rmtree(results / "cells")
    assert problems(results) == []


def test_a_config_that_contradicts_the_tables_is_named(results):
    """As an interrupted run of an edited study leaves it."""
    edited = plan_of(results, **{"fit.confidence": 0.9})
    (results / "studies/tiny/config.json").write_text(
        json.dumps(derived_steps(edited)["write_config"].job.work["study"])
    )
    found = problems(results)
    assert len(found) == 1 and "config.json was edited" in found[0]


def test_files_of_jobs_and_checkpoints_are_checked(results):
    (results / "jobs").mkdir()
    (results / "jobs/collect_results-0123456789ab.json").write_text('{"work": {}}')
    (results / "checkpoints").mkdir()
    (results / "checkpoints/0123456789ab-cpu.pt").write_bytes(b"not one")
    assert len(problems(results)) == 2


def test_a_plan_says_what_the_tables_are_of(results):
    def said(**changes):
        plan = plan_of(results, **changes)
        return as_text(forecast(plan, plan_jobs(plan)))

    assert "are up to date; the report is not: not made yet" in said()
    assert "/studies/third: not made yet" in said(name="third")
    text = said(**{"fit.confidence": 0.9})
    assert "/studies/tiny are of another study; a run makes again:" in text
    assert "  draw_figures: tables/" in text
    (results / "tables").mkdir()
    assert f"{results}/tables: of the layout before results/studies/" in said()
