"""What the configuration takes, and how it says no."""

import pytest
from support.studies import tiny

from nstar.cells import cells_of
from nstar.errors import ConfigError
from nstar.reading.check import load_study
from nstar.study import GeometricRange

AHEAD = {"kind": "transformer", "width": 8, "depth": 1, "heads": 1, "causal": False}
"""A model that sees what follows a position."""

CHAINED = {"kind": "encoder_decoder", "width": 8, "depth": 1, "heads": 2}
"""A model that reads chains of thought of one length alone."""


def message_of(raw):
    with pytest.raises(ConfigError) as caught:
        load_study(raw)
    return str(caught.value)


def test_whole_numbers_serve_as_numbers():
    study = load_study(tiny(**{"replicates.learning_rates": [1, 0.01]}))
    assert study.replicates.learning_rates == (1.0, 0.01)


def test_range_of_budgets():
    assert GeometricRange(smallest=3, largest=30).values == (3, 6, 12, 24)
    assert GeometricRange(smallest=8, largest=8, factor=5).values == (8,)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"modells": {}}, "modells: unknown key; legal here are name, title, models"),
        ({"modells": {}}, "did you mean models?"),
        ({"training.success.measure": "acuracy"}, "did you mean token_accuracy?"),
        ({"models.lstm.kind": "lstmm"}, "models.lstm.kind: 'lstmm' is not legal"),
        ({"models.lstm.kind": "lstmm"}, "did you mean lstm?"),
        (
            {"models.lstm.widht": 8},
            "models.lstm.widht: unknown key; legal here are kind, family, weight_decay, width",
        ),
        ({"models.lstm.width": 8.0}, "models.lstm.width: 8.0: must be a whole number"),
        ({"models.lstm.width": True}, "models.lstm.width: true: must be a whole number"),
        ({"models.lstm.width": "1e6"}, "as 1000000, not 1e6"),
        ({"models.lstm.width": 0}, "models.lstm.width: 0: must be at least 2"),
        ({"models.lstm.width": 1}, "models.lstm.width: 1: must be at least 2"),
        ({"models.9x": {"kind": "lstm", "width": 8}}, "models.9x: '9x'"),
        ({"models.seeing": {"kind": "transformer", "width": 8, "depth": 1, "heads": 3}}, "1, 2, 4"),
        (
            {
                "models.seeing": {
                    "kind": "transformer",
                    "width": 6,
                    "depth": 1,
                    "heads": 2,
                    "positions": "rotary",
                }
            },
            "width 6 / heads 2 = 3 is odd",
        ),
        (
            {"models.b": {"kind": "block_ssm", "width": 8, "block_size": 3}},
            "block_size may be 1, 2, 4, 8",
        ),
        ({"models.r": {"kind": "rotation_ssm", "width": 7}}, "width 7 is odd"),
        (
            {"models.p": {"kind": "preset", "name": "lstm_786"}},
            "models.p.name: 'lstm_786' is not legal",
        ),
        ({"models.p": {"kind": "preset", "name": "lstm_786"}}, "did you mean lstm_768?"),
        ({"training.schedule": {"decay": "cosin"}}, "did you mean cosine?"),
        (
            {"training.schedule": {"warmup_steps": 100}},
            "schedule.warmup_steps 100 does not end before max_steps 100",
        ),
        (
            {"training.precision": "tf32", "device": "cpu"},
            "training.precision 'tf32' with device 'cpu', which knows float32 and bfloat16",
        ),
        ({"training.precision": "bf16"}, "training.precision: 'bf16' is not legal"),
        (
            {"replicates.learning_rates": [0.1, False]},
            "learning_rates.1: false: must be a number",
        ),
        ({"replicates.learning_rates": [float("nan")]}, "learning_rates.0: nan"),
        ({"replicates.seeds": [1, 1]}, "replicates.seeds: [1, 1]: every entry once; repeated: 1"),
        ({"replicates.seeds": []}, "replicates.seeds: []"),
        ({"grid.0.models": ["lstn"]}, "grid.0.models.0: 'lstn' is not defined under models"),
        ({"grid.0.models": ["lstn"]}, "did you mean lstm?"),
        ({"grid.0.budgets": [2, 14]}, "task parity, length 4, budget 14 does not exist"),
        ({"grid.0.lengths": [2]}, "task parity, length 2 has only 4 sequences"),
        ({"grid.0.budgets": {"smallest": 8, "largest": 4}}, "largest 4 is below smallest 8"),
        (
            {"grid.0.budgets": {"smallest": 2, "largest": 8, "facto": 2}},
            "grid.0.budgets.facto: unknown key; legal here are smallest, largest, factor",
        ),
        (
            {"grid.0.length_distributions": ["uniform"], "grid.0.lengths": [5, 1]},
            "task parity, length 1, lengths uniform: the longest length is below "
            "data.shortest_length 2; make it larger",
        ),
        (
            {"grid.0.supervisions": ["aligned", "chain_of_thought"], "models.seeing": AHEAD},
            "grid.0.supervisions: chain_of_thought with model seeing, which is not causal",
        ),
        (
            {"grid.0.length_distributions": ["short_to_long"], "models.seeing": AHEAD},
            "grid.0.length_distributions: short_to_long with model seeing, which is not causal",
        ),
        (
            {"grid.0.supervisions": ["aligned", "chain_of_thought"], "models.e": CHAINED},
            "grid.0.supervisions: aligned with model e, an encoder_decoder, whose encoder reads what "
            "precedes the separator",
        ),
        (
            {"grid.0.supervisions": ["outcome"], "models.e": CHAINED},
            "use chain_of_thought, or put the model into a grid entry of its own",
        ),
        (
            {"grid.0.length_distributions": ["uniform"], "models.e": CHAINED},
            "grid.0.length_distributions: uniform with model e, an encoder_decoder",
        ),
        (
            {"models.e": CHAINED | {"width": 9, "heads": 3}},
            "encoder_decoder gives tokens and positions half of the width each, and width 9 is odd",
        ),
        (
            {"models.e": CHAINED | {"heads": 3}},
            "width 8 is not a multiple of heads 3; heads may be 1, 2, 4",
        ),
        (
            {"models.e": CHAINED | {"perceptron_width": 1}},
            "models.e.perceptron_width: 1: must be at least 2",
        ),
        (
            {"models.e": CHAINED | {"dropout": 0.1}},
            "models.e.dropout: unknown key; legal here are kind, family, weight_decay, width, depth, "
            "heads",
        ),
        (
            {"training.success.at": "final"},
            "stop_on_success true with success.at 'final': an end at the first success would change "
            "the outcome; set it to false",
        ),
        ({"training.evaluate_every": 101}, "training.evaluate_every: 101 is more than"),
        ({"training.success.threshold": 1.5}, "threshold 1.5 of an accuracy"),
        ({"tasks.parity.modulus": 1}, "tasks.parity.modulus: 1: must be at least 2"),
        ({"grid.0.models": []}, "grid.0.models: []"),
        (
            {"replicates.learning_rates": [(1 + i) / 1000 for i in range(100)]},
            "replicates.learning_rates: 100 values do not fit",
        ),
        ({"device": "gpu"}, "device: 'gpu' is not legal; legal are auto, cpu, cuda"),
    ],
)
def test_mistakes_name_the_key_the_value_and_what_is_legal(change, words):
    assert words in message_of(tiny(**change))


