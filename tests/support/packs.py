"""Small packs for the tests of training: data, rules, and a run of some members."""

import numpy as np
import torch
from support.tokens import reads_chains

from nstar.models import build_model
from nstar.tasks import ModularAddition
from nstar.tasks.stream import SequenceStream
from nstar.training.checkpoint import save_checkpoint
from nstar.training.loop import initial_state, train_pack
from nstar.training.sampler import EpochSampler
from nstar.training.schedule import Schedule
from nstar.training.step import PackData, Replicate, Rules


class KilledError(Exception):
    """What a run dies of in a test."""


def killed_at(step, path):
    """Return what a run calls after each evaluation: it saves a checkpoint, and kills it at a step."""

    def kill(state):
        save_checkpoint(path, state)
        if state.step == step:
            raise KilledError

    return kill


LENGTH, MODULUS, CPU = 5, 3, torch.device("cpu")
TASK = ModularAddition(kind="modular_addition", modulus=MODULUS)


def rules(**changes):
    optimiser = {"betas": (0.9, 0.99), "epsilon": 1e-8, "weight_decay": 0.01, "gradient_clip": 1.0}
    default = {
        "batch_size": 6,
        "max_steps": 50,
        "evaluate_every": 10,
        "patience": None,
        "success_measure": "sequence_accuracy",
        "success_threshold": 0.95,
        "optimiser": optimiser,
    }
    chosen = {**default, **changes}
    return Rules(**{"schedule": Schedule(chosen["max_steps"]), **chosen})


def supervision_of(options):
    """Return how a variant is taught."""
    return "chain_of_thought" if reads_chains(options) else "aligned"


def model_for(options, length=LENGTH):
    """Return the model for the data of `data_for`."""
    supervision = supervision_of(options)
    return build_model(
        options,
        n_symbols=TASK.n_token_kinds(supervision),
        n_classes=MODULUS,
        n_positions=TASK.n_tokens(supervision, length),
    )


def data_for(options, seeds, budget=20, device=CPU, read_from=0, length=LENGTH):
    """Return sets of sequences whose labels from one on are asked for, as the variant reads them.

    There are 243 sequences of length 5, and 30 of them are for validation.
    """
    tokens, labels = [], []
    for seed in seeds:
        symbols = SequenceStream(MODULUS, length, seed).sequences(0, 30 + budget)
        lengths = np.full(len(symbols), length)
        taught = symbols, TASK.labels(symbols), lengths, range(length, length + 1)
        read, asked = TASK.supervise(supervision_of(options), *taught)
        tokens.append(torch.from_numpy(read))
        labels.append(torch.from_numpy(asked[:, read_from:]))
    tokens, labels = torch.stack(tokens), torch.stack(labels)
    parts = (tokens[:, 30:], labels[:, 30:], tokens[:, :30], labels[:, :30])
    return PackData(*(part.to(device) for part in parts))


def run(
    options,
    members,
    chosen_rules=None,
    budget=20,
    state=None,
    after=lambda state: None,
    device=CPU,
    read_from=0,
    at_once=1000,
    length=LENGTH,
):
    """Train members (seed, learning rate) or (seed, learning rate, budget)."""
    chosen_rules = chosen_rules or rules()
    model = model_for(options, length)
    members = [(*member, budget)[:3] for member in members]
    seeds = sorted({seed for seed, _, _ in members})
    replicates = [
        Replicate(
            seed,
            rate,
            seeds.index(seed),
            EpochSampler(own_budget, chosen_rules.batch_size, {"seed": seed}),
        )
        for seed, rate, own_budget in members
    ]
    return train_pack(
        model,
        data_for(
            options, seeds, max(budget for _, _, budget in members), device, read_from, length
        ),
        replicates,
        chosen_rules,
        initial_state(model, [one.seed for one in replicates], device) if state is None else state,
        at_once,
        after,
    )
