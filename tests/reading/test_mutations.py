"""Wrong configurations, by the hundred: each is refused in words that name the key."""

import copy
import os
import re
import threading
from pathlib import Path

import pytest
import yaml
from support.refusals import JARGON
from support.scripts import run_script
from support.studies import TINY, changed, tiny
from support.workflow import snakemake

from nstar.errors import LONGEST_LINE, ConfigError
from nstar.options import MISREAD
from nstar.reading.check import load_study
from nstar.reading.file import LARGEST_FILE, read_config

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "config.yaml").read_text()
DEFAULT = read_config(ROOT / "config.yaml")

NULL_IS_LEGAL = {
    *("grid.0.models", "grid.0.tasks", "training.patience", "training.optimiser.gradient_clip"),
    *("data.confirmation_share", "data.test_share"),
}
MAY_BE_LEFT_OUT = NULL_IS_LEGAL | {
    "models.dense.normalise",
    *(
        "data",
        "data.validation_examples",
        "data.validation_share",
        "evaluation",
        "evaluation.test_examples",
    ),
    *("fit", "fit.bootstrap_replicates", "training.optimiser", "training.optimiser.betas"),
    *("figures", "figures.dots_per_inch"),
}
ANY_TEXT = {"title"}


def nodes_of(node, key=()):
    """Yield key and value of everything in a configuration, of one grid entry."""
    entries = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in entries:
        if key == ("grid",) and name > 0:
            return
        yield (*key, name), value
        if isinstance(value, dict | list):
            yield from nodes_of(value, (*key, name))


def replacements_of(dotted, value):
    """Yield what must not stand at a key in place of its value, and what is wrong with it."""
    if dotted not in NULL_IS_LEGAL:
        yield "null", None
    yield "bool", True
    if isinstance(value, dict):
        yield from [("number", 7), ("text", "text"), ("empty list", [])]
    elif isinstance(value, list):
        yield from [("number", 7), ("text", "text"), ("block", {"a": 1}), ("empty", [])]
        first = {} if isinstance(value[0], dict) else value[0]
        yield from [("repeated", [first, first, first]), ("many", [first] * 1001)]
    elif isinstance(value, str):
        yield from [("number", 7), ("fraction", 0.5), ("list", [value]), ("block", {"a": value})]
        if dotted not in ANY_TEXT:
            yield from [("typo", value + "_Typo"), ("huge", value * 100), ("empty", "")]
    else:
        a_family = dotted.endswith((".width", ".depth"))  # of one model, if its one value is listed
        listed = [value, value] if a_family else [value]
        yield from [("text", "text"), ("quoted", str(value)), ("list", listed), ("negative", -1)]
        yield from [("huge", 10**400), ("infinite", float("inf")), ("nan", float("nan"))]
        if isinstance(value, int):
            yield from [("fraction", value + 0.5), ("beyond 64 bits", 2**64)]


def mutations_of(study, key, value):
    """Yield kind, study and words of the refusal of the mutations of one node of a study."""
    dotted = ".".join(map(str, key))
    for kind, replacement in replacements_of(dotted, value):
        yield kind, changed(study, **{dotted: replacement}), dotted
    if isinstance(key[-1], str) and key[0:-1] not in (("models",), ("tasks",)):
        if dotted not in MAY_BE_LEFT_OUT:
            yield "missing", without(study, key), dotted
        misspelt = changed(without(study, key), **{f"{dotted}x": value})
        yield "typo in the key", misspelt, f"{dotted}x"


def without(study, key):
    """Return a copy of a study without a key."""
    study = copy.deepcopy(study)
    node = study
    for part in key[:-1]:
        node = node[part]
    del node[key[-1]]
    return study


def model(**options):
    return tiny(**{"models.m": options})


HEADS = {"kind": "transformer", "width": 8, "depth": 1, "heads": 2}
RANDOM = {"kind": "random_automaton", "states": 2, "symbols": 2, "seed": 0}

STREAMS = {"data": [0, 1], "initialisation": [0], "order": [0, 1]}


def streams(**changes):
    """Return the tiny study with seeds for each stream, and with changes of these or of others."""
    own = {key: changes.pop(key) for key in list(changes) if "." not in key}
    replicates = {"streams": STREAMS | own, "learning_rates": [0.1]}
    return tiny(replicates=replicates, **changes)


