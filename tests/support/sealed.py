"""Sealed files of a study, as its steps leave them, without running the steps."""

import json
from pathlib import Path

from nstar.cells.paths import study_folder
from nstar.files.seals import note_stores, note_written, sealing
from nstar.plan.derived import derived_steps


def seal_study(plan):
    """Seal all files of a study; those that are not there are made empty. Return its folder."""
    folder = study_folder(plan.results, plan.study.name)
    for step in derived_steps(plan).values():
        with sealing(folder, step.job.rule):
            if step.name == "collect_results":
                note_stores(plan.stores_digest)
            for path in (folder / name for name in step.makes):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.name == "config.json":
                    path.write_text(json.dumps(step.job.work["study"]))
                elif path.suffix == ".zarr":
                    path.mkdir(exist_ok=True)
                    (path / "zarr.json").touch()
                else:
                    path.touch()
                note_written(path)
    return folder


def seal_tables(folder: Path):
    """Seal the tables that a test has written into the folder of a study, as if they were collected."""
    with sealing(folder, "collect_results-000000000000"):
        for path in (folder / "tables").iterdir():
            note_written(path)
