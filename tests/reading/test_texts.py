"""Text of a user: what is visible is legal in a title; every other character is refused by its code."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.studies import tiny

from nstar.errors import ConfigError
from nstar.reading.check import load_study

HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
BLANK = "must not be blank"


def refusal_of(**changes):
    with pytest.raises(ConfigError) as refused:
        load_study(tiny(**changes))
    text = str(refused.value)
    assert text.replace("\n", "").isprintable()
    return text


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("x\u2028\u2028.. raw:: html", "character 2 is U+2028 (LINE SEPARATOR), a line separator"),
        ("a\u202eb", "character 2 is U+202E (RIGHT-TO-LEFT OVERRIDE), an invisible formatting"),
        ("\ud800", "character 1 is U+D800, half of a surrogate pair"),
        ("two\nlines", "character 4 is U+000A, a control character"),
        ("next\x85line", "character 5 is U+0085, a control character"),
        ("a\x00", "character 2 is U+0000, a control character"),
        ("zero\u200bwidth", "character 5 is U+200B (ZERO WIDTH SPACE)"),
        ("\ufeffa", "character 1 is U+FEFF"),
        ("\ue000", "character 1 is U+E000, a private-use character"),
        ("\U000e0041", "character 1 is U+E0041 (TAG LATIN CAPITAL LETTER A)"),
        ("", "must have at least 1 character"),
        ("   ", BLANK),
        ("\u3000\u00a0", BLANK),
        ("a" * 201, "must have at most 200 characters; shorten it"),
    ],
)
def test_a_title_that_is_not_visible_text_is_refused(title, words):
    assert words in refusal_of(title=title)


@given(st.characters(categories=HIDDEN))
def test_every_character_that_cannot_be_seen_is_refused_by_its_code_and_position(character):
    words = refusal_of(title=f"ab{character}")
    assert f"character 3 is U+{ord(character):04X}" in words
    assert (
        "letters, digits, punctuation, symbols and spaces are allowed; remove or replace" in words
    )


@given(st.text(st.characters(exclude_categories=HIDDEN), min_size=1, max_size=200))
def test_a_title_of_visible_characters_stays_as_it_is(title):
    if not title.isspace():
        assert load_study(tiny(title=title)).title == title


@pytest.mark.parametrize("key", ["name", "models.{}", "tasks.{}"])
@pytest.mark.parametrize("name", ["a\u202e", "\ud800", "a\x1b[31m", "a\n", "a\u0301", "ä", "A"])
def test_a_name_has_small_letters_digits_and_underscores(key, name):
    changes = {key.format(name): {"kind": "gru", "width": 8} if "{" in key else name}
    words = refusal_of(**changes)
    hidden = next((c for c in name if unicodedata.category(c) in HIDDEN), None)
    assert f"U+{ord(hidden):04X}" in words if hidden else "must be a name of small letters" in words


def test_a_name_has_at_most_64_characters():
    assert load_study(tiny(name="a" * 64)).name == "a" * 64
    assert "must have at most 64 characters" in refusal_of(name="a" * 65)


def test_an_unknown_key_cannot_write_to_the_terminal():
    assert "a\\x1b[31mb: unknown key" in refusal_of(**{"a\x1b[31mb": 1})