CONTRADICTIONS = [
    (model(**HEADS | {"heads": 3}), "models.m: width 8 is not a multiple of heads 3"),
    (model(**HEADS | {"heads": 16}), "models.m: width 8 is not a multiple of heads 16"),
    (
        model(**HEADS | {"heads": 8}),
        "models.m: width 8 / heads 8 = 1, at least 2; heads may be 1, 2, 4",
    ),
    (model(**HEADS | {"width": 6, "positions": "rotary"}), "models.m: rotary positions"),
    (
        model(**HEADS | {"embedding": "concatenated", "positions": "rotary"}),
        "models.m: embedding concatenated needs a table of positions, and positions are rotary",
    ),
    (
        model(**HEADS | {"width": 9, "heads": 3, "embedding": "concatenated"}),
        "models.m: embedding concatenated gives tokens and positions half of the width each, and "
        "width 9 is odd",
    ),
    (model(**HEADS | {"perceptron_width": 1}), "models.m.perceptron_width: 1: must be at least 2"),
    (model(**HEADS | {"width": 16384, "heads": 7}), "heads may be 1, 2, 4"),
    (model(**HEADS | {"width": 10**12, "heads": 7}), "models.m.width"),
    (model(kind="block_ssm", width=8, block_size=3), "models.m: width 8"),
    (model(kind="rotation_ssm", width=7), "models.m: width 7 is odd"),
    (
        tiny(
            **{
                "models.m": {"kind": "dense_ssm", "width": 8},
                "training.success": {"measure": "loss", "threshold": 0.1},
            }
        ),
        "models.m.normalise: inference divides states in evaluations and not in training, which changes "
        "the size of outputs, and training.success.measure: loss depends on it",
    ),
    (
        model(kind="dense_ssm", width=8, normalise=True),
        "models.m.normalise: true: true and false are no longer values; write `always` for true",
    ),
    (
        model(kind="dense_ssm", width=8, normalise="training"),
        "models.m.normalise: 'training' is not legal; legal are inference, always, never",
    ),
    (model(kind="lstm", width=8, heads=2), "models.m.heads: unknown key"),
    (model(kind="diagonal_ssm", width=8), "models.m.positive: missing"),
    (
        model(kind="deltanet", **{k: HEADS[k] for k in ("width", "depth")}),
        "models.m.heads: missing",
    ),
    (model(kind="preset", name="lstm_786"), "did you mean lstm_768?"),
    (model(kind="preset", name="lstm_768", width=8), "models.m.width: unknown key"),
    (model(), "models.m.kind: missing"),
    (tiny(models={}), "models: {}: must not be empty"),
    (tiny(**{"models.M-1": {"kind": "lstm", "width": 8}}), "models.M-1"),
    (tiny(**{"tasks.a b": {"kind": "modular_addition", "modulus": 2}}), "tasks.a b"),
    (tiny(name="9lives"), "name: '9lives'"),
    (tiny(name="a" * 65), "at most 64 characters"),
    (tiny(**{"grid.0.models": ["lstm", "gru"]}), "grid.0.models.1: 'gru' is not defined"),
    (tiny(**{"grid.0.tasks": ["parit"]}), "did you mean parity?"),
    (tiny(**{"grid.0.models": ["lstm", "lstm"]}), "grid.0.models: ['lstm', 'lstm']"),
    (tiny(**{"grid.0.budgets": [2, 14]}), "grid.0.budgets: task parity, length 4, budget 14"),
    (tiny(**{"grid.0.budgets": list(range(1, 1000))}), "of 16 sequences 3 are kept"),
    (tiny(**{"grid.0.budgets": {"smallest": 8, "largest": 4}}), "largest 4 is below smallest 8"),
    (tiny(**{"grid.0.budgets": {"smallest": 1, "largest": 10**18}}), "grid.0.budgets.largest"),
    (tiny(**{"grid.0.budgets": {"smallest": 1, "largest": 8, "factor": 1}}), "budgets.factor"),
    (tiny(**{"grid.0.lengths": [1]}), "grid.0.lengths: task parity, length 1"),
    (tiny(**{"grid.0.lengths": [10**9]}), "attention over twice that length"),
    (
        tiny(**{"grid.0.lengths": [*range(20, 1020)], "grid.0.budgets": [*range(1, 900)]}),
        "grid: 1798000 cells; at most 100000, because planning alone would take minutes",
    ),
    (
        tiny(
            **{
                "evaluation.test_lengths": [*range(6, 1006)],
                "grid.0.lengths": [*range(10, 1000)],
                "grid.0.budgets": [2],
            }
        ),
        "evaluation.test_lengths: 1000 lengths for each of 7920 replicates; at most 5000000 tests",
    ),
    (
        tiny(**{"training.max_steps": 10**9, "training.evaluate_every": 1}),
        "training.evaluate_every: 1: up to 4000000000 evaluations of the 4 replicates of a cell; at most",
    ),
    *(
        (
            tiny(**{key: name}),
            f"readers of tables take this name for {what}; use another, as {name}_1",
        )
        for name, what in MISREAD.items()
        for key in ["name"]
    ),
    (tiny(**{"models.nan": TINY["models"]["lstm"]}), "models.nan: 'nan': readers of tables take"),
    (tiny(**{"tasks.inf": TINY["tasks"]["parity"]}), "tasks.inf: 'inf': readers of tables take"),
    (tiny(**{"models.lstm.width": [8, 8.0]}), "models.lstm.width.1: 8.0: must be a whole number"),
    (
        tiny(**{"models.lstm.width": [[8], [16]]}),
        "models.lstm.width.1: [16]: must be a whole number",
    ),
    (tiny(**{"models.lstm.width": [True, 8]}), "models.lstm.width.0: true: must be a whole number"),
    (
        model(**HEADS | {"depth": 10**6}),
        "models.m.depth: 1000000: must be at most 1000, because a plan",
    ),
    (tiny(data={"test_share": 5e-324}), "data.test_share: 5e-324: must be at least 1e-09, because"),
    (tiny(figures={"width_inches": 0.5}), "figures.width_inches: 0.5: must be at least 3, because"),
    (tiny(figures={"dots_per_inch": 1}), "figures.dots_per_inch: 1: must be at least 20, because"),
    (
        tiny(**{"fit.bootstrap_replicates": 10**9}),
        "must be at most 100000, because each is a study",
    ),
    (tiny(jobs={"most_minutes": 10**9}), "must be at most 525600, because that is a year"),
    (tiny(**{"tasks.parity.modulus": 1}), "tasks.parity.modulus: 1: must be at least 2"),
    (tiny(**{"tasks.parity.modulus": 10**40}), "tasks.parity.modulus"),
    (
        tiny(**{"tasks.parity": {"kind": "group_product", "group": "A5"}}),
        "tasks.parity.group: 'A5': 'A5' is no group (did you mean A_5?)",
    ),
    (
        tiny(**{"tasks.parity": {"kind": "swap_composition", "degree": 2}}),
        "tasks.parity.degree: 2: must be at least 3",
    ),
    (
        tiny(**{"tasks.parity": RANDOM | {"states": 300}}),
        "tasks.parity: none of 1000 tables of 300 states and 2 symbols",
    ),
    (tiny(**{"replicates.seeds": [2**63]}), "tables hold numbers of 64 bits"),
    (tiny(**{"replicates.streams": STREAMS}), "replicates: give either replicates.seeds, each"),
    (tiny(replicates={"learning_rates": [0.1]}), "or replicates.streams, with a list of seeds"),
    (streams(order=[]), "replicates.streams.order"),
    (
        streams(order=[1, 0, 1]),
        "replicates.streams.order: [1, 0, 1]: every entry once; repeated: 1",
    ),
    (streams(dropout=[0]), "replicates.streams.dropout: unknown key"),
    (
        streams(data=[*range(1000)], initialisation=[*range(1000)]),
        "grid: 16000000 replicates (cells times replicates.streams times",
    ),
    (
        streams(**{"grid.0.budgets": "fresh"}),
        "replicates.streams.order: 2 seeds with grid.0.budgets fresh, whose batches have the order in "
        "which the seed of the data draws them; use one seed of the order, or training sets",
    ),
    (tiny(**{"replicates.learning_rates": [0.0]}), "replicates.learning_rates.0"),
    (tiny(**{"training.evaluate_every": 101}), "training.evaluate_every: 101 is more than"),
    (tiny(**{"training.schedule": {"warmup_steps": 100}}), "schedule.warmup_steps 100"),
    (tiny(**{"training.schedule": {"decay": "cosin"}}), "did you mean cosine?"),
    (tiny(**{"training.schedule": {"final_factor": 1.01}}), "training.schedule.final_factor"),
    (tiny(**{"training.success.threshold": 1.5}), "threshold 1.5 of an accuracy"),
    (tiny(**{"training.optimiser": {"betas": [0.9, 1.0]}}), "training.optimiser.betas.1: 1.0"),
    (tiny(**{"training.optimiser": {"betas": [0.9, 0.9, 0.9]}}), "training.optimiser.betas"),
    (tiny(**{"training.optimiser": {"epsilon": 0}}), "training.optimiser.epsilon: 0"),
    (tiny(**{"training.optimiser": {"decoupled": "true"}}), "training.optimiser.decoupled: 'true'"),
    (tiny(**{"training.optimiser": {"decoupled": 1}}), "training.optimiser.decoupled: 1"),
    (tiny(**{"training.precision": "tf32", "device": "cpu"}), "training.precision 'tf32'"),
    (tiny(**{"training.precision": "bf16"}), "training.precision: 'bf16'"),
    (tiny(device="gpu"), "device: 'gpu' is not legal; legal are auto, cpu, cuda"),
    (tiny(**{"data.validation_share": 1}), "data.validation_share: 1: must be less than 1"),
    (
        tiny(**{"data.confirmation_share": 0.7}),
        "shares of validation 0.2, confirmation 0.7, test 0.1: they must sum to less than 1",
    ),
    (
        tiny(**{"training.max_steps": 110}),
        "training.max_steps: 110 is no multiple of training.evaluate_every 20",
    ),
    (
        tiny(**{"training.success.over": "every_position"}),
        "over every_position of sequence_accuracy: a sequence as a whole has no position",
    ),
    (
        tiny(
            **{
                "training.success": {
                    **{"measure": "loss", "threshold": 0.1, "over": "every_position"}
                },
                "training.fitted": {"measure": "sequence_accuracy", "threshold": 0.9},
            }
        ),
        "fitted.measure sequence_accuracy with success.over every_position",
    ),
    (
        tiny(**{"training.fitted": {"measure": "token_accuracy", "threshold": 1.5}}),
        "threshold 1.5 of an accuracy",
    ),
    (tiny(**{"training.success.confirm": 1}), "training.success.confirm: 1"),
    (tiny(**{"fit.confidence": 95}), "fit.confidence: 95: must be less than 1"),
    (
        tiny(**{"fit.bootstrap_replicates": 99}),
        "fit.bootstrap_replicates: 99: must be at least 100",
    ),
    (tiny(figures={"width_inches": 1000}), "figures.width_inches: 1000: must be at most 50"),
    (tiny(figures={"dots_per_inch": 2400}), "figures.dots_per_inch: 2400: must be at most 1200"),
    (tiny(jobs={"shortest_minutes": 9, "longest_minutes": 8}), "jobs: longest_minutes 8"),
    (tiny(jobs={"most_minutes": 60}), "jobs: longest_minutes 480 is above most_minutes 60"),
    (tiny(search="bisect"), "search: 'bisect' is not legal"),
]

