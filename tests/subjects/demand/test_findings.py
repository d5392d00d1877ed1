"""The findings: every sentence follows from the numbers, and none says more."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from nstar.subjects.axis import BUDGET, DEPTH, STEPS, WIDTH
from nstar.subjects.demand.columns import HORIZONS, LEARNING_EXPONENTS, RATIOS, SHARING
from nstar.subjects.demand.findings import page as findings
from nstar.subjects.demand.findings.page import findings_page
from nstar.tables.cells import LONGER

ASKED = {"supervision": "aligned", "length_distribution": "fixed"}
REASON = "Only 1 of 3 curves have N* inside their budgets."


def cell(model="lstm", length=4, budget=64, seed=1, **changes):
    row = {"model": model, "task": "parity", "n_states": 2, "length": length, "budget": budget}
    row |= {"seed": seed, "learning_rate": 0.001, "outcome": "learnt", "diverged": False}
    row |= {"best_validation_sequence_accuracy": 1.0, "best_validation_loss": 0.1}
    row |= {"validation_seen": 0.0}
    return row | ASKED | changes


def longer_row(model="lstm", length=4, above_chance=0.5, **changes):
    row = cell(model, length) | {"role": "demand", "n_steps": 100, "reading": "symbols"}
    row |= {"validation_sequence_accuracy": 1.0, "validation_loss": 0.1}
    return row | {"above_chance": above_chance, "test_length": 2 * length} | changes


def horizon(model="lstm", length=4, value=7.0, censoring="exact", **changes):
    row = {"model": model, "task": "parity", "length": length, "reading": "symbols"}
    row |= {"longest": 2 * length, "rule": "median", "horizon": value, "censoring": censoring}
    return row | ASKED | changes


def test_tasks_that_do_not_extrapolate_have_no_part_on_longer_lengths():
    heading = "<h2>Longer than in training</h2>"
    assert heading in page(longer=[longer_row()])
    assert heading not in page()


def threshold(model="lstm", length=4, n_star=64.0, lower=32.0, censoring="interval", **changes):
    row = {"model": model, "task": "parity", "n_states": 2, "length": length, "rule": "any"}
    row |= {"seed": pd.NA, "n_star": n_star, "lower": lower, "censoring": censoring}
    row |= {"upper": np.inf if censoring == "right" else n_star}
    row |= {"monotone": True, "limited_by_steps": False, "n_available": 10**6, "least_set": 30}
    return row | ASKED | changes


def exponent(model="lstm", estimate=1.0, lower=0.5, upper=1.5, **changes):
    row = {"kind": "exponent", "model": model, "minus_model": "", "quantity": "length"}
    row |= {"estimate": estimate, "lower": lower, "upper": upper, "confidence": 0.95}
    row |= {"n_used": 6, "n_censored": 1, "n_curves": 3, "identified": True, "converged": True}
    row |= {"n_limited_by_steps": 2, "n_near_space": 0, "n_not_fitted": 4, "n_small_sets": 0}
    row |= {"lapse": 0.02, "quantised": False, "p_value_holm": np.nan, "n_tests": 12}
    return row | {"reason": ""} | ASKED | changes


def difference(estimate, lower, upper, **changes):
    pair = {"kind": "difference", "minus_model": "lstm"}
    return exponent("transformer", estimate, lower, upper, **pair, **changes)


def check(model="lstm", name="brackets", verdict="agrees", **changes):
    row = {key: exponent(model)[key] for key in ("kind", "model", "minus_model", "quantity")}
    row |= {"check": name, "estimate": 1.1, "lower": np.nan, "upper": np.nan, "verdict": verdict}
    row |= {"shift": 0.1, "shift_error": 0.03, "p_value_holm": 0.004, "curve": ""}
    return row | ASKED | changes


def form(model="lstm", name="power", delta_aic=0.0, **changes):
    row = {"model": model, "form": name, "delta_aic": delta_aic, "knot": np.nan}
    return row | {"identified": True, "reason": ""} | ASKED | changes


FORMS = [form(), form(name="exponential", delta_aic=1.26), form(name="broken_power", knot=8.9)]


def demand(model="lstm", length=4, estimate=48.2, censoring="interval", **changes):
    row = {"model": model, "task": "parity", "n_states": 2, "length": length}
    row |= {"estimate": estimate, "lower": 30.0, "upper": 77.0, "censoring": censoring}
    return row | {"reason": ""} | ASKED | changes


BOUNDS = {
    "estimate": (4.0, 2.0, 9.0),
    "interval": (np.nan, 2.0, 9.0),
    "lower bound": (np.nan, 2.0, np.inf),
    "upper bound": (np.nan, 0.0, 9.0),
    "unknown": (np.nan, 0.0, np.inf),
}


def sharing_factor(kind="estimate", model="lstm", length=8, **changes):
    row = dict.fromkeys(SHARING, "") | {"model": model, "task": "parity", "rule": "half"}
    row |= dict(zip(("kappa", "lower", "upper"), BOUNDS[kind], strict=True))
    row |= {"kind": kind, "reason": "" if kind == "estimate" else REASON, "length": length}
    row |= dict.fromkeys(("null", "null_lower", "null_upper"), np.nan) | {"success": "study"}
    row |= dict.fromkeys(("against_null", "against_null_lower", "against_null_upper"), np.nan)
    row |= {"over": "mean"}
    return row | {"supervision": "aligned", "length_distribution": "uniform"} | changes


def ratio(bound="estimate", kind="supervision", model="lstm", **changes):
    row = dict.fromkeys(RATIOS, "") | {"kind": kind, "model": model, "rule": "half"}
    row |= {"numerator": "outcome", "denominator": "aligned", "length_distribution": "fixed"}
    row |= dict(zip(("ratio", "lower", "upper"), BOUNDS[bound], strict=True))
    return row | {"bound": bound, "reason": "" if bound == "estimate" else REASON} | changes


def page(
    cells=None,
    thresholds=None,
    exponents=None,
    robustness=None,
    checks=None,
    forms=None,
    demands=None,
    learning=None,
    sharing=None,
    ratios=None,
    longer=None,
    horizons=None,
    title="A study",
    axis=BUDGET,
    **options,
):
    """Return the page for the given rows and a plain row where a table is left out."""
    tables = [
        pd.DataFrame(rows or [plain()])
        for rows, plain in ((cells, cell), (thresholds, threshold), (exponents, exponent))
    ]
    tables[1] = tables[1].astype({"seed": "Int64"})
    without = pd.DataFrame(robustness or [exponent() | {"left_out": "near_space"}])
    others = [
        pd.DataFrame(rows or plain)
        for rows, plain in ((checks, [check()]), (forms, FORMS), (demands, [demand()]))
    ]
    others += [
        pd.DataFrame(rows or [], columns=list(columns))
        for rows, columns in (
            *((learning, LEARNING_EXPONENTS), (sharing, SHARING)),
            *((ratios, RATIOS), (longer, LONGER), (horizons, HORIZONS)),
        )
    ]
    return findings_page(
        *tables, without[without["left_out"] != ""], *others, title, axis=axis, **options
    )


def text(markup):
    """Return the words of a page, without tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def section(markup, heading):
    """Return the words below one heading of the second or third level."""
    found = re.search(rf"<h([23])>{heading}.*?(?=<h2>|<h\1>|</body>)", markup, re.DOTALL)
    return text(found.group())


