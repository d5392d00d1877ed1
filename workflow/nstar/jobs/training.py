"""Train the stretches of trajectories that blocks are short of, and write a part for each block."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch.nn.utils.rnn import pad_sequence

from nstar.cells import Slice, held_slice, of_budget, training_slices
from nstar.cells.naming import curve_name
from nstar.cells.paths import checkpoint_path, coordinates_of, store_path
from nstar.errors import ArtifactError, StoppedError
from nstar.jobs.generation import read_sequences, task_of_seed
from nstar.jobs.networks import model_of
from nstar.progress import Progress
from nstar.seeds import derive_seed
from nstar.specification import digest
from nstar.store.archive import write_store
from nstar.store.evidence import pack
from nstar.store.header import read_header
from nstar.store.parts import pairs_of, read_parts
from nstar.store.provenance import provenance
from nstar.store.schemas import CELL
from nstar.study import FRESH
from nstar.tasks import HELD_OUT, Pool, build_task
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.device import describe_device, memory_errors_named, prepare_device
from nstar.training.launch import launch_size
from nstar.training.loop import train_pack
from nstar.training.sampler import EpochSampler, FreshSampler
from nstar.training.schedule import Schedule
from nstar.training.state import (
    PackState,
    arrays_of,
    initial_state,
    join_states,
    stored_state,
)
from nstar.training.step import LabelledSet, PackData, Replicate, Rules
from nstar.verdicts import Rule

logger = logging.getLogger(__name__)


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
        ``blocks`` (budget, seeds, learning_rates, the number of the ``part`` and its ``stretches``; see
        `nstar.plan.prefixes.Stretch`).
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
    Every part has a checkpoint of its own, which lies outside of the declared outputs and stays until
    the block is evaluated, when the workflow has seen this job end well: a job that is killed or fails,
    and whose outputs the workflow removes, goes on where it was, also when its blocks come back in
    other jobs.
    """
    curves = [_Curve(part, results, device_name, checkpoint_interval_s) for part in job["curves"]]
    for number, curve in enumerate(curves, start=1):
        of_many = f" (curve {number} of {len(curves)})" if len(curves) > 1 else ""
        progress = Progress("replicates", curve.n_replicates, f"{curve.name}{of_many}")
        curve.train(progress, stop_asked)
        progress.finish()


def pool_of(specification: Mapping[str, Any]) -> Pool:
    """Return the sequences that a cell draws from."""
    names = ("length_distribution", "length", "whole")
    fields = {name: specification[name] for name in names}
    fields["sets"] = tuple(map(tuple, specification["sets"]))
    return Pool(build_task(specification["task"]), **fields)


def read_sets(
    specification: Mapping[str, Any],
    pieces_by_seed: Iterable[list[Slice]],
    results: Path,
    n_sequences: int,
    device: torch.device,
) -> LabelledSet:
    """Return one set per seed, the first n sequences of each."""
    task = specification["task"], specification["supervision"]
    sets = [read_sequences(*task, pieces, results, n_sequences) for pieces in pieces_by_seed]
    tokens, labels, lengths = (np.stack(part) for part in zip(*sets, strict=True))
    tokens, labels = (torch.from_numpy(part).to(device) for part in (tokens, labels))
    return LabelledSet(tokens, labels, lengths)