STEPS = "training.max_steps: "
STEP_TRAPS = {
    "010": STEPS + "010 would be read as 8",
    "0x10": STEPS + "0x10 would be read as 16",
    "0b11": STEPS + "0b11 would be read as 3",
    "12:30": STEPS + "12:30 would be read as 750",
    "12:30.5": STEPS + "12:30.5 would be read as 750.5",
    "yes": STEPS + "yes would be read as true",
    "No": STEPS + "No would be read as false",
    "on": STEPS + "on would be read as true",
    "OFF": STEPS + "OFF would be read as false",
    "true": STEPS + "true: must be a whole number",
    "1e3": STEPS + "1000.0: must be a whole number",
    "1.5E+3": STEPS + "1500.0: must be a whole number",
    "3000.0": STEPS + "3000.0: must be a whole number",
    "3,000": STEPS + "'3,000': must be a whole number",
    "3 000": STEPS + "'3 000': must be a whole number",
    "3000 steps": STEPS + "'3000 steps': must be a whole number",
    "'3000'": STEPS + "'3000': must be a whole number",
    "!!str 3000": STEPS + "'3000': must be a whole number",
    "!!float 3000": STEPS + "the tag !!float has no use here",
    "!!python/object:os.system 1": STEPS + "the tag !!python/object:os.system has no use here",
    "0o17": STEPS + "'0o17': must be a whole number",
    "08": STEPS + "'08': must be a whole number",
    "~": STEPS + "null: must be a whole number",
    "": STEPS + "null: must be a whole number",
    ".inf": STEPS + "inf: must be a whole number",
    ".nan": STEPS + "nan: must be a whole number",
    "2026-11-25": STEPS + "2026-11-25 would be read as a date",
    "2026-99-99": STEPS + "2026-99-99 would be read as a date",
    "=": STEPS + "= would be read as a sign of YAML",
    "9" * 5000: STEPS + "a number of 5000 digits",
    "*steps": "'max_steps: *steps': the alias",
    "@3000": "'max_steps: @3000': text that begins with a special character",
    "'3000": '"max_steps: \'3000": a quotation mark is not closed',
    "[3000": "'max_steps: [3000': a bracket is not closed",
    "3000: 4": "'max_steps: 3000: 4': a ': ' too many",
}