@pytest.mark.parametrize(
    ("bounds", "expected", "refused"),
    [
        (
            (0.9, 0.2, 1.6),
            "the study shows that the demand of transformer grows faster with the length than that "
            "of lstm.",
            "does not show that the demand",
        ),
        (
            (-0.9, -1.6, -0.2),
            "the study shows that the demand of lstm grows faster with the length than that of "
            "transformer.",
            "does not show that the demand",
        ),
        (
            (0.9, -0.1, 1.9),
            "the study does not show that the demand of transformer grows faster with the length",
            "excludes 0: at this size the study shows that the demand",
        ),
        ((0.9, 0.0, 1.8), "The interval includes 0", "excludes 0"),
    ],
)
def test_a_difference_is_stated_only_where_its_interval_excludes_zero(bounds, expected, refused):
    words = section(page(exponents=[difference(*bounds)]), "Differences")

    assert expected in words
    assert refused not in words


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((1.0, 0.5, 1.5), "shows that demand grows with the length"),
        ((-1.0, -1.5, -0.5), "shows that demand shrinks with the length"),
        ((1.0, -0.5, 2.5), "does not show that demand grows with the length"),
    ],
)
def test_an_exponent_is_read_by_its_interval(bounds, expected):
    assert expected in text(page(exponents=[exponent("lstm", *bounds)]))


