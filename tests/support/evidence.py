"""Stores that are headers alone, with the evidence that training would have left: enough for plans."""

import numpy as np
from support.studies import write_header_only

from nstar.cells import training_specification
from nstar.store.evidence import pack
from nstar.verdicts import QUANTITIES, SETS, verdicts


def trajectory(n, **values):
    """Return numbers (n, 3, 8) of a run whose accuracies on the sets are given, one value or n each.

    Losses are what accuracies lack. A quantity of its own is given as a dict by (measure, over).
    """
    numbers = np.zeros((n, len(SETS), len(QUANTITIES)), np.float32)
    for z, name in enumerate(SETS):
        given = values.get(name, 0.0)
        given = given if isinstance(given, dict) else {None: given}
        for q, (measure, over) in enumerate(QUANTITIES):
            value = np.asarray(given.get((measure, over), given.get(None, 0.0)), np.float32)
            numbers[:, z, q] = 1 - value if measure == "loss" else value
    return numbers


def learns_at(n, at, *, fits_at=1, confirmed_at=None):
    """Return a run that passes on the validation set from evaluation `at` on, the first being 1."""
    e = np.arange(1, n + 1)
    confirmed_at = at if confirmed_at is None else confirmed_at
    rise = 0.5 * e / n  # a best evaluation is the last one
    return trajectory(
        n,
        train=np.where(e >= fits_at, 1.0, 0.0),
        validation=np.where(e >= at, 0.92 + 0.01 * e / n, rise),
        confirmation=np.where(e >= confirmed_at, 0.95, rise),
    )


def make(plan, run, made_on=None):
    """Make all that a plan misses as its jobs would, data as empty files.

    Parameters
    ----------
    plan : Plan
    run : callable
        Gives the numbers of a trajectory by cell, seed and learning rate, as far as any rule looks.
    made_on : mapping, optional
        Provenance of trained cells.
    """
    for work in plan.missing:
        _train(plan, work, run, made_on or {"device": "cpu", "wall_time_s": 1.0})
    for work in plan.missing_evaluations:
        steps = {pair: _end(plan, run(work.cell, *pair)) for pair in work.replicates}
        write_header_only(
            plan.stores.evaluation(work.block, work.part),
            {"stage": "evaluation"},
            summary={
                "rows": [[*pair, step] for pair, step in steps.items()],
                "tests": list(work.tests),
            },
        )
    for piece in plan.missing_data:
        write_header_only(plan.stores.piece(piece), {"stage": "data"})


def _judge(plan, numbers):
    every, rule = plan.study.training.evaluate_every, plan.study.training.rule
    found = verdicts(numbers[None], np.array([len(numbers)]), every, rule)
    assert found.ended[0], "the trajectory is too short for the rule"
    return every, rule, found


def _end(plan, numbers):
    every, _, found = _judge(plan, numbers)
    return every * (int(found.end[0]) + 1)


def _train(plan, work, run, made_on):
    rows, firsts, counts, kept, states = [], [], [], [], []
    for stretch in work.stretches:
        numbers = run(work.cell, stretch.seed, stretch.learning_rate)
        every, rule, found = _judge(plan, numbers)
        if stretch.until is not None:
            rows.append(numbers[:0])
            firsts.append(0)
            kept.append(sorted(stretch.keep))
            states.append(None)
        else:
            end = int(found.end[0])
            published = rule.published()
            passed = published.passes(published.value(numbers[: end + 1], "validation"))
            marks = {end, int(found.learnt_at[0]), int(found.best_at[0])}
            marks |= {int(passed.argmax())} if passed.any() else set()
            steps = {every * (mark + 1) for mark in marks - {-1}} | set(stretch.keep)
            if plan.study.training.snapshot_every:
                snapshot_every = plan.study.training.snapshot_every
                steps |= set(range(snapshot_every, every * (end + 1) + 1, snapshot_every))
            first = stretch.start // every
            rows.append(numbers[first : end + 1])
            firsts.append(first)
            kept.append(sorted(step for step in steps if step > stretch.start))
            states.append(None if found.diverged[0] else every * (end + 1))
        counts.append(len(rows[-1]))
    packed = np.zeros((len(rows), max(counts), *rows[0].shape[1:]), np.float32)
    for i, own in enumerate(rows):
        packed[i, : len(own)] = own
    write_header_only(
        plan.stores.cell(work.block, work.part),
        training_specification(plan.study, work.cell),
        made_on,
        {
            **pack(packed, np.array(firsts), np.array(counts)),
            "replicates": [[part.seed, part.learning_rate] for part in work.stretches],
            "kept": kept,
            "states": states,
            "rule": plan.study.training.rule.as_dict(),
        },
    )
