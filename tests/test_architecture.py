"""Who may import whom, and what a dry run must not pay for."""

import ast
import subprocess
import sys
from pathlib import Path

import nstar

ROOT = Path(nstar.__file__).parent
BASE = {"errors", "files", "options", "outcomes", "seeds", "specification"}
MAY_IMPORT = {
    "errors": set(),
    "files": {"errors"},
    "options": set(),
    "naming": set(),
    "outcomes": set(),
    "progress": set(),
    "search": set(),
    "specification": set(),
    "seeds": {"specification"},
    "tasks": BASE,
    "model_sizes": set(),
    "model_options": {"model_sizes", "options"},
    "config": BASE | {"model_options", "search", "tasks"},
    "config_check": BASE | {"config", "families", "grid", "question_check", "tasks"},
    "question_check": {"config", "grid", "tasks"},
    "families": set(),
    "config_file": {"config_check", "errors"},
    "paths": {"errors"},
    "grid": BASE | {"config", "tasks"},
    "plan": BASE | {"config", "grid", "header", "paths", "search"},
    "costs": BASE | {"config", "grid", "header", "model_options", "model_sizes", "paths", "tasks"},
    "batches": BASE | {"costs", "grid", "plan", "tasks"},
    "attempts": {"batches", "naming", "paths"},
    "whole_study": {"config", "costs", "grid", "search"},
    "forecast": BASE
    | {"batches", "costs", "grid", "header", "naming", "paths", "plan", "whole_study"},
    "pruning": {"config", "errors", "files", "grid", "paths", "plan"},
    "models": BASE | {"model_sizes"},
    "measures": {"model_sizes", "models", "seeds"},
    "training": BASE | {"measures", "models"},
    "header": {"errors"},
    "artifacts": BASE | {"header"},
    "stats": set(),
    "tables": BASE,
    "selection": set(),
    "figures": {"selection", "tasks"},
    "pages": set(),
    "findings": {"naming", "pages", "selection"},
    "methods": {"config", "families", "grid", "options", "pages", "tasks"},
    "command_line": {"errors"},
    "reference": {"config", "options", "tables"},
    "publication": BASE
    | {
        "config",
        "config_check",
        "config_file",
        "findings",
        "naming",
        "plan",
        "selection",
        "tables",
    },
}
"""Everything that a part may import from nstar; ``jobs`` bring the parts together."""


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def part_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def test_arrows_between_the_parts():
    wrong = []
    for path in ROOT.rglob("*.py"):
        part = part_of(path)
        if part in ("jobs", "__init__"):
            continue
        for module in imports_of(path):
            top, _, rest = module.partition(".")
            if top == "nstar" and rest.split(".")[0] not in MAY_IMPORT[part] | {part}:
                wrong.append(f"{path.relative_to(ROOT)} imports {module}")
    assert not wrong


def test_statistics_and_figures_know_no_torch_and_models_know_no_zarr():
    banned = {"stats": {"torch", "zarr", "xarray"}, "figures": {"torch", "zarr", "xarray"}}
    banned |= {part: {"zarr", "xarray", "pandas"} for part in ("models", "training", "measures")}
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in ROOT.rglob("*.py")
        for module in imports_of(path)
        if module.split(".")[0] in banned.get(part_of(path), ())
    ]
    assert not wrong


def test_training_does_not_import_the_compiler_of_torch():
    """It takes a second, in every job; one operation under the watch of memory would load it."""
    code = (
        "import sys, torch, nstar.jobs.training; from nstar.training.memory import peak_bytes;"
        "assert peak_bytes(lambda: torch.ones(100) + 1, torch.device('cpu')) == 800;"
        "print([m for m in ('torch._dynamo', 'sympy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_planning_imports_nothing_heavy():
    code = (
        "import sys, nstar.config_check, nstar.plan, nstar.pruning;"
        "print([m for m in ('torch', 'xarray', 'zarr', 'pandas', 'scipy', 'matplotlib')"
        " if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
