"""The findings on widths: every sentence follows from the numbers, and none says more."""

import html
import re
from functools import lru_cache

import numpy as np
import pytest
from support.answer_tables import answer, exponents_of, steps, table, widths_of

from nstar.subjects.answers.findings import findings_page

WIDTHS, LENGTHS = (4, 8, 16, 32, 64, 128), (5, 10, 20, 40, 80)


def page(rows):
    """Return the text of the page of some answers."""
    return page_of(table(rows), widths_of(rows), exponents_of(rows))


def page_of(*tables):
    text = findings_page(*tables, "chain", 0.9, "A <study>")
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


@lru_cache
def tables_of_two_families():
    rows = steps(lambda n: 10, LENGTHS, WIDTHS)
    rows += steps(lambda n: n, LENGTHS, WIDTHS, family="linear")
    return table(rows), widths_of(rows), exponents_of(rows)


def page_of_two_families(**changes):
    """Return the text of their page, with other values in columns of the exponents."""
    answers, widths, exponents = tables_of_two_families()
    return page_of(answers, widths, exponents.assign(**changes))


def test_the_width_of_every_size_is_told_with_its_bracket_and_seeds():
    text = page_of_two_families()
    assert "n = 5, L = 13 n = 10, L = 23" in text
    assert "16, above 8 seeds: 16, 16, 16" in text
    assert "8, above 4 seeds: 8, 8, 8" in text
    assert "90 % of chains right" in text


def test_censored_sizes_are_told_as_such():
    rows = steps(lambda n: 1000, (5,), (8, 16)) + steps(lambda n: 1, (10,), (8, 16))
    text = page(rows)
    assert "above 16 seeds: none, none, none" in text
    assert "8 or less seeds: 8, 8, 8" in text


def test_growth_is_claimed_only_where_the_interval_excludes_none():
    text = page_of_two_families()
    assert (
        "It grows. The interval excludes 0.5." in text
        or "It grows. The interval holds 0.5." in text
    )
    assert "Neither growth nor its absence is shown. The interval holds 0." in text
    assert "linear grows faster." in text


def test_a_difference_that_the_number_of_comparisons_explains_is_no_finding():
    text = page_of_two_families(p_value_holm=0.2)
    assert "The interval excludes 0, but not once the number of tests counts." in text
    assert "grows faster" not in text and "0.2 The interval" in text
    assert "It grows." not in text


def test_what_is_not_identified_stands_with_its_reason_and_without_numbers():
    text = page(steps(lambda n: 1000, LENGTHS, WIDTHS))
    assert "not identified" in text
    assert "Only 0 of 5 curves have D* inside their widths" in text
    assert "It grows" not in text


def test_a_fit_without_an_interval_is_no_finding():
    text = page_of_two_families(converged=False, reason="The fit did not converge.")
    assert "The fit did not converge." in text
    assert "It grows" not in text and "grows faster" not in text


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [answer(8, 5, 0.95), answer(16, 5, 0.2), answer(32, 5, 1.0)],
            "standard, lis, n = 5: a width above D* fails again",
        ),
        (
            [
                answer(8, 5, 1.0, seed=0),
                answer(8, 5, 0.1, seed=1),
                answer(16, 5, 0.1, seed=1),
                answer(16, 5, 1.0, seed=0),
            ],
            "its 2 seeds differ in D*, 1 of them at no width.",
        ),
        ([answer(8, 5, np.nan)], "standard_8, lis, n = 5: outputs are not finite"),
        ([answer(8, 5, 0.5, end_rate=0.5)], "only 50.0 % of the answers end."),
        ([answer(8, 5, 0.1, chance=0.4)], "no better than the likeliest one, 40 %."),
    ],
)
def test_what_needs_care_is_listed(rows, sentence):
    assert sentence in page(rows)


def test_nothing_to_say_is_said():
    text = page([answer(8, 5, 1.0), answer(16, 5, 1.0)])
    assert "Read with care Nothing." in text
    assert "How it grows None: there is one size of each task." in text


def test_other_thresholds_and_measures_follow_at_the_end():
    text = page_of_two_families()
    assert "Other measures and thresholds" in text
    assert "lis answer 90 %" in text


def test_names_are_text():
    assert "A <study>" in page([answer(8, 5, 1.0)])
