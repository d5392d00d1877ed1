"""Cells of a job that share a pack have the stores that they would have alone."""

import shutil

import xarray as xr
from support.studies import tiny

from nstar.jobs.generation import generate_data
from nstar.jobs.training import train_cells
from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.store.schemas import CELL

STUDY = tiny(
    **{
        "grid.0.budgets": [4, 6, 8],
        "grid.0.lengths": [4],
        "training.batch_size": 4,
        "training.max_steps": 90,
        "training.evaluate_every": 10,
        "training.patience": 2,
    }
)


def of_seeds(block, seeds):
    """Return what a job is told of a block with some of its seeds alone."""
    stretches = [stretch for stretch in block["stretches"] if stretch["seed"] in seeds]
    return {**block, "seeds": seeds, "stretches": stretches}


def test_blocks_of_different_seeds_share_a_pack(tmp_path):
    planned = plan_jobs(make_plan(load_study(STUDY), tmp_path))
    for batch in planned.generation:
        generate_data(batch.work, tmp_path)
    (curve,) = planned.training[0].work["curves"]
    small, *_, large = curve["blocks"]
    pair = [of_seeds(small, small["seeds"][:1]), of_seeds(large, large["seeds"][1:])]
    train_cells({"curves": [{**curve, "blocks": pair}]}, tmp_path, "cpu", 60)
    (written,) = tmp_path.glob("cells/**/budget~8/**/*.zarr.zip")
    together = read_store(written, CELL)
    written.unlink()
    shutil.rmtree(tmp_path / "checkpoints")
    train_cells({"curves": [{**curve, "blocks": pair[1:]}]}, tmp_path, "cpu", 60)
    alone = read_store(written, CELL)
    xr.testing.assert_identical(alone.drop_attrs(deep=False), together.drop_attrs(deep=False))


def test_each_cell_alone_gives_the_same_store(tmp_path):
    planned = plan_jobs(make_plan(load_study(STUDY), tmp_path))
    for batch in planned.generation:
        generate_data(batch.work, tmp_path)
    n_evaluations = set()
    for batch in planned.training:
        (curve,) = batch.work["curves"]
        train_cells(batch.work, tmp_path, "cpu", 60)
        together = [read_store(path, CELL) for path in batch.outputs]
        assert len(together) == 3
        n_evaluations |= {store.sizes["evaluation"] for store in together}
        for block, path, store in zip(curve["blocks"], batch.outputs, together, strict=True):
            (tmp_path / path).unlink()
            shutil.rmtree(tmp_path / "checkpoints")
            train_cells({"curves": [{**curve, "blocks": [block]}]}, tmp_path, "cpu", 60)
            alone = read_store(path, CELL)
            xr.testing.assert_identical(alone.drop_attrs(deep=False), store.drop_attrs(deep=False))
            assert store.sizes["evaluation"] == store["n_evaluations"].max()
    assert len(n_evaluations) > 1, "cells of a pack ended at different times"