TITLE = "title: Data demand of modular addition with aligned supervision"
CHANGED_LINES = [  # a line of the text, what stands there instead, words of the refusal
    (TITLE, "title: no", "title: no would be read as false"),
    (TITLE, "title: 010", "title: 010 would be read as 8"),
    (TITLE, "title: 1e3", "title: 1000.0: must be text"),
    (TITLE, "title: 1.5", "title: 1.5: must be text"),
    (TITLE, "title: 2026-01-01", "title: 2026-01-01 would be read as a date"),
    (TITLE, "title: parity: how much data", "line HERE: 'title: parity: how much data'"),
    (TITLE, "title: &a [*a]", "line HERE: an alias of this block stands inside of it"),
    (TITLE, "title: &a {<<: *a}", "line HERE: an alias of this block stands inside of it"),
    (
        TITLE,
        f"title: {'[' * 40}{']' * 40}",
        "line HERE: blocks or brackets are nested more than 30",
    ),
    (TITLE, f"title: {'[' * 5000}", "nested too deeply"),
    (
        TITLE,
        f"{TITLE}\ntitle: again",
        "line BELOW: title: the key is written twice, first in line HERE",
    ),
    (TITLE, f"{TITLE}\nno: 1", "line BELOW: no: the key no would be read as false"),
    (TITLE, f"{TITLE}\n1: 1", "1: 1: the key must be text"),
    (TITLE, f"{TITLE}\n[a, b]: 1", "line BELOW: the configuration: a bracket stands where a key"),
    (TITLE, f"{TITLE}\n<<: 3", "line BELOW: '<<: 3': '<<' takes a block"),
    (TITLE, f"{TITLE}\n---", "'---' begins a second document"),
    (TITLE, "title", "line HERE: 'title': it is no 'key: value'"),
    (TITLE, "title:Data", "line HERE: 'title:Data': it is no 'key: value'"),
    (TITLE, "\x00title: x", "line HERE: the sign '\\x00' is not allowed"),
    (TITLE, " title: x", "line HERE: 'title: x'"),
    ("name: aligned_addition", "name: no", "name: no would be read as false"),
    ("name: aligned_addition", "name: Aligned", "name: 'Aligned': must be a name"),
    (
        "  batch_size: 16",
        "\tbatch_size: 16",
        "line HERE: 'batch_size: 16': it is indented with a tab",
    ),
    (
        "  batch_size: 16",
        "  \tbatch_size: 16",
        "line HERE: 'batch_size: 16': it is indented with a tab",
    ),
    ("  batch_size: 16", "    batch_size: 16", "line BELOW: 'max_steps: 3000': it is not indented"),
    ("  batch_size: 16", " batch_size: 16", "line BELOW: 'max_steps: 3000'"),
    ("  batch_size: 16", "  batch_size 16", "line BELOW: 'max_steps: 3000': a ': ' too many"),
    (
        "  batch_size: 16",
        "  batch_size: 16\n  batch_size: 32",
        "training.batch_size: the key is written",
    ),
    (
        "  patience: 4",
        "  patience: 4\n  max_steps: 5",
        "training.max_steps: the key is written twice",
    ),
    ("{kind: lstm, width: 32}", "{kind: lstm, width: 32, width: 32}", "models.lstm.width: the key"),
    ("{kind: lstm, width: 32}", "{kind: lstm, width: 32", "line HERE"),
    (
        "{kind: lstm, width: 32}",
        "{kind: lstm, width: 040}",
        "models.lstm.width: 040 would be read as 32",
    ),
    ("{kind: lstm, width: 32}", "{kind: lstm width: 32}", "line HERE"),
    (
        "  dense_ssm: {kind: dense_ssm, width: 16}",
        "  lstm: {kind: gru, width: 16}",
        "models.lstm: the key",
    ),
    ("[1e-3, 2e-3]", "[1e-3, no]", "replicates.learning_rates.1: no would be read as false"),
    ("[1e-3, 2e-3]", "['1e-3', 2e-3]", "replicates.learning_rates.0: '1e-3': must be a number"),
    ("[1e-3, 2e-3]", "[1e-3, 1e400]", "replicates.learning_rates.1: inf: must be a finite number"),
    ("[1e-3, 2e-3]", "1e-3, 2e-3", "replicates.learning_rates: '1e-3, 2e-3': must be a list"),
    ("[0, 1, 2, 3, 4]", "[0, 1, 2, 03, 4]", "replicates.seeds.3: 03 would be read as 3"),
    ("[0, 1, 2, 3, 4]", "[0, 1, 2, 3, 3]", "replicates.seeds: [0, 1, 2, 3, 3]: every entry once"),
    ("[0, 1, 2, 3, 4]", "0-4", "replicates.seeds: '0-4': must be a list"),
    ("threshold: 0.9", "threshold: 90%", "training.success.threshold: '90%': must be a number"),
    ("threshold: 0.9", "threshold: 0,9", "training.success.9: 9: the key must be text"),
    ("gradient_clip: 1.0", "gradient_clip: 1.0, decoupled: no", "optimiser.decoupled: no would be"),
    (
        "gradient_clip: 1.0",
        "gradient_clip: off",
        "optimiser.gradient_clip: off would be read as false",
    ),
]

