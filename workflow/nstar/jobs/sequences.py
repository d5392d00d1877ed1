"""Which sequences the runs of a curve see, and in which order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from nstar.cells import Slice, held_slice, training_slices
from nstar.jobs.generation import read_sequences, task_of_seed
from nstar.seeds import derive_seed
from nstar.study import FRESH
from nstar.tasks import HELD_OUT, Pool, build_task
from nstar.training.sampler import EpochSampler, FreshSampler
from nstar.training.step import LabelledSet, PackData


class Sequences:
    """What the runs of a curve see.

    Parameters
    ----------
    specification : mapping
        That of the curve; see `nstar.cells.curve_specification`.
    task : str
        Name of its task.
    results : Path
    device : torch.device
        Where sets are put.
    """

    def __init__(
        self, specification: Mapping[str, Any], task: str, results: Path, device: torch.device
    ):
        self.specification = specification
        self.task = task
        self.results = results
        self.device = device
        self.pool = specified_pool(specification)

    def noise_seed(self, seed: int) -> int:
        """Return the seed of the dropout of a replicate, by that of its order."""
        return derive_seed("dropout", **self._order_key(seed))

    def sampler(self, budget: int, seed: int, n_together: int) -> EpochSampler | FreshSampler:
        """Return what is seen in batches of so many sequences: the order of a training set, or draws.

        The seed is that of the order, and of fresh batches that of the data: their order is that in which
        they are drawn.
        """
        if budget != FRESH:
            return EpochSampler(budget, n_together, self._order_key(seed))
        draw = self._draw_of(seed)
        return FreshSampler(lambda start, stop: draw(start, stop)[:2], n_together)

    def read(self, budgets: Mapping[int, int]) -> PackData:
        """Return the sets of some seeds of the data, stacked in their order.

        Parameters
        ----------
        budgets : mapping of int to int
            The largest budget of each seed, which holds all its others; seeds whose largest is smaller
            are filled up with zeros that no sampler reaches. Where batches are fresh, the training sets
            are the first of them, on which fitting is measured.
        """
        held_out = {}
        for split in HELD_OUT:
            pieces = [[held_slice(self.pool, self.task, seed, split)] for seed in budgets]
            size = self.pool.size(split)
            held_out[split] = read_sets(self.specification, pieces, self.results, size, self.device)
        if FRESH in budgets.values():
            n = self.specification["fitted_examples"]
            drawn = zip(*(self._draw_of(seed)(0, n) for seed in budgets), strict=True)
            tokens, labels, lengths = (np.stack(each) for each in drawn)
            train = LabelledSet(
                *(torch.from_numpy(each).to(self.device) for each in (tokens, labels)), lengths
            )
        else:
            train = _padded([self._training_set(*pair, self.device) for pair in budgets.items()])
        return PackData(train, **held_out, n_lengths=len(self.pool.sets))

    def most_tokens(self, seed: int, budget: int) -> int:
        """Return the most tokens read of a text of the training set of a seed."""
        train = self._training_set(seed, budget, torch.device("cpu"))
        last = (train.labels >= 0).any(1).nonzero()[:, 1].max()
        return train.tokens.shape[2] - train.labels.shape[2] + int(last) + 1

    def _order_key(self, seed: int) -> dict[str, Any]:
        """Return what the order of the examples depends on: the task, and nothing of the model.

        It is one of places in a training set, whatever sequences stand there.
        """
        supervised = ("supervision", "length_distribution")
        task = self.specification["task"] | {key: self.specification[key] for key in supervised}
        return {"task": task, "length": self.specification["length"], "seed": seed}

    def _draw_of(self, seed: int) -> Callable[[int, int], tuple[np.ndarray, ...]]:
        """Return the function from start and stop to these fresh examples: tokens, labels, lengths."""
        supervision, task_options = self.specification["supervision"], self.specification["task"]
        task = task_of_seed(task_options, self.task, seed, self.results)

        def draw(start: int, stop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            symbols, lengths = self.pool.draw(seed, start, stop)
            labels = task.labels(symbols)
            legal = self.pool.lengths
            tokens, labels = task.supervise(supervision, symbols, labels, lengths, legal)
            return tokens, labels, lengths - legal[0]

        return draw

    def _training_set(self, seed: int, budget: int, device: torch.device) -> LabelledSet:
        """Return the training set of a seed, on an axis of one set."""
        shards = [*training_slices(self.pool, self.task, seed, budget)]
        return read_sets(self.specification, [shards], self.results, budget, device)


def specified_pool(specification: Mapping[str, Any]) -> Pool:
    """Return the sequences that a cell draws from, by its specification."""
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


def _padded(sets: Sequence[LabelledSet]) -> LabelledSet:
    """Return sets of one seed each as one, filled up with zeros to the largest."""
    tokens, labels, lengths = (
        pad_sequence([torch.as_tensor(part[0]) for part in parts], batch_first=True)
        for parts in zip(*((s.tokens, s.labels, s.lengths) for s in sets), strict=True)
    )
    return LabelledSet(tokens, labels, lengths.numpy())
