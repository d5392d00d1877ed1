"""The stores of every study in the project keep their names, so that no edit makes finished work stale.

A path holds the digest of everything its numbers depend on. A change that is meant to make stores anew (a
raised recipe, an edited study) changes the rows of its studies here, in the same commit.
"""

import copy
import hashlib
from pathlib import Path

import pytest

from nstar.kinds.lstm import LSTMOptions
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.reading.file import read_config

ROOT = Path(__file__).parents[2]

STORES = {
    "config.yaml": (467, "8ee46409431f139a"),
    "chain_data_two_cores.yaml": (32, "25d0294dc039e669"),
    "efficient_transformers.yaml": (912, "ba253b555e9fc62d"),
    "efficient_transformers_gpu_day.yaml": (1174, "5db66072d2d88df6"),
    "efficient_transformers_locality.yaml": (135, "80034f95062ad335"),
    "efficient_transformers_smoke.yaml": (216, "c5f46b802d263f5b"),
    "efficient_transformers_two_cores.yaml": (245, "67e28315597a143e"),
    "extrapolation_two_cores.yaml": (93, "bbe63af8848b5ad4"),
    "induction_bias.yaml": (14167, "a5f2dd3f61e50752"),
    "induction_bias_gpu_day.yaml": (1970, "6e746c8ad6c3dd33"),
    "induction_bias_sharing.yaml": (193, "ba7ab30ed9799e5b"),
    "induction_bias_smoke.yaml": (180, "193a4ba379fe62e3"),
    "induction_bias_two_cores.yaml": (549, "7c273fcf74aef609"),
    "least_depth_two_cores.yaml": (12, "9d2b94f4d20bf33f"),
    "least_steps_two_cores.yaml": (144, "47f4c50e6acfc25a"),
    "least_width_two_cores.yaml": (48, "a27176b0d90cac78"),
    "sensitivity.yaml": (4536, "20abfc83f86d4a72"),
    "sensitivity_dynamics.yaml": (168, "d807c86d4c5c41a8"),
    "sensitivity_generalisation.yaml": (2440, "ffcd49205053bfc3"),
    "sensitivity_long.yaml": (2520, "6ee8d452b9181191"),
    "sensitivity_profile.yaml": (528, "53c4f75f2aadccd4"),
    "sensitivity_reduced.yaml": (504, "aaeef5487a2500a6"),
    "sensitivity_scratchpad.yaml": (420, "5adb0200413b400c"),
    "sensitivity_smoke.yaml": (158, "9c7ea35811b2f0a6"),
    "sensitivity_tradeoff.yaml": (480, "03be3457cc2abe66"),
    "sensitivity_two_cores.yaml": (476, "f15f66c9dc5006b0"),
}
"""Number of stores that an empty results folder lacks, and SHA-256 of their sorted paths."""

FILES = {
    path.name: path
    for path in (ROOT / "config.yaml", *sorted((ROOT / "workflow/studies").glob("*.yaml")))
}


def test_every_study_of_the_project_is_here():
    assert list(STORES) == list(FILES)


def paths_of(plan, stages=("cells", "evaluations", "data")):
    """Return the paths of the stores of some stages that a plan misses, or has."""
    by_stage = {
        "cells": plan.cell_stores,
        "evaluations": plan.evaluation_stores,
        "data": map(plan.stores.piece, plan.missing_data),
    }
    return {path for stage in stages for path in by_stage[stage]}


