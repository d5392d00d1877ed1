"""What the test set says of learnt runs, from evidence worked out by hand."""

import numpy as np
import pandas as pd
import xarray as xr

from nstar.jobs.judgements import judgement_rows
from nstar.verdicts import QUANTITIES, Rule, verdicts

RULE = Rule(
    **{"measure": "sequence_accuracy", "threshold": 0.9},
    **{"fitted_measure": "sequence_accuracy", "fitted_threshold": 0.9, "max_steps": 60},
)
EVERY = 20
ACCURACY = QUANTITIES.index(("sequence_accuracy", "mean"))
WORST = QUANTITIES.index(("sequence_accuracy", "every_length"))


def rows_of(validation, confirmation, kept, rule=RULE, worst=None, snapshot_every=None):
    """Return the test shares by rule of one run, None where it did not learn, "?" if not known.

    `kept` maps steps to the share of the test set.
    """
    numbers = np.zeros((1, 3, 3, len(QUANTITIES)), np.float32)
    for place, values in ((1, validation), (2, confirmation)):
        numbers[0, :, place, ACCURACY] = values
        numbers[0, :, place, WORST] = values if worst is None else worst
    end = verdicts(numbers, np.array([3]), EVERY, rule).end
    tests = np.zeros((len(kept), len(QUANTITIES)))
    tests[:, ACCURACY] = list(kept.values())
    joined = xr.Dataset(
        {
            "evaluate_every": EVERY,
            "numbers": (("replicate", "evaluation", "set", "quantity"), numbers),
            "kept_replicate": ("kept", np.zeros(len(kept), int)),
            "kept_step": ("kept", list(kept)),
            "test_numbers": (("kept", "quantity"), tests),
        }
    )
    trained = xr.Dataset(
        {"n_steps": ("replicate", EVERY * (end + 1)), "test_of": ("replicate", [50])}
    )
    cells = pd.DataFrame(
        [
            {
                "model": "lstm",
                "task": "parity",
                "supervision": "aligned",
                "length_distribution": "fixed",
            }
        ]
    ).assign(n_states=2, length=8, budget=64)
    rows = judgement_rows(cells, joined, trained, rule, snapshot_every)
    assert (rows["n_test"] == 50).all()
    return {
        row.rule: None if not row.learnt else "?" if np.isnan(row.test) else row.test
        for row in rows.itertuples()
    }


def test_each_form_is_judged_where_it_says_that_the_run_learnt():
    """The published form passes at step 20, the study's confirmed one at 40."""
    found = rows_of([0.9, 0.95, 1], [0.5, 0.9, 1], {20: 0.7, 40: 0.8})
    assert found == {"study": 0.8, "published": 0.7, "strict": 0.8}


def test_a_form_that_would_have_gone_on_has_not_learnt():
    found = rows_of([0.9, 0.95, 1], [0.5, 0.9, 1], {20: 0.7, 40: 0.8}, worst=[0.5, 0.5, 0.5])
    assert found == {"study": 0.8, "published": 0.7, "strict": None}


def test_weights_that_another_study_asked_for_are_not_looked_at():
    """Without stops, the strict form learns at 40, where this study, published, asks for none."""
    rule = Rule(**{**RULE.as_dict(), "confirm": False, "stop_on_success": False})
    kept = {20: 0.7, 40: 0.8, 60: 0.9}
    found = rows_of([0.9, 0.95, 1], [0.5, 0.9, 1], kept, rule)
    assert found == {"study": 0.7, "published": 0.7, "strict": "?"}
    found = rows_of([0.9, 0.95, 1], [0.5, 0.9, 1], kept, rule, snapshot_every=40)
    assert found["strict"] == 0.8
