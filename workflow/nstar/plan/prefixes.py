"""What the parts of a block hold, and what the rule of a study still wants of its runs.

The parts of a block are a prefix of each of its trajectories. A study reads a prefix up to the evaluation
at which its own rule ends the run. Headers say all that is needed to judge; no array is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from nstar.cells import Block
from nstar.plan.work import Replicate, Stretch
from nstar.store.evidence import unpack
from nstar.store.header import checked_seed, of_header
from nstar.store.joint import Joint
from nstar.verdicts import OUTCOMES, Rule, first_published_pass, verdicts


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
        self.kept: list[dict[int, int]] = [{} for _ in self.replicates]
        self.states: list[dict[int, int]] = [{} for _ in self.replicates]
        evidence, rows_of = [], []
        for part, (path, summary) in enumerate(zip(paths, summaries, strict=True)):
            evidence.append(unpack(summary, path))
            rows = self._rows(part, path, summary)
            rows_of.append(rows)
            for row, steps, state in zip(rows, summary["kept"], summary["states"], strict=True):
                for step in steps:
                    self.kept[row].setdefault(step, part)
                if state is not None:
                    self.states[row].setdefault(state, part)
        numbers, first, n = zip(*evidence, strict=True)
        self.joint = Joint(len(self.replicates), rows_of, first, n)
        self.numbers = self.joint.join(numbers)

    def _rows(self, part: int, path: str, summary: Mapping[str, Any]) -> list[int]:
        """Return which replicates of the block those of a part are, of a header in order."""
        with of_header(path):
            pairs = [(checked_seed(seed), rate) for seed, rate in summary["replicates"]]
            foreign = set(pairs) - set(self.replicates)
            if foreign or len(set(pairs)) < len(pairs) or (part == 0 and pairs != self.replicates):
                raise ValueError("it is of other replicates than its path says")
            rows = [self.replicates.index(pair) for pair in pairs]
            sizes = {len(rows), *(len(summary[name]) for name in ("n", "kept", "states"))}
            if len(sizes) != 1:
                raise ValueError(f"lists of {sorted(sizes)} replicates")
            steps = [*chain.from_iterable(summary["kept"]), *summary["states"]]
            if any(step is not None and type(step) is not int for step in steps):
                raise ValueError("steps that are not whole numbers")
            if not isinstance(summary["rule"], dict):
                raise ValueError("a rule that is none")
        return rows

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
        found = verdicts(self.numbers, self.joint.n_known, every, rule)
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
            parts = set(self.joint.part_of[row, : last // every].tolist())
            parts.update(kept[step] for step in wanted & kept.keys())
            stretch = None
            if missing or not ended:
                before = min(missing[0] - 1, last) if missing else last
                start = max((step for step in self.states[row] if step <= before), default=0)
                stretch = Stretch(seed, rate, start, missing[-1] if ended else None, missing)
            outcome = OUTCOMES[found.outcome[row]]
            judged.append(Judged(ended, outcome, last, frozenset(parts), stretch))
        return judged
