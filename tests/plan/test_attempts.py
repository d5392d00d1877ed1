"""Attempts of a job: what each asks a scheduler for, and when the job gives up."""

import dataclasses

import pytest
import torch
from support.studies import tiny

from nstar.cells.paths import checkpoint_path
from nstar.jobs.training import _Curve
from nstar.plan.attempts import Retries, list_checkpoints, why_it_gives_up
from nstar.plan.forecast import forecast
from nstar.plan.forecast_text import as_text
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.training.checkpoint import save_checkpoint
from nstar.training.state import initial_state

MINUTE, CENTURY = 60.0, 3.2e9


@pytest.fixture
def planned(tmp_path):
    return plan_jobs(make_plan(load_study(tiny()), tmp_path))


@pytest.mark.parametrize("expected_s", [MINUTE, CENTURY, float("inf")])
def test_no_attempt_asks_for_more_than_the_cap(planned, expected_s):
    batch = dataclasses.replace(planned.training[0], seconds=(expected_s, expected_s))
    asked = [batch.requested_minutes(1440, attempt) for attempt in range(1, 6)]
    assert asked == ([11, 22, 33, 44, 55] if expected_s == MINUTE else [1440] * 5)


def test_plan_shows_what_a_scheduler_is_asked_for(tmp_path):
    plan = make_plan(load_study(tiny(jobs={"longest_minutes": 1, "most_minutes": 1})), tmp_path)
    planned = plan_jobs(plan)
    late = tuple(
        dataclasses.replace(batch, seconds=(CENTURY, CENTURY)) for batch in planned.training[:3]
    )
    found = forecast(plan, dataclasses.replace(planned, training=(*late, planned.training[3])))
    assert {job["requested_minutes"] for job in found["jobs"]} == {1}
    words = "training jobs are expected to take longer than jobs.most_minutes (1)"
    assert f"3 {words}" in as_text(found)
    assert words not in as_text(forecast(plan, planned))


class FailingJob:
    """A job of a results folder, asked as Snakemake asks after each failed attempt."""

    def __init__(self, batch, results, most=1000):
        self.words = []
        self.store = batch.outputs[0]
        self.results = results
        before = list_checkpoints(results)
        self.retries = Retries(most, batch, results, before, self.words.append)

    def save(self, text):
        path = checkpoint_path(self.results, self.store, "cpu")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def is_retried_after(self, n_attempts):
        return self.retries > n_attempts - 1


def test_job_without_checkpoints_has_three_attempts(planned, tmp_path):
    for batch in (planned.generation[0], planned.training[0], planned.evaluation[0]):
        job = FailingJob(batch, tmp_path)
        assert [job.is_retried_after(n) for n in (1, 2, 3)] == [True, True, False]
        (words,) = job.words
        assert words.startswith(f"{batch.rule} gives up after 3 attempts")


def test_attempts_count_from_the_last_newer_checkpoint(planned, tmp_path):
    job = FailingJob(planned.training[0], tmp_path)
    job.save("there before")
    job = FailingJob(planned.training[0], tmp_path)
    answers = []
    for n_attempts in range(1, 10):
        if n_attempts in (3, 6):
            job.save(f"of attempt {n_attempts}")
        answers.append(job.is_retried_after(n_attempts))
    assert answers == [True] * 8 + [False]
    assert FailingJob(planned.training[0], tmp_path).is_retried_after(1), "another run tries again"


def test_checkpoints_of_other_jobs_do_not_count(planned, tmp_path):
    job, other = (FailingJob(batch, tmp_path) for batch in planned.training[:2])
    answers = []
    for n_attempts in (1, 2, 3):
        other.save(f"of attempt {n_attempts}")
        answers.append(job.is_retried_after(n_attempts))
    assert answers == [True, True, False]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_retries_of_the_command_line_are_a_bound(planned, tmp_path, most):
    job = FailingJob(planned.training[0], tmp_path, most)
    assert [job.is_retried_after(n) for n in (1, 2, 3)] == [n <= most for n in (1, 2, 3)]
    assert not job.words


def test_message_says_at_which_steps_the_checkpoints_stand(planned, tmp_path):
    batch = planned.training[0]
    assert "checkpoints: none" in why_it_gives_up(batch, tmp_path, [])
    curve = _Curve(batch.work["curves"][0], tmp_path, "cpu", 60)
    for part, step in zip(curve.parts, (300, 120), strict=True):
        state = initial_state(curve.model, [0], torch.device("cpu"))
        state.n_steps[:] = step
        save_checkpoint(part.checkpoint, state)
    names = list(list_checkpoints(tmp_path))
    words = why_it_gives_up(batch, tmp_path, names)
    assert "checkpoints: of 2 of 2 cells, at steps 120 to 300" in words
    assert "curves: dense, parity, length 4" in words
    assert f"--set-resources {batch.rule}:mem_mb=" in words
    (tmp_path / "checkpoints" / names[0]).write_text("damaged")
    assert "at step " in why_it_gives_up(batch, tmp_path, names)
