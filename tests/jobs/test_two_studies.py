"""Two studies that judge by different rules share one tree of results; neither changes the other."""

import json
from collections import Counter
from pathlib import Path

import pytest
from support.stores import finish, tampered
from support.studies import study_in, tiny

from nstar.errors import ArtifactError
from nstar.jobs import part
from nstar.jobs.collection import collect_results
from nstar.jobs.training import _Curve
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store, specification_of, write_store
from nstar.store.evidence import pack
from nstar.store.header import read_header
from nstar.store.schemas import CELL
from nstar.subjects.subject import load
from nstar.tables import read_table

RESULTS = Path("results")


def study_of(**changes):
    """Return a study of one curve whose runs learn at different steps, or not at all."""
    options = {
        "models": {"lstm": {"kind": "lstm", "width": 16}},
        "grid.0": {"lengths": [6], "budgets": [4, 40]},
        "training.max_steps": 240,
        "training.patience": 6,
        **changes,
    }
    return load_study(tiny(**options))


def tables_of(study, fits=False):
    """Make the tables, with fits or without; return the content of those that are equal for a study."""
    collect_results({"study": study.model_dump(mode="json")}, RESULTS)
    for _, step in study.subject.steps_of(study):
        if fits and step.makes:
            load(step.run)(json.loads(json.dumps(step.job(study))), study_in(RESULTS))
    files = (path for path in (study_in(RESULTS) / "tables").iterdir() if path.is_file())
    return {path.name: path.read_bytes() for path in files if path.stem != "provenance"}


def stretches(study):
    """Return how many stretches of each kind the jobs of a study would make now."""
    return Counter(
        "replay" if stretch["until"] else "continue" if stretch["start"] else "train"
        for job in plan_jobs(make_plan(study, RESULTS)).training
        for curve in job.work["curves"]
        for block in curve["blocks"]
        for stretch in block["stretches"]
    )


def stores():
    """Return all files of stores with the times of their last change."""
    return {path: path.stat().st_mtime_ns for path in RESULTS.rglob("*.zarr.zip")}


THRESHOLD = "training.success.threshold"
PAIRS = {
    "stricter in all": (
        {THRESHOLD: 0.8, "training.success.confirm": False, "training.snapshot_every": 60},
        {THRESHOLD: 0.95, "training.success.confirm": True},
    ),
    "longer in one way each, other names": (
        {"training.patience": 2, "training.max_steps": 240},
        {
            "training.patience": 6,
            "training.max_steps": 120,
            "models": {"other": {"kind": "lstm", "width": 16}},
        },
    ),
}
"""Two studies, and every option that judges, ends or names and does not train."""


@pytest.mark.parametrize("changes", PAIRS.values(), ids=PAIRS)
def test_two_studies_over_one_tree_in_both_orders(changes, tmp_path, monkeypatch):
    studies = [study_of(**change) for change in changes]
    tables, made = {}, Counter()
    for order in ((0, 1), (1, 0)):
        folder = tmp_path / "-".join(map(str, order))
        folder.mkdir()
        monkeypatch.chdir(folder)
        before = {}
        for number in order:
            made += stretches(studies[number])
            finish(studies[number], RESULTS)
            tables[order, number] = tables_of(studies[number])
            assert {path: time for path, time in stores().items() if path in before} == before
            before = stores()
        assert not any(plan_jobs(make_plan(study, RESULTS)).every for study in studies)
        assert tables_of(studies[order[0]]) == tables[order, order[0]]
        assert stores() == before
    assert made["continue"] and made["replay"]  # the second study in one order and in the other
    for number in range(2):
        one, other = (tables[order, number] for order in ((0, 1), (1, 0)))
        assert {"cells.parquet", "thresholds.csv"} < one.keys() == other.keys()
        assert not [name for name in one if one[name] != other[name]]


