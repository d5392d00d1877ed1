"""List the cells of a study that are cached and those that a run would train.

Reads the configuration and the names of files; starts nothing, imports no torch.
"""

import json
from pathlib import Path

from nstar.command_line import parser, run
from nstar.config_check import load_study
from nstar.config_file import read_config
from nstar.plan import Plan, make_plan


def main(arguments=None):
    """Parse the command line and print the plan."""
    flags = parser(__doc__)
    flags.add_argument(
        "--configfile", type=Path, default=Path("config.yaml"), help="default: config.yaml"
    )
    flags.add_argument("--json", action="store_true", help="print JSON, for other programs")
    options = flags.parse_args(arguments)
    plan = make_plan(load_study(read_config(options.configfile)), options.results)
    print(json.dumps(_summary(plan), indent=2) if options.json else _table(plan))


def _summary(plan: Plan) -> dict:
    """Return the curves with their cached and missing budgets, and totals."""
    curves: dict[tuple, dict] = {}
    for state in plan.cells:
        cell = state.cell
        curve = curves.setdefault(
            (cell.model, cell.task, cell.length),
            {"model": cell.model, "task": cell.task, "length": cell.length},
        )
        part = "cached" if not state.missing else "partial" if state.finished else "missing"
        curve.setdefault(part, []).append(cell.budget)
    n_replicates = sum(len(block.replicates) for state in plan.cells for block in state.missing)
    return {
        "study": plan.study.name,
        "curves": list(curves.values()),
        "cells": len(plan.cells),
        "cells_missing": sum(bool(state.missing) for state in plan.cells),
        "replicates_missing": n_replicates,
        "data_stores_missing": sum(len(batch.outputs) for batch in plan.generation),
        "evaluations_missing": sum(len(batch.outputs) for batch in plan.evaluation),
    }


def _table(plan: Plan) -> str:
    """Return the summary as text, one line per curve."""
    summary = _summary(plan)
    lines = [f"study {summary['study']}", ""]
    names = [f"{c['model']}, {c['task']}, length {c['length']}" for c in summary["curves"]]
    width = max(map(len, names))
    for name, curve in zip(names, summary["curves"], strict=True):
        parts = [
            f"{part}: {' '.join(map(str, curve[part]))}"
            for part in ("cached", "partial", "missing")
            if part in curve
        ]
        lines.append(f"{name:<{width}}  {'; '.join(parts)}")
    lines += [
        "",
        f"{summary['cells_missing']} of {summary['cells']} cells to train, "
        f"{summary['replicates_missing']} replicates; "
        f"{summary['evaluations_missing']} evaluations; "
        f"{summary['data_stores_missing']} stores of data not there",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
