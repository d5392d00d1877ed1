"""Studies of networks as functions: what goes with what, and how the configuration says no."""

import pytest
from support.studies import FUNCTIONS, changed, tiny

from nstar.cells import cells_of, slices_of, source_of, training_specification
from nstar.errors import ConfigError
from nstar.reading.check import load_study
from nstar.specification import digest
from nstar.study import FRESH
from nstar.tasks import HELD_OUT

MEAN = {"kind": "mean"}


def test_a_fresh_cell_has_no_training_set():
    study = load_study(FUNCTIONS)
    fresh = [cell for cell in cells_of(study) if cell.budget == FRESH]
    assert {cell.task for cell in fresh} == {"parity", "learnt"}
    for cell in fresh:
        splits = [piece.split for piece in slices_of(study, cell, [0])]
        tables = ["table"] if cell.task == "learnt" else []
        assert splits == [*tables, *HELD_OUT, "longer"]
        specification = training_specification(study, cell)
        assert specification["sets"] == [[32, 32, 32]]  # all sequences of 5 bits
        assert specification["whole"]


def test_what_is_learnt_from_a_network_depends_on_how_that_was_trained():
    def digests(study):
        loaded = load_study(study)
        cells = [cell for cell in cells_of(loaded) if cell.model == "dense"]
        return {cell.task: digest(training_specification(loaded, cell)) for cell in cells}

    before, after = digests(FUNCTIONS), digests(changed(FUNCTIONS, **{"models.lstm.width": 9}))
    assert before["parity"] == after["parity"]
    assert before["learnt"] != after["learnt"]


def test_the_source_of_a_learnt_function_is_a_cell_of_the_grid():
    study = load_study(FUNCTIONS)
    assert source_of(study.tasks["learnt"]) in cells_of(study)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grid.0.budgets": "frsh"}, "grid.0.budgets: 'frsh' is not legal; legal are fresh"),
        ({"evaluation.function": None}, "grid.0.budgets: fresh, so that there is no demand"),
        ({"training.objective": "cross_entropy"}, "set training.objective: squared_error"),
        ({"search": "bracket"}, "search: bracket looks for demand"),
        ({"search": "bracket"}, "learnt, whose source it may leave untrained; use all"),
        ({"tasks.parity.modulus": 3}, "parity has 3 states, and training.objective squared_error"),
        ({"tasks.parity.modulus": 3}, "parity has 3 symbols, and evaluation.function measures"),
        ({"grid.0.length_distributions": ["short_to_long"]}, "which never use a length up"),
        ({"tasks.learnt.task": "randm"}, "did you mean random?"),
        ({"tasks.learnt.budget": 16}, "no grid entry trains model lstm on task random"),
        (
            {
                "grid.1.budgets": {"smallest": 8, "largest": 32, "cut": True},
                "tasks.learnt.budget": 32,  # of 32 sequences 12 are held out
            },
            "no grid entry trains model lstm on task random",
        ),
        ({"tasks.learnt.length": 17}, "must be at most 16, because its table has 2^n values"),
        ({"tasks.parity": MEAN, "training.success.measure": "token_accuracy"}, "no accuracy"),
        (
            {"tasks.parity": MEAN, "grid.0.supervisions": ["chain_of_thought"]},
            "no words of a chain",
        ),
        ({"training.snapshot_every": 30}, "snapshot_every 30 is no multiple of evaluate_every 20"),
        (
            {"evaluation.function.gaussian": [0.0]},
            "evaluation.function.gaussian.0: 0.0: must be more",
        ),
        ({"evaluation.function.gaussian": [0.1, 0.1]}, "every entry once; repeated: 0.1"),
        ({"evaluation.function.gaussian": []}, "at least one size is needed"),
        ({"evaluation.function.exact_bits": 21}, "must be at most 20"),
    ],
)
def test_mistakes_name_the_key_the_value_and_what_is_legal(change, words):
    with pytest.raises(ConfigError) as caught:
        load_study(changed(FUNCTIONS, **change))
    assert words in str(caught.value)


def test_numbers_as_labels_need_the_squared_error():
    with pytest.raises(
        ConfigError, match=r"grid.0.tasks: m has real numbers as labels; set training"
    ):
        load_study(tiny(tasks={"m": MEAN}))
