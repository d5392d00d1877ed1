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
    "training": {"success": {"measure": "loss", "threshold": 1e-2, "over": "every_length"}},
    "data": {"shortest_length": 2},
}
STATES = {"mod_2": 2, "mod_5": 5, "mod_10": 10, "mod_50": 50, "s_5": 120, "s_3": 6}
CAP = 4096
OUTCOME, COT, ALIGNED = "outcome", "chain_of_thought", "aligned"
RNNS = ("lstm", "dense")
CURVE = ["model", "task", "supervision", "length_distribution", "length"]


def curve(model, supervision, lengths="uniform", length=10, task="mod_5"):
    values = (model, task, supervision, lengths, length)
    return dict(zip(CURVE, values, strict=True)) | {"n_states": STATES[task]}


def needs(n_star, *place, limited=False, **others):
    """Return a threshold: N* among doubling budgets, `None` if none was enough, or a bracket."""
    if n_star is None:
        ends = CAP, math.inf, "right"
    elif isinstance(n_star, tuple):
        ends = (*n_star, "interval" if n_star[0] else "left")
    else:
        ends = n_star / 2, n_star, "interval"
    lower, upper, censoring = ends
    row = curve(*place, **others) | {"rule": "any", "lower": lower, "upper": upper}
    return row | {"censoring": censoring, "limited_by_steps": limited}


def shares(kappa, *place, over="every_length", within=1.1, **others):
    """Return a sharing factor: an estimate and its interval, or the two ends that are known."""
    lower, upper = kappa if isinstance(kappa, tuple) else (kappa / within, within * kappa)
    kind = "interval" if isinstance(kappa, tuple) else "estimate"
    row = curve(*place, **others) | {"rule": "half", "lower": lower, "upper": upper, "kind": kind}
    return row | {
        "over": over,
        "kappa": math.nan if isinstance(kappa, tuple) else kappa,
        **{"null": 0.8, "null_lower": 0.6, "null_upper": 1.0},
        "reason": "" if kind == "estimate" else "Length 2 is censored.",
    }


def reaches(accuracy, *place, n_learnt=3, role="demand", reading=None, at=None, **others):
    """Return an accuracy above chance at a test length, twice the length unless given, of three seeds."""
    row = curve(*place, **others)
    reads = "teacher_forced" if row["supervision"] == COT else "symbols"
    row |= {"test_length": at or 2 * row["length"], "reading": reading or reads, "role": role}
    return row | {"budget": 512, "median": accuracy, "n_seeds": 3, "n_learnt": n_learnt}


def results_of(rows, rule=None, study=STUDY):
    """Return results whose tables hold rows of `needs`, `shares` and `reaches`, or by another rule."""
    tables = {"thresholds": "censoring", "sharing": "kappa", "extrapolation": "median"}
    columns = {
        "thresholds": needs(8, "lstm", OUTCOME),
        "sharing": shares(1, "lstm", OUTCOME),
        "extrapolation": reaches(1, "lstm", OUTCOME),
    }
    frames = {}
    for name, mark in tables.items():
        own = [row | ({"rule": rule} if rule else {}) for row in rows if mark in row]
        frames[name] = pd.DataFrame(own, columns=list(columns[name]))
    return Results.of(study, **frames)


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
LONG = {"length": 10, "at": 500}
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
        "fail": but(PATTERN, shares(1.2, "gpt", COT)),
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
        "not covered": [row | {"length": 250} for row in T10_GOOD],
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


@pytest.mark.parametrize(
    ("claim", "other"),
    [*((claim, "half") for claim in ("T1", "T2", "T3", "T4", "T5")), ("T6", "any"), ("T9", "any")],
)
def test_the_other_rule_of_n_star_is_not_read(claim, other):
    assert CLAIMS[claim](results_of(CASES[claim]["pass"], rule=other)).status == "not covered"


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
        (1.2, "fail"),  # less than 1 is claimed of a chain of thought
        (1.0, "not covered"),  # [0.91, 1.1]
        ((0.2, 0.9), "pass"),
        ((0.2, 1.1), "not covered"),
        ((0.0, 0.5), "pass"),
        ((1.5, math.inf), "fail"),
        ((0.0, math.inf), "not covered"),
    ],
)
def test_a_sharing_factor_counts_by_its_interval_or_by_its_bounds(kappa, status):
    assert verdict("T6", but(PATTERN, shares(kappa, "gpt", COT))).status == status


@pytest.mark.parametrize(
    ("kappa", "within", "status"),
    [
        (2.8, 1.7, "fail"),  # [1.65, 4.8]
        (2.8, 3.0, "not covered"),  # [0.93, 8.4]: the estimate alone would fail
        (1.1, 1.05, "pass"),
        (1.1, 1.3, "not covered"),
        (0.4, 2.5, "pass"),
    ],
)
def test_an_estimate_with_a_wide_interval_decides_nothing(kappa, within, status):
    rows = but(PATTERN, shares(kappa, "gpt", ALIGNED, within=within))
    assert verdict("T6", rows).status == status


