"""What a configuration gets wrong in a study of the width that questions need."""

from collections.abc import Iterator, Mapping
from typing import Any

from nstar.cells import used
from nstar.subjects.demand.mistakes import several_budgets


def answer_mistakes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not go with the measures of networks that answer questions.

    Parameters
    ----------
    parts : mapping
        The valid top-level fields of a configuration; grid, tasks, training and search are among them.
    """
    for i, _, name, task in used(parts, "tasks"):
        if not task.is_text:
            yield (
                f"grid.{i}.tasks: {name} asks no questions, which evaluation.answers is about; leave "
                "it out"
            )
    yield from several_budgets(parts, "evaluation.answers")
    if parts["search"] != "all":
        yield (
            f"search: {parts['search']} goes by training.success, and evaluation.answers by the accuracy "
            "of answers; use all"
        )
    if parts["training"].objective != "cross_entropy":
        yield "training.objective: evaluation.answers needs networks that choose words; use cross_entropy"
