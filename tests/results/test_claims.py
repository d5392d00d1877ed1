"""The judges of the claims, on tables made up for each of their three verdicts."""

import math

import pandas as pd
import pytest
from results.claims import CLAIMS, MOST_SHOWN, Results

from nstar.errors import ArtifactError

STUDY = {
    "models": {
        "gpt": {"kind": "transformer"},
        "lstm": {"kind": "lstm"},
        "dense": {"kind": "dense_ssm"},
        "mamba": {"kind": "diagonal_ssm"},
    },
    "tasks": {
        **{f"mod_{m}": {"kind": "modular_addition", "modulus": m} for m in (2, 5, 10, 50)},
        "s_5": {"kind": "permutation_composition", "degree": 5},
        "s_3": {"kind": "permutation_composition", "degree": 3},
    },
}
STATES = {"mod_2": 2, "mod_5": 5, "mod_10": 10, "mod_50": 50, "s_5": 120, "s_3": 6}
CAP = 4096
OUTCOME, COT, ALIGNED = "outcome", "chain_of_thought", "aligned"
RNNS = ("lstm", "dense")
CURVE = ["model", "task", "supervision", "length_distribution", "length"]


def curve(model, supervision, lengths="uniform", length=10, task="mod_5"):
    values = (model, task, supervision, lengths, length)
    return dict(zip(CURVE, values, strict=True)) | {"n_states": STATES[task]}


def needs(n_star, *place, **others):
    """Return a threshold: N* among doubling budgets, `None` if none was enough, or a bracket."""
    if n_star is None:
        ends = CAP, math.inf, "right"
    elif isinstance(n_star, tuple):
        ends = (*n_star, "interval" if n_star[0] else "left")
    else:
        ends = n_star / 2, n_star, "interval"
    lower, upper, censoring = ends
    row = curve(*place, **others) | {"rule": "any", "lower": lower, "upper": upper}
    return row | {"censoring": censoring}


def shares(kappa, *place, **others):
    """Return a sharing factor: an estimate, or the two ends that are known."""
    lower, upper = kappa if isinstance(kappa, tuple) else (kappa / 2, 2 * kappa)
    kind = "interval" if isinstance(kappa, tuple) else "estimate"
    row = curve(*place, **others) | {"rule": "any", "lower": lower, "upper": upper, "kind": kind}
    estimate = math.nan if isinstance(kappa, tuple) else kappa
    return row | {
        "kappa": estimate,
        "reason": "" if kind == "estimate" else "Length 2 is censored.",
    }


def reaches(accuracy, *place, n_learnt=3, **others):
    """Return an accuracy above chance at twice the length, of three seeds."""
    return curve(*place, **others) | {"median": accuracy, "n_seeds": 3, "n_learnt": n_learnt}


def results_of(rows, rule="any"):
    """Return results whose tables hold rows of `needs`, `shares` and `reaches`."""
    tables = {"thresholds": "censoring", "sharing": "kappa", "extrapolation": "median"}
    columns = {
        "thresholds": needs(8, "lstm", OUTCOME),
        "sharing": shares(1, "lstm", OUTCOME),
        "extrapolation": reaches(1, "lstm", OUTCOME),
    }
    frames = {}
    for name, mark in tables.items():
        own = [row | {"rule": rule} if "rule" in row else row for row in rows if mark in row]
        frames[name] = pd.DataFrame(own, columns=list(columns[name]))
    return Results.of(STUDY, **frames)


def verdict(claim, rows):
    return CLAIMS[claim](results_of(rows))


def of_rnns(make, value, *place, **others):
    return [make(value, model, *place, **others) for model in RNNS]


AT_20 = {"length": 20}
T4_GOOD = [
    *(
        needs(n, "lstm", ALIGNED, how)
        for how, n in (("fixed", 8), ("uniform", 16), ("short_to_long", 64))
    ),
    *(needs(n, "dense", ALIGNED, length=length) for n, length in ((32, 5), (16, 10), (16, 20))),
    *(needs(n, "gpt", COT, length=length) for n, length in ((64, 5), (64, 10), (256, 20))),
]
PATTERN = [
    *(shares(1.0, "gpt", supervision) for supervision in (OUTCOME, ALIGNED)),
    shares(0.3, "gpt", COT),
    *of_rnns(shares, 20.0, OUTCOME),
    *of_rnns(shares, (5.0, math.inf), ALIGNED),
    *of_rnns(shares, 1.0, COT),
]
T7_GOOD = [
    *of_rnns(reaches, 1.0, ALIGNED),
    *(reaches(0.02, "gpt", supervision) for supervision in (OUTCOME, COT, ALIGNED)),
    *of_rnns(reaches, 0.1, COT),
]
LONG = {"length": 250}
T10_GOOD = [
    *(reaches(1.0, "dense", ALIGNED, task=task, **LONG) for task in ("mod_2", "mod_50")),
    *(reaches(0.98, "lstm", ALIGNED, task=task, **LONG) for task in ("mod_2", "mod_5")),
    reaches(0.0, "lstm", ALIGNED, task="mod_50", **LONG),
    reaches(0.0, "gpt", ALIGNED, **LONG),
]


