"""Train the blocks of replicates that curves are short of."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from nstar.cells import Block, Cell, Slice, batch_size, training_slices, validation_slice
from nstar.cells.naming import curve_name
from nstar.cells.paths import checkpoint_path, store_path
from nstar.errors import StoppedError
from nstar.jobs.generation import read_sequences, task_of_seed
from nstar.jobs.networks import model_of
from nstar.outcomes import OUTCOMES
from nstar.progress import Progress
from nstar.seeds import derive_seed
from nstar.specification import digest
from nstar.store.archive import write_store
from nstar.store.provenance import provenance
from nstar.store.schemas import CELL
from nstar.study import FRESH
from nstar.tasks import Pool, build_task
from nstar.training.checkpoint import load_checkpoint, save_checkpoint
from nstar.training.device import describe_device, memory_errors_named, prepare_device
from nstar.training.launch import launch_size
from nstar.training.loop import PackState, initial_state, join_states, train_pack
from nstar.training.sampler import EpochSampler, FreshSampler
from nstar.training.schedule import Schedule
from nstar.training.step import PackData, Replicate, Rules


def train_cells(
    job: Mapping[str, Any],
    results: Path,
    device_name: str,
    checkpoint_interval_s: float,
    stop_asked: Callable[[], str | None] = lambda: None,
) -> None:
    """Train the blocks of some curves and write a store for each.

    Parameters
    ----------
    job : mapping
        ``curves``: of each its ``model`` and ``task`` (names), ``specification`` (that of the cells
        without their budget) and ``blocks`` (budget, seeds, learning_rates).
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
    StoppedError
        If the job was asked to stop; all that was done is in checkpoints and stores.

    Notes
    -----
    Every block has a checkpoint of its own, which lies outside of the declared outputs and stays until
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
    names = ("length_distribution", "length", "held_out")
    fields = {name: specification[name] for name in names}
    fields["held_out"] = tuple(fields["held_out"])
    return Pool(build_task(specification["task"]), **fields)