@dataclass(frozen=True)
class _Part:
    """What a job makes of a block: stretches of some of its replicates, which become one new part.

    Attributes
    ----------
    specification : dict
        Of the cell.
    seeds, learning_rates : tuple
        Those of the block.
    number : int
        Of the part.
    stretches : tuple of dict
        Of each replicate: ``seed``, ``learning_rate``, ``start``, ``until``, ``keep``.
    """

    specification: dict[str, Any]
    seeds: tuple[int, ...]
    learning_rates: tuple[float, ...]
    number: int
    stretches: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, curve: Mapping[str, Any], fields: Mapping[str, Any]) -> "_Part":
        """Return the part that an entry of ``blocks`` describes, its replicates in their order."""
        seeds, rates = tuple(fields["seeds"]), tuple(fields["learning_rates"])
        stretches = {_pair(stretch): stretch for stretch in fields["stretches"]}
        in_order = [(seed, rate) for seed in seeds for rate in rates]
        return cls(
            of_budget(curve, fields["budget"]),
            seeds,
            rates,
            fields["part"],
            tuple(stretches[pair] for pair in in_order if pair in stretches),
        )

    @property
    def budget(self) -> int:
        return self.specification["budget"]

    @property
    def pairs(self) -> list[tuple[int, float]]:
        """Seed and learning rate of each replicate."""
        return [_pair(stretch) for stretch in self.stretches]

    @property
    def own_seeds(self) -> tuple[int, ...]:
        """The seeds of the stretches, each once; the data of no others need be there."""
        return tuple(dict.fromkeys(seed for seed, _ in self.pairs))

    def path(self, results: Path, number: int | None = None) -> Path:
        """Return the path of this part, or of another one of the block."""
        number = self.number if number is None else number
        coordinates = coordinates_of(self.specification, self.seeds, self.learning_rates)
        return store_path(results, "cells", coordinates, digest(self.specification), number)