@pytest.mark.parametrize("claim", ["T6", "T8"])
def test_a_mean_over_labels_decides_at_the_loss_of_the_source_alone(claim):
    """At a loss of 1e-2 it lets the longest length off; then kappa over every length counts alone."""
    rows = [row | {"over": "mean"} if "over" in row else row for row in PATTERN + T7_GOOD]
    assert verdict(claim, rows).status == "not covered"
    success = {"measure": "loss", "threshold": 1e-4, "over": "mean"}
    as_source = {**STUDY, "training": {"success": success}}
    assert CLAIMS[claim](results_of(rows, study=as_source)).status == "pass"
    lax = shares(2.8, "gpt", ALIGNED, over="mean")
    found = verdict("T6", [*PATTERN, lax])
    assert found.status == "pass"
    assert (
        "kappa over every_length 1.00 [0.91, 1.10], 0.80 [0.60, 1.00] were nothing"
        in found.evidence
    )
    assert "over mean 2.80 [2.55, 3.08]" in found.evidence


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


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "pass"),
        ({"limited_by_steps": True}, "not covered"),  # larger budgets were not fitted
        ({"censoring": "unknown", "lower": 0.0, "limited_by_steps": True}, "not covered"),
    ],
)
def test_a_transformer_that_fitted_nothing_has_not_failed(changes, status):
    """N* in (0, inf] says nothing of data, and (256, inf] nothing of budgets that were not fitted."""
    row = needs(None, "gpt", OUTCOME) | changes
    assert verdict("T3", [row, *of_rnns(needs, 64, OUTCOME)]).status == status


def test_a_recurrent_network_that_fitted_nothing_has_not_failed_either():
    rows = [needs(None, model, OUTCOME, limited=True) for model in RNNS]
    assert verdict("T3", [needs(None, "gpt", OUTCOME), *rows]).status == "not covered"


@pytest.mark.parametrize(
    "changes",
    [{"test_length": 20}, {"length_distribution": "fixed"}, {"length": 12}],
    ids=lambda changes: next(iter(changes)),
)
def test_the_test_at_500_is_of_networks_trained_on_lengths_2_to_10(changes):
    assert verdict("T10", [row | changes for row in T10_GOOD]).status == "not covered"
    from_four = {**STUDY, "data": {"shortest_length": 4}}
    assert CLAIMS["T10"](results_of(T10_GOOD, study=from_four)).status == "not covered"
    assert verdict("T10", T10_GOOD + [row | changes for row in T10_GOOD]).status == "pass"


@pytest.mark.parametrize(
    ("claim", "good", "others"),
    [("T7", T7_GOOD, []), ("T8", T7_GOOD, PATTERN), ("T10", T10_GOOD, [])],
    ids=["T7", "T8", "T10"],
)
def test_networks_trained_for_all_steps_stand_for_a_curve_that_has_some(claim, good, others):
    def of(role, rows):
        return [row | {"role": role, "budget": 4096} for row in rows]

    opposite = [row | {"median": 1 - row["median"]} for row in good]
    found = verdict(claim, others + of("extrapolation", good) + of("demand", opposite))
    assert found.status == "pass"
    assert "trained for all steps" in found.evidence and "success" not in found.evidence
    found = verdict(claim, others + of("extrapolation", opposite) + of("demand", good))
    assert found.status == "fail"
    found = verdict(claim, others + of("demand", good))
    assert found.status == "pass"
    assert "trained up to the end that the rule of success sets" in found.evidence


def test_the_evidence_names_the_training_set_of_the_networks():
    trained = [row | {"role": "extrapolation", "budget": 4096} for row in T7_GOOD]
    found = verdict("T7", trained + T7_GOOD)
    assert "at 20: 1.00 (N = 4096, trained for all steps)" in found.evidence
    assert "N = 512" not in found.evidence


def test_chains_of_thought_are_judged_teacher_forced_and_decoded_ones_are_told():
    decoded = of_rnns(reaches, 0.7, COT, reading="decoded")
    found = verdict("T7", T7_GOOD + decoded)
    assert found.status == "pass"
    assert "at 20: 0.10 teacher-forced, 0.70 decoded" in found.evidence
    assert verdict("T8", PATTERN + T7_GOOD + decoded).status == "pass"


def test_a_folder_that_holds_no_results_is_named(tmp_path):
    with pytest.raises(
        ArtifactError, match=r"config.json is missing; give the folder `results/studies/<name>`"
    ):
        Results.read(tmp_path)