NEEDS = "is empty; it needs name, title, models, tasks, grid, replicates, training"
LAUGHS = "\n".join(
    ["a0: &a0 [ha]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 20))]
)
MERGES = "\n".join(
    [
        "a0: &a0 {ha: 1}",
        *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 9)),
    ]
)
WHOLE_TEXTS = [
    ("", NEEDS),
    ("# name: x\n", NEEDS),
    ("---\n", NEEDS),
    ("null\n", "is no block of 'key: value' lines"),
    ("- name: x\n", "is no block of 'key: value' lines"),
    ("just words\n", "is no block of 'key: value' lines"),
    ('{"name": "x",\n\t"title": "y"}', "line 2"),
    (
        "name: \N{LATIN SMALL LETTER U WITH DIAERESIS}\n".encode("latin-1"),
        "line 1: it is not text in UTF-8",
    ),
    (TEXT.encode("utf-16"), "it is not text in UTF-8"),
    (
        f"{TEXT}\n{LAUGHS}",
        "aliases and '<<' make 1129312 values of what is written; at most 1000000",
    ),
    (
        f"{TEXT}\n{MERGES}",
        "aliases and '<<' make 1793611 values of what is written; at most 1000000",
    ),
    (f"{TEXT}\n? {'x' * 90_000}\n: 1\n", "xxx: unknown key"),
    ("".join(f"k{i}: 1\n" for i in range(9000)), "... and 8977 more"),
    (f"{TEXT}#{'x' * LARGEST_FILE}", f"has more than {LARGEST_FILE} bytes; no more are read"),
]


