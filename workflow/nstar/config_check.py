"""How a configuration is checked: every mistake at once, each as one readable line."""

import itertools
import math
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from nstar.config import FRESH, GridBlock, Study
from nstar.errors import ConfigError, all_mistakes, nearest
from nstar.families import expand_families
from nstar.grid import budgets_of, make_pool, names_in, used
from nstar.options import Options
from nstar.question_check import question_mistakes
from nstar.tasks import LearntFunction

LONGEST_SEGMENT = 200
"""Characters of a list of seeds or learning rates in a path; file systems take 255 per segment."""

MOST_REPLICATES = 1_000_000
"""Cells times seeds times learning rates. A plan of 400,000 in 4,000 cells takes seven seconds on one
core; of a million in as many cells, minutes."""

REQUIRED_KEYS = tuple(name for name, field in Study.model_fields.items() if field.is_required())


def load_study(raw: Any) -> Study:
    """Return the study that a configuration describes.

    Parameters
    ----------
    raw : mapping
        The parsed YAML.

    Raises
    ------
    ConfigError
        With every mistake at once: dotted key, value, what is allowed, the nearest legal name.
    """
    if not isinstance(raw, Mapping) or not raw:
        raise ConfigError(f"the configuration is empty; it needs {', '.join(REQUIRED_KEYS)}")
    raw, problems = expand_families(raw)
    study, errors = None, []
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        errors = [entry for entry in error.errors(include_url=False) if not _follows(entry)]
    problems += dict.fromkeys(_describe(raw, error) for error in errors)
    problems += _contradictions(_valid_parts(raw, errors))
    if problems:
        raise all_mistakes("the configuration", problems)
    return study


def show(value: Any) -> str:
    """Return a value as YAML writes it, shortened to what a line can hold.

    Examples
    --------
    >>> show([True, None, "1e6", 10**30])
    "[true, null, '1e6', 100000000000...0000000000000]"
    """
    return _SHOWN.repr(value)


class _Shown(reprlib.Repr):
    """Values in YAML's words; of long ones the ends, of long lists the beginning."""

    def __init__(self):
        super().__init__()
        self.maxlong, self.maxstring, self.maxother = 28, 60, 60

    def repr_int(self, value, level):
        digits = int(abs(value).bit_length() * math.log10(2)) + 1
        return super().repr_int(value, level) if digits < 4000 else f"a number of {digits} digits"

    def repr_bool(self, value, level):
        return str(value).lower()

    def repr_NoneType(self, value, level):  # noqa: N802 (the name that reprlib looks for)
        return "null"


_SHOWN = _Shown()


def _follows(error: Mapping[str, Any]) -> bool:
    """Return whether an error only follows from others: a list is empty after its wrong entries."""
    return error["type"] == "too_short" and len(error["input"]) > 0


def _valid_parts(raw: Mapping, errors: list) -> dict[str, Any]:
    """Return the top-level fields that are valid on their own, with defaults for those left out."""
    wrong = {error["loc"][0] for error in errors if error["loc"]}
    return {
        name: TypeAdapter(field.annotation).validate_python(raw[name])
        if name in raw
        else field.get_default(call_default_factory=True)
        for name, field in Study.model_fields.items()
        if name not in wrong
    }


