"""Forecasts as text, and their comparison with what a run took."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nstar.cells.naming import curve_name
from nstar.files import is_there
from nstar.plan.forecast import QUANTILES
from nstar.plan.jobs import PlannedJobs
from nstar.plan.missing import Plan
from nstar.store.header import read_header
from nstar.study import FRESH
from nstar.subjects.axis import AXES


def as_text(found: Mapping[str, Any]) -> str:
    """Return a forecast as a table, one line per curve, and totals."""
    totals = found["totals"]
    rows = [("curve", "cached", "to train", "steps", "TFLOP", "time", "90 %")]
    rows += map(_row, found["curves"])
    low, middle, high = totals["training_s"]
    lines = [f"study {found['study']}", "", *_aligned(rows, n_left=3), ""]
    lines.append(
        f"{totals['cells_missing']} of {totals['cells']} cells to train, "
        f"{totals['replicates_missing']} replicates; {totals['evaluations_missing']} evaluations; "
        f"{totals['data_stores_missing']} stores of data not there; {len(found['jobs'])} jobs"
    )
    reasons = {why for curve in found["curves"] for why in curve["training"]["stale"].values()}
    lines += [f"stale: trained before, but {why}" for why in sorted(reasons)]
    if found["search"] != "all":
        lines.append(_search_line(found))
    if totals["old_stores"]:
        lines.append(
            f"results/cells and results/evaluations hold {totals['old_stores']} stores of nstar 0.1: "
            "this version names and fills stores anew and does not read them; making them again is the "
            f"cost below; scripts/prune_results.py --remove frees {totals['old_bytes'] / 2**20:.3g} MiB"
        )
    if totals["cells_missing"]:
        source = "no finished cell to learn from: a guess"
        if found["n_learnt_from"]:
            source = f"learnt from {found['n_learnt_from']} finished stores"
        lines.append(
            f"training: {middle / 3600:.3g} {totals['unit']} on {found['device']}, 90 % in "
            f"[{low / 3600:.3g}, {high / 3600:.3g}] ({source}); at most {totals['steps']:.3g} steps, "
            f"{totals['flops'] / 1e12:.3g} TFLOP"
        )
    if totals["evaluation_share"] > 0.5:
        lines.append(
            f"{totals['evaluation_share']:.0%} of the operations of training are those of its "
            "evaluations: a larger training.evaluate_every makes fewer"
        )
    if found["jobs"]:
        largest = max(job["memory_bytes"] for job in found["jobs"])
        lines.append(
            f"evaluation: about {duration(totals['evaluation_s'])}; data: about "
            f"{duration(totals['data_s'])}; largest job {largest / 2**30:.2g} GiB of memory; disk "
            f"{totals['disk_bytes'] / 2**20:.3g} MiB"
        )
    lines += _over_the_cap(found)
    if totals["cells_missing"] and found["whole_study"]:
        lines += ["", *_whole_study(found)]
    return "\n".join(lines)


def _over_the_cap(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a scheduler does with jobs that are expected to exceed their time limit."""
    most = found["most_minutes"]
    too_long = [job["rule"] for job in found["jobs"] if job["seconds"] > 60 * most]
    n_training = sum(rule.startswith("train_cells-") for rule in too_long)
    if n_training:
        yield (
            f"{n_training} training jobs are expected to take longer than jobs.most_minutes ({most}): a "
            "cluster runs them in several attempts, which go on from checkpoints"
        )
    if len(too_long) > n_training:
        yield (
            f"{len(too_long) - n_training} jobs of data or evaluation are expected to take longer than "
            f"jobs.most_minutes ({most}): they have no checkpoints, so raise it for a cluster"
        )