def test_preset_is_the_model_it_stands_for():
    options = {"kind": "lstm", "width": 768}
    named = load_study(tiny(**{"models.lstm": {"kind": "preset", "name": "lstm_768"}}))
    written = load_study(tiny(**{"models.lstm": options}))
    assert named == written
    assert named.models["lstm"].model_dump() == options


def test_all_mistakes_are_listed_at_once():
    text = message_of(
        tiny(
            **{
                "title": 3,
                "models.lstm.width": -1,
                "grid.0.models": ["dense", "lstn"],
                "grid.0.budgets": [100],
                "training.max_steps": "many",
                "figures.dpi": 100,
            }
        )
    )
    for key in ("title", "models.lstm.width", "training.max_steps", "figures.dpi", "budget 100"):
        assert key in text
    assert text.startswith("the configuration has")


def test_missing_keys_are_named():
    raw = tiny()
    del raw["replicates"], raw["training"]["success"]
    text = message_of(raw)
    assert "replicates: missing" in text
    assert "training.success: missing" in text


@pytest.mark.parametrize("raw", [None, {}, [], "text"])
def test_empty_configuration(raw):
    assert "the configuration is empty; it needs name, title, models" in message_of(raw)


def test_sets_of_small_and_endless_spaces():
    data = load_study(tiny()).data
    assert [data.largest("validation", 2**n) for n in (4, 8, 20, 5000)] == [3, 51, 2000, 2000]
    assert [data.largest("test", 2**n) for n in (4, 8, 20, 5000)] == [1, 25, 2000, 2000]


def test_study_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        load_study(tiny()).name = "other"


@pytest.mark.parametrize(
    ("distribution", "available"), [("fixed", {4: 11, 5: 20}), ("uniform", {4: 22, 5: 42})]
)
def test_a_cut_range_ends_with_all_there_is(distribution, available):
    """Of 4, 8, 16 and 32 sequences 0, 1, 3 and 6 validate, 0, 0, 1 and 3 confirm, and as many test."""
    change = {
        "grid.0.length_distributions": [distribution],
        "grid.0.budgets": {"smallest": 5, "largest": 45, "factor": 3, "cut": True},
    }
    cells = cells_of(load_study(tiny(**change)))
    budgets = {n: {cell.budget for cell in cells if cell.length == n} for n in available}
    for length, n_available in available.items():
        kept = {budget for budget in (5, 15, 45) if budget <= n_available}
        assert budgets[length] == (kept if len(kept) == 3 else kept | {n_available})
    change["grid.0.budgets"] |= {"cut": False}
    assert "or set cut: true" in message_of(tiny(**change))


def test_what_the_refusals_name_is_legal_elsewhere():
    load_study(tiny(**{"models.seeing": AHEAD}))
    load_study(tiny(**{"models.seeing": AHEAD, "grid.0.supervisions": ["outcome"]}))
    seeing = {"models.seeing": AHEAD | {"causal": True}, "grid.0.length_distributions": ["uniform"]}
    load_study(tiny(**seeing, **{"grid.0.supervisions": ["chain_of_thought"]}))
    load_study(tiny(**{"models.e": CHAINED, "grid.0.supervisions": ["chain_of_thought"]}))
    load_study(tiny(**{"training.success.at": "final", "training.stop_on_success": False}))
