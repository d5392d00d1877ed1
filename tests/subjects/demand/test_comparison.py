"""Comparisons of curves, from demands and cells worked out by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from nstar.subjects.demand.columns import DEMAND, LENGTHS, THRESHOLDS
from nstar.subjects.demand.comparison import compare_curves, ratio_rows, step_rows
from nstar.subjects.demand.demands import any_demands, demands_by_other_rule, half_demands
from nstar.subjects.demand.sharing import sharing_rows
from nstar.tables import CELLS, read_table, write_table
from nstar.tables.cells import LONGER
from nstar.tables.selection import CURVE_PLACE

NAN, INF = np.nan, np.inf
BLANKS = {"float64": 0.0, "int64": 0, "bool": False, "str": "", "Int64": pd.NA}
JOB = {
    "axis": {"name": "budget", "texts": []},
    "shortest_length": 2,
    "success": {"measure": "sequence_accuracy", "threshold": 0.9},
    "other_rule": "strict",
    "over": {"study": "mean", "strict": "every_length"},
    "confidence": 0.95,
}
TRAINING = {"max_steps": 800, "evaluate_every": 20, "decay": "constant", "at": "best"}


def curve(model="lstm", supervision="aligned", distribution="fixed", length=2):
    return (model, "parity", supervision, distribution, 2, length)


def blank(columns, key, **values):
    row = {name: BLANKS[column.dtype] for name, column in columns.items()}
    return row | dict(zip(CURVE_PLACE, key, strict=True)) | values


DEMANDS = {
    curve(length=2): (16.0, 8.0, 16.0),
    curve(length=3): (64.0, 32.0, 64.0),
    curve(distribution="uniform", length=3): (40.0, 20.0, 40.0),
}


def sharing(demands, rule="any", shortest=2, supervision="aligned", mixtures=None):
    joint = curve(supervision=supervision, distribution="uniform", length=3)
    sets, undecided = dict.fromkeys(demands, 99), dict.fromkeys(demands, 0)
    rows = list(sharing_rows(joint, shortest, rule, demands, sets, undecided, mixtures or {}))
    assert len(rows) <= 1
    return rows[0] if rows else None


def test_brackets_bound_kappa_from_least_to_greatest():
    row = sharing(DEMANDS)
    assert (row["kappa"], row["lower"], row["upper"]) == (2, 1, 4)
    assert (row["kind"], row["n_used"], row["shortest"], row["length"]) == ("estimate", 2, 2, 3)


def test_the_interval_of_the_rule_half_is_narrower_than_what_brackets_allow():
    half, bracketed = sharing(DEMANDS, "half"), sharing(DEMANDS, "any")
    assert half["kappa"] == bracketed["kappa"]
    assert bracketed["lower"] < half["lower"] and half["upper"] <= bracketed["upper"]


def test_a_missing_length_is_named_and_no_length_at_all_makes_no_row():
    joint = DEMANDS[curve(distribution="uniform", length=3)]
    row = sharing(
        {curve(length=3): (64.0, 32.0, 64.0), curve(distribution="uniform", length=3): joint}
    )
    assert (row["kind"], row["reason"]) == ("unknown", "No curve of length 2 alone.")
    assert np.isnan(row["kappa"])
    assert sharing({curve(distribution="uniform", length=3): joint}) is None
    assert list(sharing_rows(curve(length=3), 2, "any", DEMANDS, {}, {}, {})) == [], (
        "no joint curve"
    )


def test_shortest_length_limits_the_sum():
    assert sharing(DEMANDS, shortest=3)["kappa"] == 64 / 40


MIXTURES = {("parity", "uniform", 3): [1000, 1000]}


@pytest.mark.parametrize(
    ("supervision", "null", "joint"),
    [
        ("aligned", 80 / 128, 128),  # all sequences show length 2, half of them length 3
        ("outcome", 80 / 128, 128),
        ("chain_of_thought", 80 / 128, 128),
    ],
)
def test_the_null_by_hand(supervision, null, joint):
    demands = {(*key[:2], supervision, *key[3:]): ends for key, ends in DEMANDS.items()}
    row = sharing(demands, supervision=supervision, mixtures=MIXTURES)
    assert row["null"] == pytest.approx(null)
    assert row["against_null"] == pytest.approx(joint / 40) == pytest.approx(row["kappa"] / null)
    assert (row["against_null_lower"], row["against_null_upper"]) == (64 / 40, 128 / 20)


def test_with_aligned_states_longer_sequences_show_shorter_ones_and_else_not():
    """Of length 2 a model needs 60, of length 3 it needs 40: 80 aligned, where half of all are longer."""
    ends = {2: (60.0, 50.0, 60.0), 3: (40.0, 30.0, 40.0)}
    for supervision, joint in (("aligned", 80), ("outcome", 120), ("chain_of_thought", 120)):
        demands = {curve(supervision=supervision, length=n): ends[n] for n in ends}
        demands[curve(supervision=supervision, distribution="uniform", length=3)] = (100.0, 50, 100)
        row = sharing(demands, supervision=supervision, mixtures=MIXTURES)
        assert row["null"] == pytest.approx(100 / joint)
        assert row["against_null"] == pytest.approx(joint / 100)


def test_without_a_training_set_there_is_no_null():
    row = sharing(DEMANDS)
    assert row["kappa"] == 2 and np.isnan([row["null"], row["against_null_upper"]]).all()


def test_all_sequences_that_exist_bound_the_demand_that_they_do_not_meet():
    thresholds = pd.DataFrame(
        [
            blank(
                THRESHOLDS,
                curve(length=2),
                lower=13.0,
                upper=INF,
                censoring="right",
                n_available=13,
            ),
            blank(
                THRESHOLDS,
                curve(length=3),
                lower=13.0,
                upper=INF,
                censoring="right",
                n_available=99,
            ),
        ]
    )
    demand = pd.DataFrame(
        [
            blank(DEMAND, curve(length=n), estimate=NAN, lower=7.0, upper=INF, censoring="right")
            for n in (2, 3)
        ]
    )
    found = half_demands(demand, thresholds)
    assert [found[curve(length=n)][1] for n in (2, 3)] == [13, 7]
    assert any_demands(thresholds)[curve(length=3)][1:] == (13, INF)


def test_a_left_censored_threshold_has_no_estimate():
    row = blank(THRESHOLDS, curve(), n_star=4.0, lower=0.0, upper=4.0, censoring="left")
    (ends,) = any_demands(pd.DataFrame([row])).values()
    assert np.isnan(ends[0]) and ends[1:] == (0, 4)


def test_every_pair_once_in_the_order_of_the_study():
    coordinates = itertools.product(("lstm", "dense"), ("outcome", "aligned"), ("fixed", "uniform"))
    demands = {curve(*values): (16.0, 8.0, 16.0) for values in coordinates}
    demands[curve("dense", "aligned", "uniform")] = (NAN, 64.0, INF)
    rows = pd.DataFrame(ratio_rows(["dense", "lstm"], {"any": demands}))

    counts = rows.groupby("kind", sort=False)["numerator"].agg(["count", "first"])
    assert counts["count"].to_dict() == {"supervision": 4, "length_distribution": 4, "model": 4}
    assert counts["first"].tolist() == ["outcome", "fixed", "dense"]
    models = rows[rows["kind"] == "model"]
    assert set(models["model"]) == {""} and set(models["denominator"]) == {"lstm"}
    censored = rows[rows["bound"] != "estimate"]
    assert censored["bound"].tolist() == ["upper bound", "upper bound", "lower bound"]
    assert (rows.drop(censored.index)[["ratio", "lower", "upper"]] == [1, 0.5, 2]).all(axis=None)


def replicates(*rows):
    names = ("budget", "learnt_at", "fitted_at")
    return pd.DataFrame(rows, columns=names).astype({"learnt_at": "Int64", "fitted_at": "Int64"})


HISTORY = replicates(*((4, pd.NA, 300), (8, 700, 100), (16, 200, 100), (16, 90, pd.NA)))


def test_fewer_steps_need_more_data():
    rows = list(step_rows(curve(), HISTORY, TRAINING))
    found = [(row["max_steps"], row["lower"], row["n_star"]) for row in rows]
    assert found == [(100, 8, 16), (200, 8, 16), (400, 8, 16), (800, 4, 8)]


def test_a_smaller_budget_of_steps_ends_at_an_evaluation():
    rows = list(step_rows(curve(), HISTORY, TRAINING | {"max_steps": 700}))
    assert [row["max_steps"] for row in rows] == [80, 160, 340, 700]
    assert [row["censoring"] for row in rows] == ["unknown", "interval", "interval", "interval"]
    rows = list(step_rows(curve(), HISTORY, TRAINING | {"max_steps": 100}))
    assert [row["max_steps"] for row in rows] == [20, 40, 100]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"decay": "cosine"}, "its decay is cosine"), ({"at": "final"}, "final evaluation decides")],
)
def test_fewer_steps_are_unknown_where_the_history_does_not_tell(change, words):
    *fewer, whole = step_rows(curve(), HISTORY, TRAINING | change)
    assert {row["censoring"] for row in fewer} == {"unknown"}
    assert all(words in row["reason"] for row in fewer) and len(fewer) == 3
    assert (whole["n_star"], whole["reason"]) == (8, "")


def strict_cells(outcomes):
    """Return the runs of three seeds, with what the strict rule says of them at each budget."""
    keys = [curve()]
    return pd.DataFrame(
        blank(CELLS, key, budget=budget, seed=seed, learning_rate=0.1)
        | {"outcome": "learnt", "strict_outcome": outcome, "best_validation_sequence_accuracy": 0.5}
        for key in keys
        for budget, of_seeds in outcomes.items()
        for seed, outcome in enumerate(of_seeds)
    )


def test_the_other_rule_judges_the_same_runs_anew():
    outcomes = {8: ["not_generalised"] * 3, 16: ["not_generalised"] * 3, 32: ["learnt"] * 3}
    row = blank(THRESHOLDS, curve(), n_star=8.0, upper=8.0, censoring="left", n_available=99)
    thresholds = pd.DataFrame([row])
    demands, n_undecided = demands_by_other_rule(JOB, strict_cells(outcomes), thresholds)
    assert demands["any"] == {curve(): (32, 16, 32)} and n_undecided == {curve(): 0}
    ((estimate, lower, upper),) = demands["half"].values()
    assert 16 < estimate < 32 and lower < estimate < upper

    # Of a budget at which the runs were not followed to their end, both may be true.
    outcomes[16] = ["undecided", "undecided_not_fitted", "not_generalised"]
    demands, n_undecided = demands_by_other_rule(JOB, strict_cells(outcomes), thresholds)
    (found,) = demands["any"].values()
    assert np.isnan(found[0]) and found[1:] == (8, 32) and n_undecided == {curve(): 2}
    ((unknown, least, most),) = demands["half"].values()
    assert np.isnan(unknown) and least < lower and most == pytest.approx(upper)


def test_tables_of_a_study(tmp_path):
    (tmp_path / "tables").mkdir()
    cells, thresholds, demand, longer = [], [], [], []
    for key, (n_star, lower, upper) in DEMANDS.items():
        ends = {"lower": lower, "upper": upper, "censoring": "interval"}
        thresholds.append(
            blank(THRESHOLDS, key, rule="any", seed=pd.NA, n_star=n_star, n_available=99, **ends)
        )
        demand.append(blank(DEMAND, key, estimate=n_star, **ends))
        for budget, seed, rate in itertools.product((8, 64), (0, 1), (0.1, 0.2)):
            learnt = budget >= n_star and seed == 0
            cells.append(
                blank(CELLS, key, budget=budget, seed=seed, learning_rate=rate)
                | {"outcome": "learnt" if learnt else "not_fitted", "diverged": rate == 0.2}
                | {"learnt_at": 100 if learnt else pd.NA}
                | {"strict_outcome": "undecided" if learnt and n_star == 64 else "not_generalised"}
                | {"best_validation_sequence_accuracy": 1 - rate}
            )
            for times, reading in itertools.product((2, 4), ("teacher_forced", "decoded")):
                right = 0.5 + 0.25 * seed if rate == 0.1 else 0.0
                test = {"test_length": times * dict(zip(CURVE_PLACE, key, strict=True))["length"]}
                longer.append(
                    blank(LONGER, key, budget=budget, seed=seed, learning_rate=rate, **test)
                    | {"outcome": cells[-1]["outcome"], "validation_sequence_accuracy": 1 - rate}
                    | {"role": "demand", "reading": reading}
                    | {"above_chance": right / times if reading == "decoded" else right}
                )
    lengths = [
        dict(zip(LENGTHS, ("parity", "uniform", 3, seed, 64, n, 32, 1000), strict=True))
        for seed, n in itertools.product((0, 1), (2, 3))
    ]
    made = {"cells.parquet": cells, "thresholds.csv": thresholds, "demand.csv": demand}
    made |= {"lengths.csv": lengths, "longer.csv": longer}
    for name, rows in made.items():
        write_table(tmp_path / "tables" / name, name.partition(".")[0], pd.DataFrame(rows))
    compare_curves(JOB | {"training": TRAINING}, tmp_path)
    names = ("sharing", "ratios", "steps", "extrapolation", "composition")
    tables = {name: read_table(tmp_path / f"tables/{name}.csv", name) for name in names}

    shown = ["success", "over", "rule", "n_undecided"]
    assert tables["sharing"][shown].to_numpy().tolist() == [
        ["study", "mean", "half", 0],
        ["study", "mean", "any", 0],
        ["strict", "every_length", "half", 2],
        ["strict", "every_length", "any", 2],
    ]
    assert tables["sharing"]["kappa"].tolist()[:2] == [2.0, 2.0]
    assert tables["sharing"]["kappa"].isna().tolist()[2:] == [True, True]
    assert tables["sharing"]["null"].tolist()[:2] == pytest.approx([80 / 128] * 2)
    assert tables["ratios"]["ratio"].tolist() == [64 / 40] * 2
    assert len(tables["steps"]) == 4 * len(DEMANDS)
    shown = ["budget", "n_seeds", "n_learnt", "median", "least", "most"]
    tested = tables["extrapolation"]
    times = tested["test_length"] / tested["length"]
    for (reading, factor), rows in tested.groupby(["reading", times]):
        part = 1 / factor if reading == "decoded" else 1
        wanted = [64, 2, 1, *(part * right for right in (0.625, 0.5, 0.75))]
        assert rows[shown].to_numpy().tolist() == [wanted] * 3
    assert len(tested) == 4 * 3
    shown = ["budget", "n_replicates", "n_learnt", "n_not_fitted", "n_diverged"]
    assert (
        tables["composition"][shown].to_numpy().tolist() == [[8, 4, 0, 4, 2], [64, 4, 2, 2, 2]] * 3
    )
