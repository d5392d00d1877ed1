"""The findings on functions: every sentence follows from the numbers, and none says more."""

import html
import re

import numpy as np
import pandas as pd
import pytest
from support.function_tables import ASKED, UNKNOWN, fit, make_degrees, make_measured, table

from nstar.subjects.functions.findings.page import findings_page, function_findings

REASON = UNKNOWN["reason"]
QUANTITY = "sharpness_gaussian_0.02"


def shape(name="linear", delta_aic=0.0, **changes):
    row = {"model": "transformer", "task": "parity", "moment": "final", "quantity": QUANTITY}
    row |= {"shape": name, "formula": "a + b x", "n_used": 30, "aic": 1.0, "delta_aic": delta_aic}
    return row | {"identified": True, "reason": ""} | ASKED | changes


def contrast(estimate=27.0, lower=20.0, upper=40.0, **changes):
    row = {"model": "transformer", "task": "parity", "over_task": "majority", "moment": "final"}
    row |= {"quantity": QUANTITY, "kind": "slope", "length": pd.NA, "estimate": estimate}
    row |= {"lower": lower, "upper": upper, "confidence": 0.95, "identified": True, "reason": ""}
    return row | ASKED | changes


def slope(estimate, half_width=0.01, **changes):
    return fit("growth", "n", estimate, half_width, **changes)


def tables(regressions=(), shapes=(), contrasts=(), **sizes):
    """Return the tables of a small study with these rows of fits."""
    sizes = {"models": ["transformer"], "tasks": ["parity"]} | sizes
    return make_measured(**sizes) | {
        "degrees": make_degrees(["transformer"]),
        "insensitive": table("insensitive", []),
        "regressions": table("regressions", list(regressions)),
        "shapes": table("shapes", list(shapes)),
        "contrasts": table("contrasts", list(contrasts)),
    }


def page(title="A study", **rows):
    return findings_page(**tables(**rows), study_title=title)


def findings(**rows):
    found = tables(**rows)
    return function_findings(
        *(found[name] for name in ("measures", "regressions", "shapes", "contrasts"))
    )


