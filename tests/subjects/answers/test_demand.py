"""A study of answers goes through the steps of demand, judged by its answers: made up, of known truth."""

import html
import re

import numpy as np
import pandas as pd
import pytest
from support.answer_tables import chosen, steps, table
from support.studies import QUESTIONS, changed

from nstar.errors import ArtifactError
from nstar.jobs.longer import BY_POSITION
from nstar.reading.check import load_study
from nstar.subjects.answers.subject import ANSWERS
from nstar.subjects.axis import axis_job
from nstar.subjects.demand.along import judge_cells
from nstar.subjects.demand.collection import demand_tables
from nstar.subjects.demand.subject import DEMAND
from nstar.subjects.subject import load
from nstar.tables import CELLS, read_table, write_table
from nstar.tables.cells import LONGER

LENGTHS, WIDTHS = (3, 4, 6, 8), (4, 8, 16, 32, 64, 128)
FAMILY = QUESTIONS["models"]["standard"] | {"width": list(WIDTHS)}
STUDY = load_study(
    changed(
        QUESTIONS,
        **{
            "models": {name: FAMILY for name in ("standard", "linear")},
            "tasks.lis.numbers": 40,
            "grid.0.lengths": list(LENGTHS),
            "grid.0.supervisions": ["chain_of_thought"],
            "replicates.seeds": [0, 1, 2],
            "evaluation.answers": {"measure": "answer", "thresholds": [0.5, 0.9]},
            "fit.bootstrap_replicates": 100,
        },
    )
)
OF_SEED = [0.7, 1.0, 1.4]
MISFIT = dict(zip(LENGTHS, (1.04, 0.97, 1.02, 0.98), strict=True))


def answers_of(task, need, **others):
    """Return answers that get better with the width, 90 % right about where ``need`` says."""
    rows = []
    for seed, factor in enumerate(OF_SEED):
        rows += steps(lambda n: 0, LENGTHS, WIDTHS, (seed,), task=task, budget=40, **others)
        for row in rows[-len(LENGTHS) * len(WIDTHS) :]:
            right = row["width"] / (factor * MISFIT[row["length"]] * need(row["length"]))
            row["answer_accuracy"] = right**2 / (1 / 9 + right**2)  # 0.9 where it is 1
            row["chain_accuracy"] = 0.0
    return rows


ROWS = [
    *answers_of("lis", lambda n: 2 * n**1.5),
    *answers_of("lis", lambda n: 6 * n, family="linear"),
    *answers_of("arithmetic", lambda n: 20),
    *answers_of("arithmetic", lambda n: 5 * n, family="linear"),
]


