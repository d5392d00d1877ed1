"""One training step on sequences of several lengths: the loss is that of the labels there are."""

import numpy as np
import pytest
import torch
from support.packs import CPU, equal_sets, rules
from support.variants import VARIANTS

from nstar.cells import make_pool
from nstar.measures.accuracy import score
from nstar.models import build_model
from nstar.study import Data
from nstar.tasks import SUPERVISIONS, build_task
from nstar.training.sampler import EpochSampler
from nstar.training.state import initial_state
from nstar.training.step import Replicate, train_steps

TASK = build_task({"kind": "modular_addition", "modulus": 3})
LONGEST, SHORTEST, RATE = 5, 2, 0.01


def labelled(supervision):
    """Return tokens and labels of two sets, the first 24 sequences of two seeds; all lengths occur."""
    pool = make_pool(TASK, "uniform", LONGEST, Data(shortest_length=SHORTEST))
    sets = []
    for seed in (0, 1):
        symbols, lengths = pool.training(seed, 0, 24)
        assert len(set(lengths)) == LONGEST - SHORTEST + 1
        states = TASK.labels(symbols)
        sets.append(TASK.supervise(supervision, symbols, states, lengths, pool.lengths))
    return tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*sets, strict=True))


def loss_by_hand(model, values, tokens, labels):
    """Return the sum of the losses of the labels over their number; tokens (B, T), labels (B, T')."""
    logits = model.naive(values, tokens)
    read_from = tokens.shape[1] - labels.shape[1]
    losses = [
        -torch.log_softmax(logits[i, read_from + t], dim=-1)[labels[i, t]]
        for i, t in torch.nonzero(labels >= 0).tolist()
    ]
    return torch.stack(losses).sum() / len(losses)


@pytest.mark.parametrize("supervision", SUPERVISIONS)
@pytest.mark.parametrize("name", ["transformer", "lstm", "dense_ssm"])
def test_the_loss_of_a_batch_is_the_mean_over_its_labels(supervision, name):
    tokens, labels = labelled(supervision)
    assert tokens.shape[2] - labels.shape[2] == TASK.first_read(supervision, SHORTEST)
    model = build_model(
        VARIANTS[name],
        n_symbols=TASK.n_token_kinds(supervision),
        n_classes=TASK.n_states,
        n_positions=TASK.n_tokens(supervision, LONGEST),
    )
    chosen = rules(batch_size=7)
    samplers = [EpochSampler(24, 7, {"seed": seed}) for seed in (0, 1)]
    members = [Replicate(seed, RATE, seed, samplers[seed]) for seed in (0, 1)]
    state = initial_state(model, [0, 1], CPU)
    before = state.parameters.clone()
    data = equal_sets(tokens, labels)
    measured = train_steps(model, data, members, chosen, state.parameters, state.adam, 0, 1)

    for r, sampler in enumerate(samplers):
        batch = sampler.indices(0, 1)[0]
        views = model.views(before[r : r + 1])
        values = {key: part[0].clone().requires_grad_() for key, part in views.items()}
        algorithm = torch.optim.AdamW(
            values.values(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01
        )
        loss = loss_by_hand(model.in_training, values, tokens[r, batch], labels[r, batch])
        loss.backward()
        assert measured[0, r].item() == pytest.approx(loss.item(), rel=1e-5)

        torch.nn.utils.clip_grad_norm_(values.values(), 1.0)
        gradients = {key: value.grad.clone() for key, value in values.items()}
        algorithm.step()
        for key, value in model.views(state.parameters[r : r + 1]).items():
            # Adam's first step is the sign of a gradient, which rounding decides where there is none.
            sure = gradients[key].abs() > 1e-5
            torch.testing.assert_close(
                value[0].detach()[sure], values[key].detach()[sure], rtol=1e-4, atol=1e-5
            )

    rows = torch.tensor([0, 1])
    found = score(model, model.views(before), tokens, labels, rows)
    for r in rows:
        values = {key: part[0] for key, part in model.views(before[r : r + 1]).items()}
        loss = loss_by_hand(model, values, tokens[r], labels[r])
        assert found.loss[r].item() == pytest.approx(loss.item(), rel=1e-5)
