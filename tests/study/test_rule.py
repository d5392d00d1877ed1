"""The rule that the options of training make."""

from support.studies import tiny

from nstar.reading.check import load_study
from nstar.verdicts import Rule


def rule_of(**changes):
    return load_study(tiny(**changes)).training.rule


def test_a_fit_is_judged_like_success_unless_it_is_said_otherwise():
    wanted = {"measure": "sequence_accuracy", "threshold": 0.9}
    fit = {"fitted_measure": "sequence_accuracy", "fitted_threshold": 0.9}
    assert rule_of() == Rule(**wanted, **fit, max_steps=100)
    looser = rule_of(**{"training.fitted": {"measure": "token_accuracy", "threshold": 0.5}})
    fit = {"fitted_measure": "token_accuracy", "fitted_threshold": 0.5}
    assert looser == Rule(**wanted, **fit, max_steps=100)


def test_every_option_of_a_rule_comes_from_training():
    changes = {
        "training.success": {
            **{"measure": "loss", "threshold": 0.1, "over": "every_length"},
            **{"at": "final", "confirm": False},
        },
        **{"training.patience": 3, "training.stop_on_success": False},
    }
    fit = {"fitted_measure": "loss", "fitted_threshold": 0.1}
    how = {"over": "every_length", "at": "final", "confirm": False, "stop_on_success": False}
    assert rule_of(**changes) == Rule("loss", 0.1, **fit, max_steps=100, patience=3, **how)
