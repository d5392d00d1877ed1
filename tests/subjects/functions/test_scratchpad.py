"""An encoder-decoder from its configuration to the measures: PARITY with a scratchpad, small."""

import numpy as np
import pytest
from support.stores import make_stores
from support.studies import tiny

from nstar.plan.jobs import plan_jobs
from nstar.plan.missing import make_plan
from nstar.reading.check import load_study
from nstar.store.archive import read_store
from nstar.store.schemas import EVALUATION

STUDY = {
    "models": {
        "scratchpad": {
            "kind": "encoder_decoder",
            "width": 16,
            "depth": 1,
            "heads": 2,
            "perceptron_width": 16,
        }
    },
    "grid": [{"supervisions": ["chain_of_thought"], "lengths": [4], "budgets": "fresh"}],
    "replicates": {"seeds": [0, 1], "learning_rates": [0.003]},
    "training.batch_size": 32,
    "training.max_steps": 600,
    "training.evaluate_every": 100,
    "training.objective": "squared_error",
    "evaluation.function": {"gaussian": [0.02], "draws": 3, "converged_loss": 0.01},
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """The evaluation of two networks."""
    results = tmp_path_factory.mktemp("scratchpad")
    plan = make_plan(load_study(tiny(**STUDY)), results)
    make_stores(plan_jobs(plan), results)
    (path,) = results.glob("evaluations/**/*.zarr.zip")
    return read_store(path, EVALUATION)


def test_it_learns_parity_and_writes_it_by_itself(evaluated):
    assert (evaluated["validation_token_accuracy"] == 1).all()
    assert (evaluated["validation_decoded_sequence_accuracy"] == 1).all()
    assert evaluated["position"].values.tolist() == [5, 6, 7, 8]
    assert evaluated["tested_length"].values.tolist() == [8]
    assert evaluated["longer_decoded_state_accuracy"].shape == (2, 1, 8)
    assert evaluated["longer_decoded_sequence_accuracy"].notnull().all()


def test_it_is_measured_but_for_what_is_not_defined(evaluated):
    """Blow-up is that of a `Transformer`; a sensitivity, that of a single output."""
    assert (evaluated["sharpness"] > 0).all() and (evaluated["parameter_norm"] > 0).all()
    assert np.isfinite(evaluated["loss_increase"]).all()
    for name in ("blowup", "plain_blowup", "average_sensitivity"):
        assert evaluated[name].isnull().all(), name
