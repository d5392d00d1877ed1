"""Train the stretches of trajectories that blocks are short of, and write a part for each block."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from nstar.cells.naming import curve_name
from nstar.errors import StoppedError
from nstar.jobs.networks import model_of
from nstar.jobs.part import Part
from nstar.jobs.sequences import Sequences
from nstar.plan.work import Stretch
from nstar.progress import Progress
from nstar.seeds import streams_of
from nstar.store.leases import Holder, Sight
from nstar.study import FRESH
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.device import memory_errors_named, prepare_device
from nstar.training.launch import launch_size
from nstar.training.loop import train_pack
from nstar.training.schedule import Schedule
from nstar.training.state import PackState, join_states
from nstar.training.step import Replicate, Rules
from nstar.verdicts import Rule

logger = logging.getLogger(__name__)

LOOK_S = 2.0
"""Time between two looks at parts that another job makes; seconds."""


def train_cells(
    job: Mapping[str, Any],
    results: Path,
    device_name: str,
    checkpoint_interval_s: float,
    stop_asked: Callable[[], str | None] = lambda: None,
) -> None:
    """Train what blocks of some curves are short of, and write a part for each.

    Parameters
    ----------
    job : mapping
        ``curves``: of each ``called`` (the names of study, model and task), ``specification`` (that of
        the cells without their budget), ``rule`` (fields of `nstar.verdicts.Rule`), ``keep_every`` and
        ``blocks``, of each the fields of a `nstar.plan.work.Work`; for extrapolation ``keep_end_of``, the
        rule of the demand.
    results : Path
    device_name : str
        As in the configuration.
    checkpoint_interval_s : float
        Time between two checkpoints, which are made at evaluations; seconds.
    stop_asked : callable
        Asked after every evaluation; the name of what wants the job to stop, or None.

    Raises
    ------
    DeviceError
        If the device is missing, or has no room for the model.
    ArtifactError
        If steps that were taken once have another result now, on a CPU.
    StoppedError
        If the job was asked to stop; all that was done is in checkpoints and stores.

    Notes
    -----
    A part that another job trains at this moment is waited for (`nstar.store.leases`), and made here only
    if the other job has not made it in the end.

    Every part has a checkpoint of its own, which stays until the block is evaluated: a job that is killed
    or fails goes on where it was, also when its blocks come back in other jobs. A part that is there and
    was made by the same rule is left as it is.
    """
    curves = [_Curve(part, results, device_name, checkpoint_interval_s) for part in job["curves"]]
    with Holder(results, [part.path() for curve in curves for part in curve.parts]) as holder:
        for number, curve in enumerate(curves, start=1):
            of_many = f" (curve {number} of {len(curves)})" if len(curves) > 1 else ""
            progress = Progress("replicates", curve.n_replicates, f"{curve.name}{of_many}")
            curve.train(holder, progress, stop_asked)
            progress.finish()


class _Curve:
    """The parts of one model, task and length that a job makes.

    Those whose batches have the same size share a pack: their budgets differ, the shapes do not.
    """

    def __init__(
        self,
        curve: Mapping[str, Any],
        results: Path,
        device_name: str,
        checkpoint_interval_s: float,
    ):
        self.specification = curve["specification"]
        self.rule = Rule(**curve["rule"])
        self.keep_every = curve["keep_every"]
        other = curve.get("keep_end_of")
        self.keep_end_of = Rule(**other) if other else None
        self.checkpoint_interval_s = checkpoint_interval_s
        self.device = prepare_device(device_name, self.specification["precision"])
        self.model = model_of(self.specification)
        task = curve["called"]["task"]
        self.sequences = Sequences(self.specification, task, results, self.device)
        self.name = curve_name(self.specification | curve["called"])
        self.parts = [Part(curve, fields, results, self.device) for fields in curve["blocks"]]
        self.n_replicates = sum(len(part.work.stretches) for part in self.parts)

    def train(
        self, holder: Holder, progress: Progress, stop_asked: Callable[[], str | None]
    ) -> None:
        """Make all parts; wait for those that another job makes, and take over what it leaves."""
        left, waiting = self.parts, False
        while left:
            others = {part: sight for part in left if (sight := holder.claim(part.lease))}
            own = [part for part in left if part not in others]
            to_make = [part for part in own if not part.is_there()]
            n_there = sum(len(part.work.stretches) for part in own if part not in to_make)
            progress.skip(n_there)
            progress.update(progress.done + n_there)
            self._train_parts(to_make, progress, stop_asked)
            for part in own:
                holder.release(part.lease)
            if others:
                self._wait(others, told=waiting, stop_asked=stop_asked)
            left, waiting = list(others), True

    def _wait(
        self, others: Mapping[Part, Sight], told: bool, stop_asked: Callable[[], str | None]
    ) -> None:
        """Say who makes the parts that are waited for, and wait a little."""
        if not told:
            for lease in dict.fromkeys(sight.lease for sight in others.values()):
                theirs = [part for part, sight in others.items() if sight.lease == lease]
                logger.info(
                    f"{self.name} with budgets {_budgets(theirs)} is trained by {lease}; waiting for it"
                )
        if asked := stop_asked():
            raise StoppedError(
                f"training {self.name} was stopped by {asked} while another job trained it; run it "
                "again to go on from there"
            )
        time.sleep(LOOK_S)

    def _train_parts(
        self, made: Sequence[Part], progress: Progress, stop_asked: Callable[[], str | None]
    ) -> None:
        """Make some parts, from checkpoints, stored states or initial weights, and write them."""
        packs: dict[int, list[tuple[Part, PackState]]] = {}
        for part in made:
            state = load_checkpoint(part.checkpoint, self.device)
            if state is None:
                state = part.starting_state(self.model)
            else:
                progress.skip(self._done(part.work.stretches, state))
            if len(state.active):
                packs.setdefault(part.specification["batch_size"], []).append((part, state))
            else:
                self._write(part, state)
                progress.update(progress.done + len(part.work.stretches))
        for n_together, members in packs.items():
            parts, states = zip(*members, strict=True)
            self._train_pack(parts, join_states(states), n_together, progress, stop_asked)

    def _train_pack(
        self,
        parts: tuple[Part, ...],
        state: PackState,
        n_together: int,
        progress: Progress,
        stop_asked: Callable[[], str | None],
    ) -> None:
        """Train the stretches of some parts; write each part as soon as all of its have ended."""
        stretches = [stretch for part in parts for stretch in part.work.stretches]
        ends = np.cumsum([len(part.work.stretches) for part in parts]).tolist()
        unfinished = {
            part: slice(end - len(part.work.stretches), end)
            for part, end in zip(parts, ends, strict=True)
        }
        budgets = _budgets(parts)
        done_before, steps_before = progress.done, state.n_steps.sum()
        started = last_saved = time.monotonic()

        def after_evaluation(state: PackState) -> None:
            nonlocal last_saved
            rate = (state.n_steps.sum() - steps_before) / (time.monotonic() - started)
            text = f"budgets {budgets}, step {state.step}, {rate:.0f} replicate-steps/s"
            progress.update(done_before + self._done(stretches, state), text)
            asked = stop_asked()
            due = time.monotonic() - last_saved >= self.checkpoint_interval_s
            for part, rows in list(unfinished.items()):
                ended = not np.any((state.active >= rows.start) & (state.active < rows.stop))
                if ended or due or asked:
                    save_checkpoint(part.checkpoint, state.part(rows))
                if ended:
                    self._write(part, state.part(rows))
                    del unfinished[part]
            if due:
                last_saved = time.monotonic()
            if asked and unfinished:
                raise StoppedError(
                    f"training {self.name} was stopped by {asked} at step {state.step}; its "
                    "checkpoints are saved, run it again to go on from there"
                )

        seen = sorted(
            (seed, part.work.cell.budget) for part in parts for seed in part.work.data_seeds
        )
        largest = dict(seen)  # the last of each seed
        data = self.sequences.read(largest)
        replicates = self._replicates(parts, [*largest], n_together)
        rules = self._rules(n_together)
        with memory_errors_named(self.device, f"training {self.name} with budgets {budgets}"):
            at_once = launch_size(self.model, data, rules, len(state.active))
            train_pack(self.model, data, replicates, rules, state, at_once, after_evaluation)
        progress.update(done_before + len(replicates))

    def _replicates(
        self, parts: Sequence[Part], seeds: Sequence[int], n_together: int
    ) -> list[Replicate]:
        """Return the networks of a pack, whose sets are in the order of the seeds of the data."""
        sampler = cache(partial(self.sequences.sampler, n_together=n_together))
        replicates = []
        for part in parts:
            budget = part.work.cell.budget
            for stretch in part.work.stretches:
                data, _, order = streams_of(stretch.seed)
                replicates.append(
                    Replicate(
                        noise_seed=self.sequences.noise_seed(order),
                        learning_rate=stretch.learning_rate,
                        data_set=seeds.index(data),
                        sampler=sampler(budget, data if budget == FRESH else order),
                        until=stretch.until,
                        keep=stretch.keep,
                    )
                )
        return replicates

    def _done(self, stretches: Sequence[Stretch], state: PackState) -> float:
        """Return how many stretches are done; those that still train count in part."""
        shares = np.ones(len(stretches))
        for row in state.active:
            start, last = stretches[row].start, stretches[row].last(self.rule.max_steps)
            shares[row] = (state.n_steps[row] - start) / (last - start)
        return float(shares.sum())

    def _rules(self, n_together: int) -> Rules:
        specification = self.specification
        schedule = {"max_steps": self.rule.max_steps} | specification["schedule"]
        return Rules(
            batch_size=n_together,
            evaluate_every=specification["evaluate_every"],
            rule=self.rule,
            optimiser=specification["optimiser"],
            schedule=Schedule(**schedule),
            fitted_examples=specification["fitted_examples"],
            precision=specification["precision"],
            keep_every=self.keep_every,
            keep_end_of=self.keep_end_of,
        )

    def _write(self, part: Part, state: PackState) -> None:
        """Write a part whose stretches have all ended."""
        n_tokens = None
        if self.sequences.pool.task.is_text:
            budget = part.work.cell.budget
            most = {seed: self.sequences.most_tokens(seed, budget) for seed in part.work.data_seeds}
            seeds = (streams_of(seed).data for seed, _ in part.work.replicates)
            n_tokens = np.array([most[seed] for seed in seeds])
        part.write(state, n_tokens)


def _budgets(parts: Sequence[Part]) -> str:
    return ", ".join(str(part.work.cell.budget or "fresh") for part in parts)