def _contradictions(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between fields: unknown names, budgets that a space cannot hold."""
    for i, block in enumerate(parts.get("grid", ())):
        for key in ("models", "tasks"):
            for j, name in enumerate(getattr(block, key) or ()):
                if key in parts and name not in parts[key]:
                    legal = list(parts[key])
                    yield (
                        f"grid.{i}.{key}.{j}: {show(name)} is not defined under {key}; "
                        f"legal are {', '.join(legal)}{nearest(name, legal)}"
                    )
    replicates = parts.get("replicates")
    if {"grid", "models", "tasks", "replicates"} <= set(parts):
        n_replicates = _n_replicates(**parts)
        if n_replicates > MOST_REPLICATES:
            yield (
                f"grid: {n_replicates} replicates (cells times replicates.seeds times "
                f"replicates.learning_rates); at most {MOST_REPLICATES}, because planning alone would "
                f"take minutes; divide it into several studies"
            )
            return
    if {"grid", "tasks", "data"} <= set(parts):
        yield from _impossible_budgets(parts)
    if {"grid", "models"} <= set(parts):
        yield from _sees_ahead(parts)
        yield from _no_separator(parts)
    if {"grid", "models", "tasks", "data"} <= set(parts):
        yield from _no_source(parts)
    if {"grid", "tasks", "training"} <= set(parts):
        yield from _wrong_objective(parts)
    if {"grid", "tasks", "training", "evaluation", "search"} <= set(parts):
        yield from _no_function(parts)
    if {"grid", "models", "tasks", "training", "evaluation", "search"} <= set(parts):
        yield from question_mistakes(parts)
    for key in ("seeds", "learning_rates") if replicates is not None else ():
        values = getattr(replicates, key)
        if len("+".join(map(repr, values))) > LONGEST_SEGMENT:
            yield (
                f"replicates.{key}: {len(values)} values do not fit into the name of a folder; use "
                f"values that take at most {LONGEST_SEGMENT} characters when joined by +"
            )
    training = parts.get("training")
    if training is not None and training.evaluate_every > training.max_steps:
        yield (
            f"training.evaluate_every: {training.evaluate_every} is more than training.max_steps "
            f"{training.max_steps}, so nothing would ever be evaluated; make it smaller"
        )


def _n_replicates(grid, models, tasks, replicates, **others) -> int:
    """Return how many replicates the blocks of a grid have, those in several blocks counted for each."""
    n_cells = sum(
        len(names_in(block, "models", models))
        * len(names_in(block, "tasks", tasks))
        * len(block.supervisions)
        * len(block.length_distributions)
        * len(block.lengths)
        * len(block.listed_budgets)
        for block in grid
    )
    return n_cells * len(replicates.seeds) * len(replicates.learning_rates)


def _impossible_budgets(parts: Mapping[str, Any]) -> Iterator[str]:
    data = parts["data"]
    for i, block in enumerate(parts["grid"]):
        budgets = block.listed_budgets
        if budgets == (FRESH,):
            continue
        cut = getattr(block.budgets, "cut", False)
        settings = itertools.product(
            names_in(block, "tasks", parts["tasks"]), block.length_distributions, block.lengths
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
            size = pool.n_training + pool.n_validation
            too_large = [budget for budget in budgets if budget > pool.n_training]
            if pool.n_validation == 0:
                yield (
                    f"grid.{i}.lengths: {where} has only {size} sequences, "
                    f"too few for a validation set; use longer sequences"
                )
            elif too_large and not cut:
                yield (
                    f"grid.{i}.budgets: {where}, budget "
                    f"{show(too_large).strip('[]')} does not exist: of {size} sequences "
                    f"{pool.n_validation} are kept for validation; use budgets up to "
                    f"{pool.n_training}, put this length into a grid block of its own, or set cut: true"
                )


def _sees_ahead(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a model would see the answers, or the padding, that follow a position."""
    for i, block, name, model in used(parts, "models"):
        if getattr(model, "causal", True):
            continue
        for key, legal in (("supervisions", None), ("length_distributions", "fixed")):
            for value in getattr(block, key):
                if value != legal and (legal or value == "chain_of_thought"):
                    yield (
                        f"grid.{i}.{key}: {value} with model {name}, which is not causal and sees "
                        f"what follows a position; set its causal: true, or leave it out"
                    )


def _no_separator(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield where an encoder would not know its end, which is the separator, at one place for all."""
    legal = {"supervisions": "chain_of_thought", "length_distributions": "fixed"}
    for i, block, name, model in used(parts, "models"):
        if model.kind != "encoder_decoder":
            continue
        for key, only in legal.items():
            for value in getattr(block, key):
                if value != only:
                    yield (
                        f"grid.{i}.{key}: {value} with model {name}, an encoder_decoder, whose encoder "
                        f"reads what precedes the separator of a chain of thought, at the same place in "
                        f"all sequences; use {only}, or put the model into a grid block of its own"
                    )


def _wrong_objective(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield where labels and objective do not fit."""
    training = parts["training"]
    squared = training.objective == "squared_error"
    for i, block, name, task in used(parts, "tasks"):
        where = f"grid.{i}.tasks: {name}"
        if task.real_valued and not squared:
            yield f"{where} has real numbers as labels; set training.objective: squared_error"
        elif task.real_valued and training.success.measure != "loss":
            yield f"{where} has real numbers as labels, no accuracy; set training.success.measure: loss"
        elif task.real_valued and "chain_of_thought" in block.supervisions:
            yield f"{where} has real numbers as labels, which are no words of a chain_of_thought"
        elif squared and task.n_states > 2:
            yield (
                f"{where} has {task.n_states} states, and training.objective squared_error asks for one "
                "number in [0, 1]; use cross_entropy, or tasks of two states"
            )


def _no_function(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not go with, or without, the measures of networks as functions of bits."""
    measured = parts["evaluation"].function is not None
    for i, block in enumerate(parts["grid"]):
        fresh = block.listed_budgets == (FRESH,)
        if fresh and not measured:
            yield (
                f"grid.{i}.budgets: fresh, so that there is no demand to measure; say what is with "
                "evaluation.function, or give training-set sizes"
            )
        if fresh and "short_to_long" in block.length_distributions:
            yield (
                f"grid.{i}.length_distributions: short_to_long with budgets fresh, which never use a "
                "length up; use uniform"
            )
    if not measured:
        return
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


def _no_source(parts: Mapping[str, Any]) -> Iterator[str]:
    """Yield where no cell of the grid learns what a learnt function is."""
    for name, task in parts["tasks"].items():
        if not isinstance(task, LearntFunction):
            continue
        source = parts["tasks"].get(task.task)
        if source is None or isinstance(source, LearntFunction):
            legal = [
                other
                for other, kind in parts["tasks"].items()
                if not isinstance(kind, LearntFunction)
            ]
            yield (
                f"tasks.{name}.task: {task.task} is no task that a network learns from examples; legal "
                f"are {', '.join(legal)}{nearest(task.task, legal)}"
            )
        elif not any(_holds(block, task, parts) for block in parts["grid"]):
            yield (
                f"tasks.{name}: no block of the grid trains model {task.model} on task {task.task}, "
                f"supervision outcome, fixed length {task.length}, budget {task.budget}; add one"
            )


def _holds(block: GridBlock, task: LearntFunction, parts: Mapping[str, Any]) -> bool:
    return (
        task.model in names_in(block, "models", parts["models"])
        and task.task in names_in(block, "tasks", parts["tasks"])
        and "outcome" in block.supervisions
        and "fixed" in block.length_distributions
        and task.length in block.lengths
        and task.budget
        in budgets_of(block, parts["tasks"][task.task], "fixed", task.length, parts["data"])
    )


_MUST = {
    "int_type": "must be a whole number in digits without quotes, as 1000000, not 1e6 or 1.0",
    "float_type": "must be a number, as 0.01 or 1e-3, without quotes",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text, in quotes if it looks like anything else",
    "string_pattern_mismatch": "must be a name of small letters, digits and _, a letter first",
    "string_unicode": "must be text without halves of surrogate pairs (U+D800 to U+DFFF); remove them",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters; shorten it",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "tuple_type": "must be a list, as [1, 2]",
    "too_short": "must not be empty",
    "too_long": "must have {max_length} entries",
    "dict_type": "must be a block of 'name: ...' lines",
    "invalid_key": "the key must be text; put it in quotes",
    "value_error": "{error}",
}
"""What is allowed, by pydantic's name of the mistake."""


def _describe(raw: Any, error: Mapping[str, Any]) -> str:
    """Return one line for one pydantic error: dotted key, value, what is allowed, what is near."""
    key, classes = _locate(raw, error["loc"])
    name = ".".join(map(str, key)) or "the configuration"
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        legal = _legal_keys(classes)
        return f"{name}: unknown key; legal here are {', '.join(legal)}{nearest(key[-1], legal)}"
    if kind == "missing":
        what = "an entry is missing" if isinstance(error["loc"][-1], int) else "missing"
        return f"{name}: {what}; add it"
    if kind == "union_tag_not_found":
        if misspelt := [written for written in value if nearest(written, ["kind"])]:
            return f"{name}.{misspelt[0]}: unknown key (did you mean kind?)"
        return f"{name}.kind: missing; add it"
    if kind in ("union_tag_invalid", "literal_error"):
        if kind == "union_tag_invalid":
            name, value = f"{name}.kind", value["kind"]
        legal = context.get("expected_tags", context.get("expected", "")).replace("'", "")
        names = legal.replace(" or ", ", ").split(", ")
        near = nearest(value, names) if isinstance(value, str) else ""
        return f"{name}: {show(value)} is not legal; legal are {', '.join(names)}{near}"
    if kind in ("model_type", "model_attributes_type"):
        _, classes = _locate(raw, (*error["loc"], "any key"))
        keys = _legal_keys(classes) if len(classes) == 1 else ["kind", "its options"]
        must = f"must be a block with {', '.join(keys)}"
    else:
        must = _MUST.get(kind, error["msg"]).format_map(context)
    if isinstance(value, Mapping) and kind == "value_error":
        return f"{name}: {must}"
    return f"{name}: {show(value)}: {must}"


def _locate(raw: Any, location: tuple) -> tuple[list, list[type[Options]]]:
    """Return the key of an error as the user wrote it, and the option classes legal around it.

    Pydantic puts the tags of unions into the location; they are in no configuration and left out.
    """
    key: list = []
    classes: list[type[Options]] = [Study]
    node, annotation = raw, None
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if part == "[key]":
            continue
        inside = isinstance(node, Mapping) and part in node
        inside |= isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)
        if not inside and not (last and _is_field(part, classes)):
            continue
        key.append(part)
        fields = [cls.model_fields[part] for cls in classes if part in cls.model_fields]
        annotation = fields[0].annotation if fields else annotation
        node = node[part] if inside else None
        if not last:
            classes = _option_classes(annotation, node) if annotation is not None else classes
    return key, classes


def _is_field(part: Any, classes: list[type[Options]]) -> bool:
    return any(part in cls.model_fields for cls in classes)


def _option_classes(annotation: Any, node: Any) -> list[type[Options]]:
    """Return the option classes inside a type; where `node` has a legal ``kind``, the one of it."""
    found: list[type[Options]] = []
    if isinstance(annotation, type) and issubclass(annotation, Options):
        found = [annotation]
    for inner in get_args(annotation):
        found += _option_classes(inner, None)
    kind = node.get("kind") if isinstance(node, Mapping) else None
    chosen = [cls for cls in found if "kind" in cls.model_fields and kind in _kinds(cls)]
    return chosen or found


def _kinds(cls: type[Options]) -> tuple:
    return get_args(cls.model_fields["kind"].annotation)


def _legal_keys(classes: list[type[Options]]) -> list[str]:
    names = dict.fromkeys(name for cls in classes for name in cls.model_fields)
    return sorted(names, key=lambda name: name != "kind")  # which decides about the others
