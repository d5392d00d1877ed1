"""What a configuration gets wrong in a study of the demand for data."""

from collections.abc import Iterator, Mapping
from typing import Any

from nstar.cells import used
from nstar.study import FRESH


def demand_mistakes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield entries of the grid that have no demand for data.

    Parameters
    ----------
    parts : mapping
        The valid top-level fields of a configuration; grid and tasks are among them.
    """
    for i, entry in enumerate(parts["grid"]):
        if entry.listed_budgets == (FRESH,):
            yield (
                f"grid.{i}.budgets: fresh, so that there is no demand to measure; say what is with "
                "evaluation.function, or give training-set sizes"
            )
    for i, _, name, task in used(parts, "tasks"):
        if task.is_text:
            yield (
                f"grid.{i}.tasks: {name} asks questions; set evaluation.answers, which measures the "
                "width that these need"
            )