def test_an_exponent_is_told_over_the_range_studied_with_what_it_rests_on():
    curves = [threshold(length=length) for length in (4, 8)]
    words = text(page(thresholds=curves, exponents=[exponent("lstm", 2.0, -1.0, 3.0)]))

    assert "2.00 (95 % interval \u22121.00 to 3.00)" in words
    assert "Twice the length multiplies N* by 4 (interval 0.5 to 8)" in words
    assert "Two values are a contrast: they do not test the power law." in words
    assert "6 runs on 3 curves, 1 of them censored; 4 runs left out as not fitted" in words
    assert "2 thresholds limited by steps, 0 near the size of the space" in words


def test_exponents_without_doubtful_curves_stand_beside_all():
    nothing = {"identified": False, "converged": False, "estimate": np.nan}
    without = [
        exponent("lstm", 0.5, -0.2, 1.2) | {"left_out": "near_space"},
        exponent("lstm") | nothing | {"left_out": "near_floor"},
    ]
    rows = [exponent("lstm", 1.0, 0.5, 1.5)]
    words = section(page(exponents=rows, robustness=without), "Exponents of length without")

    assert "lstm 1.00 [0.50, 1.50] 0.50 [\u22120.20, 1.20] not identified" in words
    clean = page(robustness=[exponent() | {"left_out": ""}])
    assert "None is doubtful." in section(clean, "Exponents of length without")


@pytest.mark.parametrize("kind", ["exponent", "difference"])
def test_without_an_estimate_the_reason_stands_and_nothing_is_concluded(kind):
    unknown = {"identified": False, "converged": False, "reason": REASON}
    nothing = (np.nan, np.nan, np.nan)
    row = difference(*nothing, **unknown) if kind != "exponent" else exponent("a", *nothing)
    words = text(page(exponents=[row | unknown]))

    assert f"Not identified, so nothing is concluded. {REASON}" in words
    assert "not identified" in words
    assert "the study shows" not in words


def test_a_fit_that_did_not_converge_is_warned_about_and_concludes_nothing():
    row = exponent("lstm", 1.0, np.nan, np.nan, converged=False, reason="The fit did not converge.")
    markup = page(exponents=[row])

    assert "1.00 (no interval)" in text(markup)
    assert "No interval, so nothing is concluded. The fit did not converge." in text(markup)
    assert "1 fit" in section(markup, "Not converged")
    assert "lstm: The fit did not converge." in section(markup, "Not converged")


def test_the_table_of_demand_shows_censoring():
    words = section(
        page(
            thresholds=[
                threshold(length=4, n_star=4.0, lower=0.0, censoring="left"),
                threshold(length=8, n_star=128.0, lower=64.0),
                threshold(length=16, n_star=np.nan, lower=2048.0, censoring="right"),
                threshold("gru", length=8, n_star=256.0, monotone=False, limited_by_steps=True),
            ]
        ),
        "parity",
    )

    assert "n = 4 n = 8 n = 16" in words
    assert "lstm any replicate \u2264 4 128 > 2048" in words
    assert "gru any replicate \u2013 256 * \u2020 \u2013" in words


def test_the_table_of_demand_shows_what_half_of_the_seeds_need():
    demands = [
        demand(length=4, upper=5.25, censoring="left"),
        demand(length=8),
        demand(length=16, lower=2048.0, censoring="right"),
        demand("gru", length=8, censoring="unknown"),
    ]
    lengths = [threshold(length=length) for length in (4, 8, 16)] + [threshold("gru", length=8)]
    words = section(page(thresholds=lengths, demands=demands), "parity")

    assert "lstm half of the seeds < 5.2 48 [30, 77] > 2000" in words
    assert "gru half of the seeds \u2013 ? \u2013" in words


