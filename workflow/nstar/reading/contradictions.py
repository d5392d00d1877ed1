"""Contradictions between the fields of a configuration."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from nstar.cells import LONGEST_SEGMENT, budgets_of, make_pool, names_in, used
from nstar.errors import nearest
from nstar.reading.extrapolation import extrapolation_mistakes
from nstar.reading.families import family_mistakes
from nstar.reading.messages import show
from nstar.reading.questions import question_mistakes
from nstar.study import FRESH, GridEntry, Replicates
from nstar.study.evaluation import LONGEST_TEST
from nstar.subjects.registry import subject_of
from nstar.subjects.subject import load
from nstar.tasks import HELD_OUT
from nstar.tasks.base import Source

MOST_REPLICATES = 1_000_000
"""Cells times seeds times learning rates. A plan of 400,000 in 4,000 cells takes seven seconds on one
core; of a million in as many cells, minutes."""

MOST_CELLS = 100_000
"""A plan of 6,000 takes five seconds on one core."""

MOST_TESTS = 5_000_000
"""Rows of the table of tests at longer lengths, which is put together in memory."""

MOST_EVALUATIONS = 10_000_000
"""Of all replicates of a cell: the header of their store, which a plan reads, has 50 bytes of each."""


def contradictions(parts: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between fields: unknown names, budgets that a space cannot hold.

    Parameters
    ----------
    parts : mapping
        The top-level fields that are valid on their own.
    raw : mapping
        The configuration as it was written, where a list of widths or depths is one model.
    """
    legal_names = {
        key: dict.fromkeys((*raw[key], *parts[key])) for key in ("models", "tasks") if key in parts
    }
    for i, entry in enumerate(parts.get("grid", ())):
        for key, legal in legal_names.items():
            for j, name in enumerate(getattr(entry, key) or ()):
                if name not in legal:
                    yield (
                        f"grid.{i}.{key}.{j}: {show(name)} is not defined under {key}; "
                        f"legal are {', '.join(legal)}{nearest(name, legal)}"
                    )
    if "models" in parts:
        yield from family_mistakes(parts["models"], raw["models"])
    replicates = parts.get("replicates")
    if {"grid", "models", "tasks", "replicates"} <= set(parts):
        n_cells = _n_cells(**parts)
        n_replicates = n_cells * replicates.n_runs * len(replicates.learning_rates)
        if n_cells > MOST_CELLS:
            yield (
                f"grid: {n_cells} cells; at most {MOST_CELLS}, because planning alone would take "
                "minutes; divide it into several studies"
            )
            return
        if n_replicates > MOST_REPLICATES:
            yield (
                f"grid: {n_replicates} replicates (cells times replicates.{_what_runs(replicates)} times "
                f"replicates.learning_rates); at most {MOST_REPLICATES}, because planning alone would "
                f"take minutes; divide it into several studies"
            )
            return
        n_lengths = len(parts["evaluation"].test_lengths) if "evaluation" in parts else 0
        if n_replicates * n_lengths > MOST_TESTS:
            yield (
                f"evaluation.test_lengths: {n_lengths} lengths for each of {n_replicates} replicates; at "
                f"most {MOST_TESTS} tests, because each is a row of the table longer; use fewer lengths"
            )
            return
    if {"grid", "tasks", "data"} <= set(parts):
        yield from _impossible_budgets(parts)
    if {"grid", "models"} <= set(parts):
        yield from _sees_ahead(parts)
        yield from _no_separator(parts)
    if {"grid", "models", "training"} <= set(parts):
        yield from _rescaled_outputs(parts)
    if {"grid", "models", "tasks", "data"} <= set(parts):
        yield from _no_source(parts)
    if {"grid", "tasks", "search"} <= set(parts):
        yield from _searched_source(parts)
    if {"grid", "tasks", "training"} <= set(parts):
        yield from _wrong_objective(parts)
    if {"grid", "tasks"} <= set(parts):
        yield from _fresh_short_to_long(parts)
        yield from question_mistakes(parts)
    if {"grid", "tasks", "evaluation"} <= set(parts):
        yield from _impossible_tests(parts)
    if {"grid", "tasks", "training", "evaluation", "search", "demand"} <= set(parts):
        yield from load(subject_of(parts["evaluation"], parts["demand"]).mistakes)(parts)
    if {"grid", "models", "tasks", "evaluation", "demand"} <= set(parts):
        yield from extrapolation_mistakes(parts)
    if {"grid", "replicates"} <= set(parts):
        yield from _fresh_orders(parts)
    rates = replicates.learning_rates if replicates is not None else ()
    if len("+".join(map(repr, rates))) > LONGEST_SEGMENT:
        yield (
            f"replicates.learning_rates: {len(rates)} values do not fit into the name of a folder; use "
            f"values that take at most {LONGEST_SEGMENT} characters when joined by +"
        )
    training = parts.get("training")
    if training is not None and replicates is not None:
        n_runs = replicates.n_runs * len(replicates.learning_rates)
        n_evaluations = n_runs * (training.max_steps // training.evaluate_every)
        if n_evaluations > MOST_EVALUATIONS:
            yield (
                f"training.evaluate_every: {training.evaluate_every}: up to {n_evaluations} evaluations "
                f"of the {n_runs} replicates of a cell; at most {MOST_EVALUATIONS}, because a plan reads "
                "50 bytes of each; make it larger"
            )
    if training is not None and training.evaluate_every > training.max_steps:
        yield (
            f"training.evaluate_every: {training.evaluate_every} is more than training.max_steps "
            f"{training.max_steps}, so nothing would ever be evaluated; make it smaller"
        )
    elif training is not None and training.max_steps % training.evaluate_every:
        below = training.max_steps - training.max_steps % training.evaluate_every
        yield (
            f"training.max_steps: {training.max_steps} is no multiple of training.evaluate_every "
            f"{training.evaluate_every}, so a longer run would not have its last evaluation; use "
            f"{below} or {below + training.evaluate_every}"
        )


def _n_cells(grid, models, tasks, **others) -> int:
    """Return how many cells the entries of a grid have; those in several entries count for each."""
    return sum(
        len(names_in(entry, "models", models))
        * len(names_in(entry, "tasks", tasks))
        * len(entry.supervisions)
        * len(entry.length_distributions)
        * len(entry.lengths)
        * max(1, len(entry.listed_budgets))
        for entry in grid
    )


def _what_runs(replicates: Replicates) -> str:
    return "seeds" if replicates.streams is None else "streams"


def _impossible_budgets(parts: Mapping[str, Any]) -> Iterator[str]:
    data = parts["data"]
    for i, entry in enumerate(parts["grid"]):
        budgets = entry.listed_budgets
        if budgets == (FRESH,):
            continue
        cut = getattr(entry.budgets, "cut", False)
        settings = itertools.product(
            names_in(entry, "tasks", parts["tasks"]), entry.length_distributions, entry.lengths
        )
        for name, distribution, length in settings:
            task = parts["tasks"].get(name)
            if task is None or task.why_not(length):
                continue
            where = f"task {name}, length {length}"
            if distribution != "fixed":
                where = f"{where}, lengths {distribution}"
                if length < data.shortest_length:
                    yield (
                        f"grid.{i}.lengths: {where}: the longest length is below "
                        f"data.shortest_length {data.shortest_length}; make it larger"
                    )
                    continue
            pool = make_pool(task, distribution, length, data)
            size = pool.n_training + sum(pool.held_out)
            sizes = {name: pool.size(name) for name in HELD_OUT}
            too_large = [budget for budget in budgets if budget > pool.n_training]
            if not all(sizes.values()):
                empty = ", ".join(name for name, n in sizes.items() if not n)
                yield (
                    f"grid.{i}.lengths: {where} has only {size} sequences, too few for sets of "
                    f"{empty}; use longer sequences, or larger data.validation_share"
                )
            elif too_large and not cut:
                yield (
                    f"grid.{i}.budgets: {where}, budget "
                    f"{show(too_large).strip('[]')} does not exist: of {size} sequences "
                    f"{sizes['validation']} are kept for validation, {sizes['confirmation']} for "
                    f"confirmation and {sizes['test']} for the test; use budgets up to "
                    f"{pool.n_training}, put this length into a grid entry of its own, or set cut: true"
                )


def _sees_ahead(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a model would see the answers, or the padding, that follow a position."""
    for i, entry, name, model in used(parts, "models"):
        if getattr(model, "causal", True):
            continue
        for key, legal in (("supervisions", None), ("length_distributions", "fixed")):
            for value in getattr(entry, key):
                if value != legal and (legal or value == "chain_of_thought"):
                    yield (
                        f"grid.{i}.{key}: {value} with model {name}, which is not causal and sees "
                        f"what follows a position; set its causal: true, or leave it out"
                    )


def _no_separator(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield where an encoder would not know its end, which is the separator, at one place for all."""
    legal = {"supervisions": "chain_of_thought", "length_distributions": "fixed"}
    for i, entry, name, model in used(parts, "models"):
        if model.kind != "encoder_decoder":
            continue
        for key, only in legal.items():
            for value in getattr(entry, key):
                if value != only:
                    yield (
                        f"grid.{i}.{key}: {value} with model {name}, an encoder_decoder, whose encoder "
                        f"reads what precedes the separator of a chain of thought, at the same place in "
                        f"all sequences; use {only}, or put the model into a grid entry of its own"
                    )


def _wrong_objective(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield where labels and objective do not fit."""
    training = parts["training"]
    squared = training.objective == "squared_error"
    for i, entry, name, task in used(parts, "tasks"):
        where = f"grid.{i}.tasks: {name}"
        if task.real_valued and not squared:
            yield f"{where} has real numbers as labels; set training.objective: squared_error"
        elif task.real_valued and training.success.measure != "loss":
            yield f"{where} has real numbers as labels, no accuracy; set training.success.measure: loss"
        elif task.real_valued and training.fitted and training.fitted.measure != "loss":
            yield f"{where} has real numbers as labels, no accuracy; set training.fitted.measure: loss"
        elif task.real_valued and "chain_of_thought" in entry.supervisions:
            yield f"{where} has real numbers as labels, which are no words of a chain_of_thought"
        elif squared and task.n_states > 2:
            yield (
                f"{where} has {task.n_states} states, and training.objective squared_error asks for one "
                "number in [0, 1]; use cross_entropy, or tasks of two states"
            )


def _rescaled_outputs(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield models whose outputs have another size in evaluations than in training, where it counts."""
    training = parts["training"]
    counts = {
        "training.objective: squared_error": training.objective == "squared_error",
        "training.success.measure: loss": training.success.measure == "loss",
        "training.fitted.measure: loss": training.fitted and training.fitted.measure == "loss",
    }
    reason = next((option for option, given in counts.items() if given), None)
    names = dict.fromkeys(name for _, _, name, _ in used(parts, "models"))
    for name in names if reason else ():
        if getattr(parts["models"][name], "normalise", None) == "inference":
            yield (
                f"models.{name}.normalise: inference divides states in evaluations and not in training, "
                f"which changes the size of outputs, and {reason} depends on it; use always or never, or "
                "judge by an accuracy"
            )


def _fresh_short_to_long(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield entries that would use up the sequences of a length, and draw new ones in every step."""
    for i, entry in enumerate(parts["grid"]):
        if entry.listed_budgets == (FRESH,) and "short_to_long" in entry.length_distributions:
            yield (
                f"grid.{i}.length_distributions: short_to_long with budgets fresh, which never use a "
                "length up; use uniform"
            )


def _impossible_tests(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield lengths of tests that are beyond no length of training, or too long for any network."""
    lengths = {
        length
        for _, entry, _, task in used(parts, "tasks")
        if task.extrapolates
        for length in entry.lengths
    }
    for i, test in enumerate(parts["evaluation"].test_lengths if lengths else ()):
        where, longest = f"evaluation.test_lengths.{i}: {test}", max(lengths)
        if not isinstance(test, str) and test <= min(lengths):
            yield (
                f"{where}: no length of the grid is shorter, and tests are beyond that of training; use "
                f"more than {min(lengths)}, or leave it out"
            )
        elif isinstance(test, str) and int(test[:-1]) * longest > LONGEST_TEST:
            yield (
                f"{where}: {int(test[:-1]) * longest} symbols at length {longest}; at most "
                f"{LONGEST_TEST}, because attention over that length takes 1 GiB per head and sequence"
            )


def _fresh_orders(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield entries whose batches have no order of their own: that in which the data are drawn."""
    streams = parts["replicates"].streams
    n_orders = len(streams.order) if streams else 1
    for i, entry in enumerate(parts["grid"]):
        if entry.listed_budgets == (FRESH,) and n_orders > 1:
            yield (
                f"replicates.streams.order: {n_orders} seeds with grid.{i}.budgets fresh, whose batches "
                "have the order in which the seed of the data draws them; use one seed of the order, or "
                "training sets"
            )


def _no_source(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield where no cell of the grid trains the networks that define a task."""
    own_labels = [name for name, task in parts["tasks"].items() if task.source is None]
    for name, task in parts["tasks"].items():
        source = task.source
        if source is None:
            continue
        if source.task not in own_labels:
            yield (
                f"tasks.{name}.task: {source.task} is no task that a network learns from examples; legal "
                f"are {', '.join(own_labels)}{nearest(source.task, own_labels)}"
            )
        elif not any(_holds(entry, source, parts) for entry in parts["grid"]):
            yield (
                f"tasks.{name}: no grid entry trains model {source.model} on task {source.task}, "
                f"supervision outcome, fixed length {source.length}, budget {source.budget}; add one"
            )


def _searched_source(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield that a search may leave out the cell whose networks define a task."""
    if parts["search"] == "all":
        return
    for i, _, name, task in used(parts, "tasks"):
        if task.source is not None:
            yield (
                f"search: {parts['search']} with grid.{i}.tasks: {name}, whose source it may leave "
                "untrained; use all"
            )


def _holds(entry: GridEntry, source: Source, parts: Mapping[str, Any]) -> bool:
    return (
        entry.role == "demand"
        and source.model in names_in(entry, "models", parts["models"])
        and source.task in names_in(entry, "tasks", parts["tasks"])
        and "outcome" in entry.supervisions
        and "fixed" in entry.length_distributions
        and source.length in entry.lengths
        and source.budget
        in budgets_of(entry, parts["tasks"][source.task], "fixed", source.length, parts["data"])
    )