@pytest.mark.parametrize("name", STORES)
def test_paths_of_stores_are_those_recorded(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # nothing is made yet
    plan = make_plan(load_study(read_config(FILES[name])), "results")
    paths = paths_of(plan)
    digest = hashlib.sha256("\n".join(sorted(paths)).encode()).hexdigest()
    assert (len(paths), digest[:16]) == STORES[name]


def renamed(raw):
    """Return a configuration whose models and tasks have other names, in all places that name them."""
    raw = copy.deepcopy(raw)
    for key, coordinate in (("models", "model"), ("tasks", "task")):
        raw[key] = {f"new_{name}": options for name, options in raw[key].items()}
        for entry in raw["grid"]:
            if entry.get(key) is not None:
                entry[key] = [f"new_{name}" for name in entry[key]]
        for options in raw["tasks"].values():
            if options["kind"] == "learnt_function":
                options[coordinate] = f"new_{options[coordinate]}"
    return raw


SMALL = (
    "config.yaml",
    "chain_data_two_cores.yaml",
    "efficient_transformers_smoke.yaml",
    "induction_bias_smoke.yaml",
    "least_steps_two_cores.yaml",
)
"""Studies with every kind of stratum, whose plans take little time."""


def paths_in(results, raw, *stages):
    return paths_of(make_plan(load_study(raw), results), stages or ("cells", "evaluations", "data"))


@pytest.mark.parametrize("name", [*SMALL, "sensitivity_smoke.yaml"])
def test_names_of_models_and_tasks_are_in_no_path(name, tmp_path):
    raw = read_config(FILES[name])
    assert paths_in(tmp_path, raw) == paths_in(tmp_path, renamed(raw))


def with_another(raw, key, value):
    """Return a configuration with a value at a dotted key, and blocks before it where there are none."""
    raw = copy.deepcopy(raw)
    *parents, last = key.split(".")
    node = raw
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = value
    return raw


RULES = {
    "another threshold": lambda raw: with_another(
        raw, "training.success.threshold", 0.77 * raw["training"]["success"]["threshold"]
    ),
    "confirmation": lambda raw: with_another(
        raw,
        "training.success.confirm",
        not raw["training"]["success"].get("confirm", True),
    ),
    "the worst length": lambda raw: with_another(raw, "training.success.over", "every_length"),
    "patience": lambda raw: with_another(raw, "training.patience", 77),
    "another threshold of the fit": lambda raw: with_another(
        raw,
        "training.fitted",
        {"measure": raw["training"]["success"]["measure"], "threshold": 0.123},
    ),
    "snapshots": lambda raw: with_another(
        raw, "training.snapshot_every", 2 * raw["training"]["evaluate_every"]
    ),
    "more steps": lambda raw: with_another(
        raw, "training.max_steps", 2 * raw["training"]["max_steps"]
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_what_only_judges_or_ends_a_run_is_in_no_path(name, tmp_path):
    raw = read_config(FILES[name])
    before = paths_in(tmp_path, raw)
    steps, decay = raw.get("demand") == "steps", raw["training"].get("schedule", {}).get("decay")
    for change, changed in RULES.items():
        if change == "patience" and steps:  # refused there
            continue
        if change == "more steps" and decay not in (None, "constant"):  # a decay knows its end
            assert not before & paths_in(tmp_path, changed(raw), "cells")
            continue
        assert before == paths_in(tmp_path, changed(raw)), change


@pytest.mark.parametrize("name", SMALL)
def test_the_longer_test_is_in_no_path_of_a_trained_cell(name, tmp_path):
    raw = read_config(FILES[name])
    another = with_another(raw, "evaluation.test_examples", 7)
    assert paths_in(tmp_path, raw, "cells") == paths_in(tmp_path, another, "cells")
    evaluations = [paths_in(tmp_path, part, "evaluations") for part in (raw, another)]
    assert not evaluations[0] & evaluations[1]


def test_another_reading_of_a_kind_renames_its_evaluations_alone(tmp_path, monkeypatch):
    raw = read_config(FILES["config.yaml"])
    cells, evaluations = (paths_in(tmp_path, raw, stage) for stage in ("cells", "evaluations"))
    monkeypatch.setattr(LSTMOptions, "reading", 2)
    assert paths_in(tmp_path, raw, "cells") == cells
    renamed = evaluations - paths_in(tmp_path, raw, "evaluations")
    assert renamed == {path for path in evaluations if "model~lstm-" in path} != set()


def test_what_a_network_learnt_depends_on_where_its_training_ended_and_on_no_other_rule(tmp_path):
    raw = read_config(FILES["sensitivity_smoke.yaml"])
    found = [
        paths_in(tmp_path, part, "cells", "data")
        for part in (raw, RULES["another threshold"](raw), RULES["more steps"](raw))
    ]
    assert found[0] == found[1], "nothing but the last step ends a run of this study"
    assert found[0] - found[2] and found[0] & found[2]
