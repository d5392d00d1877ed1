"""Small packs for the tests of training: data, rules, and a run of some members."""

import numpy as np
import torch
from support.tokens import reads_chains

from nstar.models import build_model
from nstar.tasks import ModularAddition
from nstar.tasks.stream import SequenceStream
from nstar.training.checkpoint import save_checkpoint
from nstar.training.loop import train_pack
from nstar.training.sampler import EpochSampler
from nstar.training.schedule import Schedule
from nstar.training.state import arrays_of, initial_state, stored_state
from nstar.training.step import LabelledSet, PackData, Replicate, Rules
from nstar.verdicts import QUANTITIES, SETS, Rule, verdicts


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


OF_THE_RULE = {"measure", "threshold", "over", "at", "confirm", "max_steps", "patience"} | {
    *("stop_on_success", "fitted_measure", "fitted_threshold"),
}


def rules(**changes):
    """Return rules with some fields changed, those of the rule that ends runs among them."""
    rule = {
        "measure": "sequence_accuracy",
        "threshold": 0.95,
        "max_steps": 50,
        "confirm": False,
        **{name: value for name, value in changes.items() if name in OF_THE_RULE},
    }
    fitted = {f"fitted_{name}": rule[name] for name in ("measure", "threshold")}
    default = {
        "batch_size": 6,
        "evaluate_every": 10,
        "rule": Rule(**fitted | rule),
        "optimiser": {
            "betas": (0.9, 0.99),
            "epsilon": 1e-8,
            "weight_decay": 0.01,
            "gradient_clip": 1.0,
        },
        "schedule": Schedule(rule["max_steps"]),
    }
    own = {name: value for name, value in changes.items() if name not in OF_THE_RULE}
    return Rules(**{**default, **own})


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


HELD_OUT = {"validation": slice(0, 30), "confirmation": slice(30, 50), "test": slice(50, 75)}


def data_for(options, seeds, budget=20, device=CPU, read_from=0, length=LENGTH):
    """Return sets of sequences whose labels from one on are asked for, as the variant reads them.

    Of the 243 sequences of length 5 the first 75 are held out.
    """
    tokens, labels = [], []
    for seed in seeds:
        symbols = SequenceStream(MODULUS, length, seed).sequences(0, 75 + budget)
        lengths = np.full(len(symbols), length)
        taught = symbols, TASK.labels(symbols), lengths, range(length, length + 1)
        read, asked = TASK.supervise(supervision_of(options), *taught)
        tokens.append(torch.from_numpy(read))
        labels.append(torch.from_numpy(asked[:, read_from:]))
    tokens, labels = torch.stack(tokens).to(device), torch.stack(labels).to(device)
    return PackData(
        labelled(tokens[:, 75:], labels[:, 75:]),
        **{name: labelled(tokens[:, part], labels[:, part]) for name, part in HELD_OUT.items()},
    )


def labelled(tokens, labels):
    """Return a set of sequences of one length."""
    return LabelledSet(tokens, labels, np.zeros(tokens.shape[:2], np.int64))


def equal_sets(tokens, labels):
    """Return data in which every set is the same."""
    return PackData(*[labelled(tokens, labels)] * 4)


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
    until=None,
    keep=(),
):
    """Train members (seed, learning rate) or (seed, learning rate, budget)."""
    chosen_rules = chosen_rules or rules()
    model = model_for(options, length)
    members = [(*member, budget)[:3] for member in members]
    seeds = sorted({seed for seed, _, _ in members})
    largest = max(budget for _, _, budget in members)
    replicates = [
        Replicate(
            seed,
            rate,
            seeds.index(seed),
            EpochSampler(own_budget, chosen_rules.batch_size, {"seed": seed}),
            until,
            keep,
        )
        for seed, rate, own_budget in members
    ]
    return train_pack(
        model,
        data_for(options, seeds, largest, device, read_from, length),
        replicates,
        chosen_rules,
        initial_state(model, [seed for seed, _, _ in members], device) if state is None else state,
        at_once,
        after,
    )


def judged(state, chosen_rules):
    """Return the verdicts on a pack by the rule that it was trained with."""
    evidence = state.evidence
    every = chosen_rules.evaluate_every
    return verdicts(evidence.numbers, evidence.n_known, every, chosen_rules.rule)


def final(state):
    """Return the weights at the ends of all replicates (R, P)."""
    return np.stack(
        [own[int(n)]["weights"] for own, n in zip(state.kept, state.n_steps, strict=True)]
    )


def curve(state, name, measure, over="mean"):
    """Return a quantity of a set at all evaluations (R, E)."""
    longest = state.evidence.n_known.max()
    numbers = state.evidence.numbers[:, :longest]
    return numbers[:, :, SETS.index(name), QUANTITIES.index((measure, over))]


def stored(state, rows=None):
    """Return the state of a pack as a store holds it, from which it can go on, or some rows of it."""
    rows = range(len(state.n_steps)) if rows is None else rows
    moments = [state.moments[r] for r in rows]
    return stored_state(
        state.n_steps[rows],
        final(state)[rows],
        *(np.stack([one[name] for one in moments]) for name in ("first_moment", "second_moment")),
        [known(state, r) for r in rows],
        state.parameters.device,
    )


def known(state, r):
    """Return all numbers that are known of a replicate."""
    return state.evidence.numbers[r, : state.evidence.n_known[r]]


def assert_same(found, expected, names=None):
    """Compare what stores hold of two packs, bit for bit; no clock is compared."""
    found, expected = arrays_of(found), arrays_of(expected)
    for name in names or set(expected) - {"wall_time_s"}:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def continued(options, members, chosen_rules, shorter, **others):
    """Train up to other rules first, store, and go on; return the first state and the second."""
    before = run(options, members, shorter, **others)
    return before, run(options, members, chosen_rules, state=stored(before), **others)