def test_other_estimators_stand_beside_every_exponent():
    seeds = check(name="seeds", lower=0.4, upper=1.8, verdict="not tested")
    influence = check(name="influence", lower=0.4, upper=1.8, curve="lstm, parity, length 8")
    checks = [check(), seeds, influence, check(name="bootstrap", estimate=np.nan)]
    words = section(page(checks=checks), "The same by other estimators")

    assert "brackets of seeds bootstrap seeds drawn anew without one curve lstm length" in words
    assert (
        "1.00 [0.50, 1.50] 1.10 not identified 1.10 [0.40, 1.80] 1.10 [0.40, 1.80] (lstm," in words
    )
    assert "Not explained" not in text(page(checks=checks))
    assert "Contradicted: none" in text(page(checks=checks))


def test_an_estimator_that_contradicts_is_told_with_the_reading():
    markup = page(checks=[check(verdict="marked", estimate=-2.0, shift=-3.0)])

    reading = section(markup, "How fast demand grows")
    assert "Not explained by the law: brackets of seeds \u22122.00." in reading
    assert "\u22122.00 \u2021" in section(markup, "The same by other estimators")
    warning = section(markup, "Contradicted")
    assert "Contradicted: 1 check" in warning
    assert (
        "lstm, exponent in length: brackets of seeds gives \u22122, a shift of \u22123" in warning
    )
    assert "of which the law explains 0.03 (standard deviation; p = 0.004)" in warning


def test_a_check_is_set_against_its_own_row_only():
    checks = [check("gru", verdict="marked")]
    rows = [exponent("lstm"), exponent("gru")]
    markup = page(thresholds=[threshold(), threshold("gru")], exponents=rows, checks=checks)

    assert text(markup).count("Not explained") == 1
    assert "lstm length 1.00 [0.50, 1.50] \u2013 gru" in section(markup, "The same by other")


def test_forms_are_told_by_their_distance_and_the_bend():
    words = section(page(), "Form of the law")
    assert "lstm 0.0 1.3 0.0 (bend at n = 8.9)" in words
    open_forms = [form(identified=False), *FORMS[1:]]
    assert "lstm not identified 1.3" in section(page(forms=open_forms), "Form of the law")


def test_a_fit_that_calls_many_runs_lapses_is_warned_about():
    told = section(page(exponents=[exponent(lapse=0.47), exponent("gru")]), "Many lapses")
    assert "Many lapses: 1 fit" in told and "lstm: 47%" in told


def test_a_curve_whose_success_does_not_grow_is_named():
    odd = demand(estimate=np.nan, censoring="unknown", reason="Success does not grow: it falls.")
    told = section(page(demands=[odd, demand(length=8)]), "Not growing")
    assert "Not growing: 1 curve" in told and "length 4" in told


def test_a_quantised_fit_is_warned_about():
    assert "Quantised: 1 fit" in text(page(exponents=[exponent(quantised=True)]))


@pytest.mark.parametrize(
    ("p_value", "expected"),
    [
        (0.0132, "0.013 The interval excludes 0: at this size the study shows"),
        (
            0.0612,
            "but not once the number of tests counts (p = 0.061 of 12): the study does not show",
        ),
    ],
)
def test_a_difference_is_stated_only_if_it_holds_for_the_number_of_pairs(p_value, expected):
    rows = [difference(0.9, 0.2, 1.6, p_value_holm=p_value)]
    assert expected in section(page(exponents=rows), "Differences")
    rows = [exponent(p_value_holm=p_value)]
    told = section(page(exponents=rows), "How fast demand grows")
    assert expected.removeprefix("0.013 ") in told


