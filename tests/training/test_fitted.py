"""Whether a run has fitted its training set is asked of its weights, not of its batches with dropout."""

import numpy as np
import pytest
import torch
from support.packs import CPU, curve, final, judged, labelled, rules

from nstar.cells import make_pool
from nstar.measures.accuracy import score
from nstar.models import build_model
from nstar.study import Data
from nstar.tasks import HELD_OUT, build_task
from nstar.training.loop import train_pack
from nstar.training.sampler import EpochSampler
from nstar.training.state import arrays_of, initial_state
from nstar.training.step import PackData, Replicate
from nstar.verdicts import NOT_FITTED, NOT_GENERALISED

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = {"kind": "transformer", "width": 32, "depth": 2, "heads": 2, "dropout": 0.1}
LENGTH, BUDGET, SEEDS = 10, 32, (0, 1, 2)
RULES = rules(batch_size=16, max_steps=1200, evaluate_every=100, threshold=0.9)


def parity_data():
    """Return the sets of three seeds, of parities of ten bits."""
    pool = make_pool(
        build_task({"kind": "modular_addition", "modulus": 2}), "fixed", LENGTH, Data()
    )

    def taught(symbols, lengths):
        labels = pool.task.labels(symbols)
        return pool.task.supervise("aligned", symbols, labels, lengths, pool.lengths)

    def stacked(drawn):
        return labelled(*(torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True)))

    train = stacked([taught(*pool.training(seed, 0, BUDGET)) for seed in SEEDS])
    held = {name: stacked([taught(*pool.held(name, seed)) for seed in SEEDS]) for name in HELD_OUT}
    return PackData(train, **held)


def test_replicates_that_fit_without_dropout_are_not_called_unfitted():
    model = build_model(OPTIONS, n_symbols=2, n_classes=2, n_positions=LENGTH)
    data = parity_data()
    members = [
        Replicate(seed, 0.002, place, EpochSampler(BUDGET, RULES.batch_size, {"seed": seed}))
        for place, seed in enumerate(SEEDS)
    ]
    state = train_pack(model, data, members, RULES, initial_state(model, SEEDS, CPU), len(SEEDS))
    views = model.views(torch.from_numpy(final(state)))
    own = score(model, views, data.train.tokens, data.train.labels, torch.arange(len(SEEDS)))
    accuracy = own.sequence_accuracy.numpy()
    np.testing.assert_array_equal(
        curve(state, "train", "sequence_accuracy")[:, -1], accuracy.astype(np.float32)
    )
    found, fits = judged(state, RULES), accuracy >= 0.9
    assert fits.any()
    assert (found.outcome[fits] == NOT_GENERALISED).all()
    assert (found.fitted_at[found.outcome == NOT_FITTED] == -1).all()
    batches = arrays_of(state)["batch_sequence_accuracy"][fits]
    assert (batches < 0.9).all(), "what is trained with dropout would have said: not fitted"