def replaced(line, by):
    assert TEXT.count(line) == 1, line
    return TEXT.replace(line, by)


def with_numbers(words, line):
    """Return words with the numbers of a line of the text and of the one below it."""
    number = TEXT[: TEXT.index(line)].count("\n") + 1
    return words.replace("HERE", str(number)).replace("BELOW", str(number + 1))


def as_text(study):
    return yaml.safe_dump(study, sort_keys=False)


NODES = {
    f"{name}: {'.'.join(map(str, key))}": (study, key, value)
    for name, study in (("default", DEFAULT), ("tiny", TINY))
    for key, value in nodes_of(study)
}
WRITTEN = {
    "contradictions": [(words, study, words) for study, words in CONTRADICTIONS],
    "traps": [
        (value, replaced("max_steps: 3000", f"max_steps: {value}"), words)
        for value, words in STEP_TRAPS.items()
    ],
    "lines": [
        (by, replaced(line, by), with_numbers(words, line)) for line, by, words in CHANGED_LINES
    ],
    "texts": [(words, text, words) for text, words in WHOLE_TEXTS],
}
"""Name, study or text, and words of the refusal."""


def mutations(group):
    """Return name, study or text, and words of the refusal of all mutations of a group."""
    return WRITTEN[group] if group in WRITTEN else list(mutations_of(*NODES[group]))


