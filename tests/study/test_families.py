"""A list of widths in place of one: a model for each, named after it."""

import pytest
from support.studies import TINY, changed

from nstar.errors import ConfigError
from nstar.reading.check import load_study
from nstar.study.families import expand_families, family_of

LISTED = {"kind": "lstm", "width": [4, 8]}


def test_every_width_is_a_model_of_its_own():
    study = load_study(changed(TINY, models={"lstm": LISTED}, **{"grid.0.models": ["lstm"]}))
    assert {name: model.width for name, model in study.models.items()} == {"lstm_4": 4, "lstm_8": 8}
    assert study.grid[0].models == ("lstm_4", "lstm_8")


def test_members_are_the_models_that_one_would_write_out():
    written = {f"lstm_{width}": {"kind": "lstm", "width": width} for width in (4, 8)}
    grid = {"grid.0.models": ["lstm_4", "lstm_8"]}
    listed = changed(TINY, models={"lstm": LISTED}, **{"grid.0.models": ["lstm"]})
    assert load_study(listed) == load_study(changed(TINY, models=written, **grid))


def test_a_member_may_stand_alone_and_belongs_to_its_family():
    models = {"lstm": LISTED, "lstm_16": {"kind": "lstm", "width": 16}}
    study = load_study(changed(TINY, models=models, **{"grid.0.models": ["lstm_4", "lstm_16"]}))
    assert study.grid[0].models == ("lstm_4", "lstm_16")
    assert {family_of(name, model.width) for name, model in study.models.items()} == {"lstm"}


def test_a_name_that_ends_with_another_number_is_its_own_family():
    assert family_of("lstm_768", 32) == "lstm_768"


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ({"lstm": {"kind": "lstm", "width": []}}, "models.lstm.width: []"),
        ({"lstm": {"kind": "lstm", "width": [4, 4]}}, "models.lstm.width: [4, 4]"),
        ({"lstm": {"kind": "lstm", "width": [4, 1]}}, "models.lstm_1.width: 1: must be at least 2"),
        (
            {"lstm": {"kind": "lstm", "width": [4, "a"]}},
            "models.lstm_a.width: 'a': must be a whole",
        ),
        ({"lstm": {"kind": "lstm", "width": [[4], {"a": 4}]}}, "must be a whole number"),
        ({"lstm": LISTED, "lstm_4": {"kind": "lstm", "width": 4}}, "makes a model lstm_4"),
    ],
)
def test_wrong_lists_are_refused_by_a_line_that_names_them(models, words):
    with pytest.raises(ConfigError) as caught:
        load_study(changed(TINY, models=models, **{"grid.0.models": ["lstm"]}))
    assert words in str(caught.value)


def test_what_has_no_lists_stays_as_it_is():
    assert expand_families(TINY) == (TINY, [])