def text(markup):
    """Return the words of a page, without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def section(markup, heading):
    return text(re.search(rf"<h2>{heading}.*?(?=<h2>|</body>)", markup, re.DOTALL).group())


@pytest.mark.parametrize(
    ("estimate", "expected", "refused"),
    [
        (0.05, "the study shows that sharpness grows with n.", "does not show"),
        (-0.05, "the study shows that sharpness falls with n.", "does not show"),
        (0.005, "the study does not show that sharpness grows with n, or falls.", "excludes"),
        (0.01, "The interval includes 0", "excludes"),
    ],
)
def test_growth_is_stated_only_where_its_interval_excludes_zero(estimate, expected, refused):
    words = section(page(regressions=[slope(estimate)]), "How sharpness grows")

    assert expected in words
    assert refused not in words


def test_growth_stands_with_slope_exponent_and_what_it_rests_on():
    rows = [slope(6.4e-5, 2.4e-5), fit("log_growth", "log_n", 1.123, 0.03)]
    words = section(page(regressions=rows), "How sharpness grows")

    assert "6.4e-05 [4e-05, 8.8e-05]" in words
    assert "1.12 [1.09, 1.15]" in words
    assert "30 runs in 4 clusters; 2 left out, not learnt" in words


@pytest.mark.parametrize(
    ("settled", "expected"),
    [
        ([], "There is no fit with the same time since convergence."),
        ([slope(0.03)], "With the same time since convergence the conclusion is the same."),
        (
            [slope(0.005)],
            "With the same time since convergence the conclusion is another: The interval includes 0: "
            "the study does not show that sharpness grows",
        ),
        (
            [slope(-0.05)],
            "is another: The interval excludes 0: at this size the study shows that sharpness falls",
        ),
        (
            [slope(0.0) | UNKNOWN],
            f"With the same time since convergence it is not identified. {REASON}",
        ),
    ],
)
def test_growth_is_compared_at_the_same_time_since_convergence(settled, expected):
    rows = [slope(0.05), *(row | {"moment": "settled"} for row in settled)]
    assert expected in section(page(regressions=rows), "How sharpness grows")


def test_where_the_end_of_training_tells_nothing_the_settled_fit_is_read_for_itself():
    rows = [slope(0.0) | UNKNOWN, slope(0.05, moment="settled")]
    words = section(page(regressions=rows), "How sharpness grows")

    assert f"Not identified, so nothing is concluded. {REASON}" in words
    assert "With the same time since convergence: The interval excludes 0" in words


@pytest.mark.parametrize(
    ("regression", "heading"),
    [
        ("growth", "How sharpness grows"),
        ("tradeoff", "Norm and blow-up"),
        ("reverse_tradeoff", "Norm and blow-up"),
        ("sensitivity", "Sharpness and sensitivity"),
    ],
)
@pytest.mark.parametrize("numbers", [{}, UNKNOWN], ids=["numbers", "no numbers"])
def test_what_is_not_identified_stands_with_its_reason_alone(regression, heading, numbers):
    row = fit(regression, "n", 0.777, 0.001) | numbers | {"identified": False, "reason": REASON}
    words = section(page(regressions=[row]), heading)

    assert f"Not identified, so nothing is concluded. {REASON}" in words
    assert not any(word in words for word in ("study shows", "0.77", "0.88", "nan"))


def test_an_identified_fit_without_ends_is_not_read():
    words = text(page(regressions=[slope(0.05) | {"lower": np.nan, "upper": np.nan}]))
    assert "not identified" in words and "study shows" not in words


def test_runs_that_learnt_are_counted_by_length():
    (found,) = findings()["learnt"]

    assert found["lengths"] == [4, 10, 16, 22]
    (line,) = found["lines"]
    assert line["counts"] == ["3/3", "3/3", "3/3", "2/3"]
    assert line["reading"] == "1 of 12 runs did not learn and are in no fit."
    assert "first: All runs learnt." in section(page(tasks=["first"]), "Which runs learnt")


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (
            -0.3,
            "shows that fewer learn as n grows: at long n, what is said of runs that learnt is ",
        ),
        (0.3, "shows that more learn as n grows."),
        (0.05, "does not show that fewer learn as n grows, or more."),
    ],
)
def test_survivors_are_warned_of_only_where_the_interval_shows_it(estimate, expected):
    row = fit("learning", "n", estimate, 0.1, quantity="learnt")
    words = section(page(regressions=[row]), "Which runs learnt")

    assert expected in words
    assert ("survivors" in words) == (estimate < 0)


def test_learning_that_is_not_identified_says_why():
    row = fit("learning", "n", quantity="learnt") | UNKNOWN
    words = section(page(regressions=[row]), "Which runs learnt")
    assert f"Whether fewer learn as n grows is not identified. {REASON}" in words


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((27, 20, 40), "shows that the slope of parity is greater in size than that of majority."),
        ((-27, -40, -20), "is greater in size than that of majority."),
        ((0.2, -0.1, 0.5), "is smaller in size than that of majority."),
        ((1.2, 0.9, 1.6), "does not show which slope is greater in size."),
        ((27, -np.inf, np.inf), "does not show which slope is greater in size. It may be zero."),
        ((27, 20, np.inf), "is greater in size than that of majority."),
    ],
)
def test_a_ratio_is_read_by_its_interval(bounds, expected):
    reason = "It may be zero." if np.isinf(bounds[1]) else ""
    assert expected in section(page(contrasts=[contrast(*bounds, reason=reason)]), "Tasks compared")


def test_a_ratio_of_means_names_its_length_and_open_ends_are_infinite():
    row = contrast(7.0, 5.0, np.inf, kind="level", length=30)
    words = section(page(contrasts=[row]), "Tasks compared")

    assert "parity / majority mean at n = 30 at the end of training 7 [5, \u221e]" in words
    assert "the mean of parity is greater" in words


def test_shapes_within_two_are_not_told_apart():
    rows = [
        shape("saturating", 1.9, formula="f(x)"),
        *(shape("linear", 0.0), shape("power", 8.3)),
        shape("logistic", np.nan, identified=False, reason=REASON),
    ]
    words = section(page(shapes=rows), "Shape of the growth")

    assert "linear (a + b x), saturating (f(x)) power by 8.3 These are not told apart." in words
    assert f"logistic: {REASON}" in words


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([shape(), shape("power", 2.0)], "The others are worse by 2 or more."),
        ([shape()], "No other shape could be fitted."),
        (
            [shape(delta_aic=np.nan, identified=False, reason=REASON)],
            f"Not identified, so nothing is concluded. linear: {REASON}",
        ),
    ],
)
def test_a_single_shape_is_read_by_what_it_was_compared_with(rows, expected):
    assert expected in section(page(shapes=rows), "Shape of the growth")


def test_the_tradeoff_tells_the_effect_of_length_both_ways():
    rows = [
        fit("tradeoff", "n", 0.247, 0.02, quantity="parameter_norm"),
        fit("tradeoff", "log10_blowup", -9.0, quantity="parameter_norm"),
        fit("reverse_tradeoff", "n", 0.001, 0.01, quantity="plain_blowup", task="mean"),
    ]
    words = section(page(regressions=rows), "Norm and blow-up")

    assert "0.247 [0.227, 0.267]" in words
    assert "shows that at the same blow-up the parameter norm grows with n." in words
    assert "does not show that at the same norm the blow-up grows with n, or falls." in words
    assert "\u22129" not in words


def test_sensitivity_stands_with_slope_and_correlation():
    row = fit("sensitivity", "average_sensitivity", 0.655, 0.01, task="", length=10, r=-0.965)
    words = section(page(regressions=[row]), "Sharpness and sensitivity")

    assert "transformer 10 at the end of training 0.655 [0.645, 0.665] \u22120.96" in words
    assert "shows that sharpness grows with the average sensitivity of networks." in words


def test_the_sensitivity_reached_is_told_over_the_runs_that_learnt():
    found = tables(lengths=[4, 22])
    measures = found["measures"]
    measures["average_sensitivity"] = measures["target_sensitivity"] * 0.5
    measures["rounded_sensitivity"] = measures["target_sensitivity"]
    measures.loc[measures["seed"] == 1, "average_sensitivity_error"] = 0.1
    measures.loc[~measures["learnt"], "average_sensitivity"] = 99.0
    words = section(findings_page(**found, study_title="A study"), "Average sensitivity reached")

    assert "transformer parity 0.5 [0.5, 0.5] 1 [1, 1] 3 2" in words


def test_perturbations_and_profiles_are_told_by_size_error_and_distance():
    words = page(lengths=[4, 10], steps=[4000])

    assert re.search(
        r"transformer gaussian 0\.02 8\.9 0\.3\d* [\d.]+ 0\.02", section(words, "Perturbations")
    )
    # 1 - 0.905 at degree 10, and 0.005 at ten other degrees; of the other seed 0.09 and 0.1.
    assert "transformer parity 10 0.167 [0.145, 0.19]" in section(words, "Degree profiles")


def test_other_quantities_have_both_moments_in_one_line():
    rows = [
        slope(0.05),
        slope(0.2, quantity="parameter_norm"),
        slope(0.3, quantity="parameter_norm", moment="settled"),
    ]
    words = section(page(regressions=rows), "Growth of all else")

    assert "parameter_norm transformer parity 0.2 [0.19, 0.21] 0.3 [0.29, 0.31]" in words
    assert QUANTITY not in words


def test_a_study_without_fits_says_so_and_has_no_numbers_that_are_none():
    found = tables(models=["lstm"], seeds=[1], steps=[4000])
    found["measures"] = found["measures"].assign(learnt=False)
    words = text(findings_page(**found, study_title="A study"))

    assert words.count("None was fitted.") == 3
    assert words.count("None was measured of a run that learnt.") == 3
    assert "4 of 4 runs did not learn and are in no fit." in words
    assert "nan" not in words and "NA" not in words


def test_what_is_asked_for_is_read_for_itself():
    found = tables(regressions=[slope(0.05), slope(0.7, supervision="outcome")])
    for name in ("measures", "sharpness", "degrees"):
        found[name] = pd.concat([found[name], found[name].assign(supervision="outcome")])
    markup = findings_page(**found, study_title="A study")

    aligned, outcome = (text(part) for part in markup.split("<h1>")[2:])
    assert aligned.startswith("Aligned, fixed lengths") and "0.7 [" not in aligned
    assert outcome.startswith("Outcome, fixed lengths") and "0.7 [0.69, 0.71]" in outcome


def test_names_are_escaped_and_the_page_needs_no_other_file():
    markup = page(title="<script>alert('x')</script> & more")

    assert "<script" not in markup
    assert not re.search(r"(src|href)=", markup)


def test_every_paragraph_of_the_page_is_closed_once():
    """A note cut in two leaves text outside of paragraphs."""
    markup = page()
    body = re.sub(r"<style>.*?</style>", "", markup, flags=re.DOTALL)
    assert body.count("<p>") + body.count('<p class="note">') == body.count("</p>")