def write(folder, text):
    """Write a study or the text of a configuration."""
    path = folder / "config.yaml"
    text = as_text(text) if isinstance(text, dict) else text
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_there_are_hundreds():
    assert sum(len(mutations(group)) for group in (*NODES, *WRITTEN)) >= 1000


def test_what_is_mutated_is_legal(tmp_path):
    for text in (TEXT, DEFAULT, TINY):
        load_study(read_config(write(tmp_path, text)))


def fault_of_refusal(path, words):
    """Return what is wrong with the refusal of a configuration; nothing if it is as it should be."""
    try:
        load_study(read_config(path))
    except ConfigError as error:
        message = str(error)
    except Exception as error:
        return f"it ends in {error!r}"
    else:
        return "it is not refused"
    first, *lines = message.split("\n")
    counted = re.search(r"has (\d+) mistakes?; nothing was started$", first)
    wanted = min(int(counted[1]), 31) if counted else 0
    if words not in message:
        return f"the message lacks {words!r}: {message}"
    if JARGON.search(message.replace(str(path.parent), "")):
        return f"the message has jargon: {message}"
    if len(lines) != wanted or len(set(lines)) != len(lines):
        return f"the message has not {wanted} different lines: {message}"
    if max(map(len, lines), default=0) > LONGEST_LINE + len("   ... "):
        return f"a line is too long: {message}"
    return None


@pytest.mark.parametrize("group", [*NODES, *WRITTEN])
def test_mutations_are_refused_by_lines_that_name_the_key(group, tmp_path):
    faults = [
        f"{name:.80}: {fault}"
        for name, text, words in mutations(group)
        if (fault := fault_of_refusal(write(tmp_path, text), words))
    ]
    assert not faults, "\n".join(faults)


# What reaches a user: through Snakemake and through the script.
STRAIGHT_TO_A_USER = [  # group and name of a mutation
    ("default: training.max_steps", "text"),
    ("default: training.batch_size", "typo in the key"),
    ("default: grid.0.budgets.largest", "huge"),
    ("tiny: replicates", "missing"),
    ("tiny: replicates.seeds", "many"),
    ("contradictions", "did you mean lstm_768?"),
    ("contradictions", "training.evaluate_every: 101 is more than"),
    ("traps", "010"),
    ("traps", "yes"),
    ("lines", "\tbatch_size: 16"),
    ("lines", f"{TITLE}\ntitle: again"),
    ("texts", NEEDS),
    ("texts", "it is not text in UTF-8"),
]
THROUGH_SNAKEMAKE = [STRAIGHT_TO_A_USER[i] for i in (0, 3, 6, 7, 9, 11, 12)]
"""Of each kind; the workflow reads a configuration as the script does, and starts more slowly."""


def run_workflow(folder, *arguments):
    finished = snakemake(folder, *arguments)
    return finished.returncode, finished.stdout + finished.stderr