@pytest.mark.parametrize(
    ("heading", "row"),
    [
        ("Right-censored", threshold(n_star=np.nan, lower=64.0, censoring="right")),
        ("Left-censored", threshold(n_star=4.0, lower=0.0, censoring="left")),
        ("Not monotone", threshold(monotone=False)),
        ("Near the size of the space", threshold(n_available=100)),
        ("Near the smallest training set", threshold(n_star=2.0, lower=1.0)),
        ("Unknown", threshold(n_star=np.nan, lower=0.0, upper=np.inf, censoring="unknown")),
        ("Small sets", threshold(least_set=29)),
        ("Limited by steps", threshold(limited_by_steps=True)),
    ],
)
def test_a_doubtful_curve_is_counted_and_named_with_its_seeds(heading, row):
    seeds = [row | {"rule": "seed", "seed": seed} for seed in (3, 1)]
    words = section(page(thresholds=[row, *seeds, threshold(length=8)]), heading)

    assert f"{heading}: 1 curve " in words
    assert "lstm, parity, length 4: any replicate; seeds 1, 3" in words
    assert "length 8" not in words


def test_a_diverged_replicate_is_named():
    cells = [cell(), cell(length=8, budget=32, seed=2, diverged=True, learning_rate=0.01)]
    words = section(page(cells=cells), "Diverged")

    assert "Diverged: 1 replicate" in words
    assert "lstm, parity, length 8, budget 32, seed 2, learning rate 0.01" in words


def test_what_fresh_batches_have_shown_of_the_validation_set_is_told():
    cells = [cell(validation_seen=0.051), cell(seed=2, validation_seen=0.9), cell(length=8)]
    words = section(page(cells=cells), "Validated on what training has seen")
    assert "lstm, parity, length 4: 90%" in words and "length 8" not in words
    assert "has seen" not in page(cells=[cell()])


def test_a_clean_study_has_no_warnings():
    words = section(page(), "Warnings")

    assert words.count(": none") == 15


def test_extrapolation_takes_the_largest_budget_and_counts_what_is_missing():
    rows = [
        longer_row(budget=32, above_chance=0.9),
        longer_row(seed=1, above_chance=0.2),
        longer_row(seed=2, above_chance=-0.1, outcome="not_generalised"),
        longer_row(seed=3, above_chance=np.nan),
    ]
    words = text(page(longer=rows))

    assert "lstm 2n symbols alone 0.05 \u22120.10 0.20 2 1 2" in words
    assert "those at the largest budget of each curve that was trained" in words


def test_a_model_without_any_extrapolation_has_blanks():
    words = text(page(longer=[longer_row(above_chance=np.nan)]))

    assert "lstm 2n symbols alone \u2013 \u2013 \u2013 0 1 1" in words


def test_networks_that_were_trained_for_it_come_first_whatever_their_budget():
    rows = [longer_row(budget=64, above_chance=0.2)]
    rows += [
        longer_row(budget=32, above_chance=0.8, role="extrapolation", outcome="not_generalised")
    ]
    words = text(page(longer=rows))

    assert "lstm 2n symbols alone 0.80 0.80 0.80 1 0 0" in words
    assert "The networks were trained for this" in words
    words = text(page(longer=[*rows, longer_row("gru")]))
    assert "Some curves have networks that were trained for this" in words


def test_true_states_and_own_answers_are_told_apart_at_every_test_length():
    rows = [
        longer_row(test_length=n, reading=reading, above_chance=value)
        for n, reading, value in (
            *((8, "teacher_forced", 0.9), (8, "decoded", 0.4)),
            *((50, "teacher_forced", 0.3), (50, "decoded", 0.1)),
        )
    ]
    words = text(page(longer=rows, tests=("2x", 50)))

    assert (
        "lstm 2n true states read 0.90 0.90" in words and "lstm 50 true states read 0.30" in words
    )
    assert "lstm 2n own answers read 0.40" in words and "lstm 50 own answers read 0.10" in words


def test_a_horizon_that_is_censored_is_no_number():
    rows = [horizon(), horizon(length=8, value=np.nan, censoring="beyond")]
    rows += [horizon("gru", value=np.nan, censoring="unknown")]
    words = section(page(longer=[longer_row()], horizons=rows, horizon=0.8), "Horizon")

    assert "fewer than 80 % of the sequences" in words
    assert "n = 4 n = 8" in words
    assert "lstm symbols alone 7 beyond 16" in words and "gru symbols alone ? \u2013" in words


