"""D* and its growth from tables of answers: made up ones of known truth, and the published points."""

import numpy as np
import pytest
from support.answer_tables import JOB, answer, chosen, exponents_of, steps, table, widths_of
from support.published import points

from nstar.subjects.answers.exponents import fit_widths
from nstar.tables import read_table, write_table


def test_width_of_a_seed_and_of_the_mean():
    accuracies = {0: [0.2, 0.95, 1.0], 1: [0.1, 0.6, 0.95]}
    rows = [
        answer(width, 5, accuracy, seed=seed)
        for seed, values in accuracies.items()
        for width, accuracy in zip((16, 32, 64), values, strict=True)
    ]
    found = chosen(widths_of(rows), measure="chain", threshold=0.9)
    assert found["rule"].tolist() == ["seed", "seed", "any", "mean"]
    assert found["d_star"].tolist() == [32, 64, 32, 64]
    assert found["lower"].tolist() == [16, 32, 16, 32]
    assert found["least_flops"].tolist() == [5 * 32**2, 5 * 64**2, 5 * 32**2, 5 * 64**2]


@pytest.mark.parametrize(
    ("accuracy", "censoring", "lower", "upper"),
    [(1.0, "left", 0, 16), (0.3, "right", 64, np.inf)],
)
def test_sizes_that_no_width_or_every_width_solves_stay_in_the_table(
    accuracy, censoring, lower, upper
):
    found = widths_of([answer(width, 5, accuracy) for width in (16, 32, 64)], [0.9])
    assert set(found["censoring"]) == {censoring}
    assert (found["lower"] == lower).all() and (found["upper"] == upper).all()


def test_an_accuracy_that_falls_again_is_told_and_made_monotone():
    rows = [answer(width, 5, accuracy) for width, accuracy in ((16, 0.95), (32, 0.5), (64, 1.0))]
    found = chosen(widths_of(rows), measure="chain", threshold=0.9, rule="mean").iloc[0]
    assert not found["monotone"]
    assert (found["lower"], found["d_star"]) == (
        32,
        64,
    )  # the means of 16 and 32 are pooled to 0.725
    by_seed = chosen(widths_of(rows), measure="chain", threshold=0.9, rule="seed").iloc[0]
    assert by_seed["d_star"] == 16 and not by_seed["monotone"]


def test_the_best_learning_rate_of_a_seed_counts_and_what_is_not_finite_is_wrong():
    rows = [
        answer(16, 5, accuracy, learning_rate=rate)
        for rate, accuracy in ((1e-3, 0.2), (2e-3, 0.95))
    ]
    rows += [answer(32, 5, np.nan)]
    found = chosen(widths_of(rows), measure="answer", threshold=0.9, rule="seed").iloc[0]
    assert found["d_star"] == 16 and not found["monotone"]


def test_models_whose_operations_are_not_counted_have_exponents_of_width_alone():
    rows = steps(lambda n: 4 * n, (4, 8, 16), (16, 32, 64))
    rows += [row | {"family": "lstm", "forward_flops": np.nan} for row in rows]
    found = exponents_of(rows)
    assert set(chosen(found, quantity="flops")["family"]) == {"standard"}
    assert set(chosen(found, quantity="width")["family"]) == {"standard", "lstm"}
    assert not chosen(found, quantity="flops")["minus_family"].any()


def test_answers_and_chains_are_read_apart():
    rows = [answer(width, 5, 1.0, chain_accuracy=0.2) for width in (16, 32)]
    found = widths_of(rows, [0.9])
    assert set(chosen(found, measure="answer")["censoring"]) == {"left"}
    assert set(chosen(found, measure="chain")["censoring"]) == {"right"}


def test_exponent_of_a_known_law():
    """D* = 4 sqrt(L), as in the facts of the study."""
    widths = np.unique(np.geomspace(4, 400, 60).round()).astype(int)
    rows = steps(lambda n: 4 * np.sqrt(2 * n + 3), (5, 11, 30, 80, 250), widths)
    found = exponents_of(rows)
    of_width = chosen(found, measure="chain", threshold=0.9, covariate="n_tokens", quantity="width")
    assert of_width["estimate"].item() == pytest.approx(0.5, abs=0.02)
    assert of_width["slope_lower"].item() < 0.5 < of_width["slope_upper"].item()
    assert of_width["theory"].item() == 0.0  # of softmax attention


@pytest.mark.parametrize(("supervision", "known"), [("chain_of_thought", True), ("outcome", False)])
def test_theory_is_of_texts_with_their_steps(supervision, known):
    rows = steps(lambda n: 20, (5, 10, 20), (8, 16, 32), supervision=supervision)
    found = chosen(exponents_of(rows), covariate="n_tokens", minus_family="")
    assert (found["theory"].notna() == known).all()


def test_operations_grow_as_those_of_the_widths():
    """With a width that does not grow, operations grow as they do at that width: here with n."""
    rows = steps(lambda n: 20, (5, 10, 20, 40), (8, 16, 32, 64))
    found = chosen(exponents_of(rows), measure="chain", threshold=0.9, covariate="length")
    slopes = found.set_index("quantity")[["slope_lower", "slope_upper"]]
    assert slopes.loc["width"].tolist() == pytest.approx([-1 / 3, 1 / 3])  # within a factor of 2
    assert slopes.loc["flops"].tolist() == pytest.approx([1 - 2 / 3, 1 + 2 / 3])


