"""What a configuration gets wrong about cells that are trained for tests beyond their length alone."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from nstar.cells import names_in
from nstar.cells.naming import curve_name
from nstar.study import FRESH, GridEntry
from nstar.subjects.registry import subject_of

COORDINATES = ("model", "task", "supervision", "length_distribution", "length")


def extrapolation_mistakes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not go with the role ``extrapolation`` of an entry of the grid.

    Parameters
    ----------
    parts : mapping
        The valid top-level fields of a configuration; grid, models, tasks, evaluation and demand are
        among them.
    """
    evaluation = parts["evaluation"]
    sought = parts["demand"] or (subject_of(evaluation, None).axes or ("nothing",))[0]
    demanded = {
        curve
        for entry in parts["grid"]
        if entry.role == "demand"
        for curve in _curves(entry, parts)
    }
    for i, entry in enumerate(parts["grid"]):
        if entry.role == "demand":
            continue
        where = f"grid.{i}.role: extrapolation"
        if sought != "budget":
            yield (
                f"{where} in a study that seeks the demand for {sought}; it means networks of the "
                "largest training set of a curve along training-set sizes: leave the entry out, or set "
                "demand: budget"
            )
            continue
        if entry.listed_budgets == (FRESH,):
            yield (
                f"grid.{i}.budgets: fresh with role extrapolation, which means a largest training set; "
                "give training-set sizes, or leave budgets out for the largest of each curve"
            )
        yield from _untested(i, entry, parts)
        lacking = [curve for curve in _curves(entry, parts) if curve not in demanded]
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            name = curve_name(dict(zip(COORDINATES, lacking[0], strict=True)))
            yield (
                f"{where}, and no entry of role demand has the curve {name}{more}; add one, for which a "
                "single budget is enough: runs for both roles share their steps"
            )


def _curves(entry: GridEntry, parts: Mapping[str, Any]) -> Iterator[tuple]:
    """Yield the coordinates of the curves of an entry; names that are not defined are told elsewhere."""
    yield from itertools.product(
        [name for name in names_in(entry, "models", parts["models"]) if name in parts["models"]],
        [name for name in names_in(entry, "tasks", parts["tasks"]) if name in parts["tasks"]],
        entry.supervisions,
        entry.length_distributions,
        entry.lengths,
    )


def _untested(i: int, entry: GridEntry, parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tasks and lengths of an entry that no test at a longer length is made of."""
    for name in names_in(entry, "tasks", parts["tasks"]):
        if name in parts["tasks"] and not parts["tasks"][name].extrapolates:
            yield (
                f"grid.{i}.tasks: {name} with role extrapolation, and there is no test of it at longer "
                "lengths; leave it out"
            )
    for length in entry.lengths:
        if not parts["evaluation"].lengths_beyond(length):
            yield (
                f"grid.{i}.lengths: {length} with role extrapolation, and evaluation.test_lengths has no "
                "length beyond it; add one"
            )
