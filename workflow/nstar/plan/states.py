"""What is there of one cell: what a study reads of its blocks, and what they lack by its rule."""

import itertools
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from nstar.cells import Block, Cell, product_blocks, tested_lengths
from nstar.cells.paths import STORE_SUFFIX, decode
from nstar.errors import PathError
from nstar.files import is_there, names_in
from nstar.plan.prefixes import Prefix
from nstar.plan.stores import Stores
from nstar.plan.work import EvaluationWork, Replicate, Work
from nstar.seeds import seed_text, streams_of
from nstar.store.header import evaluated_rows, read_header
from nstar.store.schemas import OWN_SETS
from nstar.study import Role


@dataclass(frozen=True)
class CellState:
    """What is there of one cell.

    Attributes
    ----------
    cell : Cell
    finished : tuple of Reading
        What the study reads of blocks that are there.
    missing : tuple of Work
        What is to be trained, in blocks that are there or not.
    role : {"demand", "extrapolation"}
        Why it is trained.
    """

    cell: Cell
    finished: tuple["Reading", ...]
    missing: tuple[Work, ...]
    role: Role = "demand"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All its blocks, those that are there first."""
        return tuple(dict.fromkeys(part.block for part in (*self.finished, *self.missing)))

    def parts_of(self, block: Block) -> tuple[int, ...]:
        """Return the parts of a block that the study reads once all is trained."""
        parts = [
            part for reading in self.finished if reading.block == block for part in reading.parts
        ]
        return (*parts, *(work.part for work in self.missing if work.block == block))

    def replicates_of(self, block: Block) -> tuple[Replicate, ...]:
        """Return the replicates that the study takes from a block, in the order of the block."""
        taken = {pair for part in self.finished if part.block == block for pair in part.replicates}
        for work in self.missing:
            if work.block == block:
                taken.update(work.replicates)
        pairs = itertools.product(block.seeds, block.learning_rates)
        return tuple(pair for pair in pairs if pair in taken)


@dataclass(frozen=True)
class Reading:
    """What a study reads of a block that is there.

    Attributes
    ----------
    block : Block
    parts : tuple of int
        Parts of the block that it reads, replicates whose run goes on included.
    replicates : tuple of tuple
        Seed and learning rate of those that the study takes from this block and whose run its rule ends
        within the parts, in the order of the block.
    outcomes : tuple of str
        How they ended.
    n_steps : tuple of int
        Their steps, up to the end by the rule of the study.
    refit : bool
        Whether a rule of none of the roles of the study trained a part of it.
    """

    block: Block
    parts: tuple[int, ...]
    replicates: tuple[Replicate, ...]
    outcomes: tuple[str, ...] = field(repr=False)
    n_steps: tuple[int, ...] = field(repr=False)
    refit: bool = False


def state_of(stores: Stores, cell: Cell, role: Role = "demand") -> CellState:
    """Return what is there of a cell for a role, and what is missing; reads headers.

    Of a replicate that several blocks hold, the study reads the one that needs the fewest steps.
    """
    replicates = stores.study.replicates
    wanted = frozenset(itertools.product(replicates.runs, replicates.learning_rates))
    there = _blocks_there(stores, cell, wanted, role)
    holders: dict[Replicate, list[_BlockThere]] = {}
    for one in there:
        for pair in one.block.replicates & wanted:
            holders.setdefault(pair, []).append(one)
    readers = {pair: min(ones, key=lambda one: one.lacks(pair)) for pair, ones in holders.items()}
    readings, works = [], []
    for one in there:
        taken = {pair for pair, reader in readers.items() if reader is one}
        if taken:
            reading, work = one.read(taken)
            readings.append(reading)
            works += [work] if work else []
    new = product_blocks(cell, wanted - readers.keys())
    works += [Work.whole(block, role) for block in new]
    return CellState(cell, tuple(readings), tuple(works), role)


def _blocks_there(
    stores: Stores, cell: Cell, wanted: frozenset[Replicate], role: Role
) -> list["_BlockThere"]:
    """Return blocks that are there: that of all wanted replicates, and those with what it lacks."""
    whole = product_blocks(cell, wanted)
    there = [_BlockThere(stores, block, role) for block in whole if is_there(stores.cell(block))]
    if len(there) < len(whole) or any(one.lacks(pair) for one in there for pair in one.judged):
        blocks = _blocks_on_disk(stores, cell)
        others = (block for block in blocks if block not in whole and block.replicates & wanted)
        there += (_BlockThere(stores, block, role) for block in others)
    return there


class _BlockThere:
    """A block that is there, judged by the rule of a role of the study."""

    def __init__(self, stores: Stores, block: Block, role: Role):
        training = stores.study.training
        self.role, self.rule = role, stores.rules[role]
        self.own_rules = [rule.as_dict() for rule in stores.rules.values()]
        self.block = block
        self.paths = _parts_there(block, stores.cell)
        self.prefix = Prefix(
            block, self.paths, [read_header(path)["summary"] for path in self.paths]
        )
        judged = self.prefix.judge(training.evaluate_every, self.rule, training.snapshot_every)
        self.judged = dict(zip(self.prefix.replicates, judged, strict=True))

    def lacks(self, pair: Replicate) -> int:
        """Return the steps that a replicate needs, if it does not end early."""
        stretch = self.judged[pair].stretch
        return stretch.last(self.rule.max_steps) - stretch.start if stretch else 0

    def read(self, taken: Collection[Replicate]) -> tuple[Reading, Work | None]:
        """Return what the study reads of some replicates, and what they lack."""
        chosen = [(pair, found) for pair, found in self.judged.items() if pair in taken]
        parts = sorted(set().union(*(found.parts for _, found in chosen)))
        ended = [(pair, found) for pair, found in chosen if found.ended]
        stretches = tuple(found.stretch for _, found in chosen if found.stretch)
        reading = Reading(
            block=self.block,
            parts=tuple(parts),
            replicates=tuple(pair for pair, _ in ended),
            outcomes=tuple(found.outcome for _, found in ended),
            n_steps=tuple(found.n_steps for _, found in ended),
            refit=any(self.prefix.rules[part] not in self.own_rules for part in parts),
        )
        if not stretches:
            return reading, None
        return reading, Work(self.block, len(self.paths), stretches, self.role)


def _parts_there(block: Block, path_of: Callable[[Block, int], str]) -> list[str]:
    """Return the paths of the parts of a block that are there, up to the first that is not."""
    paths = map(path_of, itertools.repeat(block), itertools.count())
    return list(itertools.takewhile(is_there, paths))


def _blocks_on_disk(stores: Stores, cell: Cell) -> list[Block]:
    """Return the blocks of a cell that are there, the largest first."""
    folder, name = stores.folder(cell), f"{stores.training_digest(cell)}{STORE_SUFFIX}"
    blocks = []
    for seeds in names_in(folder):
        for rates in names_in(folder / seeds):
            if is_there(folder / seeds / rates / name):
                with suppress(PathError):  # a folder of a name that nstar does not give
                    found = decode(f"{seeds}/{rates}")
                    blocks.append(Block(cell, found["seeds"], found["learning_rates"]))

    def rank(block: Block) -> tuple:
        return -len(block.replicates), [*map(streams_of, block.seeds)], block.learning_rates

    return sorted(blocks, key=rank)


def evaluations_of(
    stores: Stores, state: CellState, block: Block, n_planned: int = 0
) -> tuple[tuple[int, ...], list[EvaluationWork]]:
    """Return which parts of the evaluation of a block are read, and what is missing of it.

    The ends of runs that are trained first are not known yet, and no part can have them. Replicates
    that lack the same tests share a new part, which comes after those that are there and the
    `n_planned` ones of another role.
    """
    paths = _parts_there(block, stores.evaluation)
    part_of: dict[tuple, int] = {}
    for part, path in enumerate(paths):
        for row, test in evaluated_rows(read_header(path)["summary"], path):
            part_of.setdefault((*row, test), part)
    ends = {
        pair: step
        for reading in state.finished
        if reading.block == block
        for pair, step in zip(reading.replicates, reading.n_steps, strict=True)
    }
    tests, read = (OWN_SETS, *tested_lengths(stores.study, block.cell)), set()
    lacking: dict[tuple[int, ...], list[Replicate]] = {}
    for pair in state.replicates_of(block):
        found = {test: part_of.get((*pair, ends.get(pair), test)) for test in tests}
        read.update(part for part in found.values() if part is not None)
        if missing := tuple(test for test, part in found.items() if part is None):
            lacking.setdefault(missing, []).append(pair)
    there, trained = tuple(range(len(paths))), state.parts_of(block)
    works = [
        EvaluationWork(block, part, tuple(pairs), missing, trained, there, state.role)
        for part, (missing, pairs) in enumerate(lacking.items(), start=len(paths) + n_planned)
    ]
    return tuple(sorted(read)), works


def network_of(stores: Stores, cell: Cell, data_seed: int) -> dict[str, Any]:
    """Return what the network of a cell is read from that labels the data of a seed.

    It has the first learning rate. Its ``stores`` are the parts of its block, its ``rule`` ends the run.
    """
    replicates = stores.study.replicates
    state, rate = state_of(stores, cell), replicates.learning_rates[0]
    seed = replicates.source_of(data_seed)
    for block in state.blocks:
        if (seed, rate) in state.replicates_of(block):
            paths = [stores.cell(block, part) for part in state.parts_of(block)]
            rule = stores.rules["demand"].as_dict()
            return {"stores": paths, "seed": seed, "learning_rate": rate, "rule": rule}
    raise ValueError(f"seed {seed_text(seed)} is none of the study")
