"""What a configuration gets wrong in a study of networks as functions of bits."""

from collections.abc import Iterator, Mapping
from typing import Any

from nstar.cells import used


def function_mistakes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not go with the measures of networks as functions of bits.

    Parameters
    ----------
    parts : mapping
        The valid top-level fields of a configuration; grid, tasks, training and search are among them.
    """
    if parts["demand"] is not None:
        yield f"demand: {parts['demand']}, and evaluation.function seeks none; leave one of them out"
    if parts["training"].objective != "squared_error":
        yield (
            "evaluation.function: needs networks of one output; set training.objective: squared_error"
        )
    if parts["search"] != "all":
        yield f"search: {parts['search']} looks for demand, and evaluation.function does not; use all"
    for i, _, name, task in used(parts, "tasks"):
        if task.n_symbols != 2:
            yield (
                f"grid.{i}.tasks: {name} has {task.n_symbols} symbols, and evaluation.function measures "
                "functions of bits; leave it out"
            )