def cells_of(answers):
    """Return cells in which training fitted nothing, whatever the answers are."""
    cells = answers.reindex(columns=list(CELLS)).assign(
        outcome="not_fitted", diverged=False, n_states=40, n_steps=20, best_validation_loss=3.0
    )
    texts = [name for name, column in CELLS.items() if column.dtype == "str"]
    cells[texts] = cells[texts].astype("object").fillna("")
    rest = [name for name, column in CELLS.items() if column.dtype in ("int64", "float64")]
    cells[rest] = cells[rest].fillna(0)
    return cells


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of results after all steps of the study."""
    results = tmp_path_factory.mktemp("answers")
    for folder in ("tables", "figures"):
        (results / folder).mkdir()
    answers = table(ROWS)
    cells = cells_of(answers)
    longer = pd.DataFrame(columns=[*LONGER, BY_POSITION])
    collected = demand_tables(STUDY, cells, {"answers": answers, "longer": longer})
    collected |= {"answers": answers, "longer": longer[list(LONGER)]}
    for name, rows in collected.items():
        write_table(results / f"tables/{name}.csv", name, rows)
    write_table(results / "tables/cells.parquet", "cells", cells)
    for _, step in ANSWERS.steps_of(STUDY):
        load(step.run)(step.job(STUDY), results)
    return results


@pytest.fixture
def read(made):
    return lambda name: read_table(made / f"tables/{name}.csv", name)


def test_a_study_of_answers_has_the_tables_and_steps_of_demand_before_its_own():
    assert ANSWERS.lineage == (DEMAND, ANSWERS)
    assert set(ANSWERS.table_recipes(STUDY)) == {"fit", "comparison", "widths"}
    names = [step.name for subject in ANSWERS.lineage for step in subject.steps]
    assert len(set(names)) == len(names)
    (fit,) = (step for step in DEMAND.steps if step.name == "fit_exponents")
    assert ANSWERS.reads_of(fit, STUDY) == (*fit.reads, "answers")
    assert DEMAND.reads_of(fit, STUDY) == fit.reads


@pytest.mark.parametrize("rule", ["seed", "any"])
def test_demand_is_the_width_of_the_answers_whatever_training_said(read, rule):
    keys = ["model", "task", "length", "seed"]
    demand = chosen(read("thresholds"), rule=rule).set_index(keys).sort_index()
    widths = chosen(read("widths"), measure="answer", threshold=0.9, rule=rule)
    widths = widths.rename(columns={"family": "model"}).set_index(keys).sort_index()
    assert len(demand) == len(widths) == 2 * 2 * len(LENGTHS) * (3 if rule == "seed" else 1)
    assert np.array_equal(demand["n_star"], widths["d_star"], equal_nan=True)
    for name in ("lower", "upper", "censoring", "monotone"):
        assert demand[name].tolist() == widths[name].tolist()
    assert not demand["limited_by_steps"].any()


def test_each_task_has_a_law_of_its_own_as_in_the_table_of_width_exponents(read):
    found = chosen(read("exponents"), quantity="length").set_index(["task", "model", "minus_model"])
    own = chosen(
        read("width_exponents"),
        **{"measure": "answer", "threshold": 0.9, "quantity": "width", "covariate": "length"},
    ).set_index(["task", "family", "minus_family"])
    assert len(found) == len(own) == 2 * 3
    assert found["identified"].sum() >= 4
    for name in ("estimate", "lower", "upper", "p_value"):
        np.testing.assert_allclose(found[name], own.loc[found.index, name], rtol=1e-9)
    assert found.loc[("lis", "standard", ""), "estimate"] == pytest.approx(1.5, abs=0.3)
    assert found.loc[("arithmetic", "standard", ""), "estimate"] == pytest.approx(0, abs=0.3)
    for name in ("exponents", "width_exponents"):
        table = read(name)
        tested = table["p_value"].dropna()
        assert (table["n_tests"] == len(tested)).all() and len(tested) >= 4
        assert table["p_value_holm"].min() == min(1, len(tested) * tested.min())


def test_checks_and_forms_are_those_of_the_answers(read):
    """The accuracies of training are all 0, so that the seeds that learn are those of the answers."""
    brackets = chosen(read("checks"), check="brackets", quantity="length", kind="exponent")
    of_lis = chosen(brackets, task="lis", model="standard").iloc[0]
    assert np.isnan(of_lis["estimate"]) or of_lis["estimate"] == pytest.approx(1.5, abs=0.3)
    assert set(read("forms")["task"]) == {"lis", "arithmetic"}
    demand = read("demand")
    assert (demand["any_estimate"] < demand["estimate"])[demand["censoring"] == "interval"].all()


def test_fewer_steps_cannot_be_judged_by_the_answers(read):
    found = read("steps")
    less = found["max_steps"] < STUDY.training.max_steps
    assert less.any() and (found.loc[less, "reason"] != "").all()
    assert (found.loc[~less, "censoring"] == "interval").any()


def test_figures_and_both_pages_are_made(made):
    figures = {path.stem.removesuffix("_chain_of_thought_fixed") for path in made.glob("*/*.svg")}
    assert figures == {
        *("demand", "exponents", "learning_curves", "outcomes"),
        *("width_accuracy", "widths", "operations"),
    }
    findings, answers = (
        " ".join(html.unescape(re.sub(r"<[^>]*>", " ", (made / page).read_text())).split())
        for page in ("findings.html", "answers.html")
    )
    assert "when its share of right answers is at least 0.9" in findings
    assert "Lis, chain of thought, fixed lengths" in findings
    assert "Arithmetic, chain of thought, fixed lengths" in findings
    assert "p (Holm)" in answers


def test_accuracies_of_other_replicates_judge_nothing():
    answers = table(ROWS)
    judge = axis_job(STUDY)["judge"]
    for others in (answers[1:], answers.assign(seed=answers["seed"][::-1].to_numpy())):
        with pytest.raises(ArtifactError, match="answers has other replicates than table cells"):
            judge_cells(judge, cells_of(answers), others)


def test_outputs_that_are_not_finite_have_not_learnt():
    answers = table(ROWS[:2]).assign(answer_accuracy=[np.nan, 0.9])
    judged = judge_cells(axis_job(STUDY)["judge"], cells_of(answers), answers)
    assert judged["outcome"].tolist() == ["not_generalised", "learnt"]
    assert judged["learnt_at"].tolist() == [pd.NA, 20]
