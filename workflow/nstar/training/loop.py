"""The packed training loop: the replicates of one or several cells at once, each with its own end.

A replicate's numbers depend on its own seed, learning rate and data; on a CPU, bit for bit, never on
the pack around it, nor on where it was interrupted.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from nstar.models import StackedModel
from nstar.training.evidence import evaluate
from nstar.training.state import TESTED, PackState
from nstar.training.step import PackData, Replicate, Rules, train_steps
from nstar.verdicts import Verdicts, first_published_pass, verdicts


def train_pack(
    model: StackedModel,
    data: PackData,
    replicates: Sequence[Replicate],
    rules: Rules,
    state: PackState,
    at_once: int,
    after_evaluation: Callable[[PackState], None] = lambda state: None,
) -> PackState:
    """Train until every replicate has ended; the state is updated in place and returned.

    Parameters
    ----------
    model : StackedModel
    data : PackData
    replicates : sequence of Replicate, length R
    rules : Rules
    state : PackState
        From `initial_state`, from `stored_state`, or from a checkpoint.
    at_once : int
        Most replicates in a launch, at least 1; see `launch_size`. On a CPU no number depends on it.
    after_evaluation : callable
        Called with the state after each evaluation, for checkpoints and progress.

    Notes
    -----
    The loss of a launch is the sum over replicates of each one's mean, so gradients never mix.
    Between two evaluations those furthest behind are trained in launches of equal size, one after the
    other, until they have caught up with the next. Replicates that have ended leave the pack at the
    evaluation that ends them.
    """
    while len(state.active):
        step = state.n_steps[state.active]
        first, last = int(step[0]), int(step[0]) + rules.evaluate_every
        front = int((step == first).sum())
        for rows in _launches(front, at_once):
            began = time.perf_counter()
            own, parameters = state.active[rows], state.parameters[rows]
            members = [replicates[r] for r in own]
            adam = state.adam[rows]
            batch = train_steps(model, data, members, rules, parameters, adam, first, last)
            found = evaluate(model, data, members, parameters, rules)
            state.evidence.add(own, last // rules.evaluate_every - 1, batch, found)
            state.wall_time_s[own] += (time.perf_counter() - began) / len(members)
        state.n_steps[state.active[:front]] = last
        ended = _judge(model, replicates, rules, state, front)
        if ended.any():
            _test(model, data, replicates, rules, state, state.active[ended], at_once)
            state.select(np.flatnonzero(~ended))
        after_evaluation(state)
    return state


def _launches(n: int, at_once: int) -> Iterator[slice]:
    """Yield the rows of launches that share out n as evenly as they can."""
    size = math.ceil(n / math.ceil(n / at_once))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def _judge(
    model: StackedModel,
    replicates: Sequence[Replicate],
    rules: Rules,
    state: PackState,
    front: int,
) -> np.ndarray:
    """Keep the weights that the evaluation of the first rows asks for; return who has ended (R',)."""
    own, evidence, rule = state.active[:front], state.evidence, rules.rule
    last = int(state.n_steps[own[0]])
    n = last // rules.evaluate_every  # evaluations up to here
    numbers = evidence.numbers[own, :n]
    judged = verdicts(numbers, np.full(front, n), rules.evaluate_every, rule)
    until = [replicates[r].until for r in own]
    ended = np.array(
        [
            by_rule if at is None else last >= at
            for by_rule, at in zip(judged.ended, until, strict=True)
        ]
    )
    new = n > evidence.first[own]
    snapshot = bool(rules.keep_every) and last % rules.keep_every == 0 and last < rule.max_steps
    wanted = np.array([last in replicates[r].keep for r in own])
    marked = ended | snapshot | _passes_first(numbers, judged, rules)
    if rules.keep_end_of:
        other = verdicts(numbers, np.full(front, n), rules.evaluate_every, rules.keep_end_of)
        marked |= other.ended & (other.end == n - 1)
    stays = wanted | (new & marked)
    best = new & (judged.best_at == n - 1)
    for r in own[best & (state.best_step[own] >= 0)]:
        del state.kept[r][int(state.best_step[r])]
    state.best_step[own[best]] = np.where(stays[best], -1, last)
    rows = np.flatnonzero(stays | best)
    if len(rows):
        weights = state.parameters[torch.from_numpy(rows).to(state.parameters.device)]
        for row, values in zip(rows, weights.cpu().numpy(), strict=True):
            state.kept[own[row]][last] = {"weights": values[: model.n_parameters].copy()}
    for row in np.flatnonzero(ended & new & ~judged.diverged):
        moments = {
            name: getattr(state.adam, name)[row] for name in ("first_moment", "second_moment")
        }
        state.moments[own[row]] = {
            name: moment[: model.n_parameters].cpu().numpy().copy()
            for name, moment in moments.items()
        }
    return np.concatenate([ended, np.zeros(len(state.active) - front, bool)])


def _passes_first(numbers: np.ndarray, judged: Verdicts, rules: Rules) -> np.ndarray:
    """Return whose last evaluation is the first pass, by the rule or by its published form (R,)."""
    last = numbers.shape[1] - 1
    n_read = np.full(len(numbers), last + 1)
    first = first_published_pass(numbers, n_read, rules.rule)
    return (first == last) | ((judged.learnt_at == last) & (rules.rule.at == "best"))


def _test(
    model: StackedModel,
    data: PackData,
    replicates: Sequence[Replicate],
    rules: Rules,
    state: PackState,
    ended: np.ndarray,
    at_once: int,
) -> None:
    """Score the kept weights of replicates that have ended on the test set."""
    kept = [(r, entry) for r in ended for entry in state.kept[r].values()]
    for part in _launches(len(kept), at_once) if kept else ():
        own = np.array([r for r, _ in kept[part]])
        entries = [entry for _, entry in kept[part]]
        parameters = state.parameters.new_zeros(len(own), state.parameters.shape[1])
        weights = np.stack([entry["weights"] for entry in entries])
        parameters[:, : model.n_parameters] = torch.from_numpy(weights).to(parameters.device)
        members = [replicates[r] for r in own]
        found = evaluate(model, data, members, parameters, rules, ("test",))["test"]
        for place, entry in enumerate(entries):
            entry |= {name: np.array(getattr(found, name)[place]) for name in TESTED}
        state.evidence.add_sizes(own, "test", found)