def read_sets(
    specification: Mapping[str, Any],
    pieces_by_seed: Iterable[list[Slice]],
    results: Path,
    n_sequences: int,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return tokens (S, n, T) and labels (S, n, T') of one set per seed, the first n of each."""
    task = specification["task"], specification["supervision"]
    sets = [read_sequences(*task, pieces, results, n_sequences) for pieces in pieces_by_seed]
    tokens, labels = (
        torch.from_numpy(np.stack(part)).to(device) for part in zip(*sets, strict=True)
    )
    return tokens, labels


class _Curve:
    """The blocks of one model, task and length that a job trains.

    Blocks whose batches have the same size, and whose checkpoints have come as far, share a pack: their
    budgets differ, the shapes do not.
    """

    def __init__(
        self, part: Mapping[str, Any], results: Path, device_name: str, checkpoint_interval_s: float
    ):
        self.specification = part["specification"]
        self.training = self.specification["training"]
        self.results = results
        self.checkpoint_interval_s = checkpoint_interval_s
        self.device = prepare_device(device_name, self.training["precision"])
        self.model = model_of(self.specification)
        names = {name: part[name] for name in ("model", "task")}
        self.name = curve_name(self.specification | names)
        self.blocks = [
            Block(
                Cell.of(self.specification | names, budget=fields["budget"]),
                tuple(fields["seeds"]),
                tuple(fields["learning_rates"]),
            )
            for fields in part["blocks"]
        ]
        self.n_replicates = sum(len(block.replicates) for block in self.blocks)
        self.checkpoints = {block: self._checkpoint(block) for block in self.blocks}

    def train(self, progress: Progress, stop_asked: Callable[[], str | None]) -> None:
        """Train all blocks, from their checkpoints or from the start, and write their stores."""
        packs: dict[tuple[int, int], list[tuple[Block, PackState]]] = {}
        for block in self.blocks:
            state = load_checkpoint(self.checkpoints[block], self.device)
            if state is None:
                seeds = [self._initial_seed(seed) for seed, _ in _replicates(block)]
                state = initial_state(self.model, seeds, self.device)
            else:
                progress.skip(self._done(state))
            if len(state.active):
                key = (batch_size(self.training["batch_size"], block.cell.budget), state.step)
                packs.setdefault(key, []).append((block, state))
            else:
                self._write(block, state)
                progress.update(progress.done + len(block.replicates))
        for (n_together, _), members in packs.items():
            blocks, states = zip(*members, strict=True)
            self._train_pack(blocks, join_states(states), n_together, progress, stop_asked)

    def _train_pack(
        self,
        blocks: tuple[Block, ...],
        state: PackState,
        n_together: int,
        progress: Progress,
        stop_asked: Callable[[], str | None],
    ) -> None:
        """Train blocks from a common step on; write the store of each as soon as it has ended."""
        seeds = sorted({seed for block in blocks for seed in block.seeds})
        replicates = [
            Replicate(self._initial_seed(seed), rate, seeds.index(seed), sampler)
            for block in blocks
            for seed in block.seeds
            for sampler in [self._sampler(block.cell.budget, seed, n_together)]
            for rate in block.learning_rates
        ]
        ends = np.cumsum([len(block.replicates) for block in blocks])
        unfinished = {
            block: slice(end - len(block.replicates), end)
            for block, end in zip(blocks, map(int, ends), strict=True)
        }
        budgets = ", ".join(str(block.cell.budget or "fresh") for block in blocks)
        done_before, steps_before = progress.done, state.n_steps.sum()
        started = last_saved = time.monotonic()

        def after_evaluation(state: PackState) -> None:
            nonlocal last_saved
            rate = (state.n_steps.sum() - steps_before) / (time.monotonic() - started)
            text = f"budgets {budgets}, step {state.step}, {rate:.0f} replicate-steps/s"
            progress.update(done_before + self._done(state), text)
            asked = stop_asked()
            due = time.monotonic() - last_saved >= self.checkpoint_interval_s
            for block, rows in list(unfinished.items()):
                ended = not np.any((state.active >= rows.start) & (state.active < rows.stop))
                if ended or due or asked:
                    save_checkpoint(self.checkpoints[block], state.part(rows))
                if ended:
                    self._write(block, state.part(rows))
                    del unfinished[block]
            if due:
                last_saved = time.monotonic()
            if asked and unfinished:
                raise StoppedError(
                    f"training {self.name} was stopped by {asked} at step {state.step}; its "
                    "checkpoints are saved, run it again to go on from there"
                )

        data = self._read_data(blocks, seeds, n_together)
        rules = self._rules(n_together)
        with memory_errors_named(self.device, f"training {self.name} with budgets {budgets}"):
            at_once = launch_size(self.model, data, rules, len(state.active))
            train_pack(self.model, data, replicates, rules, state, at_once, after_evaluation)
        progress.update(done_before + len(replicates))

    def _done(self, state: PackState) -> float:
        """Return how many replicates of a state are done; those that still train count in part."""
        n_active = len(state.active)
        share = state.step / self.training["max_steps"]
        return len(state.outcome) - n_active + n_active * share

    def _checkpoint(self, block: Block) -> Path:
        """Return the path of the checkpoint of a block on this device."""
        return checkpoint_path(self.results, self._store(block), describe_device(self.device))

    def _store(self, block: Block) -> Path:
        """Return the path of the store of a block."""
        name = digest(self._cell_specification(block))
        return store_path(self.results, "cells", block.coordinates, name)

    def _cell_specification(self, block: Block) -> dict[str, Any]:
        return {**self.specification, "budget": block.cell.budget}

    def _initial_seed(self, seed: int) -> int:
        """Return the seed of the initial weights: its own for each seed, task, length and model."""
        model = self.specification["model"]
        return derive_seed("initialisation", model=model, **self._order_key(seed))

    def _order_key(self, seed: int) -> dict[str, Any]:
        """Return what the order of the examples depends on: the task, and nothing of the model."""
        supervised = ("supervision", "length_distribution")
        task = self.specification["task"] | {key: self.specification[key] for key in supervised}
        return {"task": task, "length": self.specification["length"], "seed": seed}

    def _sampler(self, budget: int, seed: int, n_together: int) -> EpochSampler | FreshSampler:
        """Return what a seed sees in batches of so many sequences, from its budget or fresh."""
        if budget != FRESH:
            return EpochSampler(budget, n_together, self._order_key(seed))
        pool, supervision = pool_of(self.specification), self.specification["supervision"]
        name = self.blocks[0].cell.task
        task = task_of_seed(self.specification["task"], name, seed, self.results)

        def draw(start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
            symbols, lengths = pool.draw(seed, start, stop)
            labels = task.labels(symbols)
            return task.supervise(supervision, symbols, labels, lengths, pool.lengths)

        return FreshSampler(draw, n_together)

    def _rules(self, n_together: int) -> Rules:
        training, weight_decay = self.training, self.specification["model"].get("weight_decay")
        own = {} if weight_decay is None else {"weight_decay": weight_decay}
        return Rules(
            batch_size=n_together,
            max_steps=training["max_steps"],
            evaluate_every=training["evaluate_every"],
            patience=training["patience"],
            success_measure=training["success"]["measure"],
            success_threshold=training["success"]["threshold"],
            success_at=training["success"]["at"],
            stop_on_success=training["stop_on_success"],
            optimiser={**training["optimiser"], **own},
            schedule=Schedule(training["max_steps"], **training["schedule"]),
            precision=training["precision"],
            snapshot_every=training.get("snapshot_every"),
        )

    def _read_data(self, blocks: Iterable[Block], seeds: list[int], n_together: int) -> PackData:
        """Return the sets of the seeds, stacked.

        Budgets nest, so that the largest of a seed holds all its others; seeds whose largest is smaller
        are filled up with zeros that no sampler reaches. Where batches are fresh there are only zeros.
        """
        pool, name = pool_of(self.specification), self.blocks[0].cell.task
        pieces = [[validation_slice(pool, name, seed)] for seed in seeds]
        validation = read_sets(
            self.specification, pieces, self.results, pool.n_validation, self.device
        )
        if self.blocks[0].cell.budget == FRESH:
            blank = (part.new_zeros(1, n_together, part.shape[-1]) for part in validation)
            return PackData(*blank, *validation)
        tokens, labels = [], []
        for seed in seeds:
            largest = max(block.cell.budget for block in blocks if seed in block.seeds)
            shards = [*training_slices(pool, name, seed, largest)]
            parts = read_sets(self.specification, [shards], self.results, largest, self.device)
            for stored, part in zip((tokens, labels), parts, strict=True):
                stored.append(part[0])
        return PackData(
            pad_sequence(tokens, batch_first=True),
            pad_sequence(labels, batch_first=True),
            *validation,
        )

    def _write(self, block: Block, state: PackState) -> None:
        """Write the store of a block whose replicates have all ended."""
        specification = self._cell_specification(block)
        dataset = _dataset(block, state, self.model.n_parameters, self.training)
        if build_task(specification["task"]).is_text:
            dataset["n_tokens"] = ("replicate", self._most_tokens(block))
        write_store(
            self._store(block),
            dataset,
            CELL,
            specification,
            provenance(
                device=describe_device(self.device),
                wall_time_s=round(float(state.wall_time_s.sum()), 3),
            ),
            summary={"outcome": [OUTCOMES[outcome] for outcome in state.outcome]},
        )

    def _most_tokens(self, block: Block) -> np.ndarray:
        """Return the most tokens read of a text of the training set of each replicate (R,)."""
        pool, most = pool_of(self.specification), {}
        for seed in block.seeds:
            shards = [*training_slices(pool, block.cell.task, seed, block.cell.budget)]
            sets = (self.specification, [shards], self.results, block.cell.budget)
            tokens, labels = read_sets(*sets, torch.device("cpu"))
            last = (labels >= 0).any(1).nonzero()[:, 1].max()
            most[seed] = tokens.shape[2] - labels.shape[2] + int(last) + 1
        return np.array([most[seed] for seed, _ in _replicates(block)])


def _replicates(block: Block) -> list[tuple[int, float]]:
    """Return seed and learning rate of the replicates of a block, in the order of its store."""
    return [(seed, rate) for seed in block.seeds for rate in block.learning_rates]


def _dataset(
    block: Block, state: PackState, n_parameters: int, training: Mapping[str, Any]
) -> xr.Dataset:
    """Return what the store of a block holds; see `nstar.store.schemas.CELL`."""
    evaluate_every = training["evaluate_every"]
    seeds, rates = zip(*_replicates(block), strict=True)
    last_step = state.n_steps.max()
    n_evaluations = -(-last_step // evaluate_every)
    steps = np.minimum(evaluate_every * np.arange(1, n_evaluations + 1), last_step)
    outcome_meaning = {
        "flag_values": list(range(len(OUTCOMES))),
        "flag_meanings": " ".join(OUTCOMES),
    }
    curves = {name: np.stack(curve[:n_evaluations], axis=1) for name, curve in state.curves.items()}
    dataset = xr.Dataset(
        {
            "outcome": ("replicate", state.outcome, outcome_meaning),
            "diverged": ("replicate", state.diverged),
            "n_steps": ("replicate", state.n_steps),
            "parameters": (
                ("replicate", "parameter"),
                state.final_parameters[:, :n_parameters].cpu().numpy(),
            ),
            **{name: (("replicate", "evaluation"), curve) for name, curve in curves.items()},
        },
        coords={
            "seed": ("replicate", np.array(seeds)),
            "learning_rate": ("replicate", np.array(rates)),
            "step": ("evaluation", steps),
        },
    )
    if state.snapshots:
        snapshots = np.stack(state.snapshots, axis=1)[:, :, :n_parameters]
        at = training["snapshot_every"] * np.arange(1, len(state.snapshots) + 1)
        dataset["snapshot_parameters"] = (("replicate", "snapshot", "parameter"), snapshots)
        dataset.coords["snapshot_step"] = ("snapshot", at)
    return dataset