def on(task, rows):
    return [row | {"task": task, "n_states": STATES[task]} for row in rows]


def but(rows, *others):
    """Return rows in which others take the place of those with the same coordinates."""
    key = [*CURVE]
    replaced = {tuple(row[k] for k in key): row for row in others}
    return [replaced.get(tuple(row[k] for k in key), row) for row in rows]


CASES = {
    "T1": {
        "pass": [needs(2048, "gpt", ALIGNED, **AT_20), needs(64, "gpt", COT, **AT_20)],
        "fail": [needs(128, "gpt", ALIGNED, **AT_20), needs(64, "gpt", COT, **AT_20)],
        # Two may be 8 to 32 times as much, or both be beyond the budgets.
        "not covered": [needs(1024, "gpt", ALIGNED, **AT_20), needs(64, "gpt", COT, **AT_20)],
    },
    "T2": {
        "pass": [
            *of_rnns(needs, 16, ALIGNED),
            *of_rnns(needs, 16, OUTCOME),
            *of_rnns(needs, None, COT),
        ],
        "fail": [
            *of_rnns(needs, 16, ALIGNED),
            *of_rnns(needs, 8, OUTCOME),
            *of_rnns(needs, None, COT),
        ],
        "not covered": [*of_rnns(needs, 16, ALIGNED), *of_rnns(needs, 64, OUTCOME)],
    },
    "T3": {
        "pass": [needs(None, "gpt", OUTCOME), *of_rnns(needs, 64, OUTCOME)],
        "fail": [needs(2048, "gpt", OUTCOME), *of_rnns(needs, 64, OUTCOME)],
        # At m = 2 the source has transformers that learn.
        "not covered": [
            needs(None, "gpt", OUTCOME, task="mod_2"),
            *of_rnns(needs, 64, OUTCOME, task="mod_2"),
        ],
    },
    "T4": {
        "pass": T4_GOOD,
        "fail": but(T4_GOOD, needs(128, "dense", ALIGNED, length=20)),
        "not covered": [row for row in T4_GOOD if row["model"] != "gpt"],
    },
    "T5": {
        "pass": [
            *of_rnns(needs, 32, OUTCOME, "short_to_long"),
            *of_rnns(needs, 64, OUTCOME, "uniform"),
        ],
        "fail": [
            *of_rnns(needs, 128, OUTCOME, "short_to_long"),
            *of_rnns(needs, 64, OUTCOME, "uniform"),
        ],
        # The same bracket does not say which is less.
        "not covered": [
            *of_rnns(needs, 64, OUTCOME, "short_to_long"),
            *of_rnns(needs, 64, OUTCOME, "uniform"),
        ],
    },
    "T6": {
        "pass": PATTERN,
        "fail": but(PATTERN, shares(1.0, "gpt", COT)),
        "not covered": but(PATTERN, shares((0.9, 1.3), "gpt", ALIGNED)),
    },
    "T7": {
        "pass": T7_GOOD,
        "fail": but(T7_GOOD, reaches(0.7, "lstm", ALIGNED)),
        "not covered": but(T7_GOOD, *of_rnns(reaches, 0.0, COT, n_learnt=1)),
    },
    "T8": {
        "pass": PATTERN + T7_GOOD,
        "fail": PATTERN + but(T7_GOOD, *of_rnns(reaches, 0.0, ALIGNED), reaches(1.0, "gpt", COT)),
        "not covered": of_rnns(shares, 20.0, ALIGNED) + of_rnns(reaches, 1.0, ALIGNED),
    },
    "T9": {
        "pass": on("s_5", PATTERN),
        "fail": on("s_5", but(PATTERN, *of_rnns(shares, 1.5, OUTCOME))),
        "not covered": PATTERN + on("s_3", PATTERN),
    },
    "T10": {
        "pass": T10_GOOD,
        "fail": but(T10_GOOD, reaches(0.5, "lstm", ALIGNED, task="mod_50", **LONG)),
        "not covered": [row | {"length": 10} for row in T10_GOOD],
    },
}


def test_every_claim_has_cases_here():
    assert list(CASES) == list(CLAIMS)


@pytest.mark.parametrize(
    ("claim", "status"), [(claim, status) for claim, cases in CASES.items() for status in cases]
)
def test_verdicts(claim, status):
    found = verdict(claim, CASES[claim][status])
    assert found.status == status, found.evidence


