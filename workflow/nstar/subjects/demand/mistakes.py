"""What a configuration gets wrong in a study of demand."""

from collections.abc import Iterator, Mapping
from typing import Any

from nstar.cells import used
from nstar.kinds.families import family_along
from nstar.study import FRESH


def demand_mistakes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not go with the demand that is sought.

    Parameters
    ----------
    parts : mapping
        The valid top-level fields of a configuration; grid, tasks, training, search and demand are
        among them.
    """
    demand = parts["demand"] or "budget"
    for i, _, name, task in used(parts, "tasks"):
        if task.is_text and parts["demand"] is None:
            yield (
                f"grid.{i}.tasks: {name} asks questions; set evaluation.answers, which measures the "
                "width that these need, or demand"
            )
    if demand == "budget":
        yield from _fresh(parts)
    elif "models" in parts:
        yield from _no_family(parts, demand)


def _fresh(parts: Mapping[str, Any]) -> Iterator[str]:
    for i, entry in enumerate(parts["grid"]):
        if entry.listed_budgets == (FRESH,):
            yield (
                f"grid.{i}.budgets: fresh, so that there is no demand to measure; say what is with "
                "evaluation.function, or give training-set sizes"
            )


def _no_family(parts: Mapping[str, Any], option: str) -> Iterator[str]:
    """Yield the models of the grid that have one value of an option, or none."""
    for name, model in dict((name, model) for _, _, name, model in used(parts, "models")).items():
        if option not in type(model).model_fields:
            yield (
                f"demand: {option}, and models.{name} is of kind {model.kind}, which has no {option}; "
                "leave it out of the grid, or seek another demand"
            )
        elif not _has_others(family_along(option, name, parts["models"]), parts["models"]):
            yield (
                f"demand: {option}, and models.{name} has the {option} {getattr(model, option)} alone; "
                f"give it a list, such as {option}: [{getattr(model, option)}, "
                f"{2 * getattr(model, option)}]"
            )


def _has_others(family: str, models: Mapping[str, Any]) -> bool:
    return sum(model.family == family for model in models.values()) > 1