def _whole_study(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the study costs from nothing, one line per strategy."""
    rows = [("search", "cells", "replicates", "steps", "packed", "of failures", "TFLOP")]
    for cost in found["whole_study"]:
        steps = (cost[key] for key in ("steps", "packed_steps", "failing_steps"))
        numbers = (
            f"{cost['cells']:,.0f}",
            f"{cost['replicates']:,.0f}",
            *map("{:.3g}".format, steps),
        )
        rows.append((cost["search"], *numbers, f"{cost['flops'] / 1e12:.3g}"))
    symbol = AXES[found["demand"]].symbol
    yield f"the whole study from nothing, were all places of {symbol} on its grid as likely:"
    yield from _aligned(rows, n_left=1)
    yield "(packed: steps of the device where the replicates of a cell are trained together; of failures:"
    yield "steps of the replicates that do not learn, or are for extrapolation, which"
    yield "training.stop_on_success cannot shorten)"


def _aligned(rows: Sequence[Sequence[str]], n_left: int) -> Iterator[str]:
    """Yield the lines of a table, its first columns flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            text.ljust(width) if i < n_left else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _row(curve: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the cells of the table for one curve."""
    training, cost = curve["training"], curve["cost"]
    words = {"continue": "continue", "replay": "replay", "partial": "in part", "stale": "stale"}
    parts = [_budgets(training["missing"])] if training["missing"] else []
    parts += [
        f"{word}: {_budgets(training[name])}" for name, word in words.items() if training[name]
    ]
    name = curve_name(curve)
    if "budget" in curve:  # demand is sought of something else
        name += f", N = {curve['budget']}" if curve["budget"] != FRESH else ", fresh batches"
    if curve["role"] != "demand":
        name += f", {curve['role']}"
    cached = [_budgets(training["cached"])] if training["cached"] else []
    cached += [f"refit: {_budgets(training['refit'])}"] if training["refit"] else []
    cached = "; ".join(cached) or "-"
    if not parts:
        return (name, cached, "-", "", "", "", "")
    low, middle, high = map(duration, cost["training_s"])
    flops = f"{cost['flops'] / 1e12:.3g}"
    return (name, cached, "; ".join(parts), f"{cost['steps']:,}", flops, middle, f"{low}-{high}")


def _budgets(budgets: Iterable[int | str]) -> str:
    return " ".join("fresh" if int(budget) == FRESH else str(budget) for budget in budgets)


def _search_line(found: Mapping[str, Any]) -> str:
    if found["searching"]:
        return (
            f"search {found['search']}, round {found['search_round']}: what follows depends on these "
            "cells"
        )
    return f"search {found['search']}: every curve is done"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it.

    Examples
    --------
    >>> [duration(seconds) for seconds in (3.2, 90, 5400, 1e6)]
    ['3 s', '1.5 min', '1.5 h', '11.6 d']
    """
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 86400)):
        if seconds < limit:
            return f"{seconds / size:.{int(size > 1)}f} {unit}"
    return f"{seconds / 86400:.1f} d"


def compare_with_truth(plan: Plan, planned: PlannedJobs) -> str | None:
    """Return how long the training of a plan was expected to take and took, or None if none is done."""
    paths = {work: plan.stores.cell(work.block, work.part) for work in planned.costs}
    done = [work for work, path in paths.items() if is_there(path)]
    if not done:
        return None
    took = sum(read_header(paths[work])["provenance"].get("wall_time_s", 0.0) for work in done)
    draws = np.sum([planned.seconds[work] for work in done], axis=0)
    low, middle, high = (float(np.quantile(draws, share)) for share in QUANTILES)
    within = "inside" if low <= took <= high else "outside"
    return (
        f"training of {len(done)} blocks took {duration(took)}; planned were {duration(middle)}, 90 % in "
        f"[{duration(low)}, {duration(high)}]: {took / middle - 1:+.0%}, {within} of the interval"
    )


def next_round(plan: Plan) -> str:
    """Return what the run after a round of a search would do."""
    n_cells = len({state.cell for state in plan.cells if state.missing})
    next_one = f"round {plan.n_round} asks for {n_cells} more cells" if plan.searching else "tables"
    return (
        f"search {plan.study.search}: run the same command again (make run does), next: {next_one}"
    )
