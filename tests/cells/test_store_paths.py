"""The stores of every study in the project keep their names, so that no edit makes finished work stale.

A path holds the digest of everything its numbers depend on. A change that is meant to make stores anew (a
raised recipe, an edited study) changes the rows of its studies here, in the same commit.
"""

import hashlib
from pathlib import Path

import pytest

from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config

ROOT = Path(__file__).parents[2]

STORES = {
    "config.yaml": (377, "8da3ff30a78a65bd"),
    "chain_data_two_cores.yaml": (24, "d0bcc3003cd61a03"),
    "efficient_transformers.yaml": (840, "de41f0521ffca5bf"),
    "efficient_transformers_gpu_day.yaml": (1066, "9ad467b7d42de4d2"),
    "efficient_transformers_locality.yaml": (117, "d213f7bfa873a964"),
    "efficient_transformers_smoke.yaml": (176, "e1a2555e555cd3bf"),
    "efficient_transformers_two_cores.yaml": (215, "b21868303b3f4b91"),
    "induction_bias.yaml": (8738, "f368ecae828f302f"),
    "induction_bias_gpu_day.yaml": (1664, "fe2144510e66a703"),
    "induction_bias_smoke.yaml": (164, "dae9391eabaf8278"),
    "induction_bias_two_cores.yaml": (483, "09e125e4d001b5c4"),
    "least_depth_two_cores.yaml": (8, "19e746d5d05384db"),
    "least_steps_two_cores.yaml": (84, "da1758ead9770a90"),
    "least_width_two_cores.yaml": (30, "341fffac7caee316"),
    "sensitivity.yaml": (2376, "ab8bbe5b4f65fc5c"),
    "sensitivity_dynamics.yaml": (88, "6cd979ab82bc8efe"),
    "sensitivity_generalisation.yaml": (1440, "67b89ed805480046"),
    "sensitivity_long.yaml": (1320, "405bdaf1ec00d0e5"),
    "sensitivity_reduced.yaml": (336, "503ac4a0c7c6ba4f"),
    "sensitivity_scratchpad.yaml": (220, "5458e4f4c18dadc4"),
    "sensitivity_smoke.yaml": (106, "4a52195e9c3d93d3"),
    "sensitivity_tradeoff.yaml": (320, "d85d7a9659409e1b"),
    "sensitivity_two_cores.yaml": (308, "881eeba6022bca44"),
}
"""Number of stores that an empty results folder lacks, and SHA-256 of their sorted paths."""

FILES = {
    path.name: path
    for path in (ROOT / "config.yaml", *sorted((ROOT / "workflow/studies").glob("*.yaml")))
}


def test_every_study_of_the_project_is_here():
    assert list(STORES) == list(FILES)


@pytest.mark.parametrize("name", STORES)
def test_paths_of_stores_are_those_recorded(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # nothing is made yet
    plan = make_plan(load_study(read_config(FILES[name])), "results")
    stores = plan.stores
    paths = {
        *map(stores.cell, plan.blocks),
        *map(stores.evaluation, plan.blocks),
        *map(stores.piece, plan.missing_data),
    }
    digest = hashlib.sha256("\n".join(sorted(paths)).encode()).hexdigest()
    assert (len(paths), digest[:16]) == STORES[name]
