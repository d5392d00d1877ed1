"""The methods page: every option is told with its value, and no sentence that the values do not bear."""

import copy
import html
import re
from html.parser import HTMLParser
from typing import get_args

import pytest
from support.studies import FUNCTIONS, QUESTIONS, changed, tiny
from support.variants import VARIANTS

from nstar.errors import ConfigError
from nstar.kinds import PresetOptions
from nstar.methods import write_methods
from nstar.options import EVERYTHING, Options
from nstar.reading.check import load_study
from nstar.study import GeometricRange, Study
from nstar.study.study import Figures, Jobs
from nstar.subjects.axis import DEPTH, STEPS, WIDTH

UNUSUAL = {
    "name": "mine",
    "title": "Mine",
    "models": {
        "gazer": {
            **{"kind": "transformer", "width": 16, "depth": 2, "heads": 2, "dropout": 0.1},
            **{"positions": "rotary", "norm": "post", "activation": "relu"},
        },
        "g": {"kind": "gru", "width": 8},
    },
    "tasks": {"parity": {"kind": "modular_addition", "modulus": 2}},
    "grid": [{"lengths": [8, 10], "budgets": {"smallest": 16, "largest": 64}}],
    "replicates": {"seeds": [0], "learning_rates": [1e-3]},
    "training": {
        "batch_size": 16,
        "max_steps": 200,
        "evaluate_every": 100,
        "schedule": {"decay": "cosine", "warmup_steps": 10},
        "stop_on_success": False,
        "optimiser": {"decoupled": True, "weight_decay": 0.1},
        "success": {"measure": "sequence_accuracy", "threshold": 0.9, "at": "final"},
    },
}
"""A study in which the methods text of the first version stated four things that were not so."""

ONE_OF_EACH = {
    (options["kind"], str(options.get("attention", {}).get("kind"))): (name, options)
    for name, options in VARIANTS.items()
}
EVERY_MODEL = tiny(
    models={"plain": {"kind": "lstm", "width": 8}, **dict(ONE_OF_EACH.values())},
    **{
        "grid.0.models": ["plain"],
        "grid.0.length_distributions": ["fixed", "uniform"],
        "grid.0.lengths": [6, 7],
        "training.schedule": {"decay": "linear", "warmup_steps": 10, "final_factor": 0.1},
        "training.patience": 3,
        "training.optimiser.gradient_clip": 1.0,
    },
)
EVERY_TASK = tiny(
    tasks={
        "parity": {"kind": "modular_addition", "modulus": 2},
        "permutation": {"kind": "permutation_composition", "degree": 3},
        "group": {"kind": "group_product", "group": "Z_4"},
        "swap": {"kind": "swap_composition", "degree": 3},
        "cycle": {"kind": "cycle_navigation", "size": 4},
        "automaton": {"kind": "random_automaton", "states": 3, "symbols": 2, "seed": 1},
        "majority": {"kind": "majority"},
        "first": {"kind": "first"},
        "k_parity": {"kind": "k_parity", "bits": 2},
        "function": {"kind": "random_function", "seed": 1},
        "table": {"kind": "truth_table", "values": "01100110"},
    },
    **{"grid.0.tasks": ["parity"]},
)
EVERY_QUESTION = changed(
    QUESTIONS,
    **{
        "tasks.words": {"kind": "edit_distance", "letters": 20},
        "tasks.equations": {"kind": "linear_equations", "modulus": 5},
        "grid.0.tasks": ["lis", "arithmetic"],
    },
)
STREAMS = tiny(
    grid=[*tiny()["grid"], {"role": "extrapolation", "lengths": [5], "budgets": [8]}],
    replicates={
        "streams": {"data": [0, 1, 2], "initialisation": [3, 4], "order": [5]},
        "learning_rates": [0.01],
    },
)
STUDIES = {
    "unusual": UNUSUAL,
    "every model": EVERY_MODEL,
    "every task": EVERY_TASK,
    "functions": changed(FUNCTIONS, **{"training.snapshot_every": 20}),
    "answers": EVERY_QUESTION,
    "streams": STREAMS,
}


def page_of(study):
    return write_methods(load_study(study))


def test_streams_are_told_with_how_many_seeds_each_has():
    text = text_of(page_of(STREAMS))
    assert "data (3), initialisation (2) and order of the examples (1)" in text
    assert "(6 combinations, 1 learning rate)" in text