def _pair(stretch: Mapping[str, Any]) -> tuple[int, float]:
    return stretch["seed"], stretch["learning_rate"]


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
        self.called = curve["called"]
        self.specification = curve["specification"]
        self.rule = Rule(**curve["rule"])
        self.keep_every = curve["keep_every"]
        self.results = results
        self.checkpoint_interval_s = checkpoint_interval_s
        self.device = prepare_device(device_name, self.specification["precision"])
        self.model = model_of(self.specification)
        self.pool = pool_of(self.specification)
        self.name = curve_name(self.specification | self.called)
        self.parts = [_Part.of(self.specification, fields) for fields in curve["blocks"]]
        self.n_replicates = sum(len(part.stretches) for part in self.parts)
        self.checkpoints = {part.path(results): self._checkpoint(part) for part in self.parts}

    def train(self, progress: Progress, stop_asked: Callable[[], str | None]) -> None:
        """Make all parts, from checkpoints, stored states or initial weights, and write them."""
        packs: dict[int, list[tuple[_Part, PackState]]] = {}
        for part in self.parts:
            state = load_checkpoint(self.checkpoints[part.path(self.results)], self.device)
            if state is None:
                state = self._starting_state(part)
            else:
                progress.skip(self._done(part.stretches, state))
            if len(state.active):
                packs.setdefault(part.specification["batch_size"], []).append((part, state))
            else:
                self._write(part, state)
                progress.update(progress.done + len(part.stretches))
        for n_together, members in packs.items():
            parts, states = zip(*members, strict=True)
            self._train_pack(parts, join_states(states), n_together, progress, stop_asked)

    def _train_pack(
        self,
        parts: tuple[_Part, ...],
        state: PackState,
        n_together: int,
        progress: Progress,
        stop_asked: Callable[[], str | None],
    ) -> None:
        """Train the stretches of some parts; write each part as soon as all of its have ended."""
        seeds = sorted({seed for part in parts for seed in part.own_seeds})
        samplers = {
            (part.budget, seed): self._sampler(part.budget, seed, n_together)
            for part in parts
            for seed in part.own_seeds
        }
        stretches = [stretch for part in parts for stretch in part.stretches]
        replicates = [
            Replicate(
                noise_seed=derive_seed("dropout", **self._order_key(stretch["seed"])),
                learning_rate=stretch["learning_rate"],
                data_set=seeds.index(stretch["seed"]),
                sampler=samplers[part.budget, stretch["seed"]],
                until=stretch["until"],
                keep=tuple(stretch["keep"]),
            )
            for part in parts
            for stretch in part.stretches
        ]
        ends = np.cumsum([len(part.stretches) for part in parts]).tolist()
        unfinished = {
            number: slice(end - len(part.stretches), end)
            for number, (part, end) in enumerate(zip(parts, ends, strict=True))
        }
        budgets = ", ".join(str(part.budget or "fresh") for part in parts)
        done_before, steps_before = progress.done, state.n_steps.sum()
        started = last_saved = time.monotonic()

        def after_evaluation(state: PackState) -> None:
            nonlocal last_saved
            rate = (state.n_steps.sum() - steps_before) / (time.monotonic() - started)
            text = f"budgets {budgets}, step {state.step}, {rate:.0f} replicate-steps/s"
            progress.update(done_before + self._done(stretches, state), text)
            asked = stop_asked()
            due = time.monotonic() - last_saved >= self.checkpoint_interval_s
            for number, rows in list(unfinished.items()):
                part = parts[number]
                ended = not np.any((state.active >= rows.start) & (state.active < rows.stop))
                if ended or due or asked:
                    save_checkpoint(self.checkpoints[part.path(self.results)], state.part(rows))
                if ended:
                    self._write(part, state.part(rows))
                    del unfinished[number]
            if due:
                last_saved = time.monotonic()
            if asked and unfinished:
                raise StoppedError(
                    f"training {self.name} was stopped by {asked} at step {state.step}; its "
                    "checkpoints are saved, run it again to go on from there"
                )

        data = self._read_data(parts, seeds)
        rules = self._rules(n_together)
        with memory_errors_named(self.device, f"training {self.name} with budgets {budgets}"):
            at_once = launch_size(self.model, data, rules, len(state.active))
            train_pack(self.model, data, replicates, rules, state, at_once, after_evaluation)
        progress.update(done_before + len(replicates))

    def _done(self, stretches: Sequence[Mapping[str, Any]], state: PackState) -> float:
        """Return how many stretches are done; those that still train count in part."""
        shares = np.ones(len(stretches))
        for row in state.active:
            start, until = stretches[row]["start"], stretches[row]["until"] or self.rule.max_steps
            shares[row] = (state.n_steps[row] - start) / (until - start)
        return float(shares.sum())

    def _starting_state(self, part: _Part) -> PackState:
        """Return the state before the first step of each stretch, with what is known of its run."""
        seeds, starts = zip(*((s["seed"], s["start"]) for s in part.stretches), strict=True)
        if not part.number:
            return initial_state(self.model, seeds, self.device)
        joined = self._read_before(part)
        places = {pair: place for place, pair in enumerate(pairs_of(joined))}
        rows = [places[pair] for pair in part.pairs]
        counts = joined["n_evaluations"].values
        known = [joined["numbers"].values[row, : counts[row]] for row in rows]
        states = []
        for seed, start, row, numbers in zip(seeds, starts, rows, known, strict=True):
            if start:
                step, state = np.array([start]), _state_at(joined, row, start)
                states.append(stored_state(step, *state, [numbers], self.device))
            else:
                states.append(initial_state(self.model, [seed], self.device, [numbers]))
        return join_states(states)

    def _read_before(self, part: _Part) -> xr.Dataset:
        """Return what the earlier parts of a block hold of the replicates of a part."""
        paths = [part.path(self.results, number) for number in range(part.number)]
        return read_parts(paths, part.pairs)

    def _checkpoint(self, part: _Part) -> Path:
        """Return the path of the checkpoint of a part on this device.

        A part may be begun under one rule and be made under another, which has other stretches to train
        and ends runs elsewhere, or after earlier parts that were made anew, so that its checkpoint is
        another one.
        """
        work = {"rule": self.rule.as_dict(), "keep": self.keep_every, "stretches": part.stretches}
        before = (part.path(self.results, number) for number in range(part.number))
        work["before"] = [read_header(path)["summary"]["numbers"] for path in before]
        device = f"{describe_device(self.device)} {digest(work)}"
        return checkpoint_path(self.results, part.path(self.results), device)

    def _order_key(self, seed: int) -> dict[str, Any]:
        """Return what the order of the examples depends on: the task, and nothing of the model."""
        supervised = ("supervision", "length_distribution")
        task = self.specification["task"] | {key: self.specification[key] for key in supervised}
        return {"task": task, "length": self.specification["length"], "seed": seed}

    def _sampler(self, budget: int, seed: int, n_together: int) -> EpochSampler | FreshSampler:
        """Return what a seed sees in batches of so many sequences, from its budget or fresh."""
        if budget != FRESH:
            return EpochSampler(budget, n_together, self._order_key(seed))
        draw = self._draw_of(seed)
        return FreshSampler(lambda start, stop: draw(start, stop)[:2], n_together)

    def _draw_of(self, seed: int) -> Callable[[int, int], tuple[np.ndarray, ...]]:
        """Return the function from start and stop to these fresh examples: tokens, labels, lengths."""
        supervision, task_options = self.specification["supervision"], self.specification["task"]
        task = task_of_seed(task_options, self.called["task"], seed, self.results)

        def draw(start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            symbols, lengths = self.pool.draw(seed, start, stop)
            labels = task.labels(symbols)
            legal = self.pool.lengths
            tokens, labels = task.supervise(supervision, symbols, labels, lengths, legal)
            return tokens, labels, lengths - legal[0]

        return draw

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
        )

    def _read_data(self, parts: Iterable[_Part], seeds: list[int]) -> PackData:
        """Return the sets of the seeds, stacked.

        Budgets nest, so that the largest of a seed holds all its others; seeds whose largest is smaller
        are filled up with zeros that no sampler reaches. Where batches are fresh, the training sets are
        the first of them, on which fitting is measured.
        """
        specification, name = self.specification, self.called["task"]
        held_out = {}
        for split in HELD_OUT:
            pieces = [[held_slice(self.pool, name, seed, split)] for seed in seeds]
            size = self.pool.size(split)
            held_out[split] = read_sets(specification, pieces, self.results, size, self.device)
        if parts[0].budget == FRESH:
            n = specification["fitted_examples"]
            drawn = zip(*(self._draw_of(seed)(0, n) for seed in seeds), strict=True)
            tokens, labels, lengths = (np.stack(each) for each in drawn)
            train = LabelledSet(
                *(torch.from_numpy(each).to(self.device) for each in (tokens, labels)), lengths
            )
        else:
            largest = [max(p.budget for p in parts if seed in p.own_seeds) for seed in seeds]
            train = _padded(
                [
                    self._training_set(seed, budget, self.device)
                    for seed, budget in zip(seeds, largest, strict=True)
                ]
            )
        return PackData(train, **held_out, n_lengths=len(self.pool.sets))

    def _training_set(self, seed: int, budget: int, device: torch.device) -> LabelledSet:
        """Return the training set of a seed, on an axis of one set."""
        shards = [*training_slices(self.pool, self.called["task"], seed, budget)]
        return read_sets(self.specification, [shards], self.results, budget, device)

    def _write(self, part: _Part, state: PackState) -> None:
        """Write a part whose stretches have all ended."""
        self._check_replay(part, state)
        dataset = _dataset(part, state, self.rule)
        if build_task(self.specification["task"]).is_text:
            dataset["n_tokens"] = ("replicate", self._most_tokens(part))
        write_store(
            part.path(self.results),
            dataset,
            CELL,
            part.specification,
            provenance(
                device=describe_device(self.device),
                wall_time_s=round(float(state.wall_time_s.sum()), 3),
                called=self.called,
                **({"differs": True} if (state.differs >= 0).any() else {}),
            ),
            summary={
                **_summary(part, dataset),
                "rule": self.rule.as_dict(),
                "keep": self.keep_every,
            },
        )

    def _check_replay(self, part: _Part, state: PackState) -> None:
        """Check that steps that were taken before, for an earlier part, had the same result again."""
        for row in np.flatnonzero(state.differs >= 0):
            before = self._read_before(part)
            step = (int(state.differs[row]) + 1) * self.specification["evaluate_every"]
            seed, rate = part.pairs[row]
            made = " and ".join(
                f"{m['device']} ({m['system']})" for m in before.attrs["provenances"]
            )
            here = provenance()["system"]
            message = (
                f"store {part.path(self.results, 0)}: seed {seed}, learning rate {rate} was trained on "
                f"{made}; the same steps on {describe_device(self.device)} ({here}) give other numbers "
                f"at step {step}"
            )
            if self.device.type == "cpu":
                self.checkpoints[part.path(self.results)].unlink(missing_ok=True)
                raise ArtifactError(
                    f"{message}. Run it where the store was made, or remove the parts of this block, "
                    "which are then made anew"
                )
            logger.warning("%s: weights that are kept from now on are of the second run", message)

    def _most_tokens(self, part: _Part) -> np.ndarray:
        """Return the most tokens read of a text of the training set of each replicate (R,)."""
        most = {}
        for seed in part.own_seeds:
            train = self._training_set(seed, part.budget, torch.device("cpu"))
            last = (train.labels >= 0).any(1).nonzero()[:, 1].max()
            most[seed] = train.tokens.shape[2] - train.labels.shape[2] + int(last) + 1
        return np.array([most[seed] for seed, _ in part.pairs])


