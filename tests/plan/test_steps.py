"""What scripts are told, in files that are named by their content."""

import json

import pytest
from support.scripts import job_file, run_script
from support.studies import QUESTIONS, tiny

from nstar.errors import ArtifactError
from nstar.plan.job_files import read_job_file, read_work
from nstar.plan.steps import step_jobs
from nstar.reading.check import load_study


def steps(**changes):
    return step_jobs(load_study(tiny(**changes)))


def changed_by(**changes):
    """Return the steps that a change of the tiny study concerns."""
    before, after = steps(), steps(**changes)
    return {name for name in before if before[name].rule != after[name].rule}


def test_every_step_is_read_as_it_was_saved(tmp_path):
    for study in (tiny(), QUESTIONS):
        for name, job in step_jobs(load_study(study)).items():
            job.save(tmp_path)
            assert json.dumps(read_work(job.path(tmp_path), name)) == json.dumps(job.work)


def test_a_step_is_another_job_where_it_depends_on_what_was_changed():
    assert changed_by(device="cpu") == {"write_config"}
    assert changed_by(**{"figures.width_inches": 6.0}) == {"write_config", "draw_figures"}
    title = {"write_config", "write_methods", "collect_results", "write_findings"}
    assert changed_by(title="Another title") == title


def test_the_order_of_a_configuration_counts():
    models = tiny()["models"]
    assert "collect_results" in changed_by(models=dict(reversed(models.items())))


def test_a_study_of_a_thousand_entries_is_told_by_a_short_argument(tmp_path):
    """The parts of the study are longer than any argument that the kernel passes."""
    entries = [{"lengths": [4 + i], "budgets": [2, 4, 8]} for i in range(1000)]
    told = steps(grid=entries)["collect_results"]
    assert len(json.dumps(told.work)) > 131_072
    assert len(str(told.path("results"))) < 100


def broken(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "text", ["", "{}", "{not json", "[]", "3", '{"work": {}}', '{"work": 7}', "[" * 100_000]
)
def test_a_file_that_does_not_hold_its_job_is_refused_by_name(text, tmp_path):
    path = job_file(tmp_path, "collect_results", {"study": {}})
    process = run_script("collect_results.py", "--job", broken(path, text), folder=tmp_path)
    assert process.returncode == 1
    assert process.stderr.startswith(f"error: job {path} is damaged")


def test_an_edited_job_is_refused(tmp_path):
    path = job_file(tmp_path, "train_cells", {"budget": 8})
    with pytest.raises(ArtifactError, match="does not hold what its name says"):
        read_job_file(broken(path, path.read_text().replace("8", "9")))


@pytest.mark.parametrize("job", ["{}", "nowhere.json", "a" * 300, "."])
def test_no_file_of_a_job(job, tmp_path):
    process = run_script("train_cells.py", "--job", job, folder=tmp_path)
    assert process.returncode == 1
    assert process.stderr.startswith("error: ") and job in process.stderr


def test_the_job_of_another_script_is_refused(tmp_path):
    path = job_file(tmp_path, "train_cells", {"curves": []})
    process = run_script("collect_results.py", "--job", path)
    assert process.returncode == 1
    assert "is not one of collect_results; give a file results/jobs/collect_results-*" in (
        process.stderr
    )
