"""Small studies that tests start from."""

import copy
import json
import zipfile
from pathlib import Path

from nstar.specification import canonical_json

TINY = {
    "name": "tiny",
    "title": "A tiny study",
    "models": {
        "dense": {"kind": "dense_ssm", "width": 8, "normalise": "always"},
        "lstm": {"kind": "lstm", "width": 8},
    },
    "tasks": {"parity": {"kind": "modular_addition", "modulus": 2}},
    "grid": [{"lengths": [4, 5], "budgets": [2, 8]}],
    "replicates": {"seeds": [0, 1], "learning_rates": [0.003, 0.01]},
    "training": {
        "batch_size": 8,
        "max_steps": 100,
        "evaluate_every": 20,
        "success": {"measure": "sequence_accuracy", "threshold": 0.9},
    },
    "data": {"validation_share": 0.2, "confirmation_share": 0.1, "test_share": 0.1},
    "evaluation": {"test_examples": 50},
    "fit": {"bootstrap_replicates": 100},
}


JOINED = {"shortest_minutes": 1.0}
"""Option ``jobs`` with which small cells share a job instead of one per curve: Python takes longer to
start than they to train."""


def tiny(**changes):
    """Return the tiny study with changes; see `changed`."""
    return changed(TINY, **changes)


def changed(study, **changes):
    """Return a copy with values replaced by dotted key: ``changed(s, **{"grid.0.lengths": [4]})``."""
    study = copy.deepcopy(study)
    for dotted, value in changes.items():
        *parents, last = [int(key) if key.isdigit() else key for key in dotted.split(".")]
        node = study
        for key in parents:
            node = node.setdefault(key, {}) if isinstance(node, dict) else node[key]
        node[last] = value
    return study


SMALLEST = tiny(
    models={"lstm": {"kind": "lstm", "width": 8}},
    **{
        "grid": [{"lengths": [4], "budgets": [2]}],
        "training.max_steps": 20,
        "replicates": {"seeds": [0], "learning_rates": [0.01]},
    },
)
"""One run of one cell: a study with all kinds of files that takes no time."""

EXTREMES = tiny(
    title="</script><img src=x onerror=alert(1)> of *all* |kinds|_ `\\` 'in' \"Ω, ж, 中\" 🎉",
    models={
        "dense": {"kind": "dense_ssm", "width": 8, "normalise": "always"},
        "attention": {"kind": "transformer", "width": 8, "depth": 1, "heads": 2},
    },
    **{
        "grid": [
            {"models": ["dense"], "lengths": [4, 5, 6], "budgets": [2, 4, 8]},
            {"models": ["attention"], "lengths": [4, 5], "budgets": [2, 8]},
        ],
        "replicates.learning_rates": [0.01, 1e20],
        "jobs": JOINED,
    },
)
"""A study with a curve that never reaches the threshold (one step size, far too small), one that reaches
it at the smallest budget, and replicates that diverge; its title has signs of every markup."""

QUESTIONS = tiny(
    models={
        "standard": {
            "kind": "transformer",
            "width": [4, 8],
            "depth": 1,
            "heads": 2,
            "positions": "sinusoidal",
        },
        "lstm": {"kind": "lstm", "width": 8},
    },
    tasks={
        "lis": {"kind": "longest_increasing_subsequence", "numbers": 20},
        "arithmetic": {"kind": "arithmetic", "modulus": 5},
    },
    grid=[
        {
            "supervisions": ["outcome", "chain_of_thought"],
            "lengths": [3, 4],
            "budgets": [40],
        },
    ],
    data={"validation_examples": 30},
    evaluation={"answers": {"thresholds": [0.1, 0.9]}},
    **{
        "replicates.learning_rates": [0.01],
        "training.success.at": "final",
        "training.stop_on_success": False,
    },
)
"""A study of the width that answering questions needs."""

FUNCTIONS = tiny(
    tasks={
        "parity": {"kind": "modular_addition", "modulus": 2},
        "random": {"kind": "random_function", "seed": 1},
        "learnt": {
            "kind": "learnt_function",
            "model": "lstm",
            "task": "random",
            "length": 5,
            "budget": 8,
        },
    },
    grid=[
        {
            "tasks": ["parity", "learnt"],
            "supervisions": ["outcome"],
            "lengths": [5],
            "budgets": "fresh",
        },
        {"tasks": ["random"], "supervisions": ["outcome"], "lengths": [5], "budgets": [8]},
    ],
    **{
        "training.objective": "squared_error",
        "training.success": {"measure": "loss", "threshold": 0.1, "at": "final"},
        "training.stop_on_success": False,
        "evaluation.function": {},
    },
)
"""A study of networks as functions, one of which learns what another learnt."""


def write_header_only(path, specification, provenance=None, summary=None):
    """Write a file that says of itself what a store says, and holds no arrays: enough for a plan."""
    attributes = {
        name: canonical_json(value or {})
        for name, value in (
            *(("specification", specification), ("provenance", provenance)),
            ("summary", summary),
        )
    }
    attributes |= {"stage": "any", "schema_version": 1, "digest": "0", "checksum": "0"}
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zarr.json", json.dumps({"attributes": attributes}))


def study_in(results="results"):
    """Return the folder of the only study that a results folder has tables of."""
    (folder,) = Path(results).glob("studies/*")
    return folder