def text_of(page):
    """Return the words of the body of a page."""
    body = page[page.index("<body>") :]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


class Rows(HTMLParser):
    """The rows of all tables of a page whose first entry is the key of an option."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.row = {}, []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.row = []
        elif tag in ("td", "th"):
            self.row.append("")

    def handle_data(self, data):
        if self.row:
            self.row[-1] += data

    def handle_endtag(self, tag):
        if tag == "tr":
            key, *rest = self.row
            self.rows.setdefault(key, rest)


def test_a_study_of_unusual_values_is_told_as_it_is():
    page = page_of(UNUSUAL)
    text, rows = text_of(page), Rows(page).rows
    for false in (
        *("pre-LayerNorm", "GELU", "learned", "no dropout", "Optimiser: Adam with", "part of the"),
        *("constant", "some evaluation", "has learnt ends", "at which it has learnt", "stops"),
        *("GPT-2 style", "LayerNorm before"),
    ):
        assert false not in text, false
    for key, value in {
        **{"positions": "rotary", "norm": "post", "dropout": "0.1", "activation": "relu"},
        **{"causal": "yes", "depth": "2 layers", "training.optimiser.weight_decay": "0.1"},
        **{"training.schedule.decay": "cosine", "training.schedule.warmup_steps": "10 steps"},
        **{"training.success.at": "final", "training.stop_on_success": "no"},
        **{"training.success.threshold": "0.9", "training.optimiser.gradient_clip": "no limit"},
        **{"training.precision": "float32", "search": "all", "data.validation_share": "0.1"},
    }.items():
        assert rows[key][0] == value, key
    for true in (
        "Optimiser: AdamW with betas 0.9 and 0.999, weight decay 0.1, and no clipping of gradients.",
        "grows linearly over the first 10 steps, then cosine decay to 0 times its peak at step 200.",
        "has learnt when, at its last evaluation, its share of validation sequences with every label "
        "right is at least 0.9, and that of the confirmation set as well.",
        "all all aligned fixed 8, 10 16 to 64, each 2 times the one before",
        "has 12 cells",
    ):
        assert true in text, true


def test_the_opposite_values_are_told_as_they_are():
    study = changed(
        UNUSUAL,
        **{
            "models.gazer": {"kind": "transformer", "width": 16, "depth": 2, "heads": 2},
            "training.optimiser": {"decoupled": False, "gradient_clip": 1.5},
            "training.schedule": {},
            "training.success": {"measure": "loss", "threshold": 1e-4},
            "training.stop_on_success": True,
            "training.patience": 7,
        },
    )
    text = text_of(page_of(study))
    for true in (
        "Optimiser: Adam with betas 0.9 and 0.999, weight decay 0, and the gradient of each replicate "
        "clipped to norm 1.5.",
        "Learning rate: constant.",
        "at some evaluation, its loss on the validation set is at most 0.0001 nats per label, "
        "and that of the confirmation set as well.",
        "or at the evaluation at which it has learnt, or after 7 evaluations without a new best",
        *("LayerNorm before each part of a layer", "GELU", "position embeddings is trained"),
    ):
        assert true in text, true
    for false in ("AdamW", "cosine", "rotary", "ReLU", "last evaluation", "does not end"):
        assert false not in text, false


SOUGHT = {
    "width": tiny(
        models={"lstm": {"kind": "lstm", "width": [4, 8]}},
        demand="width",
        **{"grid.0.budgets": [8]},
    ),
    "depth": tiny(
        models={"transformer": {"kind": "transformer", "width": 8, "depth": [1, 2], "heads": 2}},
        demand="depth",
        **{"grid.0.budgets": [8]},
    ),
    "steps": tiny(demand="steps", **{"grid.0.budgets": [8]}),
}


@pytest.mark.parametrize("axis", [WIDTH, DEPTH, STEPS], ids=lambda axis: axis.name)
def test_a_study_of_another_demand_extends_the_paper(axis):
    text = text_of(page_of(SOUGHT[axis.name]))
    for true in (
        f"What {axis.value} does a sequence model need before it has learnt a task",
        f"how does that {axis.value}, {axis.symbol}, grow with the sequence length n?",
        f"over from the demand for data to that for {axis.resource}, which is an extension of the paper.",
        f"{axis.symbol} of a seed is the smallest {axis.value} {axis.preposition} which",
        f"The law log {axis.symbol} = a",
    ):
        assert true in text, true
    for false in ("N*", "training-set sizes", "Sizes of the papers", "How many training sequences"):
        assert false not in text, false
    assert f"is fitted per {'family' if axis.family else 'model'}" in text
    longer = f"A {axis.value} that fails may succeed after longer training."
    assert (longer in text) == axis.family


def test_a_study_of_data_asks_the_question_of_the_paper():
    text = text_of(page_of(UNUSUAL))
    for true in (
        "How many training sequences does a sequence model need before it has learnt a task",
        "N* of a seed is the smallest training-set size from which",
        "The law log N* = a",
        "which seeds learnt at which training-set sizes.",
        "Sizes of the papers The paper trains 250000 steps",
    ):
        assert true in text, true


def test_supervisions_and_length_distributions_of_every_entry_are_told():
    entries = [
        {"lengths": [4], "supervisions": ["outcome", "chain_of_thought"], "budgets": [2]},
        {"models": ["lstm"], "lengths": [5], "length_distributions": ["uniform"], "budgets": [4]},
    ]
    text = text_of(page_of(tiny(grid=entries)))
    assert "all all outcome , chain_of_thought fixed 4 2" in text
    assert "lstm all aligned uniform 5 4" in text
    assert "has 5 cells" in text
    assert "uniform : a data set has all lengths from 2 to n" in text


def test_entries_for_extrapolation_are_told_with_what_they_mean():
    entries = [*tiny()["grid"], {"role": "extrapolation", "models": ["lstm"], "lengths": [5]}]
    text = text_of(page_of(tiny(grid=entries, search="bracket")))
    for true in (
        "beyond the length of training: 1 cell, trained for all 100 steps, whatever success or patience "
        "would end. No demand is counted on them, and the search has no say in them.",
        "role models tasks",
        "demand all all aligned fixed 4, 5 2, 8",
        "extrapolation lstm all aligned fixed 5 the largest of each curve",
    ):
        assert true in text, true
    assert "role" not in text_of(page_of(tiny()))


def leaves_of(node, key=()):
    """Yield the dotted key of every value in a resolved configuration; a list of values is one."""
    if isinstance(node, dict) and node:
        for name, value in node.items():
            yield from leaves_of(value, (*key, name))
    elif isinstance(node, list) and node and isinstance(node[0], dict):
        for i, value in enumerate(node):
            yield from leaves_of(value, (*key, str(i)))
    else:
        yield ".".join(key), node


def words_in(schema):
    """Yield every list of legal words in a JSON schema."""
    if isinstance(schema, dict):
        if "enum" in schema:
            yield schema["enum"]
        schema = list(schema.values())
    for value in schema if isinstance(schema, list) else ():
        yield from words_in(value)


LEGAL_WORDS = list(words_in(Study.model_json_schema()))
NOT_TOLD = ("name", "figures", "jobs", "device")  # no number depends on them
IDLE = {
    "training.schedule.final_factor": "there is no decay",
    "fit.bootstrap_replicates": "there are no fits of demand to check",
    "fit.lapse": "there are no fits of demand",
    "evaluation.test_examples": "no task extrapolates",
    "evaluation.test_lengths": "no task extrapolates",
    "evaluation.horizon": "no task extrapolates, or nothing is asked of demand",
}
"""Options that some studies do not read, and whose change need not show there."""


def other_values(value):
    """Yield what a value could be changed to; not all of it is legal everywhere."""
    if value is None:
        yield from (1, 2, 4, 20, 0.5, {"kind": "linear"}, {"measure": "loss", "threshold": 0.3})
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value * 2, value * 3, value / 2, value - 1, value + 0.05, 0.5)
        yield from (int(value / 2), int(value + 100))
    elif isinstance(value, str):
        yield from (word for words in LEGAL_WORDS if value in words for word in words)
        yield from ("Z_5", "10010110", "another")
    else:
        yield value[:-1]
        yield from ([*value, extra] for extra in (0.3, 6, 7, 16))
        yield from ([other, *value[1:]] for first in value[:1] for other in other_values(first))


def legal_change(raw, dotted, value):
    """Return a legal study that differs in one value, or nothing where every other one is refused."""
    others = other_values(value)
    if dotted in ("grid.0.models", "grid.0.tasks") and value is None:
        others = ([name] for name in raw[dotted.rpartition(".")[2]])
    if dotted == "demand":
        others = ("budget",)
    for other in others:
        study = copy.deepcopy(raw)
        try:
            study = load_study(changed(study, **{dotted: other}))
        except ConfigError:
            continue
        if study.model_dump(mode="json", context=EVERYTHING) != raw:
            return study
    return None


def option_of(raw, dotted):
    """Return which option a key is: models and tasks by their kind, grid entries without their number."""
    first, *rest = dotted.split(".")
    if first in ("models", "tasks"):
        return ".".join((first, raw[first][rest[0]]["kind"], *rest[1:]))
    return ".".join((first, *rest[first == "grid" :]))


def test_a_change_of_any_option_changes_the_page():
    options, told = set(), set()
    for name, study in STUDIES.items():
        raw = load_study(study).model_dump(mode="json", context=EVERYTHING)
        page = page_of(raw)
        for dotted, value in leaves_of(raw):
            option = option_of(raw, dotted)
            if dotted.split(".")[0] in NOT_TOLD or dotted.endswith((".kind", ".family")):
                continue  # kinds are the tables, families their columns
            options.add(option)
            study = legal_change(raw, dotted, value)
            if study is not None and write_methods(study) != page:
                told.add(option)
            else:
                assert study is None or option in IDLE, f"{name}: {dotted}"
    # What cannot change alone: the first two make another subject, the third stands in place of seeds,
    # the last needs another source.
    assert options - told == {
        *("evaluation.function", "evaluation.answers", "replicates.streams"),
        *(f"tasks.learnt_function.{key}" for key in ("model", "task", "length", "budget")),
    }


def test_models_of_a_family_share_a_column_headed_by_their_names():
    def columns(**models):
        study = tiny(models=models, **{"grid.0.models": None})
        page = page_of(study)
        return Rows(page[: page.index("<h2>Tasks")]).rows

    one = {"kind": "transformer", "width": 8, "depth": 2, "heads": 2}
    listed = columns(deep=one | {"depth": [1, 4]})
    assert listed["option"][0] == "deep_<depth>" and listed["depth"][0] == "1, 4 layers"
    named = columns(low=one | {"family": "deep"}, high=one | {"depth": 4, "family": "deep"})
    assert named["option"][0] == "low, high" and named["depth"][0] == "2, 4 layers"
    apart = columns(deep_2=one, deep_4=one | {"depth": 4})
    assert apart["option"][:2] == ["deep_2", "deep_4"]
    assert apart["depth"][:2] == ["2 layers", "4 layers"]


def option_classes(cls):
    """Yield an option class, and those of all blocks inside it."""
    yield cls
    for field in cls.model_fields.values():
        for part in classes_in(field.annotation):
            yield from option_classes(part)


def classes_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, Options):
        yield annotation
    for part in get_args(annotation):
        yield from classes_in(part)


def choices_of(cls):
    """Yield name and legal values of every option with a few of them, but those told elsewhere."""
    for name, option in cls.model_json_schema().get("properties", {}).items():
        if name in ("kind", "device"):
            continue
        if "enum" in option:
            yield name, option["enum"]
        elif option.get("type") == "boolean":
            yield name, [True, False]


def test_every_choice_is_put_into_words():
    """A new option with a few legal values says in `MEANINGS` what each of them means."""
    without_words = (PresetOptions, Figures, Jobs, GeometricRange)
    choices = {
        (cls, name): values
        for cls in option_classes(Study)
        if cls not in without_words
        for name, values in choices_of(cls)
    }
    assert len(choices) > 20
    silent = [
        (cls.__name__, name, value)
        for (cls, name), values in choices.items()
        for value in values
        if not cls.MEANINGS.get(name, {}).get(value)
    ]
    assert silent == []


def test_the_title_is_text():
    title = (
        "</h1><script>alert(1)</script><img src=x onerror=alert(1)> & 'quotes' \"Ω\" 🎉 {{ 7 * 7 }}"
    )
    plain, loud = (page_of(changed(UNUSUAL, title=text)) for text in ("Mine", title))
    assert loud.count("<") == plain.count("<")
    assert f"Methods: {title} This page" in text_of(loud)
