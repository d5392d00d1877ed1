"""What jobs are told of their work."""

import json

from nstar.cells import Block, Cell
from nstar.plan.work import Stretch, Work

CELL = Cell("lstm", "parity", "aligned", "fixed", 8, 64)


def test_a_job_reads_the_work_that_the_plan_wrote():
    stretches = Stretch(0, 0.1, start=40), Stretch(1, 0.2, until=80, keep=(20, 60))
    work = Work(Block(CELL, (0, 1), (0.1, 0.2)), 2, stretches)
    told = json.loads(json.dumps(work.as_dict()))
    coordinates = {**vars(CELL), "budget": None, "other": 1}
    assert Work.of(told, coordinates) == work


def test_the_first_part_of_a_block_trains_all_its_replicates_from_the_start():
    work = Work.whole(Block(CELL, (0, 1), (0.1, 0.2)))
    assert work.part == 0
    assert work.kinds == {"train"}
    assert work.replicates == [(0, 0.1), (0, 0.2), (1, 0.1), (1, 0.2)]
    assert work.data_seeds == (0, 1)


def test_what_a_stretch_does_follows_from_its_bounds():
    kinds = [Stretch(0, 0.1, **bounds).kind for bounds in ({}, {"start": 20}, {"until": 40})]
    assert kinds == ["train", "continue", "replay"]
