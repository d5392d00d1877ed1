"""What does not go with the demand that a study seeks is refused, with key, value and what to do."""

import pytest
from support.studies import FUNCTIONS, QUESTIONS, changed, tiny

from nstar.errors import ConfigError
from nstar.reading.check import load_study

WIDTHS = tiny(
    models={"lstm": {"kind": "lstm", "width": [4, 8]}}, demand="width", **{"grid.0.budgets": [8]}
)
STEPS = tiny(demand="steps", **{"grid.0.budgets": "fresh"})
DEEP = {"kind": "transformer", "width": 8, "depth": [1, 2], "heads": 2}


@pytest.mark.parametrize(
    ("study", "message"),
    [
        (
            tiny(demand="width"),
            "demand: width, and the grid has models.lstm with the width 8 alone; give its options as a ",
        ),
        (
            tiny(demand="depth"),
            "demand: depth, and models.lstm is of kind lstm, which has no depth; leave",
        ),
        (tiny(**{"grid.0.budgets": "fresh"}), "grid.0.budgets: fresh, so that there is no demand"),
        (changed(FUNCTIONS, demand="width"), "demand: width, and evaluation.function seeks none"),
        (tiny(demand="data"), "demand: 'data'"),
        (
            changed(QUESTIONS, evaluation={}),
            "asks questions; set evaluation.answers, which measures the width that these need, or demand",
        ),
        (
            changed(QUESTIONS, demand="budget"),
            "evaluation.answers: with demand: budget nothing reads it, since training.success says",
        ),
        (
            changed(
                QUESTIONS,
                evaluation={},
                demand="budget",
                **{"tasks.parity": {"kind": "modular_addition", "modulus": 2}},
            ),
            "lis asks questions, which have no number of states, and one law is fitted to all other "
            "tasks (parity); give it a study of its own",
        ),
        (
            changed(QUESTIONS, **{"grid.0.budgets": [20, 40]}),
            "grid.budgets: 20, 40 with evaluation.answers; its curves are compared at one size",
        ),
        (
            changed(WIDTHS, **{"grid.0.budgets": [2, 8]}),
            "grid.budgets: 2, 8 with demand: width; its curves are compared at one size",
        ),
        (
            changed(WIDTHS, **{"grid.0.models": ["lstm_4"], "grid.0.budgets": [8]}),
            "the grid has models.lstm_4 with the width 4 alone",
        ),
        (
            tiny(models={"m": DEEP}, demand="width", **{"grid.0.budgets": [8]}),
            "the models of family m do not differ in width alone; give models.m one list, of width",
        ),
        (
            tiny(demand="steps"),
            "with demand: steps; its curves are compared at one size of the training set",
        ),
        (
            changed(STEPS, search="bracket"),
            "search: bracket with demand: steps; one run shows all numbers of steps, so that there is",
        ),
        (
            changed(STEPS, **{"training.schedule": {"decay": "cosine"}}),
            "training.schedule.decay: cosine with demand: steps; the learning rate at a step would",
        ),
        (
            changed(STEPS, **{"training.success.at": "final", "training.stop_on_success": False}),
            "training.success.at: final with demand: steps; the first evaluation that passes is what",
        ),
        (
            changed(STEPS, **{"training.patience": 3}),
            "training.patience: 3 with demand: steps; a replicate that it ends might still have learnt",
        ),
    ],
)
def test_what_does_not_go_with_a_demand_is_refused(study, message):
    with pytest.raises(ConfigError) as refused:
        load_study(study)
    assert message in str(refused.value)


def test_the_demand_of_a_study_is_that_of_its_evaluation_unless_it_is_named():
    assert load_study(tiny()).axis.symbol == "N*"
    assert load_study(QUESTIONS).axis.symbol == "D*"
    assert load_study(FUNCTIONS).axis is None
    assert load_study(WIDTHS).axis.symbol == "D*"
    assert load_study(STEPS).axis.symbol == "S*"


@pytest.mark.parametrize("tasks", [["lis"], ["lis", "arithmetic"]])
def test_questions_have_a_demand_for_data_too(tasks):
    of_data = {"evaluation": {}, "demand": "budget", "grid.0.tasks": tasks}
    study = load_study(changed(QUESTIONS, **of_data))
    assert (study.axis.symbol, study.subject.name) == ("N*", "demand")


def test_tasks_with_questions_may_have_training_sets_of_their_own_sizes():
    entry = QUESTIONS["grid"][0]
    grid = [
        entry | {"tasks": [task], "budgets": [budget]}
        for task, budget in (("lis", 20), ("arithmetic", 40))
    ]
    assert load_study(changed(QUESTIONS, grid=grid)).axis.symbol == "D*"


def test_a_demand_for_width_may_be_sought_with_fresh_batches_and_by_a_search():
    study = load_study(changed(WIDTHS, **{"grid.0.budgets": "fresh", "search": "bracket"}))
    assert study.subject.name == "demand"


def test_a_family_without_the_option_is_named_once():
    with pytest.raises(ConfigError) as refused:
        load_study(changed(WIDTHS, demand="depth"))
    (_, line) = str(refused.value).splitlines()
    assert "demand: depth, and models.lstm is of kind lstm, which has no depth" in line