def plan_study(folder, *arguments):
    finished = run_script("plan_study.py", *arguments, folder=folder)
    return finished.returncode, finished.stdout + finished.stderr


def assert_refused(folder, finished, words):
    code, output = finished
    assert code == 1
    assert output.count("error: ") == 1 and words in output
    assert "Traceback" not in output and "rule " not in output and ".smk" not in output
    assert not set(os.listdir(folder)) - {"config.yaml", "other.yaml", ".snakemake"}


@pytest.mark.parametrize(
    ("program", "group", "name"),
    [
        *((plan_study, *mutation) for mutation in STRAIGHT_TO_A_USER),
        *((run_workflow, *mutation) for mutation in THROUGH_SNAKEMAKE),
    ],
)
def test_both_programs_refuse_before_any_job(program, group, name, tmp_path):
    text, words = next(found[1:] for found in mutations(group) if found[0] == name)
    write(tmp_path, text)
    assert_refused(tmp_path, program(tmp_path), words)


@pytest.mark.parametrize("program", [run_workflow, plan_study])
def test_a_configuration_that_is_not_there(program, tmp_path):
    (tmp_path / "other.yaml").write_text(TEXT)
    assert_refused(tmp_path, program(tmp_path), "configuration config.yaml does not exist")


def test_a_study_that_is_not_there_is_looked_for(tmp_path):
    (tmp_path / "other.yaml").write_text(TEXT)
    finished = plan_study(tmp_path, "--configfile", "othr.yaml")
    assert_refused(tmp_path, finished, "othr.yaml does not exist (did you mean other.yaml?)")


def test_command_line_goes_on_top_of_the_file(tmp_path):
    write(tmp_path, replaced("name: aligned_addition\n", ""))
    jobs = "jobs={shortest_minutes: 10, longest_minutes: ten}"
    finished = run_workflow(tmp_path, "--config", "name=9lives", "title=", jobs, "--dry-run")
    assert_refused(tmp_path, finished, "name: '9lives': must be a name")
    assert "jobs.longest_minutes: 'ten': must be a number" in finished[1]
    assert "shortest" not in finished[1], "braces hold numbers too"
    assert "title: null: must be text" in finished[1]
    assert "name: missing" not in finished[1]


def test_file_of_the_command_line_is_read_in_place_of_the_usual_one(tmp_path):
    write(tmp_path, TEXT)
    (tmp_path / "other.yaml").write_text(replaced("max_steps: 3000", "max_steps: 010"))
    finished = run_workflow(tmp_path, "--configfile", "other.yaml")
    assert_refused(tmp_path, finished, "max_steps: 010 would be read as 8")


def test_legal_values_of_every_spelling(tmp_path):
    text = replaced("[1e-3, 2e-3]", "[1e-3, 2E-3, .5, 1., 4.0e-4, +5e+0]")
    text = text.replace("patience: 4", "patience: null").replace(
        "max_steps: 3000", "max_steps: 3_000"
    )
    text = text.replace("gradient_clip: 1.0", "gradient_clip: ~, decoupled: False")
    text = text.replace(TITLE, "title: '010'").replace("kind: lstm,", "<<: {kind: lstm},")
    study = load_study(read_config(write(tmp_path, text)))
    assert study.replicates.learning_rates == (1e-3, 2e-3, 0.5, 1.0, 4e-4, 5.0)
    assert study.training.max_steps == 3000 and study.training.patience is None
    assert study.training.optimiser.decoupled is False and study.title == "010"


# Files that have no end, and pipes.
def test_a_device_is_read_to_a_bound(tmp_path):
    finished = plan_study(tmp_path, "--configfile", "/dev/zero")
    assert_refused(
        tmp_path, finished, f"/dev/zero has more than {LARGEST_FILE} bytes; no more are read"
    )


def test_a_pipe_is_read_as_a_file_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=[TEXT])
    writer.start()
    assert load_study(read_config(tmp_path / "pipe")) == load_study(DEFAULT)
    writer.join()


def test_a_pipe_into_which_nobody_writes_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("nstar.files.SILENT_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=r"pipe cannot be read: nothing came from it for 0.1 s"):
        read_config(tmp_path / "pipe")
