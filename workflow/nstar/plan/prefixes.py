"""What the parts of a block hold, and what the rule of a study still wants of its runs.

The parts of a block are a prefix of each of its trajectories. A study reads a prefix up to the evaluation
at which its own rule ends the run. Headers say all that is needed to judge; no array is read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nstar.cells import Block
from nstar.errors import ArtifactError
from nstar.store.evidence import unpack
from nstar.verdicts import OUTCOMES, QUANTITIES, SETS, Rule, first_published_pass, verdicts

Replicate = tuple[int, float]
"""Seed and learning rate."""


@dataclass(frozen=True)
class Stretch:
    """Steps of one replicate that a job makes.

    Attributes
    ----------
    seed : int
    learning_rate : float
    start : int
        Step of the stored state to go on from, 0 for the initial weights.
    until : int or None
        Step at which a replay ends; None: the rule of the study ends it.
    keep : tuple of int
        Steps whose weights are wanted, beside those that training keeps by itself.
    """

    seed: int
    learning_rate: float
    start: int = 0
    until: int | None = None
    keep: tuple[int, ...] = ()

    @property
    def kind(self) -> Literal["replay", "continue", "train"]:
        """What the job does: a replay makes weights alone, the others make evidence."""
        if self.until is not None:
            return "replay"
        return "continue" if self.start else "train"


@dataclass(frozen=True)
class Judged:
    """What a rule says of a replicate of a block, and what it lacks.

    Attributes
    ----------
    ended : bool
        Whether the rule ends the run within the prefix.
    outcome : str
        One of `nstar.verdicts.OUTCOMES`; of a run that has not ended it may change.
    n_steps : int
        Steps to the end, or of the prefix.
    parts : frozenset of int
        Parts that hold what the rule reads: evaluations, and wanted weights that are kept.
    stretch : Stretch or None
        What has to be made.
    """

    ended: bool
    outcome: str
    n_steps: int
    parts: frozenset[int]
    stretch: Stretch | None


class Prefix:
    """The parts of a block joined: of each evaluation, weight and state the first part that has it.

    Parameters
    ----------
    block : Block
    paths : sequence of str
        Of the parts, part 0 first; for messages.
    summaries : sequence of mapping
        Of their headers.

    Raises
    ------
    ArtifactError
        If a header lacks the evidence, or is of other replicates.
    """

    def __init__(self, block: Block, paths: Sequence[str], summaries: Sequence[Mapping[str, Any]]):
        self.block = block
        self.replicates: list[Replicate] = [
            (seed, rate) for seed in block.seeds for rate in block.learning_rates
        ]
        self.rules = [summary.get("rule") for summary in summaries]
        n = len(self.replicates)
        self.kept: list[dict[int, int]] = [{} for _ in range(n)]
        self.states: list[dict[int, int]] = [{} for _ in range(n)]
        parts = []
        for part, (path, summary) in enumerate(zip(paths, summaries, strict=True)):
            evidence, rows = unpack(summary, path), self._rows(part, path, summary)
            parts.append((rows, *evidence))
            for row, steps, state in zip(rows, summary["kept"], summary["states"], strict=True):
                for step in steps:
                    self.kept[row].setdefault(step, part)
                if state is not None:
                    self.states[row].setdefault(state, part)
        if len(parts) == 1 and not parts[0][2].any():  # what most blocks are
            _, self.numbers, _, self.n_known = parts[0]
            self._part_of = None
        else:
            self._join(parts)

    def _rows(self, part: int, path: str, summary: Mapping[str, Any]) -> list[int]:
        """Return which replicates of the block those of a part are."""
        try:
            if part == 0:
                rows = list(range(len(self.replicates)))
            else:
                pairs = [(seed, rate) for seed, rate in summary["replicates"]]
                rows = [self.replicates.index(pair) for pair in pairs]
            sizes = {len(rows), *(len(summary[name]) for name in ("n", "kept", "states"))}
            if len(sizes) != 1:
                raise ValueError(f"lists of {sorted(sizes)} replicates")
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"store {path} has a damaged header, or is of other replicates than its path says "
                f"({error}); remove it and run again, only this store is made anew: rm '{path}'"
            ) from None
        return rows

    def _join(self, parts: Iterable[tuple]) -> None:
        parts = list(parts)
        shape = (
            len(self.replicates),
            max(int((first + n).max(initial=0)) for _, _, first, n in parts),
        )
        self.numbers = np.full((*shape, len(SETS), len(QUANTITIES)), np.nan, np.float32)
        self._part_of = np.full(shape, -1)
        for part, (rows, numbers, first, n) in enumerate(parts):
            for i, row in enumerate(rows):
                added = slice(first[i], first[i] + n[i])
                new = self._part_of[row, added] < 0
                self.numbers[row, added][new] = numbers[i, : n[i]][new]
                self._part_of[row, added][new] = part
        there = self._part_of >= 0
        self.n_known = np.logical_and.accumulate(there, axis=1).sum(axis=1)  # ends before a hole

    def parts_of(self, row: int, n: int) -> set[int]:
        """Return the parts that hold the first n evaluations of a replicate."""
        if self._part_of is None:
            return {0}
        return set(self._part_of[row, :n].tolist())

    def judge(self, every: int, rule: Rule, keep_every: int | None) -> list[Judged]:
        """Return what a rule says of each replicate of the block.

        Parameters
        ----------
        every : int
            Steps between two evaluations.
        rule : Rule
        keep_every : int or None
            Distance of the steps at which weights are wanted too, a multiple of `every`.
        """
        found = verdicts(self.numbers, self.n_known, every, rule)
        first = first_published_pass(self.numbers, found.end + 1, rule)
        judged = []
        for row, (seed, rate) in enumerate(self.replicates):
            ended, last = bool(found.ended[row]), every * (int(found.end[row]) + 1)
            wanted = {last} if ended else set()
            if ended or rule.at == "best":
                wanted.add(every * (int(found.learnt_at[row]) + 1))
            wanted.add(every * (int(first[row]) + 1))
            if keep_every is not None:
                wanted.update(range(keep_every, last + 1, keep_every))
            wanted.discard(0)  # -1 stands for never
            kept = self.kept[row]
            missing = tuple(sorted(wanted - kept.keys()))
            parts = self.parts_of(row, last // every)
            parts.update(kept[step] for step in wanted & kept.keys())
            stretch = None
            if missing or not ended:
                before = min(missing[0] - 1, last) if missing else last
                start = max((step for step in self.states[row] if step <= before), default=0)
                stretch = Stretch(seed, rate, start, missing[-1] if ended else None, missing)
            outcome = OUTCOMES[found.outcome[row]]
            judged.append(Judged(ended, outcome, last, frozenset(parts), stretch))
        return judged
