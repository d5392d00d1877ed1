"""What a configuration gets wrong in a study of demand."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from nstar.cells import budgets_of, used
from nstar.kinds.families import FAMILY_OPTIONS, family_along
from nstar.study import FRESH

MOST_EVALUATIONS = 1000
"""Evaluations of a run, at most, where the number of steps is asked for: they resolve 0.1 % of it."""


def demand_mistakes(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not go with the demand that is sought.

    Parameters
    ----------
    parts : mapping
        The valid top-level fields of a configuration; grid, tasks, training, evaluation, search and
        demand are among them.
    """
    demand = parts["demand"] or "budget"
    yield from _questions(parts)
    if demand == "budget":
        yield from _fresh(parts)
    else:
        yield from several_budgets(parts, f"demand: {demand}")
        if demand in FAMILY_OPTIONS and "models" in parts:
            yield from _no_family(parts, demand)
    if demand == "steps":
        yield from _no_history(parts)


def _questions(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a study of tasks with questions lacks, or has too much of."""
    if parts["evaluation"].answers is not None:
        yield (
            f"evaluation.answers: with demand: {parts['demand']} nothing reads it, since "
            "training.success says what success is; leave it out"
        )
    asking = [(i, name) for i, _, name, task in used(parts, "tasks") if task.is_text]
    if parts["demand"] is None:
        for i, name in asking:
            yield (
                f"grid.{i}.tasks: {name} asks questions; set evaluation.answers, which measures the "
                "width that these need, or demand"
            )
        return
    names = dict.fromkeys(name for _, _, name, task in used(parts, "tasks") if not task.is_text)
    if asking and names:
        i, name = asking[0]
        yield (
            f"grid.{i}.tasks: {name} asks questions, which have no number of states, and one law is "
            f"fitted to all other tasks ({', '.join(names)}); give it a study of its own"
        )


def several_budgets(parts: Mapping[str, Any], option: str) -> Iterator[str]:
    """Yield that training sets differ in size where an option asks for width or depth.

    Tasks with questions have laws of their own, and may differ.
    """
    if "data" not in parts:
        return
    budgets: dict[str, set[int]] = {}
    for _, entry, name, task in used(parts, "tasks"):
        for lengths, length in itertools.product(entry.length_distributions, entry.lengths):
            found = budgets_of(entry, task, lengths, length, parts["data"])
            budgets.setdefault(name if task.is_text else "", set()).update(found)
    for sizes in budgets.values():
        if len(sizes) > 1:
            shown = ", ".join("fresh" if size == FRESH else str(size) for size in sorted(sizes))
            yield (
                f"grid.budgets: {shown} with {option}; its curves are compared at one size of the "
                "training set: use one budget without cut, and a study for each"
            )


def _fresh(parts: Mapping[str, Any]) -> Iterator[str]:
    for i, entry in enumerate(parts["grid"]):
        if entry.role == "demand" and entry.listed_budgets == (FRESH,):
            yield (
                f"grid.{i}.budgets: fresh, so that there is no demand to measure; say what is with "
                "evaluation.function, or give training-set sizes"
            )


def _no_history(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield why the history of a run does not tell what fewer steps would have done."""
    training = parts.get("training")
    n_evaluations = training.max_steps / training.evaluate_every if training else 0
    if n_evaluations > MOST_EVALUATIONS:
        yield (
            f"training.evaluate_every: {training.evaluate_every} with demand: steps gives "
            f"{n_evaluations:.0f} evaluations, each a row of tables for every run; use at least "
            f"{math.ceil(training.max_steps / MOST_EVALUATIONS)}, which gives {MOST_EVALUATIONS} or fewer"
        )
    if parts["search"] != "all":
        yield (
            f"search: {parts['search']} with demand: steps; one run shows all numbers of steps, so that "
            "there is nothing to search: use all"
        )
    if training is None:
        return
    if training.schedule.decay != "constant":
        yield (
            f"training.schedule.decay: {training.schedule.decay} with demand: steps; the learning rate "
            "at a step would depend on max_steps, and a shorter training would be another one: use "
            "constant"
        )
    if training.success.at == "final":
        yield (
            "training.success.at: final with demand: steps; the first evaluation that passes is what is "
            "asked for: use best"
        )
    if training.patience is not None:
        yield (
            f"training.patience: {training.patience} with demand: steps; a replicate that it ends might "
            "still have learnt: use null"
        )


def _no_family(parts: Mapping[str, Any], option: str) -> Iterator[str]:
    """Yield the models of the grid that have one value of an option there, or none."""
    models = {name: model for _, _, name, model in used(parts, "models")}
    families = {name: family_along(option, name, parts["models"]) for name in models}
    counts = Counter(families.values())
    as_written = {model.family or name: name for name, model in reversed(models.items())}
    for written, name in reversed(as_written.items()):
        model, family = models[name], families[name]
        if option not in type(model).model_fields:
            yield (
                f"demand: {option}, and models.{written} is of kind {model.kind}, which has no {option}; "
                "leave it out of the grid, or seek another demand"
            )
        elif model.family is not None and family != model.family:
            yield (
                f"demand: {option}, and the models of family {written} do not differ in {option} alone; "
                f"give models.{written} one list, of {option}, or seek another demand"
            )
        elif counts[family] == 1:
            yield (
                f"demand: {option}, and the grid has models.{name} with the {option} "
                f"{getattr(model, option)} alone; give its options as a list of different values "
                f"({option}: [...]; a published size takes none), all of them in the grid"
            )
