"""Jobs: every missing store is made by exactly one, and none is shorter or longer than asked for."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.evidence import learns_at, make
from support.studies import tiny

from nstar.plan.jobs import START_SECONDS, _gather, _Unit, plan_jobs, read_job
from nstar.plan.missing import make_plan
from nstar.plan.states import CellState
from nstar.reading.check import load_study


def jobs_of(results, **changes):
    return plan_jobs(make_plan(load_study(tiny(**changes)), results))


def test_a_curve_is_a_job_unless_told_otherwise(tmp_path):
    planned = jobs_of(tmp_path)
    names = [batch.rule.rpartition("-")[0] for batch in planned.training]
    assert names == [
        f"train_cells-{m}-parity-aligned-fixed-{n}" for m in ("dense", "lstm") for n in (4, 5)
    ]
    assert [len(batch.outputs) for batch in planned.training] == [2, 2, 2, 2]
    assert [batch.rule.rpartition("-")[0] for batch in planned.evaluation] == [
        "evaluate_cells-dense-parity",
        "evaluate_cells-lstm-parity",
    ]


@pytest.mark.parametrize("shortest", [0, 0.1, 10])
@pytest.mark.parametrize("longest", [0.01, 480])
def test_every_missing_store_is_made_by_one_job(shortest, longest, tmp_path):
    jobs = {"shortest_minutes": min(shortest, longest), "longest_minutes": longest}
    study = load_study(tiny(jobs=jobs))
    plan = make_plan(study, tmp_path)
    made = [path for batch in plan_jobs(plan).every for path in batch.outputs]
    wanted = {
        *plan.cell_stores,
        *plan.evaluation_stores,
        *map(plan.stores.piece, plan.missing_data),
    }
    assert len(made) == len(set(made))
    assert set(made) == wanted


def test_short_curves_share_a_job_and_keep_their_stores(tmp_path):
    apart = jobs_of(tmp_path)
    (joined,) = jobs_of(tmp_path, **{"jobs.shortest_minutes": 10}).training
    assert joined.rule.startswith("train_cells-dense-parity-aligned-fixed-4-and-3-more-")
    assert set(joined.outputs) == {path for batch in apart.training for path in batch.outputs}
    assert joined.work["curves"] == [batch.work["curves"][0] for batch in apart.training]
    assert joined.seconds[0] < sum(batch.seconds[0] for batch in apart.training)


def test_a_long_curve_is_shared_out_and_a_cell_is_not(tmp_path):
    planned = jobs_of(tmp_path, **{"jobs.longest_minutes": 1e-6}).training
    assert [len(batch.outputs) for batch in planned] == [1] * 8
    assert len({batch.rule for batch in planned}) == 8


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 2000)), max_size=60),
    st.floats(0, 10),
    st.floats(10, 30),
)
def test_no_job_is_shorter_or_longer_than_asked_for(things, shortest, longest):
    class FakePlan:
        study = load_study(tiny(jobs={"shortest_minutes": shortest, "longest_minutes": longest}))

    things.sort(key=lambda thing: thing[0])
    units = [_Unit(i, (key,), seconds) for i, (key, seconds) in enumerate(things)]
    jobs = list(_gather(FakePlan, units))
    assert list(itertools.chain(*jobs)) == units
    times = [START_SECONDS + sum(unit.seconds for unit in job) for job in jobs]
    if len(jobs) > 1:
        assert min(times) >= 60 * shortest
    for job, time in zip(jobs, times, strict=True):
        indivisible = START_SECONDS + max(unit.seconds for unit in job)
        assert time <= max(60 * longest, indivisible) + 2 * 60 * shortest


def test_a_job_keeps_its_name_whatever_others_have_made(tmp_path):
    plan = make_plan(load_study(tiny()), tmp_path)
    before = plan_jobs(plan)
    made = before.training[0].outputs
    works = [work for state in plan.cells for work in state.missing]
    some = [work for work in works if plan.stores.cell(work.block) in made]
    part = dataclasses.replace(
        plan,
        cells=tuple(CellState(work.cell, (), (work,)) for work in some),
        missing_evaluations=(),
    )
    make(part, lambda cell, seed, rate: learns_at(10, 2))
    after = jobs_of(tmp_path)
    assert [batch.rule for batch in after.training] == [b.rule for b in before.training[1:]]


def test_a_job_is_read_as_it_was_saved(tmp_path):
    for batch in jobs_of(tmp_path).every:
        batch.save(tmp_path)
        assert read_job(tmp_path, batch.rule) == batch
        assert batch.path(tmp_path) == tmp_path / f"jobs/{batch.rule}.json"


def test_another_specification_is_another_job(tmp_path):
    rules = {batch.rule for batch in jobs_of(tmp_path).training}
    changed = {batch.rule for batch in jobs_of(tmp_path, **{"training.max_steps": 200}).training}
    assert not rules & changed