def test_a_stricter_threshold_goes_on_and_a_laxer_one_replays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lax, strict = (study_of(**{THRESHOLD: threshold}) for threshold in (0.8, 0.95))
    finish(lax, RESULTS)
    tables_of(lax)
    cells = read_table(study_in(RESULTS) / "tables/cells.parquet", "cells")
    learnt = (cells["outcome"] == "learnt").sum()
    assert 0 < learnt < len(cells)
    kinds = stretches(strict)
    assert set(kinds) == {"continue"} and 0 < kinds["continue"] <= learnt
    finish(strict, RESULTS)
    assert not stretches(lax) and not stretches(strict)
    laxer = study_of(**{THRESHOLD: 0.6})
    assert set(stretches(laxer)) == {"replay"}
    finish(laxer, RESULTS)
    for study in (lax, strict, laxer):
        assert not plan_jobs(make_plan(study, RESULTS)).every


def test_a_run_that_went_on_equals_one_that_was_never_interrupted(tmp_path, monkeypatch):
    """Every number of the tables, and every weight: two parts, and one."""
    shorter, longer = (study_of(**{"training.max_steps": steps}) for steps in (120, 240))
    made = []
    for name, studies in (("parts", (shorter, longer)), ("whole", (longer,))):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        for study in studies:
            finish(study, RESULTS)
        made.append(tables_of(longer, fits=True))
        summaries = {path for path in stores() if path.name.endswith("-1.zarr.zip")}
        assert bool(summaries) == (name == "parts")
    assert made[0] == made[1]


def test_a_tampered_number_stops_a_replay(tmp_path, monkeypatch):
    """Steps that are taken again must say what they said; here a store says something else."""
    monkeypatch.chdir(tmp_path)
    finish(study_of(), RESULTS)
    read = part.read_parts
    monkeypatch.setattr(part, "read_parts", tampered(read))
    laxer = study_of(**{THRESHOLD: 0.6})
    for _ in range(2):
        with pytest.raises(ArtifactError, match="give other numbers at step 20"):
            finish(laxer, RESULTS)
    monkeypatch.setattr(part, "read_parts", read)
    finish(laxer, RESULTS)


def test_a_study_of_some_seeds_goes_on_with_the_block_of_another(tmp_path, monkeypatch):
    """The data of the other seeds may be gone: nothing of theirs is read."""
    monkeypatch.chdir(tmp_path)
    shorter = study_of(**{"training.max_steps": 120})
    finish(shorter, RESULTS)
    for path in RESULTS.glob("data/**/seed~0/**/*.zarr.zip"):
        path.unlink()
    one_seed = study_of(**{"replicates.seeds": [1]})
    assert set(stretches(one_seed)) == {"continue"}
    finish(one_seed, RESULTS)
    assert not list(RESULTS.glob("data/**/seed~0/**/*.zarr.zip"))
    assert not plan_jobs(make_plan(shorter, RESULTS)).training


def test_a_checkpoint_is_not_gone_on_from_after_earlier_parts_were_made_anew(tmp_path, monkeypatch):
    """Else weights of the runs of before would lie beside the evidence of those of now."""
    monkeypatch.chdir(tmp_path)
    finish(study_of(), RESULTS)
    (job,) = plan_jobs(make_plan(study_of(**{THRESHOLD: 0.6}), RESULTS)).training
    (curve,) = job.work["curves"]

    def checkpoints():
        return {one.checkpoint for one in _Curve(curve, RESULTS, "cpu", 60.0).parts}

    before, path = checkpoints(), Path(job.inputs[0])
    assert checkpoints() == before
    store, summary = read_store(path, CELL), read_header(path)["summary"]
    numbers = store["numbers"].values
    numbers[0, 0] += 0.001
    summary |= pack(
        numbers, *(store[name].values for name in ("first_evaluation", "n_evaluations"))
    )
    write_store(path, store.drop_attrs(deep=False), CELL, specification_of(store), {}, summary)
    assert len(before - checkpoints()) == 1
