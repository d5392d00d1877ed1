"""Lists of widths or depths: a model for each entry, named after it, and refusals in the user's words."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.studies import TINY, changed

from nstar.errors import ConfigError
from nstar.reading.check import load_study
from nstar.reading.families import expand_families
from nstar.reading.file import LARGEST_FILE, read_config

LSTM = {"kind": "lstm", "width": 8}
LISTED = {"kind": "lstm", "width": [4, 8]}
TRANSFORMER = {"kind": "transformer", "width": 8, "depth": 2, "heads": 2}
PRESET = {"kind": "preset", "name": "lstm_768"}
WHOLE = "must be a whole number in digits without quotes, as 1000000, not 1e6 or 1.0"
LONG = "m" * 61


def raw_of(models, names=None):
    return changed(
        TINY, models=models, **{"grid.0.models": list(models if names is None else names)}
    )


def message_of(models, names=None):
    with pytest.raises(ConfigError) as caught:
        load_study(raw_of(models, names))
    first, *lines = str(caught.value).split("\n  ")
    assert first.startswith(f"the configuration has {len(lines)} mistake")
    return lines


def test_every_width_is_a_model_of_its_own():
    study = load_study(raw_of({"lstm": LISTED}))
    found = {name: (model.width, model.family) for name, model in study.models.items()}
    assert found == {"lstm_4": (4, "lstm"), "lstm_8": (8, "lstm")}
    assert study.grid[0].models == ("lstm_4", "lstm_8")


@pytest.mark.parametrize(
    "options",
    [
        TRANSFORMER,
        {"kind": "encoder_decoder", "width": 8, "heads": 2},
        {"kind": "deltanet", "width": 8, "heads": 2, "negative_eigenvalues": True},
    ],
    ids=lambda options: options["kind"],
)
def test_every_depth_is_a_model_of_its_own(options):
    study = load_study(
        raw_of({"deep": options | {"depth": [4, 1, 2]}, "lstm": LSTM})
        | {"grid": [{**TINY["grid"][0], "models": ["lstm"]}]}
    )
    found = [(name, model.family) for name, model in study.models.items()]
    assert found == [("deep_4", "deep"), ("deep_1", "deep"), ("deep_2", "deep"), ("lstm", None)]
    assert [study.models[name].depth for name in ("deep_4", "deep_1", "deep_2")] == [4, 1, 2]
    assert {study.models[name].width for name in ("deep_4", "deep_1", "deep_2")} == {8}


def test_members_are_the_models_that_one_would_write_out():
    written = {
        f"lstm_{width}": {"kind": "lstm", "width": width, "family": "lstm"} for width in (4, 8)
    }
    assert load_study(raw_of({"lstm": LISTED})) == load_study(raw_of(written))


def test_a_list_of_one_width_is_a_family_of_one_model():
    study = load_study(raw_of({"lstm": LSTM | {"width": [8]}}))
    assert study.models["lstm_8"].family == "lstm"


def test_a_model_that_is_written_out_joins_a_family_by_its_option_alone():
    models = {"lstm": LISTED, "lstm_16": LSTM | {"width": 16}, "large": LSTM | {"width": 32}}
    models["large"]["family"] = "lstm"
    study = load_study(raw_of(models, ["lstm_4", "lstm_16"]))
    assert study.grid[0].models == ("lstm_4", "lstm_16")
    families = {name: model.family for name, model in study.models.items()}
    assert families == {"lstm_4": "lstm", "lstm_8": "lstm", "lstm_16": None, "large": "lstm"}


def test_the_name_of_a_list_stands_in_the_grid_for_the_models_of_the_list_alone():
    models = {"lstm": LISTED, "large": LSTM | {"width": 32, "family": "lstm"}, "dense": LSTM}
    study = load_study(raw_of(models, ["dense", "lstm"]))
    assert study.grid[0].models == ("dense", "lstm_4", "lstm_8")


def test_what_has_no_lists_stays_as_it_is():
    assert expand_families(TINY) == (TINY, {}, [])


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (LSTM | {"width": []}, ["models.m.width: []: must not be empty"]),
        (LSTM | {"width": [4, 4]}, ["models.m.width: [4, 4]: every entry once; repeated: 4"]),
        (LSTM | {"width": [4, 1]}, ["models.m.width.1: 1: must be at least 2"]),
        (LSTM | {"width": [-4]}, ["models.m.width.0: -4: must be at least 2"]),
        (LSTM | {"width": [4, "a"]}, [f"models.m.width.1: 'a': {WHOLE}"]),
        (LSTM | {"width": [8, 8.0]}, [f"models.m.width.1: 8.0: {WHOLE}"]),
        (LSTM | {"width": [True]}, [f"models.m.width.0: true: {WHOLE}"]),
        (LSTM | {"width": [None, 8]}, [f"models.m.width.0: null: {WHOLE}"]),
        (
            LSTM | {"width": [[8], {"a": 8}]},
            [f"models.m.width.0: [8]: {WHOLE}", f"models.m.width.1: {{'a': 8}}: {WHOLE}"],
        ),
        (
            LSTM | {"width": [10**5000]},
            [
                "models.m.width.0: a number of 5001 digits: must be at most 16384, because one matrix "
                "of that width already takes 1 GiB"
            ],
        ),
        (TRANSFORMER | {"depth": [1, 0]}, ["models.m.depth.1: 0: must be more than 0"]),
        (
            TRANSFORMER | {"depth": [2, 2]},
            ["models.m.depth: [2, 2]: every entry once; repeated: 2"],
        ),
        (
            LSTM | {"depth": [1, 2]},
            [
                "models.m.depth: unknown key; legal here are kind, family, weight_decay, width (did "
                "you mean width?)"
            ],
        ),
        (PRESET | {"width": [4, 8]}, ["models.m.width: unknown key; legal here are kind, name"]),
        (PRESET | {"depth": [4, 8]}, ["models.m.depth: unknown key; legal here are kind, name"]),
        (
            TRANSFORMER | {"width": [4, 8], "depth": [1, 2]},
            [
                "models.m.depth: [1, 2]: width is a list too, and models of a family differ in width "
                "alone or in depth alone; write one number for width or for depth"
            ],
        ),
        (
            LISTED | {"family": "gated"},
            [
                "models.m.family: 'gated': the list width makes a family of the name m; remove family, "
                "or write a model for each width"
            ],
        ),
        (
            TRANSFORMER | {"width": [8, 9], "heads": 4},
            ["models.m: width 9 is not a multiple of heads 4; heads may be 1, 3"],
        ),
        (TRANSFORMER | {"depth": [1, 2], "heads": "2"}, [f"models.m.heads: '2': {WHOLE}"]),
        ({"width": [4, 8]}, ["models.m.kind: missing; add it"]),
        (
            {"kind": "lstm", "width": [4, 1], "weight_decay": "x"},
            [
                "models.m.width.1: 1: must be at least 2",
                "models.m.weight_decay: 'x': must be a number, as 0.01 or 1e-3, without quotes",
            ],
        ),
    ],
)
def test_a_wrong_list_is_refused_by_the_key_that_was_written(options, lines):
    assert message_of({"m": options}) == lines


@pytest.mark.parametrize(
    ("models", "line"),
    [
        (
            {"lstm": LISTED, "lstm_4": LSTM},
            "models.lstm.width.0: 4: makes a model lstm_4, and there is one of that name; rename one of "
            "them",
        ),
        (
            {"lstm": LISTED, "lstm_4": LISTED},
            "models.lstm.width.0: 4: makes a model lstm_4, and there is one of that name; rename one of "
            "them",
        ),
        (
            {LONG: LSTM | {"width": [8, 1024]}},
            f"models.{LONG}.width.1: 1024: makes a model {LONG}_1024, whose name has 66 characters; at "
            f"most 64 are allowed; shorten {LONG}",
        ),
    ],
)
def test_models_of_a_list_have_names_of_their_own(models, line):
    assert line in message_of(models)


RULE = (
    "models of a family differ in width alone or in depth alone, each with a value of its own; change "
    "the options, or leave family out of one of them"
)


@pytest.mark.parametrize(
    ("models", "line"),
    [
        (
            {"lstm": LISTED, "large": LSTM | {"width": 16, "weight_decay": 0.1, "family": "lstm"}},
            "models.large.family: 'lstm': its models lstm_4, lstm_8, large differ in weight_decay "
            f"[null, null, 0.1], width [4, 8, 16]; {RULE}",
        ),
        (
            {"lstm": LISTED, "large": LSTM | {"family": "lstm"}},
            "models.large.family: 'lstm': its models lstm_4, lstm_8, large differ in width [4, 8, 8]; "
            f"{RULE}",
        ),
        (
            {"a": LSTM | {"family": "g"}, "b": LSTM | {"family": "g"}},
            f"models.a.family: 'g': its models a, b differ in nothing; {RULE}",
        ),
        (
            {"a": LSTM | {"family": "g"}, "b": TRANSFORMER | {"family": "g"}},
            f"models.a.family: 'g': its models a, b differ in kind ['lstm', 'transformer']; {RULE}",
        ),
        (
            {
                "t_1": TRANSFORMER | {"depth": 1, "family": "u"},
                "t_4": TRANSFORMER | {"depth": 4, "width": 16, "family": "u"},
            },
            "models.t_1.family: 'u': its models t_1, t_4 differ in width [8, 16], depth [1, 4]; "
            f"{RULE}",
        ),
        (
            {
                "deep": TRANSFORMER | {"depth": [1, 2]},
                "w": TRANSFORMER | {"width": 4, "family": "deep"},
            },
            "models.w.family: 'deep': its models deep_1, deep_2, w differ in width [8, 8, 4], depth "
            f"[1, 2, 2]; {RULE}",
        ),
        (
            {"lstm": LSTM, "large": LSTM | {"width": 16, "family": "lstm"}},
            "models.large.family: 'lstm': there is a model of that name; rename the family",
        ),
        (
            {"lstm": LSTM | {"family": "lstm"}},
            "models.lstm.family: 'lstm': there is a model of that name; rename the family",
        ),
        (
            {"lstm": LISTED, "large": LSTM | {"width": 16, "family": "lstm_4"}},
            "models.large.family: 'lstm_4': there is a model of that name; rename the family",
        ),
        (
            {"lstm": LSTM | {"family": "LSTM"}},
            "models.lstm.family: 'LSTM': must be a name of small letters, digits and _, a letter first",
        ),
        ({"lstm": PRESET | {"family": "g"}}, "models.lstm.family: unknown key"),
    ],
)
def test_a_family_differs_in_one_axis_and_has_a_name_of_its_own(models, line):
    lines = message_of(models)
    assert len(lines) == 1 and lines[0].startswith(line)


@pytest.mark.parametrize(
    ("names", "lines"),
    [
        (["lstm", "lstm_4"], ["grid.0.models: ['lstm', 'lstm_4']: every entry once; repeated: lstm_4"]),
        (["lstm", "lstm"], ["grid.0.models: ['lstm', 'lstm']: every entry once; repeated: lstm"]),
        (
            ["lstm", "lstm_5"],
            ["grid.0.models.1: 'lstm_5' is not defined under models; legal are lstm, lstm_4, lstm_8 "
             "(did you mean lstm_8?)"],
        ),
        (["lstm", 7], ["grid.0.models.1: 7: must be text, in quotes if it looks like anything else"]),
    ],
)  # fmt: skip
def test_a_refused_entry_of_the_grid_is_quoted_as_it_was_written(names, lines):
    assert message_of({"lstm": LISTED}, names) == lines


@pytest.mark.parametrize("name", ["M", "a b", "", None, 7])
def test_a_list_under_a_name_that_is_not_legal_is_refused_by_that_name(name):
    lines = message_of({name: LISTED}, ["m"])
    assert lines and not any("_4" in line or "width" in line for line in lines)


def test_lists_are_bounded_before_they_are_written_out():
    models = {f"m{i}": LSTM | {"width": list(range(2, 302))} for i in range(9)}
    raw = raw_of(models)
    expanded, origins, problems = expand_families(raw)
    assert expanded == raw and not origins
    assert problems == [
        "models.m0.width: 300 entries, with which the study has 2700 models; at most 1000, because "
        "every entry multiplies the cells of a plan; shorten the list, or divide the study"
    ]
    assert message_of(models) == problems


def test_as_many_models_as_a_study_may_have_are_written_out():
    study = load_study(
        raw_of({"lstm": LSTM | {"width": list(range(2, 1001))}, "last": LSTM}, ["last"])
    )
    assert len(study.models) == 1000


def test_repeated_names_and_long_lists_of_the_grid_are_not_written_out():
    entry = {**TINY["grid"][0], "models": ["lstm"] * 900}
    for grid in (
        [entry],
        [{**entry, "models": ["lstm"] * 5000}],
        [{**entry, "models": ["lstm"]}] * 5000,
    ):
        raw = raw_of({"lstm": LSTM | {"width": list(range(2, 900))}}) | {"grid": grid}
        assert expand_families(raw)[0]["grid"] == grid
        with pytest.raises(ConfigError, match=r"at most 1000 entries|every entry once"):
            load_study(raw)


def test_a_file_of_aliases_of_lists_is_refused(tmp_path):
    """66 kB that would be 40 million names."""
    widths = ", ".join(map(str, range(2, 8002)))
    text = (
        f"models:\n  m: {{kind: lstm, width: [{widths}]}}\n"
        f"grid:\n- &b {{lengths: [4], budgets: [2], models: [{'m, ' * 1000}]}}\n" + "- *b\n" * 1500
    )
    assert len(text) <= LARGEST_FILE
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"aliases and '<<' make \d+ values"):
        load_study(read_config(path))


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2, 4, 8, 10**400, -(10**400)])
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)
LISTS = st.lists(JUNK, max_size=6)


def read(raw):
    """Return a study, or nothing if it is refused; a refusal never speaks of Python."""
    before = copy.deepcopy(raw)
    try:
        study = load_study(raw)
    except ConfigError as error:
        lines = str(error).split("\n  ")[1:]
        assert lines and all(line.startswith(("models", "grid", "... and")) for line in lines), (
            lines
        )
        assert not any("True" in line or "None" in line for line in lines), lines
        return None
    finally:
        assert repr(raw) == repr(before)  # nan is not equal to itself
    return study


@given(LISTS, st.sampled_from([LSTM, TRANSFORMER, PRESET, {}]), st.sampled_from(["width", "depth"]))
def test_junk_in_a_list_is_refused_in_words(values, options, axis):
    study = read(raw_of({"m": {**options, axis: values}}))
    if study is not None:
        assert len(study.models) == len(values) > 0
        assert all(type(value) is int for value in values)


@given(LISTS, JUNK, JUNK, LISTS)
def test_junk_about_a_list_is_refused_in_words(widths, depth, family, names):
    options = TRANSFORMER | {"width": widths or [8], "depth": depth, "family": family}
    study = read(raw_of({"m": options, "n": TRANSFORMER | {"depth": depth}}, [*names, "m"]))
    assert study is None or family is None
