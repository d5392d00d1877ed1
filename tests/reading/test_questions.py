"""What a study of questions may not ask for: each mistake is one line that says what to do."""

import pytest
from support.studies import QUESTIONS, changed

from nstar.cells import cells_of, pool_of, slices_of
from nstar.errors import ConfigError
from nstar.reading.check import load_study
from nstar.tasks import HELD_OUT

MISTAKES = {
    "no subject": ({"evaluation": {}}, "grid.0.tasks: lis asks questions; set evaluation.answers"),
    "aligned": ({"grid.0.supervisions": ["aligned"]}, "grid.0.supervisions: aligned with task lis"),
    "mixed": ({"grid.0.length_distributions": ["uniform"]}, "grid.0.length_distributions: uniform"),
    "fresh": ({"grid.0.budgets": "fresh"}, "grid.0.budgets: fresh with task lis"),
    "too long": ({"grid.0.lengths": [4, 30]}, "grid.0.lengths: 30 with task lis: numbers is 20"),
    "no question": (
        {"tasks.parity": {"kind": "modular_addition", "modulus": 2}},
        "grid.0.tasks: parity asks no questions",
    ),
    "encoder": ({"models.standard.causal": False}, "standard_4 sees what follows a position"),
    "search": ({"search": "bracket"}, "search: bracket goes by training.success"),
    "objective": ({"training.objective": "squared_error"}, "squared_error asks for one"),
    "two subjects": ({"evaluation.function": {}}, "function and answers are both given"),
    "too many": ({"grid.0.budgets": [10**6]}, "budget 1000000 does not exist"),
}


def test_what_is_changed_is_legal():
    load_study(QUESTIONS)


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_refused(name):
    changes, words = MISTAKES[name]
    with pytest.raises(ConfigError) as caught:
        load_study(changed(QUESTIONS, **changes))
    assert words in str(caught.value)
    assert (
        len(str(caught.value).splitlines()) <= 1 + 4
    )  # a mistake of an entry, for each model at most


def test_questions_have_no_set_of_another_length():
    study = load_study(QUESTIONS)
    cell = cells_of(study)[0]
    assert {piece.split for piece in slices_of(study, cell, [0])} == {*HELD_OUT, "train"}
    assert pool_of(study, cell).size("validation") == study.data.validation_examples