def test_positions_that_were_never_trained_are_named():
    words = text(page(longer=[longer_row()], positions={"learned": ["small", "large"]}))
    assert "with learnt positions (small, large) meets positions beyond n that were never" in words
    assert "never trained" not in text(page(longer=[longer_row()], positions={"rotary": ["small"]}))


def test_names_are_escaped_and_the_page_needs_no_other_file():
    markup = page(title="<script>alert('x')</script> & more")

    assert "<script" not in markup
    assert "&lt;script&gt;" in markup
    assert not re.search(r"(src|href)=", markup)


def test_a_study_of_one_length_says_that_there_is_no_exponent():
    words = text(page(exponents=[exponent(quantity="intercept")]))

    assert "No exponent was fitted" in words
    assert "None: there is no pair of fits to compare." in words


def test_learning_curves_are_told_where_they_have_an_interval():
    known = {"estimate": 1.5, "lower": 1.2, "upper": 1.9, "identified": True, "converged": True}
    rows = [
        dict.fromkeys(LEARNING_EXPONENTS, np.nan)
        | {"model": "lstm", "task": "parity", "length": length, "measure": measure}
        | ASKED
        | (known if (length, measure) == (8, "loss") else {"identified": measure == "loss"})
        for length in (8, 16)
        for measure in ("loss", "token_accuracy")
    ]

    words = section(page(learning=rows), "Learning curves")
    assert words.endswith("lstm parity 8 1.50 [1.20, 1.90] \u2013 \u2013")
    assert "Learning curves" not in page(learning=rows[1:])


def test_what_is_asked_for_is_read_for_itself():
    """Two strata are two parts of the page, and no number of one is in the other."""
    outcome = {"supervision": "outcome"}
    markup = page(
        cells=[cell(), cell(**outcome)],
        thresholds=[threshold(), threshold(n_star=128.0, lower=64.0, **outcome)],
        exponents=[exponent(), exponent(estimate=2.0, lower=1.9, upper=2.1, **outcome)],
        robustness=[exponent(left_out="near_space", **outcome)],
        checks=[check(), check(**outcome)],
        forms=FORMS + [form(**outcome) | {"form": row["form"]} for row in FORMS],
        demands=[demand(), demand(estimate=99.0, **outcome)],
    )
    aligned, other = (text(part) for part in markup.split("<h1>")[2:])
    assert aligned.startswith("Aligned, fixed lengths")
    assert other.startswith("Outcome, fixed lengths")
    assert "1.00 (95 % interval" in aligned and "2.00 (95 % interval" not in aligned
    assert "2.00 (95 % interval" in other and "48 [30, 77]" not in other


def test_a_study_that_compares_no_curves_has_no_comparisons():
    assert "Comparisons" not in page()


def test_sharing_factors_stand_with_their_bounds():
    kinds = {4: "estimate", 5: "interval", 6: "lower bound", 8: "upper bound", 9: "unknown"}
    rows = [sharing_factor(kind, length=length) for length, kind in kinds.items()]
    rows += [sharing_factor("estimate", "gru", 5, supervision="outcome")]
    words = section(page(sharing=rows), "Sharing between lengths")

    blank = " \u2013 \u2013"
    head = " ".join(f"L = {length}: \u03ba null \u03ba / null" for length in kinds)
    assert f"passes {head} lstm" in words
    factors = f"4 [2, 9]{blank} 2 to 9{blank} > 2{blank} < 9{blank} ?{blank}"
    assert f"lstm aligned, uniform lengths on average {factors} gru" in words
    assert f"gru outcome, uniform lengths on average \u2013{blank} 4 [2, 9]{blank}" in words
    assert f"Without an estimate: 4 factors: {REASON}" in words