@pytest.mark.parametrize("claim", CLAIMS)
def test_nothing_is_covered_by_no_results(claim):
    found = verdict(claim, [])
    assert found.status == "not covered"
    assert "no such cells" in found.evidence or "0 pairs" in found.evidence


@pytest.mark.parametrize("claim", ["T1", "T2", "T3", "T4", "T5", "T6", "T9"])
def test_the_other_rule_of_n_star_is_not_read(claim):
    assert CLAIMS[claim](results_of(CASES[claim]["pass"], rule="half")).status == "not covered"


@pytest.mark.parametrize("claim", CLAIMS)
def test_models_of_no_family_of_the_source_say_nothing(claim):
    rows = [row | {"model": "mamba"} for row in CASES[claim]["pass"][:1]]
    assert verdict(claim, rows).status == "not covered"


# ------------------------------------------------------------------------- censoring, by hand
@pytest.mark.parametrize(
    ("aligned", "thought", "status"),
    [
        (None, 256, "pass"),  # more than 4096, at most 256: 16 times and more
        (None, 512, "not covered"),  # 8 times and more
        (None, None, "not covered"),
        (2048, None, "fail"),
        (2048, (0, 64), "pass"),
        (16, (0, 16), "not covered"),  # all budgets were enough
    ],
)
def test_a_ratio_counts_where_its_bounds_decide_it(aligned, thought, status):
    rows = [needs(aligned, "gpt", ALIGNED, **AT_20), needs(thought, "gpt", COT, **AT_20)]
    assert verdict("T1", rows).status == status


@pytest.mark.parametrize(
    ("kappa", "status"),
    [
        (0.3, "pass"),
        (1.0, "fail"),  # less than 1 is claimed of a chain of thought
        ((0.2, 0.9), "pass"),
        ((0.2, 1.1), "not covered"),
        ((0.0, 0.5), "pass"),
        ((1.5, math.inf), "fail"),
        ((0.0, math.inf), "not covered"),
    ],
)
def test_a_sharing_factor_counts_by_its_estimate_or_by_its_bounds(kappa, status):
    assert verdict("T6", but(PATTERN, shares(kappa, "gpt", COT))).status == status


def test_the_undecided_may_go_either_way():
    """Of five cells four are enough; with three and two that may go either way nothing is known."""
    places = [{"length": n} for n in (5, 10, 15, 20, 30)]

    def of(*stars):
        return [
            row
            for star, place in zip(stars, places, strict=True)
            for row in (
                needs(star, "lstm", OUTCOME, "short_to_long", **place),
                needs(64, "lstm", OUTCOME, "uniform", **place),
            )
        ]

    assert verdict("T5", of(8, 8, 8, 8, 64)).status == "pass"
    assert verdict("T5", of(8, 8, 8, 64, 64)).status == "not covered"
    assert verdict("T5", of(8, 8, 64, 256, 256)).status == "fail"
    found = verdict("T5", of(8, 8, 8, 8, 256))
    assert found.status == "pass"
    first, *_ = found.evidence.split(": 4 of 5, 80% needed (")[1].split("; ")
    assert "N* in (128, 256] and lstm mod_5 outcome uniform L=30: N* in (32, 64] no" in first
    assert found.evidence.count("N* in") == 2 * MOST_SHOWN and "1 more" in found.evidence


def test_a_bound_of_sharing_is_put_against_the_claim_and_for_it():
    """Where kappa of the networks that generalise is only known to be above 0.1, nothing follows."""
    unknown = but(PATTERN, *of_rnns(shares, (0.1, math.inf), ALIGNED))
    assert verdict("T8", unknown + T7_GOOD).status == "not covered"
    half_learnt = but(T7_GOOD, *(reaches(0.0, "gpt", s, n_learnt=1) for s in (OUTCOME, COT)))
    assert "gpt chain_of_thought" not in verdict("T8", PATTERN + half_learnt).evidence


def test_the_ratio_of_architectures_is_claimed_where_it_is_decided():
    rows = [needs(None, "gpt", OUTCOME), *of_rnns(needs, 64, OUTCOME)]
    assert "where decided" in verdict("T3", rows).evidence
    rows = [needs(None, "gpt", OUTCOME), *of_rnns(needs, 2048, OUTCOME)]
    found = verdict("T3", rows)
    assert found.status == "pass" and "where decided" not in found.evidence
    several = [needs(8, "gpt", OUTCOME, length=20), *of_rnns(needs, 64, OUTCOME, length=20)]
    assert verdict("T3", rows + several).status == "fail"


def test_a_folder_that_holds_no_results_is_named(tmp_path):
    with pytest.raises(ArtifactError, match=r"config.json is missing; give a folder `results`"):
        Results.read(tmp_path)