def _state_at(joined: xr.Dataset, row: int, step: int) -> list[np.ndarray]:
    """Return weights and both moments (1, P) of a replicate at a step."""
    chosen = []
    for axis, names in (("kept", ("weights",)), ("state", ("first_moment", "second_moment"))):
        at = (joined[f"{axis}_replicate"] == row) & (joined[f"{axis}_step"] == step)
        if at.sum() != 1:
            raise ArtifactError(
                f"store {joined.attrs['paths'][0]} and its parts hold no state of step {step} to go on "
                "from; run the workflow again, which plans anew"
            )
        chosen += [joined[name].values[at.values] for name in names]
    return chosen


def _padded(sets: Sequence[LabelledSet]) -> LabelledSet:
    """Return sets of one seed each as one, filled up with zeros to the largest."""
    tokens, labels, lengths = (
        pad_sequence([torch.as_tensor(part[0]) for part in parts], batch_first=True)
        for parts in zip(*((s.tokens, s.labels, s.lengths) for s in sets), strict=True)
    )
    return LabelledSet(tokens, labels, lengths.numpy())


def _dataset(part: _Part, state: PackState, rule: Rule) -> xr.Dataset:
    """Return what a part holds; see `nstar.store.schemas.CELL`."""
    arrays = arrays_of(state)
    if arrays["length_of"].shape[-1] == 1:  # the same as over all lengths
        arrays = {name: array for name, array in arrays.items() if "length_" not in name}
    del arrays["wall_time_s"]  # the provenance has the sum; a store is equal whenever it is made
    if part.specification["schedule"]["decay"] != "constant":  # at its end nothing can go on
        steps = state.n_steps[arrays["state_replicate"]]
        for name in ("state_replicate", "first_moment", "second_moment"):
            arrays[name] = arrays[name][steps < rule.max_steps]
    seeds, rates = zip(*part.pairs, strict=True)
    variables = {**CELL.variables, **CELL.optional}
    return xr.Dataset(
        {
            **{name: (variables[name].dimensions, array) for name, array in arrays.items()},
            "evaluate_every": ((), part.specification["evaluate_every"]),
        },
        coords={
            "seed": ("replicate", np.array(seeds)),
            "learning_rate": ("replicate", np.array(rates)),
        },
    )


def _summary(part: _Part, dataset: xr.Dataset) -> dict[str, Any]:
    """Return what plans have to know of a part."""
    evidence = [dataset[name].values for name in ("numbers", "first_evaluation", "n_evaluations")]
    kept: list[list[int]] = [[] for _ in part.pairs]
    for row, step in zip(
        dataset["kept_replicate"].values, dataset["kept_step"].values.tolist(), strict=True
    ):
        kept[row].append(step)
    states: list[int | None] = [None] * len(part.pairs)
    for row in dataset["state_replicate"].values:
        n_evaluations = (
            dataset["first_evaluation"].values[row] + dataset["n_evaluations"].values[row]
        )
        states[row] = int(part.specification["evaluate_every"] * n_evaluations)
    return {
        **pack(*evidence),
        "replicates": [list(pair) for pair in part.pairs],
        "kept": [sorted(steps) for steps in kept],
        "states": states,
    }