def test_a_sharing_factor_stands_beside_its_null_by_each_rule_of_success():
    null = {"null": 0.8, "null_lower": 0.6, "null_upper": 1.0}
    against = {"against_null": 5.0, "against_null_lower": 2.5, "against_null_upper": np.inf}
    unknown = against | {"against_null": np.nan}
    rows = [
        sharing_factor(**null, **against),
        sharing_factor("upper bound", success="strict", over="every_length", **null, **unknown),
    ]
    words = section(page(sharing=rows), "Sharing between lengths")
    assert "uniform lengths on average 4 [2, 9] 0.8 [0.6, 1] 5 [2.5, " in words
    assert "uniform lengths at every length (strict rule) < 9 0.8 [0.6, 1] > 2.5" in words


def test_a_table_of_estimates_gives_no_reasons():
    markup = page(sharing=[sharing_factor()], ratios=[ratio()])

    assert "4 [2, 9]" in section(markup, "Sharing between lengths")
    assert "Without an estimate" not in markup


@pytest.mark.parametrize(
    ("bound", "changes", "counts"),
    [
        ("estimate", {}, "1 1 0 0 0 4 [2, 9]"),
        ("estimate", {"lower": 0.5}, "1 0 0 1 0 4 [0.5, 9]"),
        ("estimate", {"ratio": 0.4, "lower": 0.2, "upper": 0.8}, "1 0 1 0 0 0.4 [0.2, 0.8]"),
        ("estimate", {"lower": 1.0}, "1 0 0 1 0 4 [1, 9]"),
        ("interval", {}, "1 1 0 0 0 \u2013"),
        ("lower bound", {}, "1 1 0 0 0 \u2013"),
        ("lower bound", {"lower": 0.5}, "1 0 0 1 0 \u2013"),
        ("upper bound", {}, "1 0 0 1 0 \u2013"),
        ("upper bound", {"upper": 0.5}, "1 0 1 0 0 \u2013"),
        ("unknown", {}, "1 0 0 0 1 \u2013"),
    ],
)
def test_a_ratio_counts_only_where_its_bounds_leave_no_other_side(bound, changes, counts):
    words = section(page(ratios=[ratio(bound, **changes)]), "By what is asked for")

    assert f"estimates outcome / aligned lstm {counts}" in words


def test_ratios_are_counted_by_pair_and_place_with_the_range_of_the_estimates():
    rows = [
        *(ratio(length=4), ratio(length=8, ratio=0.4, lower=0.1, upper=0.9)),
        *(ratio("unknown", length=16), ratio("unknown", "supervision", "gru")),
        ratio("unknown", "length_distribution", numerator="fixed", denominator="uniform")
        | {"supervision": "outcome"},
        ratio(kind="model", model="", numerator="gru", denominator="lstm", supervision="outcome"),
    ]
    markup = page(ratios=rows)

    words = section(markup, "By what is asked for")
    assert "outcome / aligned lstm 3 1 1 0 1 0.4 to 4 [0.1, 9]" in words
    assert "outcome / aligned gru 1 0 0 0 1 \u2013" in words
    assert f"2 factors: {REASON}" in words
    assert "fixed / uniform lstm, outcome 1 0 0 0 1" in section(markup, "By the lengths")
    assert "gru / lstm outcome 1 1 0 0 0 4 [2, 9]" in section(markup, "By model")


def test_comparisons_are_by_half_of_the_seeds_alone():
    rows = {"sharing": [sharing_factor(rule="any")], "ratios": [ratio(rule="any")]}

    assert "Comparisons" not in page(**rows)
    assert "By model" not in page(ratios=[ratio()])


