"""The evidence of a pack: what its evaluations have measured, from the first of each replicate on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from nstar.measures.accuracy import tally
from nstar.measures.evidence import Counts, count
from nstar.models import StackedModel
from nstar.training.device import reduced
from nstar.training.sampler import EpochSampler
from nstar.training.step import LabelledSet, PackData, Replicate, Rules
from nstar.verdicts import MEASURES, QUANTITIES, SETS

COUNTED = ("whole_right", "position_right", "position_loss")
COUNTED_BY_LENGTH = ("length_right", "length_whole", "length_loss")
"""Fields of `Counts` that are recorded at every evaluation."""

OF = ("position_of", "length_of", "length_labels")
"""Fields of `Counts` that say out of how many; they are the same at every evaluation."""

BATCH = tuple(f"batch_{measure}" for measure in MEASURES)
"""Means over the batches since the last evaluation, in the order of `train_steps`."""


@dataclass
class Evidence:
    """What is known of R replicates, evaluation by evaluation, counted from 0.

    Attributes
    ----------
    numbers : ndarray of float32, shape (R, E, 3, 8)
        See `nstar.verdicts.verdicts`; NaN where nothing is known yet.
    first : ndarray of int64, shape (R,)
        Evaluations that were known before: those from here on are new.
    n_known : ndarray of int64, shape (R,)
    differs : ndarray of int64, shape (R,)
        First evaluation whose numbers were known and have come out otherwise, -1 for none.
    rows : dict of str to ndarray, shape (R, C, ...)
        `COUNTED`, `COUNTED_BY_LENGTH` and `BATCH`; row i is evaluation ``first + i``.
    of : dict of str to ndarray, shape (R, 4, ...)
        `OF`, by set; the last is the test set.
    """

    numbers: np.ndarray
    first: np.ndarray
    n_known: np.ndarray
    differs: np.ndarray
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    of: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def after(cls, known: Sequence[np.ndarray]) -> "Evidence":
        """Return evidence of which each replicate has its numbers (n, 3, 8) of before."""
        n = np.array([len(one) for one in known], dtype=np.int64)
        numbers = np.full((len(n), n.max(initial=0), len(SETS), len(QUANTITIES)), np.nan, "float32")
        for r, one in enumerate(known):
            numbers[r, : n[r]] = one
        return cls(numbers, n, n.copy(), np.full(len(n), -1))

    def add(
        self, replicates: np.ndarray, evaluation: int, batch: Tensor, sets: Mapping[str, Counts]
    ) -> None:
        """Record an evaluation of some replicates, or compare it with what was known.

        A replicate has diverged where a loss is NaN or infinite, and then all its numbers are NaN.
        """
        batch_means = batch.cpu().numpy()  # (3, R')
        numbers = np.stack([sets[name].numbers for name in SETS], axis=1)  # (R', 3, 8)
        losses = batch_means[0] + numbers[:, : SETS.index("confirmation"), 0].sum(axis=1)
        numbers[~np.isfinite(losses)] = np.nan
        known = evaluation < self.n_known[replicates]
        for r, found in zip(replicates[known], numbers[known], strict=True):
            same = np.array_equal(self.numbers[r, evaluation], found, equal_nan=True)
            if not same and self.differs[r] < 0:
                self.differs[r] = evaluation
        new = replicates[~known]
        self.numbers = _with_room(self.numbers, evaluation + 1, np.nan)
        self.numbers[new, evaluation] = numbers[~known]
        self.n_known[new] = evaluation + 1
        place = evaluation - self.first[new]
        recorded = {
            name: np.stack([getattr(sets[one], name) for one in SETS], axis=1)
            for name in (*COUNTED, *COUNTED_BY_LENGTH)
        }
        recorded |= dict(zip(BATCH, batch_means, strict=True))
        for name, values in recorded.items():
            none_yet = np.zeros((len(self.first), 0, *values.shape[1:]), values.dtype)
            rows = self.rows.get(name, none_yet)
            self.rows[name] = _with_room(rows, place.max(initial=-1) + 1, 0)
            self.rows[name][new, place] = values[~known]
        for name in SETS:
            self.add_sizes(replicates, name, sets[name])

    def add_sizes(self, replicates: np.ndarray, name: str, counts: Counts) -> None:
        """Record out of how many a set of some replicates counts."""
        which = (*SETS, "test").index(name)
        for one in OF:
            values = getattr(counts, one)
            if one not in self.of:
                shape = len(self.first), len(SETS) + 1, *values.shape[1:]
                self.of[one] = np.zeros(shape, values.dtype)
            self.of[one][replicates, which] = values

    def part(self, rows: slice) -> "Evidence":
        """Return the evidence of some rows of R."""
        return Evidence(
            *(getattr(self, name)[rows] for name in ("numbers", "first", "n_known", "differs")),
            rows={name: values[rows] for name, values in self.rows.items()},
            of={name: values[rows] for name, values in self.of.items()},
        )

    @classmethod
    def join(cls, parts: Sequence["Evidence"]) -> "Evidence":
        """Return the evidence of the replicates of several, one after the other."""
        n_rows = [len(part.first) for part in parts]
        return cls(
            _joined([part.numbers for part in parts], np.nan),
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("first", "n_known", "differs")
            ),
            rows=_joined_by_name([part.rows for part in parts], n_rows),
            of=_joined_by_name([part.of for part in parts], n_rows),
        )


def evaluate(
    model: StackedModel,
    data: PackData,
    members: Sequence[Replicate],
    parameters: Tensor,
    rules: Rules,
    names: Sequence[str] = SETS,
) -> dict[str, Counts]:
    """Measure some replicates, without dropout, on sets of `PackData`.

    Parameters
    ----------
    parameters : Tensor, shape (R, P')
        Of the members.
    names : sequence of str
        Of the sets; of a training set at most `Rules.fitted_examples` are looked at, evenly spaced.
    """
    found = {}
    for name in names:
        if name == "train":
            found[name] = _of_training_set(model, data, members, parameters, rules)
        else:
            found[name] = _of_set(
                model, getattr(data, name), members, parameters, rules, data.n_lengths
            )
    return found


def _of_training_set(
    model: StackedModel,
    data: PackData,
    members: Sequence[Replicate],
    parameters: Tensor,
    rules: Rules,
) -> Counts:
    """Measure replicates whose training sets differ in size: those of a size together."""
    sizes = np.array([_n_examples(member, data) for member in members])
    order = np.argsort(sizes, kind="stable")
    found = []
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        chosen = parameters if len(rows) == len(members) else parameters[torch.from_numpy(rows)]
        own = [members[row] for row in rows]
        fitted = fitted_part(data.train, int(size), rules.fitted_examples)
        found.append(_of_set(model, fitted, own, chosen, rules, data.n_lengths))
    back = np.argsort(order)
    fields = vars(found[0])
    return Counts(*(np.concatenate([vars(one)[name] for one in found])[back] for name in fields))


def _n_examples(member: Replicate, data: PackData) -> int:
    """Return how many sequences a replicate has for training, or has drawn first of fresh ones."""
    fixed = isinstance(member.sampler, EpochSampler)
    return member.sampler.n_examples if fixed else data.train.tokens.shape[1]


def fitted_part(train: LabelledSet, n_examples: int, most: int) -> LabelledSet:
    """Return the first n examples of a training set, or `most` of them, evenly spaced."""
    n = min(n_examples, most)
    index: slice | np.ndarray = slice(n)
    if n < n_examples:
        index = np.arange(n) * n_examples // n
    on_device = index
    if isinstance(index, np.ndarray):
        on_device = torch.from_numpy(index).to(train.tokens.device)
    return LabelledSet(
        train.tokens[:, on_device], train.labels[:, on_device], train.lengths[:, index]
    )


def _of_set(
    model: StackedModel,
    labelled: LabelledSet,
    members: Sequence[Replicate],
    parameters: Tensor,
    rules: Rules,
    n_lengths: int,
) -> Counts:
    rows = torch.tensor([member.data_set for member in members])
    on_device = rows.to(parameters.device)
    with reduced(rules.precision, parameters.device):
        sums = tally(model, model.views(parameters), labelled.tokens, labelled.labels, on_device)
    return count(sums, labelled.lengths[rows.numpy()], n_lengths)


def _with_room(array: np.ndarray, n: int, fill: float) -> np.ndarray:
    """Return an array (R, n or more, ...), grown by at least half of its size where it is too small."""
    if n <= array.shape[1]:
        return array
    return _padded(array, max(n, array.shape[1] * 3 // 2), fill)


def _padded(array: np.ndarray, n: int, fill: float) -> np.ndarray:
    """Return an array (R, n, ...)."""
    widths = [(0, 0), (0, n - array.shape[1]), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, widths, constant_values=fill)


def _joined(arrays: Sequence[np.ndarray], fill: float) -> np.ndarray:
    """Return arrays (R, C, ...) one after the other, each filled up to the longest."""
    n = max(array.shape[1] for array in arrays)
    return np.concatenate([_padded(array, n, fill) for array in arrays])


def _joined_by_name(
    parts: Sequence[Mapping[str, np.ndarray]], n_rows: Sequence[int]
) -> dict[str, np.ndarray]:
    """Join arrays by name; a part without an evaluation has none of them yet."""
    joined = {}
    for name, like in {name: array for part in parts for name, array in part.items()}.items():
        none_yet = (np.zeros((n, 0, *like.shape[2:]), like.dtype) for n in n_rows)
        joined[name] = _joined(
            [part.get(name, none) for part, none in zip(parts, none_yet, strict=True)], 0
        )
    return joined
