"""Every model learns something simple, and generalises."""

import numpy as np
import pytest
import torch
from support.packs import CPU, curve, judged, labelled, rules
from support.tokens import reads_chains
from support.variants import VARIANTS

from nstar.models import build_model
from nstar.training.loop import train_pack
from nstar.training.sampler import EpochSampler
from nstar.training.state import initial_state
from nstar.training.step import PackData, Replicate
from nstar.verdicts import LEARNT


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_learns_whether_a_symbol_has_occurred(options):
    """A task for all: a state that forgets can carry it, and so can one look back."""
    tokens = torch.from_numpy(np.random.default_rng(0).integers(3, size=(1, 260, 6)))
    labels = ((tokens == 1).cumsum(-1) > 0).long()
    shapes = {"n_symbols": 3, "n_classes": 2, "n_positions": 6}
    if reads_chains(options):
        separator = torch.full_like(tokens[..., :1], 3)
        tokens = torch.cat([tokens, separator, labels[..., :-1]], dim=-1)
        shapes |= {"n_symbols": 4, "n_positions": 12}
    train, held = (
        labelled(tokens[:, part], labels[:, part]) for part in (slice(60, 260), slice(60))
    )
    data = PackData(train, held, held, held)
    chosen = rules(batch_size=16, max_steps=1000, evaluate_every=50)
    model = build_model(options, **shapes)
    sampler = EpochSampler(200, 16, {"seed": 0})
    members = [Replicate(seed, rate, 0, sampler) for seed in (0, 1) for rate in (0.003, 0.01)]
    state = train_pack(
        model,
        data,
        members,
        chosen,
        initial_state(model, [member.noise_seed for member in members], CPU),
        at_once=4,
    )
    assert (judged(state, chosen).outcome == LEARNT).any()
    assert np.nanmin(curve(state, "validation", "loss")) < 0.1