def full_page(axis):
    """Return a page in which every part has rows, and every warning."""
    odd = [
        threshold(length=4, n_star=2.0, lower=0.0, censoring="left", monotone=False),
        threshold(length=8, n_star=np.nan, lower=64.0, censoring="right"),
        threshold(length=16, n_star=np.nan, lower=0.0, upper=np.inf, censoring="unknown"),
        threshold(length=32, n_available=100, limited_by_steps=True),
    ]
    known = {"estimate": 1.5, "lower": 1.2, "upper": 1.9, "identified": True, "converged": True}
    curve = {"model": "lstm", "task": "parity", "length": 8, "measure": "loss"}
    reason = {"reason": "Two curves are censored."}
    return page(
        cells=[cell(), cell(diverged=True)],
        thresholds=odd,
        exponents=[
            exponent(quantised=True),
            exponent("gru", np.nan, identified=False, converged=False, **reason),
            exponent("tcn", 1.0, np.nan, converged=False),
            difference(0.9, 0.2, 1.6, p_value_holm=0.01),
        ],
        checks=[check(verdict="marked")],
        robustness=[exponent(left_out="")],
        learning=[dict.fromkeys(LEARNING_EXPONENTS, np.nan) | curve | known | ASKED],
        sharing=[sharing_factor(), sharing_factor("unknown", **reason)],
        ratios=[ratio(), ratio("unknown", **reason)],
        axis=axis,
    )


@pytest.mark.parametrize("axis", [WIDTH, DEPTH, STEPS], ids=lambda axis: axis.name)
def test_no_finding_on_another_demand_speaks_of_data(axis):
    words = text(full_page(axis))
    for word in (
        "N*",
        "budget",
        "training sequences",
        "more steps might",
        "size of the space",
        "not fitted",
    ):
        assert word not in words, word
    assert "Limited by steps" not in words and "Unknown:" not in words


@pytest.mark.parametrize(
    ("axis", "sentences"),
    [
        (
            BUDGET,
            (
                "N* is the smallest number of training sequences from which a model learnt the task.",
                "holds for these models, tasks, lengths and budgets only.",
                "Any replicate: the smallest budget from which at least one replicate learnt.",
                "Near the smallest training set: 1 curve N* is at most 2 sequences;",
                "Limited by steps: 1 curve from some budget no replicate fitted its training set",
                "falls with the training set: far above the budget at half",
                "needs more sequences.",
            ),
        ),
        (
            WIDTH,
            (
                "D* is the smallest width at which a model learnt the task.",
                "holds for these models, tasks, lengths, training sets and widths only.",
                "A model is a family here: its members differ in their width alone.",
                "A width that fails may succeed after longer training.",
                "Any replicate: the smallest width at which at least one replicate learnt.",
                "Near the smallest width: 1 curve D* is at most 2 units of width;",
                "falls with the width: far above the width at half",
                "what is left above the floor falls as D -b .",
            ),
        ),
        (
            DEPTH,
            (
                "K* is the smallest depth at which a model learnt the task.",
                "A depth that fails may succeed after longer training.",
                "Near the smallest depth: 1 curve K* is at most 2 layers;",
                "needs more layers.",
            ),
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_findings_take_their_words_from_the_axis(axis, sentences):
    words = text(full_page(axis))
    shared = (
        f"law log {axis.symbol} = a +",
        f"multiplies {axis.symbol} by",
        f"{axis.symbol} of every curve",
        f"no {axis.value} was enough",
        f"a {axis.value} above {axis.symbol} failed",
        f"length 4, {axis.value} 64, seed 1",
        f"less than the {axis.values} resolve; finer {axis.values} would",
        f"too few curves have {axis.symbol} inside the {axis.values}",
        f"Factors between the {axis.values} at which half of the seeds learn.",
        f"Ratios of {axis.symbol}",
    )
    for sentence in (*sentences, *shared):
        assert sentence in words, sentence
    assert ("is a family here" in words) == (axis is not BUDGET)


def test_the_step_takes_the_axis_of_its_job(tmp_path, monkeypatch):
    cells = pd.DataFrame([cell(), cell(seed=2)]).assign(**ASKED)
    monkeypatch.setattr(findings, "read_tables", lambda results, *names: [cells] * len(names))
    monkeypatch.setattr(findings, "findings_page", lambda *tables, axis, **others: axis.name)
    families = {model: [model, 1] for model in cells["model"]}
    for name in ("budget", "depth"):
        job = {"axis": {"name": name, "texts": [], "models": families}, "title": "A study"}
        job |= {"tests": ["2x"], "horizon": 0.9, "positions": {}}
        findings.write_findings(job, tmp_path)
        assert (tmp_path / "findings.html").read_text() == name