def test_differences_have_the_families_that_they_are_of():
    lengths, widths = (5, 10, 20, 40, 80), (4, 8, 16, 32, 64, 128, 256)
    rows = steps(lambda n: 10, lengths, widths)
    rows += steps(lambda n: n, lengths, widths, family="linear")
    found = chosen(
        exponents_of(rows), measure="chain", threshold=0.9, covariate="length", quantity="width"
    )
    estimates = found.set_index(["family", "minus_family"])["estimate"]
    assert set(estimates.index) == {("standard", ""), ("linear", ""), ("standard", "linear")}
    assert estimates["standard", "linear"] == pytest.approx(-1, abs=0.2)


def test_exponents_and_differences_are_tested():
    lengths, widths = (5, 10, 20, 40, 80), (4, 8, 16, 32, 64, 128, 256)
    needs = {"standard": lambda n: 10, "linear": lambda n: n, "sparse": lambda n: 6 * n**0.5}
    rows = [
        row for name, need in needs.items() for row in steps(need, lengths, widths, family=name)
    ]
    shared = {"measure": "chain", "threshold": 0.9, "covariate": "length", "quantity": "width"}
    found = chosen(exponents_of(rows), **shared)
    p_values = found.set_index(["family", "minus_family"])["p_value"]
    assert p_values["linear", ""] < 0.01 and p_values["standard", "linear"] < 0.01
    assert p_values["standard", ""] > 0.5


def test_locality_is_a_covariate_at_one_length():
    rows = []
    for m in (1, 2, 4, 8):
        rows += steps(
            lambda n, m=m: 10 * m, (20,), (8, 16, 32, 64, 128), task=f"lis_{m}", locality=m
        )
    found = exponents_of(rows)
    assert set(found["covariate"]) == {"locality"}
    of_width = chosen(found, measure="chain", threshold=0.9, quantity="width").iloc[0]
    assert (of_width["task"], of_width["length"]) == ("lis", 20)
    assert of_width["slope_lower"] < 1 < of_width["slope_upper"]
    assert np.isnan(of_width["theory"])


def test_one_size_has_no_exponent_and_one_bracket_too_few_says_why():
    assert exponents_of(steps(lambda n: 10, (5,), (8, 16))).empty
    found = exponents_of(steps(lambda n: 10, (5, 10), (8, 16)))
    assert not found["identified"].any()
    assert found["reason"].str.contains("have D\\* inside their widths").all()


def test_the_job_writes_both_tables(tmp_path):
    (tmp_path / "tables").mkdir()
    rows = steps(lambda n: n, (5, 10, 20), (4, 8, 16, 32))
    write_table(tmp_path / "tables" / "answers.csv", "answers", table(rows))
    fit_widths(JOB, tmp_path)
    for name in ("widths", "width_exponents"):
        assert len(read_table(tmp_path / "tables" / f"{name}.csv", name))


# Yang et al. (2024), arXiv:2402.13934, figure 1: accuracy by width and problem size, one run each. The
# slopes that the brackets allow are in tests/stats/test_reference_values.py by hand, here by the job.


@pytest.fixture(scope="module")
def figure_1():
    published = points("efficient_figure1.csv").rename(columns={"size": "length"})
    rows = [
        answer(
            row.dim,
            row.length,
            row.acc / 100,
            family=row.model.lower(),
            task=row.task.lower(),
            n_tokens=row.length,
        )
        for row in published.itertuples()
    ]
    widths, exponents = widths_of(rows), exponents_of(rows)
    main = {"measure": "chain", "threshold": 0.9}
    return chosen(widths, **main), chosen(exponents, **main, quantity="width", covariate="n_tokens")


@pytest.mark.parametrize(
    ("task", "family", "expected"),
    [
        ("arithmetic", "standard", [64, 128, 128, 128]),
        ("ed", "linear", [128, 256, 256, 512]),
        ("ed", "sparse", [128, 1024, 1024, np.nan]),
        ("lis", "linear", [512, 512, 1024, 1024]),
        ("lis", "sparse", [np.nan] * 4),
    ],
)
def test_widths_of_figure_1(figure_1, task, family, expected):
    found = chosen(figure_1[0], task=task, family=family, rule="mean").sort_values("length")
    assert found["d_star"].tolist() == pytest.approx(expected, nan_ok=True)
    right = found["censoring"] == "right"
    assert right.tolist() == np.isnan(expected).tolist()


@pytest.mark.parametrize(
    ("task", "family", "lower", "upper"),
    [
        ("arithmetic", "linear", 0.39, 0.99),
        ("ed", "linear", 0.36, 0.89),
        ("ed", "sparse", 1.30, 1.42),
        ("lis", "linear", 0.00, 0.70),
        ("lis", "sparse", -np.inf, np.inf),
    ],
)
def test_slopes_of_figure_1(figure_1, task, family, lower, upper):
    found = chosen(figure_1[1], task=task, family=family, minus_family="").iloc[0]
    assert (found["slope_lower"], found["slope_upper"]) == pytest.approx((lower, upper), abs=0.0051)


def test_sparse_attention_on_subsequences_is_not_identified(figure_1):
    found = chosen(figure_1[1], task="lis", family="sparse", minus_family="").iloc[0]
    assert not found["identified"] and np.isnan(found["estimate"])
    assert found["n_right_censored"] == 4
