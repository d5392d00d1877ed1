"""Jobs that are stopped and go on, and what a part says of itself."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from support.stores import finish
from support.studies import tiny

from nstar.errors import StoppedError
from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.store.evidence import unpack
from nstar.store.header import read_header
from nstar.store.schemas import CELL

THRESHOLD = "training.success.threshold"
EVERY = 5


def study_of(**changes):
    """Return a study on mixed lengths, one of its models with dropout; runs end at different steps."""
    attention = {"kind": "transformer", "width": 8, "depth": 1, "heads": 2, "dropout": 0.1}
    options = {
        "models": {"attention": attention, "lstm": {"kind": "lstm", "width": 16}},
        "grid": [{"lengths": [6], "length_distributions": ["uniform"], "budgets": [12, 40]}],
        "data.shortest_length": 5,
        "training.max_steps": 160,
        "training.evaluate_every": EVERY,
        "training.patience": 12,
        "training.fitted_examples": 8,
        THRESHOLD: 0.5,
        "training.success.confirm": False,
        "replicates.learning_rates": [0.01],
        **changes,
    }
    return load_study(tiny(**options))


def stores(results):
    """Return the arrays of all parts of trained cells."""
    return {
        str(path.relative_to(results)): read_store(path, CELL).drop_attrs(deep=False)
        for path in results.glob("cells/**/*.zarr.zip")
    }


def train(study, results, stop_after=None):
    """Run the training jobs of a study; stop each of them at every so many evaluations, and go on."""
    planned = plan_jobs(make_plan(study, results))
    for job in planned.generation:
        generate_data(job.work, results)
    n_stops = 0
    for job in planned.training:
        while True:
            asked = iter(range(10**6))
            try:
                train_cells(
                    job.work,
                    results,
                    "cpu",
                    60.0 if stop_after is None else 0.0,
                    lambda asked=asked: "SIGTERM" if next(asked) == stop_after else None,
                )
                break
            except StoppedError:
                n_stops += 1
                for path in job.outputs:  # as the workflow does with those of a job that failed
                    Path(path).unlink(missing_ok=True)
    return n_stops


def test_a_job_that_is_stopped_and_goes_on_writes_the_same_parts(tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for threshold in (0.5, 1.0):
        study = study_of(**{THRESHOLD: threshold})
        train(study, whole)
        assert train(study, stopped, stop_after=1) > 1
        found = stores(stopped)
        assert any(path.endswith("-1.zarr.zip") for path in found) == (threshold == 1.0)
        for path, wanted in stores(whole).items():
            xr.testing.assert_identical(found[path], wanted)


def test_a_checkpoint_made_under_another_rule_is_left_alone(tmp_path):
    lax, strict = (study_of(**{THRESHOLD: threshold}) for threshold in (0.5, 0.95))
    planned = plan_jobs(make_plan(lax, tmp_path))
    for job in planned.generation:
        generate_data(job.work, tmp_path)
    asked = iter(range(100))
    with pytest.raises(StoppedError):
        for job in planned.training:
            train_cells(
                job.work, tmp_path, "cpu", 0.0, lambda: "SIGTERM" if next(asked) == 4 else None
            )
    for path in tmp_path.glob("cells/**/*.zarr.zip"):
        path.unlink()
    assert list(tmp_path.glob("checkpoints/*.pt"))
    train(strict, tmp_path)
    train(strict, tmp_path / "alone")
    alone = stores(tmp_path / "alone")
    assert len(alone) == 4
    for path, store in stores(tmp_path).items():
        if not path.startswith("alone"):
            xr.testing.assert_identical(store, alone[path])


def test_a_header_says_what_the_arrays_say(tmp_path):
    for threshold in (0.5, 0.95):
        finish(study_of(**{THRESHOLD: threshold}), tmp_path)
    paths = sorted(tmp_path.glob("cells/**/*.zarr.zip"))
    assert any(path.name.endswith("-1.zarr.zip") for path in paths)
    for path in paths:
        store, summary = read_store(path, CELL), read_header(path)["summary"]
        numbers, first, n = unpack(summary, path)
        np.testing.assert_array_equal(numbers, store["numbers"])
        np.testing.assert_array_equal(first, store["first_evaluation"])
        np.testing.assert_array_equal(n, store["n_evaluations"])
        pairs = zip(store["seed"].values, store["learning_rate"].values, strict=True)
        assert summary["replicates"] == [list(pair) for pair in pairs]
        for row, steps in enumerate(summary["kept"]):
            assert steps == sorted(store["kept_step"].values[store["kept_replicate"] == row])
        ends = EVERY * (first + n)
        for row, step in enumerate(summary["states"]):
            assert step == (ends[row] if row in store["state_replicate"] else None)
        assert store.sizes["length"] == 2
        of = store["length_of"].sum("length")
        np.testing.assert_array_equal(of, store["n_sequences"])


@pytest.mark.parametrize("decay", ["constant", "linear"])
def test_runs_that_can_go_on_have_a_state(tmp_path, decay):
    """At the end of a decaying learning rate nothing goes on: another end is another trajectory."""
    study = study_of(**{"training.schedule": {"decay": decay}, "training.patience": None})
    train(study, tmp_path)
    paths = tmp_path.glob("cells/**/*.zarr.zip")
    ends = [
        (n_evaluations, state)
        for path in paths
        for summary in [read_header(path)["summary"]]
        for n_evaluations, state in zip(summary["n"], summary["states"], strict=True)
    ]
    assert {n < 160 // EVERY for n, _ in ends} == {True, False}, (
        "some runs end before the last step"
    )
    for n_evaluations, state in ends:
        assert state == (
            None if decay == "linear" and n_evaluations == 160 // EVERY else EVERY * n_evaluations
        )
